"""Makes a pass as Apple's wallet takes it, but for the signature: nobody can sign for a house that does not exist."""

import hashlib
import io
import json
import zipfile
from typing import NamedTuple


class PassFile(NamedTuple):
    name: str
    mediaType: str  # noqa: N815 # a key of the document
    content: bytes


def pkpass(serial_number: str) -> PassFile:
    card = {
        "formatVersion": 1,
        "passTypeIdentifier": "pass.example.nordlicht",
        "serialNumber": serial_number,
        "organizationName": "Nordlicht",
        "description": "Nordlicht card",
        "storeCard": {"primaryFields": [{"key": "number", "label": "Card", "value": serial_number}]},
    }
    parts = {"pass.json": json.dumps(card).encode()}
    parts["manifest.json"] = json.dumps({name: hashlib.sha1(part).hexdigest() for name, part in parts.items()}).encode()  # noqa: S324 # Apple's format
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, part in parts.items():
            opened.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), part)
    return PassFile(f"{serial_number}.pkpass", "application/vnd.apple.pkpass", archive.getvalue())
