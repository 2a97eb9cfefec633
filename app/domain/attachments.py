"""Makes and opens links to the files of mails and notes: a link opens one file to everybody who has it. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from app.domain.access import Viewer
from app.domain.links import seal, unseal

PATH: Final = "/attachments"
SHOWN: Final = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp", "image/avif", "image/bmp"})
"""Types of images that are shown inside of a mail. Others, such as drawings that run scripts, are files only."""


class LinkTarget(NamedTuple):
    """A link opens this file, until then; it says who asked for the link, and not who follows it.

    ``node_id`` is the mail's or the note's; ``file_id`` is an upload's where a note carries it.
    """

    node_id: str
    file_id: str
    name: str
    media_type: str
    until: datetime
    asker: Viewer


def link(node_id: str, attachment: Mapping[str, Any], until: datetime, asker: Viewer) -> str:
    """Returns the path that opens a file of the node to everybody who has it, until then."""
    file = (attachment[key] for key in ("fileId", "name", "mediaType"))
    return seal(PATH, node_id, *file, until=until, asker=asker)


def open_link(token: str) -> LinkTarget | None:
    """Returns what a link opens; None for a token that ``link`` never made."""
    opened = unseal(PATH, token)
    if opened is None:
        return None
    node_id, file_id, name, media_type = opened.values
    return LinkTarget(node_id, file_id, name, media_type, opened.until, opened.asker)


def images_of(email: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the mail's inline images that may be shown, by content id."""
    attachments: list[Mapping[str, Any]] = email.get("attachments") or []
    return {each["contentId"]: each for each in attachments if "contentId" in each and each["mediaType"] in SHOWN}
