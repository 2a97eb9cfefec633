"""Makes what is stored follow a company's own catalogue, and remembers which version of it was applied."""

from dataclasses import asdict
from datetime import datetime
from hashlib import sha256
from typing import Final

from app.catalogue import OwnCatalogue
from app.domain.refusals import Refusal
from app.store import indexes
from app.store.driver import ReplaceOne, Store

_OWN: Final = "own catalogue"


class VersionTaken(Refusal):
    """Raised where another file of the same version was applied before; nothing was changed."""

    code, field = "INVALID", ("version",)

    def __init__(self, version: str) -> None:
        super().__init__(f"Another file of version {version} was applied before: give this one another version.")


def content_of(own: OwnCatalogue) -> str:
    """Returns a fingerprint of all that the file says besides its version."""
    said = [
        [asdict(row) for row in own.rows],
        sorted((code, sorted(each.items())) for code, each in own.titles.items()),
        *([[asdict(field) for field in own.fields]] if own.fields else []),
    ]
    return sha256(repr(said).encode()).hexdigest()[:16]


async def apply(store: Store, own: OwnCatalogue, now: datetime) -> int:
    """Makes activities copy what the catalogue says of their types by now, and returns how many were different.

    Raises VersionTaken, StoreError. Interrupted anywhere, it is completed by starting it again.
    """
    content = content_of(own)
    found = await store.find("versions", {"_id": _OWN})
    if found and found[0]["version"] == own.version and found[0]["fingerprint"] != content:
        raise VersionTaken(own.version)
    different = await indexes.count_outdated(store)
    await indexes.apply(store, removes_types=True)
    applied = {"_id": _OWN, "version": own.version, "fingerprint": content, "appliedAt": now}
    await store.write("versions", [ReplaceOne({"_id": _OWN}, applied, upsert=True)])
    return different
