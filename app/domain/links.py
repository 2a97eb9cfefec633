"""Seals what a link opens, and opens it again: whoever has the link needs no token. Pure.

A link is encrypted with the key that all processes share (domain/cursors.py): nobody makes one up or alters one.
"""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag

from app.domain.access import Role, Viewer
from app.domain.cursors import CIPHER


class Opened(NamedTuple):
    """It holds what a link was made of, until when it is good, and who asked for it: not who follows it."""

    values: list[Any]
    until: datetime
    asker: Viewer


def seal(path: str, *values: str, until: datetime, asker: Viewer) -> str:
    """Returns a path below ``path`` that ``unseal`` opens there, and nowhere else."""
    payload = [path, *values, int(until.timestamp()), asker.subject, asker.name, sorted(asker.roles)]
    sealed = CIPHER.encrypt(json.dumps(payload, separators=(",", ":")).encode(), None)
    return f"{path}/{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"


def unseal(path: str, token: str) -> Opened | None:
    """Returns what a link was made of, also once its time is over; None for a token that ``seal`` never made."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        purpose, *values, until, subject, name, roles = json.loads(CIPHER.decrypt(sealed, None))
        if purpose != path:
            return None
        return Opened(values, datetime.fromtimestamp(until, UTC), Viewer(subject, name, frozenset(map(Role, roles))))
    except (binascii.Error, ValueError, TypeError, InvalidTag):
        return None
