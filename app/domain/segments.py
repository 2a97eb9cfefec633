"""Decides what a saved segment may be, who sees it, and who may change it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.domain import changes
from app.domain.access import Forbidden, Permission, Viewer
from app.domain.changes import Invalid
from app.domain.paging import AnyOf, Exactly, In, Where
from app.domain.refusals import Refusal
from app.domain.search import folded
from app.domain.vocabulary import SegmentScope

MAX_OWN: Final = 200
"""Segments of one subject."""
MAX_STARS: Final = 1_000
"""Subjects who have starred one segment."""
_NAME_AT_MOST: Final = 100
_SHARED_AT_MOST: Final = 100
_SUBJECT_AT_MOST: Final = 255


class NameTaken(Refusal):
    code, field = "NAME_TAKEN", ("name",)

    def __init__(self, name: str) -> None:
        super().__init__(f'Another segment of the same owner is called "{name}".')


class SegmentInvalid(Refusal):
    """Raised where a stored segment is not one that this version takes; the client sees SEGMENT_INVALID."""

    code, field = "SEGMENT_INVALID", ("segmentId",)

    def __init__(self, why: str) -> None:
        super().__init__(f"The segment cannot be used as it was saved; change it first. {why}")


# ---------------------------------------------------------------- who sees it, who may change it


def is_visible(segment: Mapping[str, Any], viewer: Viewer) -> bool:
    """Returns whether the segment exists for the viewer: ``visible``, for one that is known."""
    return (
        viewer.may(Permission.MANAGE_SEGMENTS)
        or segment["subject"] == viewer.subject
        or segment["scope"] == SegmentScope.PUBLIC
        or viewer.subject in segment["sharedWith"]
    )


def visible(viewer: Viewer) -> Where:
    """Returns the condition under which a segment exists for the viewer."""
    if viewer.may(Permission.MANAGE_SEGMENTS):
        return ()
    own: Where = (("subject", Exactly(viewer.subject)),)
    shared: Where = (("sharedWith", Exactly(viewer.subject)),)
    public: Where = (("scope", In((SegmentScope.PUBLIC.value,))),)
    return (("seen?", AnyOf((own, shared, public))),)


def check_may_change(segment: Mapping[str, Any], viewer: Viewer) -> None:
    """Raises Forbidden for whoever is neither its owner nor may manage all segments."""
    if segment["subject"] != viewer.subject and not viewer.may(Permission.MANAGE_SEGMENTS):
        raise Forbidden("Only its owner and administrators may change or delete a segment.", "segmentId")


# ---------------------------------------------------------------- what it may be


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values as they are stored; None where one is left empty. Raises Invalid, with all faults."""
    return changes.read_each(given, _read)


def _read(name: str, value: Any) -> Any:
    match name, value:
        case "name" | "scope" | "filter", None:
            raise Invalid(f"{name} cannot be cleared.", name)
        case "name", str():
            return changes.text(value, name, at_most=_NAME_AT_MOST, lines=False)
        case "description", str():
            return changes.text(value, name, at_most=changes.REASON_AT_MOST)
        case "sharedWith", _:
            return _subjects(value or [])
        case _:
            return value


def _subjects(given: Sequence[str]) -> list[str]:
    if len(given) > _SHARED_AT_MOST:
        raise Invalid(f"A segment is shared with at most {_SHARED_AT_MOST} people; make it public.", "sharedWith")
    read = (changes.text(each, "sharedWith", at_most=_SUBJECT_AT_MOST, lines=False) for each in given)
    return list(dict.fromkeys(read))


def edit(segment: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the segment with these values; None takes one away. Raises Invalid for what contradicts its scope."""
    if "sharedWith" not in values and values.get("scope", SegmentScope.SHARED) != SegmentScope.SHARED:
        values = {**values, "sharedWith": []}  # what is not shared any more is shared with nobody
    after = {key: value for key, value in {**segment, **values}.items() if value is not None}
    if (after["scope"] == SegmentScope.SHARED) != bool(after["sharedWith"]):
        raise Invalid("sharedWith names people for the scope SHARED, and nobody for any other.", "sharedWith")
    return {**after, "searchName": folded(after["name"])}


def star(segment: Mapping[str, Any], subject: str, *, starred: bool) -> list[str]:
    """Returns the subjects who have starred the segment, with or without this one. Raises LimitExceeded."""
    others = [each for each in segment["starredBy"] if each != subject]
    if starred and len(others) >= MAX_STARS:
        raise changes.LimitExceeded(f"A segment is starred by at most {MAX_STARS:,} people.", "segmentId")
    return [*others, subject] if starred else others
