"""Reads the notes that are pinned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from app.domain.cursors import MAXIMUM_SIZE
from app.domain.merging import moved
from app.domain.notes import FOR_ALL
from app.loaders.gate import Gate
from app.store.driver import Document, Store

Pins = tuple[str, str]
"""A customer's id, and the subject of whoever looks."""


async def pinned_notes(store: Store, gate: Gate, keys: Sequence[Pins]) -> Mapping[Pins, list[Document]]:
    """Returns the notes that are pinned for all or for the subject, newest first. One command."""
    subjects = {subject for _, subject in keys}
    owner_of = {part: each for each, _ in keys for part in gate.parts("notes", each)}
    where = {"customerId": {"$in": list(owner_of)}, "pins": {"$in": [FOR_ALL, *sorted(subjects)]}}
    found = await store.find("notes", where, sort={"createdAt": -1}, limit=MAXIMUM_SIZE * len(keys))
    whole = [moved(note, owner_of[note["customerId"]]) for note in found]
    admitted = await gate.admitted({note["_id"]: note for note in whole})
    of_customer: defaultdict[str, list[Document]] = defaultdict(list)
    for note in admitted.values():
        of_customer[note["customerId"]].append(note)
    return {
        (customer_id, subject): [
            note for note in of_customer[customer_id] if FOR_ALL in note["pins"] or subject in note["pins"]
        ]
        for customer_id, subject in keys
    }
