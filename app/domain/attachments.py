"""Makes and opens links to the files that mails carry: a link opens one file to everybody who has it. Pure.

A link is encrypted with the key that all processes share (domain/cursors.py): it says which file it opens and until
when, and nobody makes one up.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag

from app.domain.access import Role, Viewer
from app.domain.cursors import CIPHER

PATH: Final = "/attachments"
SHOWN: Final = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp", "image/avif", "image/bmp"})
"""Types of images that are shown inside of a mail. Others, such as drawings that run scripts, are files only."""


class LinkTarget(NamedTuple):
    """A link opens this file, until then; it says who asked for the link, and not who follows it."""

    email_id: str
    file_id: str
    name: str
    media_type: str
    until: datetime
    asker: Viewer


def link(attachment: Mapping[str, Any], until: datetime, asker: Viewer) -> str:
    """Returns the path that opens the file to everybody who has it, until then."""
    file = [attachment[key] for key in ("emailId", "fileId", "name", "mediaType")]
    payload = [PATH, *file, int(until.timestamp()), asker.subject, asker.name, sorted(asker.roles)]
    sealed = CIPHER.encrypt(json.dumps(payload, separators=(",", ":")).encode(), None)
    return f"{PATH}/{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def open_link(token: str) -> LinkTarget | None:
    """Returns what a link opens; None for a token that ``link`` never made."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        purpose, *file, until, subject, asker, roles = json.loads(CIPHER.decrypt(sealed, None))
        if purpose != PATH:
            return None
        email_id, file_id, name, media_type = file
        viewer = Viewer(subject, asker, frozenset(map(Role, roles)))
        return LinkTarget(email_id, file_id, name, media_type, datetime.fromtimestamp(until, UTC), viewer)
    except (binascii.Error, ValueError, TypeError, InvalidTag):
        return None


def images_of(email: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the mail's inline images that may be shown, by content id."""
    attachments: list[Mapping[str, Any]] = email.get("attachments") or []
    return {each["contentId"]: each for each in attachments if "contentId" in each and each["mediaType"] in SHOWN}
