"""The heads of a customer's lists, kept in one document: the rows that nearly every screen asks for, and asks first.

A copy, made whole from the lists it copies (domain/listings.py: HEADS) after each change, and never trusted for its own
sake: it says at which ``revision`` of the customer it was made, every transaction that writes such a row counts that
up, and a reader takes a head only if the two are the same. Whoever died between a change and its head, or could not
make it, leaves a customer who is read as if there were none. It also says of which ``form`` it is: versions that keep
other rows run beside each other, and none takes the other's heads.
"""

from collections.abc import Sequence
from typing import Final

import structlog

from app.domain.listings import HEAD_FIRST, HEAD_FORM, HEAD_PARTS, HEADS
from app.store.driver import DeleteMany, Document, Pipeline, Store, StoreError, Unavailable
from app.store.pages import joined

_log = structlog.get_logger("heads")
_AT_ONCE: Final = 200

# The revision is read before the rows. So a head of the customer's present revision lacks none of what was written up
# to it; and where two make a head at a time, the one that knows of more remains.
_MAKING: Final[Pipeline] = (
    {"$project": {"revision": {"$ifNull": ["$revision", 0]}, "form": {"$literal": HEAD_FORM}}},
    *({"$lookup": {"from": name, **joined(slice_), "as": name}} for name, slice_ in HEADS.items()),
    {
        "$addFields": {
            key: {"$slice": [f"${name}", *rows]}
            for name, (first, more) in HEAD_PARTS.items()
            for key, rows in ((first, (HEAD_FIRST,)), (more, (HEAD_FIRST, HEADS[name].size)))
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


async def keep(store: Store, customer_ids: Sequence[str]) -> None:
    """To be called once a transaction that counted up these customers' revisions is committed. It fails for nobody.

    One command, unless one of several customers has more in their head than a document can hold.
    """
    if not customer_ids:
        return
    try:
        await store.merge("customers", [{"$match": {"_id": {"$in": [*customer_ids]}}}, *_MAKING, _KEEPING])
    except StoreError as failed:
        if len(customer_ids) == 1 or isinstance(failed, Unavailable):
            _log.warning(
                "heads are not kept", customers=len(customer_ids), first=customer_ids[0], error=type(failed).__name__
            )
            return
        for customer_id in customer_ids:
            await keep(store, [customer_id])


async def keep_all(store: Store) -> int:
    """Makes those that are missing, of another form, or of another revision than their customer; how many."""
    kept, last = 0, ""
    while True:
        customers = await store.find(
            "customers", {"_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE, fields={"revision": 1}
        )
        if not customers:
            return kept
        revisions = {each["_id"]: each.get("revision", 0) for each in customers}
        heads = await store.find("heads", {"_id": {"$in": [*revisions]}}, fields={"revision": 1, "form": 1})
        current = {head["_id"] for head in heads if _is_believed(head, revisions[head["_id"]])}
        if outdated := [each for each in revisions if each not in current]:
            await keep(store, outdated)
        kept, last = kept + len(outdated), customers[-1]["_id"]


async def forget(store: Store) -> None:
    """All of them: to be kept again, by ``keep_all`` or as customers change."""
    await store.write("heads", [DeleteMany({})])


async def differences(store: Store) -> list[str]:
    """The customers whose heads are not what their lists are, and would be believed."""
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


def _is_believed(head: Document, revision: int) -> bool:
    return head.get("form") == HEAD_FORM and head.get("revision") == revision
