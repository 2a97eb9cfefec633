"""Keeps previews: the newest rows of a customer's lists in one document, which answers nearly every screen.

A preview is a copy. It follows in the transaction that adds rows to lists (domain/listings.py: PREVIEWS), is made whole
from them after every other change, and carries the ``revision`` of the customer at which it was made. Every transaction
that writes such a row counts that up, and readers believe a preview only of the customer's present revision. A process
that dies between a change and its preview leaves a customer who is read without one. A preview also carries the
``form`` of its definition: versions that keep other rows run side by side, and neither believes the previews of the
other. The collection is called ``heads``, its first name.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import structlog

from app.domain.customers import PENDING
from app.domain.listings import PREVIEW_FIRST, PREVIEW_FORM, PREVIEW_PARTS, PREVIEWS
from app.domain.paging import In, PageRequest
from app.jobs import AT_FULL_PACE, Pace, at_once
from app.store.driver import DeleteMany, Document, Pipeline, Store, StoreError, Unavailable, UpdateOne
from app.store.pages import joined, sort_of
from app.store.pending import SETTLED_AT_ONCE, settle

_log = structlog.get_logger("previews")
_AT_ONCE: Final = 200
_GENTLY_AT_ONCE: Final = 10
_STALE_AT_MOST: Final = 100_000
SETTLED_EACH_SECONDS: Final = 30
_UNSETTLED_AT_MOST: Final = 20_000


# The revision is read before the rows. So a preview of the customer's present revision lacks none of what was written
# up to it; and where two make a preview at a time, the one that knows of more remains.
def _making(lists: Collection[str] = PREVIEWS.keys()) -> Pipeline:
    """Returns the stages that make the previews of customers who have nothing but in these ``lists``."""
    nothing: Document = {"$literal": []}
    parts = {part: nothing for both in PREVIEW_PARTS.values() for part in both} | _parts(lists)
    return (
        {"$project": {"revision": {"$ifNull": ["$revision", 0]}, "form": {"$literal": PREVIEW_FORM}}},
        *({"$lookup": {"from": name, **joined(PREVIEWS[name]), "as": name}} for name in PREVIEWS if name in lists),
        {"$addFields": parts},
    )


def _parts(lists: Collection[str]) -> Document:
    """Returns what divides ``lists`` that are read whole into the parts of a preview."""
    parts: Document = {}
    for name in lists:
        first, more = PREVIEW_PARTS[name]
        parts[first] = {"$slice": [f"${name}", PREVIEW_FIRST]}
        parts[more] = {"$slice": [f"${name}", PREVIEW_FIRST, PREVIEWS[name].size]}
    return parts


_MAKING: Final = _making()
_BEARS_MORE: Final = {"$expr": {"$lt": [{"$bsonSize": "$$ROOT"}, 8 * 1024 * 1024]}}
_ORDERS: Final = {name: sort_of(page_request) for name, page_request in PREVIEWS.items()}
_KEEPING: Final = {
    "$merge": {
        "into": "heads",
        "whenMatched": [
            {"$replaceWith": {"$cond": [{"$gt": ["$revision", "$$new.revision"]}, "$$ROOT", "$$new"]}},
        ],
    }
}


def _listed(page_request: PageRequest, row: Mapping[str, Any]) -> bool:
    """Returns whether a list that has a preview has the row. Raises TypeError for conditions that none of them has."""
    selection = page_request.selection
    for key, condition in (*selection.listing.base, *selection.where):
        if not isinstance(condition, In):
            raise TypeError(f"{key} {condition}")
        if row.get(key) not in condition.values:
            return False
    return True


def following(customer_id: str, revision: int, added: Mapping[str, Sequence[Document]]) -> UpdateOne:
    """Returns what brings a preview to this ``revision``, in the transaction that adds rows to lists and changes none.

    It finds no preview that was not up to date before, lacks a part, or is so large that it may not bear more.
    """
    before: Document = {"_id": customer_id, "revision": revision - 1, "form": PREVIEW_FORM, **_BEARS_MORE}
    lists: Document = {}
    for name, rows in added.items():
        if newest := [row for row in rows if _listed(PREVIEWS[name], row)]:
            whole = {"$concatArrays": [{"$literal": newest}, *(f"${part}" for part in PREVIEW_PARTS[name])]}
            in_order = {"$sortArray": {"input": whole, "sortBy": _ORDERS[name]}}
            lists[name] = {"$slice": [in_order, PREVIEWS[name].size + 1]}
            before |= {part: {"$exists": True} for part in PREVIEW_PARTS[name]}
    return UpdateOne(before, [{"$set": {"revision": revision, **lists}}, *([{"$set": _parts(lists)}] if lists else [])])


async def refresh(store: Store, customer_ids: Sequence[str], known: "_Known | None" = None) -> None:
    """Makes the previews of these customers anew, once the transaction that counted up their revisions is committed.

    It never fails: without a preview, a customer is read by seeks. One command, unless a preview of one of several
    customers does not fit into a document. Of whom it is ``known`` what they have, only that is read; if somebody has
    changed them since, it is for that one to make their previews.
    """
    if not customer_ids:
        return
    where = {"_id": {"$in": [*customer_ids]}, **({"revision": known.revision} if known else {})}
    try:
        making = _making(known.lists) if known else _MAKING
        await store.merge("customers", [{"$match": where}, *making, _KEEPING])
    except StoreError as failed:
        if len(customer_ids) == 1 or isinstance(failed, Unavailable):
            _log.warning(
                "previews are not kept", customers=len(customer_ids), first=customer_ids[0], error=type(failed).__name__
            )
            return
        for customer_id in customer_ids:
            await refresh(store, [customer_id], known)


class _Known(NamedTuple):
    """What a customer has who is new: rows in these ``lists`` alone, as long as their revision is this one."""

    revision: int
    lists: frozenset[str]


class StaleCopies:
    """It keeps in mind whose copies a writer of many rows has left behind, to make each of them once.

    What customers are listed by is settled twice a minute, and once the writer ends; previews are made then. Of
    customers whom the writer itself has brought it knows in which lists they have anything, and reads no others. Of so
    many customers that they fill memory it remembers no one: then all previews are looked through. Should the process
    die before, `refresh_stale` finds both.
    """

    def __init__(self, pace: Pace = AT_FULL_PACE) -> None:
        self._pace = pace
        self._unsettled: set[str] = set()
        self._settled_at = time.monotonic()
        self._stale: dict[str, _Known | None] = {}
        self._alike: dict[_Known, _Known] = {}
        """What many customers have alike takes memory once."""
        self._are_too_many = False

    def add(
        self,
        revisions: Mapping[str, int],
        *,
        pending: Iterable[str],
        new: Container[str],
        written: Mapping[str, Collection[str]],
    ) -> None:
        """Notes customers by the revision that they have now. ``written`` says where they got or lost rows."""
        self._unsettled.update(pending)
        if self._are_too_many:
            return
        for customer_id, revision in revisions.items():
            before = _Known(revision - 1, frozenset()) if customer_id in new else self._stale.get(customer_id)
            if before and before.revision == revision - 1:
                lists = before.lists.union(PREVIEWS.keys() & written.get(customer_id, ()))
                known = _Known(revision, lists)
                self._stale[customer_id] = self._alike.setdefault(known, known)
            else:  # somebody else has written, too, or had before
                self._stale[customer_id] = None
        if len(self._stale) > _STALE_AT_MOST:
            self._are_too_many = True
            self._stale.clear()
            self._alike.clear()

    async def settle_if_due(self, store: Store) -> None:
        """Settles what was left half a minute ago, or of so many that it would take long."""
        is_due = time.monotonic() - self._settled_at >= SETTLED_EACH_SECONDS
        if is_due or len(self._unsettled) >= _UNSETTLED_AT_MOST:
            await at_once(self._settlings(store, self._pace), 1)

    async def settle(self, store: Store) -> None:
        """Makes the copies by which customers are listed what they are to be, without a rest."""
        await at_once(self._settlings(store, AT_FULL_PACE), 1)

    async def finish(self, store: Store, lanes: int = 1) -> None:
        """Settles all, makes the previews anew, so many commands at a time, and forgets whose they were."""
        await at_once([*self._settlings(store, self._pace), *self._refreshings(store)], lanes)
        if self._are_too_many:
            self._are_too_many = False
            await refresh_stale(store, self._pace)

    def _settlings(self, store: Store, pace: Pace) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
        unsettled, self._unsettled = sorted(self._unsettled), set()
        self._settled_at = time.monotonic()
        size = _customers_at_once(pace, SETTLED_AT_ONCE)
        for first in range(0, len(unsettled), size):
            yield pace.paced(partial(settle, store, unsettled[first : first + size]))

    def _refreshings(self, store: Store) -> Iterator[Callable[[], Coroutine[Any, Any, None]]]:
        stale, self._stale, self._alike = self._stale, {}, {}
        alike: defaultdict[_Known | None, list[str]] = defaultdict(list)
        for customer_id in sorted(stale):
            alike[stale[customer_id]].append(customer_id)
        size = _customers_at_once(self._pace)
        for known, customer_ids in alike.items():
            for first in range(0, len(customer_ids), size):
                yield self._pace.paced(partial(refresh, store, customer_ids[first : first + size], known))


def _customers_at_once(pace: Pace, at_full_pace: int = _AT_ONCE) -> int:
    return _GENTLY_AT_ONCE if pace.is_gentle else at_full_pace


async def refresh_stale(store: Store, pace: Pace = AT_FULL_PACE) -> int:
    """Makes the previews that are missing, of another form or of another revision; returns how many.

    What an import left pending that was interrupted is settled, too.
    """
    kept, last = 0, ""
    size, fields = _customers_at_once(pace), {"revision": 1, PENDING: 1}
    while True:
        start = time.monotonic()
        customers = await store.find("customers", {"_id": {"$gt": last}}, sort={"_id": 1}, limit=size, fields=fields)
        if not customers:
            return kept
        await settle(store, [each["_id"] for each in customers if PENDING in each])
        revisions = {each["_id"]: each.get("revision", 0) for each in customers}
        found = await store.find("heads", {"_id": {"$in": [*revisions]}}, fields={"revision": 1, "form": 1})
        current = {preview["_id"] for preview in found if _is_believed(preview, revisions[preview["_id"]])}
        if outdated := [each for each in revisions if each not in current]:
            await refresh(store, outdated)
        kept, last = kept + len(outdated), customers[-1]["_id"]
        await pace.rest(start)


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
