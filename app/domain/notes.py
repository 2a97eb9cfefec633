"""Says for whom a note is pinned, and what it was when it was written. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.domain.vocabulary import PinnedFor

FOR_ALL: Final = "\tall"
"""Stands among the subjects in ``pins`` for everybody: no token's subject has a tab in it."""


def pinned_for(note: Mapping[str, Any], subject: str) -> PinnedFor | None:
    """Returns for whom the note is pinned, as this viewer sees it."""
    pins: Sequence[str] = note.get("pins", ())
    if FOR_ALL in pins:
        return PinnedFor.ALL
    return PinnedFor.ME if subject in pins else None


def as_written(note: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the note before it was edited or pinned."""
    original = {"message": note["versions"][0]["message"]} if "versions" in note else {}
    return {key: value for key, value in {**note, **original}.items() if key not in ("versions", "pins")}
