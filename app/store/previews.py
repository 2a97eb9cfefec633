"""Keeps previews: the newest rows of a customer's lists in one document, which answers nearly every screen.

A preview is a copy. It is made whole from the lists (domain/listings.py: PREVIEWS) after each change, and carries the
``revision`` of the customer at which it was made. Every transaction that writes such a row counts that up, and readers
believe a preview only of the customer's present revision. A process that dies between a change and its preview leaves
a customer who is read without one. A preview also carries the ``form`` of its definition: versions that keep other rows
run side by side, and neither believes the previews of the other. The collection is called ``heads``, its first name.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from app.domain.listings import PREVIEW_FIRST, PREVIEW_FORM, PREVIEW_PARTS, PREVIEWS
from app.store.driver import DeleteMany, Document, Pipeline, Store, StoreError, Unavailable
from app.store.pages import joined

_log = structlog.get_logger("previews")
_AT_ONCE: Final = 200
_STALE_AT_MOST: Final = 100_000

# The revision is read before the rows. So a preview of the customer's present revision lacks none of what was written
# up to it; and where two make a preview at a time, the one that knows of more remains.
_MAKING: Final[Pipeline] = (
    {"$project": {"revision": {"$ifNull": ["$revision", 0]}, "form": {"$literal": PREVIEW_FORM}}},
    *({"$lookup": {"from": name, **joined(page_request), "as": name}} for name, page_request in PREVIEWS.items()),
    {
        "$addFields": {
            key: {"$slice": [f"${name}", *rows]}
            for name, (first, more) in PREVIEW_PARTS.items()
            for key, rows in ((first, (PREVIEW_FIRST,)), (more, (PREVIEW_FIRST, PREVIEWS[name].size)))
        }
    },
)
_KEEPING: Final = {
    "$merge": {
        "into": "heads",
        "whenMatched": [
            {"$replaceWith": {"$cond": [{"$gt": ["$revision", "$$new.revision"]}, "$$ROOT", "$$new"]}},
        ],
    }
}


async def refresh(store: Store, customer_ids: Sequence[str]) -> None:
    """Makes the previews of these customers anew, once the transaction that counted up their revisions is committed.

    It never fails: without a preview, a customer is read by seeks. One command, unless a preview of one of several
    customers does not fit into a document.
    """
    if not customer_ids:
        return
    try:
        await store.merge("customers", [{"$match": {"_id": {"$in": [*customer_ids]}}}, *_MAKING, _KEEPING])
    except StoreError as failed:
        if len(customer_ids) == 1 or isinstance(failed, Unavailable):
            _log.warning(
                "previews are not kept", customers=len(customer_ids), first=customer_ids[0], error=type(failed).__name__
            )
            return
        for customer_id in customer_ids:
            await refresh(store, [customer_id])


class StalePreviews:
    """It keeps in mind whose previews a writer of many rows has left stale, to make each of them once.

    Of so many customers that they fill memory it remembers no one: then all previews are looked through. Should the
    process die before, `refresh_stale` finds them, too.
    """

    def __init__(self) -> None:
        self._customer_ids: set[str] = set()
        self._are_too_many = False

    def add(self, customer_ids: Iterable[str]) -> None:
        if self._are_too_many:
            return
        self._customer_ids.update(customer_ids)
        if len(self._customer_ids) > _STALE_AT_MOST:
            self._are_too_many = True
            self._customer_ids.clear()

    async def refresh(self, store: Store) -> None:
        """Makes the previews anew, and forgets whose they were."""
        customer_ids, self._customer_ids = self._customer_ids, set()
        if self._are_too_many:
            self._are_too_many = False
            await refresh_stale(store)
        ordered = sorted(customer_ids)
        for first in range(0, len(ordered), _AT_ONCE):
            await refresh(store, ordered[first : first + _AT_ONCE])


async def refresh_stale(store: Store) -> int:
    """Makes the previews that are missing, of another form or of another revision; returns how many."""
    kept, last = 0, ""
    while True:
        customers = await store.find(
            "customers", {"_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"revision": 1}
        )
        if not customers:
            return kept
        revisions = {each["_id"]: each.get("revision", 0) for each in customers}
        found = await store.find("heads", {"_id": {"$in": [*revisions]}}, fields={"revision": 1, "form": 1})
        current = {preview["_id"] for preview in found if _is_believed(preview, revisions[preview["_id"]])}
        if outdated := [each for each in revisions if each not in current]:
            await refresh(store, outdated)
        kept, last = kept + len(outdated), customers[-1]["_id"]


async def stale_among(store: Store, customer_ids: Pipeline) -> int:
    """Returns how many of the customers whose ids the pipeline over the feed yields have no preview to be believed."""
    ours = {"localField": "_id", "foreignField": "_id"}
    fields: list[Document] = [{"$project": {"revision": 1, "form": 1}}]
    believed = {
        "$and": [
            {"$eq": [{"$first": "$preview.revision"}, {"$ifNull": [{"$first": "$customer.revision"}, 0]}]},
            {"$eq": [{"$first": "$preview.form"}, PREVIEW_FORM]},
        ]
    }
    found = await store.aggregate(
        "feed",
        [
            *customer_ids,
            {"$lookup": {"from": "customers", **ours, "pipeline": fields, "as": "customer"}},
            {"$lookup": {"from": "heads", **ours, "pipeline": fields, "as": "preview"}},
            {"$match": {"customer": {"$ne": []}, "$expr": {"$not": believed}}},
            {"$count": "customers"},
        ],
    )
    return found[0]["customers"] if found else 0


async def drop_all(store: Store) -> None:
    """Drops all previews. ``refresh_stale`` makes them again, and so do changes of their customers."""
    await store.write("heads", [DeleteMany({})])


async def differences(store: Store) -> list[str]:
    """Returns the ids of customers whose previews would be believed and differ from their lists."""
    found: list[str] = []
    last = ""
    while True:
        page: list[Document] = [{"$match": {"_id": {"$gt": last}}}, {"$sort": {"_id": 1}}, {"$limit": _AT_ONCE}]
        made = await store.aggregate("customers", [*page, *_MAKING])
        if not made:
            return found
        kept = {
            head["_id"]: head for head in await store.find("heads", {"_id": {"$in": [each["_id"] for each in made]}})
        }
        believed = (each for each in made if _is_believed(kept.get(each["_id"], {}), each["revision"]))
        found += [each["_id"] for each in believed if each != kept[each["_id"]]]
        last = made[-1]["_id"]


def _is_believed(preview: Document, revision: int) -> bool:
    return preview.get("form") == PREVIEW_FORM and preview.get("revision") == revision
