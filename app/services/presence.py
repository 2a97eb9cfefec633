"""Says who has a customer's record open: who subscribes to it, in any process."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from app.domain.access import Viewer
from app.store.driver import DeleteOne, Store, UpdateOne

_LASTS: Final = timedelta(seconds=60)
"""How long a process that died is believed. Streams that live say so three times as often."""


class Presence:
    """A presence is that of one viewer on one customer, for as long as their stream lasts."""

    def __init__(self, viewer: Viewer, customer_id: str, now: datetime) -> None:
        self._id = token_hex(16)
        person = viewer.person
        self._keys = {
            "customerId": customer_id,
            "viewer": {"id": person.subject, "name": person.name},
            "since": now,
        }

    async def stay(self, store: Store, now: datetime) -> None:
        """Says that the viewer is here, for a minute."""
        keys = {**self._keys, "expiresAt": now + _LASTS}
        await store.write("presence", [UpdateOne({"_id": self._id}, {"$set": keys}, upsert=True)])

    async def leave(self, store: Store) -> None:
        await store.write("presence", [DeleteOne({"_id": self._id})])


async def present(store: Store, customer_id: str, now: datetime) -> Sequence[Mapping[str, Any]]:
    """Returns who is there, each person once, those first who came first."""
    where = {"customerId": customer_id, "expiresAt": {"$gt": now}}
    found = await store.find("presence", where, sort={"customerId": 1, "since": 1})
    people: dict[str, Mapping[str, Any]] = {}
    for each in found:
        people.setdefault(each["viewer"]["id"], each)
    return [*people.values()]
