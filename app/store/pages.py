"""Reads pages of a keyset: which documents come next after a position, in an order that new rows cannot disturb.

What lists there are is said in domain/listings.py; here a page request becomes commands. One parent is a ``find``;
several are one ``$lookup`` of N index seeks. A position (cursor) belongs to one parent only, so several parents never
have one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain, product
from typing import Any, Final, Literal, TypeAlias, cast

from bson import MinKey

from app.domain.listings import PREVIEW_FORM, parts_of_preview
from app.domain.moments import ORDER
from app.domain.paging import (
    COUNT_AT_MOST,
    MERGING,
    Ahead,
    AnyOf,
    Between,
    Condition,
    Contains,
    Exactly,
    Has,
    HasNamed,
    In,
    Listing,
    Named,
    PageRequest,
    Position,
    Prefetch,
    Selection,
)
from app.store.driver import FOLDS_ACCENTS, Document, Pipeline, Store
from app.store.forms import Index
from app.store.schema import COLLECTIONS

Previews: TypeAlias = Literal["none", "of one", "of many", "apart"]
"""Whether previews come with customers, of whom there is one or are many, or apart from them."""
CustomerPages: TypeAlias = Mapping[PageRequest, Mapping[str, list[Document]]]
"""Pages that came with their customers, by page request and customer."""


async def read_pages(store: Store, page_request: PageRequest, parents: Sequence[str]) -> Mapping[str, list[Document]]:
    """Returns rows by parent, in the selection's order: one more than ``size`` if there are more, at the far end.

    One command, however many parents. Reads no more documents than it returns as long as the selection has at most
    one condition that has an index of its own; with more, at most what matches the first of them. In an order that is
    not the list's first: twice as many behind a position, and with a condition at most all rows of the parent. Of a
    list that is searched: see docs/decisions/0015.
    """
    if len(parents) > 1:
        return (await read_together(store, [page_request], parents))[0]
    rows = await _Plan.of(page_request).read_one(store, parents[0])
    return {parents[0]: rows[::-1] if page_request.backwards else rows}


async def read_page_of_several(store: Store, page_request: PageRequest, owners: Sequence[str]) -> list[Document]:
    """Returns a page of the rows of several customers as if they were one's, at one point in time.

    One command, which merges the index of each: what moves from one to another meanwhile is there once.
    """
    if not owners:
        return []
    rows = await _Plan.of(page_request).read_several(store, owners)
    return rows[::-1] if page_request.backwards else rows


async def read_together(
    store: Store, page_requests: Sequence[PageRequest], parents: Sequence[str]
) -> Sequence[Mapping[str, list[Document]]]:
    """Returns the pages of several requests and parents by one command. No request may have a position."""
    owners = {"$documents": [{"_id": parent} for parent in parents]}
    documents = await store.aggregate(None, [owners, *prefetch_stages(tuple(page_requests))])
    return split_prefetched(page_requests, documents)[1]


async def read_with_pages(
    store: Store,
    where: Mapping[str, Any],
    prefetch: Prefetch,
    fields: Iterable[str] = (),
    *,
    several: bool = False,
    ids: Sequence[str] = (),
) -> tuple[list[Document], CustomerPages]:
    """Returns the customers who meet a condition, with these ``fields``, and what ``prefetch`` asks of them.

    Pages come by page request and customer; one is missing where it has to be read by itself. One command.

    ``several``: whether there may be more than one. ``ids`` are theirs, where these are known: their previews are then
    read beside them, which takes the database half of what it takes to look each of them up.
    """
    keys, page_requests = fields_of(prefetch, fields), prefetch.pages
    previews: Previews = "apart" if ids else "of many" if several else "of one"
    stages = [*prefetch_stages(page_requests, keys, previews=previews)]
    if ids and (preview_keys := _preview_keys(page_requests)):
        beside: list[Document] = [{"$match": {"_id": {"$in": [*ids]}}}, _projection(preview_keys)]
        stages.append({"$unionWith": {"coll": "heads", "pipeline": beside}})
    found = await store.aggregate("customers", [{"$match": where}, *stages])
    customers, pages = split_prefetched(page_requests, _with_previews(found), with_previews=True)
    return customers, dict(zip(page_requests, pages, strict=True))


def _with_previews(found: Iterable[Document]) -> list[Document]:
    """Returns customers as they come with lists, each with the preview that was read with them or beside them."""
    customers: list[Document] = []
    previews: dict[str, Document] = {}
    for each in found:
        if "form" in each:
            previews[each["_id"]] = each
        else:
            customers.append(each if "document" in each else {"document": each, "preview": each.pop("preview", ())})
    for customer in customers if previews else ():
        if preview := previews.get(customer["document"]["_id"]):
            customer["preview"] = [preview]
    return customers


def fields_of(prefetch: Prefetch, fields: Iterable[str] = ()) -> frozenset[str] | None:
    """Returns all that is read of the customers themselves; None means everything."""
    return None if prefetch.fields is None else prefetch.fields.union(("_id", *MERGING, *fields))


@lru_cache(256)
def prefetch_stages(
    page_requests: tuple[PageRequest, ...], keys: frozenset[str] | None = None, *, previews: Previews = "none"
) -> Pipeline:
    """Returns stages that put a page of each request beside each document of a pipeline: N index seeks.

    Pages of customers come from their ``previews`` without a seek (store/previews.py), if these are believed. Where
    nothing else is beside a customer, it comes as it is: what it is projected to first costs less.
    """
    lookups: list[Document] = []
    wanted: dict[str, Iterable[str] | None] = {"document": keys}
    for index, page_request in enumerate(page_requests):
        if previews == "none" or not parts_of_preview(page_request):
            place = f"page{index}"
            name = page_request.selection.listing.collection
            lookups.append({"$lookup": {"from": name, **joined(page_request), "as": place}})
            wanted[place] = page_request.projection
    if previews != "none" and (preview := _preview_keys(page_requests)):
        if keys is not None:
            keys |= {"revision"}
        lookup: Document = {"from": "heads", "localField": "_id", "foreignField": "_id", "as": "preview"}
        if previews == "of one":
            # A pipeline inside of ``$lookup`` takes half of what it saves at the end; but for each customer.
            lookup["pipeline"] = [_projection(preview)]
            wanted["preview"] = None
        elif previews == "of many":
            wanted |= {f"preview.{part}": its_keys for part, its_keys in preview.items()}
        beside: list[Document] = [] if previews == "apart" else [{"$lookup": lookup}]
        if previews != "of many" and not lookups:
            return beside if keys is None else [{"$project": dict.fromkeys(keys, 1)}, *beside]
        lookups += beside
        wanted["document"] = keys
    return [{"$project": {"document": "$$ROOT"}}, *lookups, _projection(wanted)]


@lru_cache(256)
def _preview_keys(page_requests: tuple[PageRequest, ...]) -> Mapping[str, Iterable[str] | None]:
    """Returns what is read of previews: their keys, each with those of its rows, or all; nothing where nothing is."""
    preview: dict[str, Iterable[str] | None] = {}
    for page_request in page_requests:
        name, its_keys = page_request.selection.listing.collection, page_request.projection
        for part in parts_of_preview(page_request):
            others = preview.get(part, ())
            if name not in _WIDE or its_keys is None or others is None:
                preview[part] = None
            else:
                preview[part] = {*others, *its_keys}
    return {**preview, "revision": None, "form": None} if preview else {}


def _projection(wanted: Mapping[str, Iterable[str] | None]) -> Document:
    """Returns the projection to these keys of each field, or all of it."""
    fields = (
        field
        for place, keys in wanted.items()
        for field in ([place] if keys is None else [f"{place}.{key}" for key in keys])
    )
    return {"$project": dict.fromkeys(fields, 1)}


def split_prefetched(
    page_requests: Sequence[PageRequest], found: Sequence[Document], *, with_previews: bool = False
) -> tuple[list[Document], list[dict[str, list[Document]]]]:
    """Splits what has passed ``prefetch_stages``: the stored documents, and the pages of each request by their ids.

    A page of a preview is missing if the customer has changed since the preview was made.
    """
    documents: list[Document] = [each["document"] for each in found]
    previews = [(each["document"]["_id"], each["preview"][0]) for each in found if _has_current_preview(each)]
    pages: list[dict[str, list[Document]]] = []
    for index, page_request in enumerate(page_requests):
        parts = parts_of_preview(page_request) if with_previews else ()
        if parts:
            size = page_request.size + 1
            pages.append(
                {
                    owner: (preview[parts[0]] if len(parts) == 1 else [*chain(*(preview[part] for part in parts))])[
                        :size
                    ]
                    for owner, preview in previews
                    if parts[0] in preview and parts[-1] in preview
                }
            )
        else:
            step = -1 if page_request.backwards else 1
            pages.append({each["document"]["_id"]: each[f"page{index}"][::step] for each in found})
    return documents, pages


def _has_current_preview(found: Document) -> bool:
    previews: list[Document] = found.get("preview", [])
    if not previews or previews[0].get("form") != PREVIEW_FORM:
        return False
    return previews[0]["revision"] == found["document"].get("revision", 0)


def joined(page_request: PageRequest) -> Document:
    """Returns what a ``$lookup`` does for each parent, whose id is ``_id``."""
    return _Plan.of(page_request).joined()


def sort_of(page_request: PageRequest) -> Mapping[str, int]:
    """Returns the keys by which the rows are sorted, each with its direction."""
    return _Plan.of(page_request).sort


async def count(
    store: Store,
    selection: Selection,
    parents: Sequence[str],
    *,
    at_most: int | None = COUNT_AT_MOST,
    snapshot: bool = False,
) -> Mapping[str, int]:
    """Returns how many rows each parent has; one command, answered from the index where it can be.

    The order makes no difference to a count, but not every order's index holds all that it takes to answer: its own
    does where its first key is asked for.
    """
    listing = selection.listing
    in_order = listing.orders[selection.order].keys[0] in dict(selection.where)
    index = _index_for(selection if in_order else replace(selection, order=next(iter(listing.orders))))
    match = {**listing.owned_by({"$in": list(parents)}), **_conditions(selection, index)}
    group = {"_id": f"${listing.parent_key}" if listing.parent_key else parents[0], "count": {"$sum": 1}}
    bound: list[Document] = [{"$limit": at_most}] if listing.searched and at_most else []
    pipeline = [{"$match": match}, *bound, {"$group": group}]
    # Everything is counted from an index, too, if one is named.
    hint = None if match else "_id_"
    rows = await store.aggregate(
        listing.collection, pipeline, hint=hint, collation=_collation(listing), snapshot=snapshot
    )
    return {row["_id"]: row["count"] for row in rows}


async def counts_by_value(
    store: Store, selection: Selection, parents: Sequence[str], keys: Sequence[str], *, snapshot: bool = False
) -> Mapping[str, list[Document]]:
    """Returns how many rows each parent has of each value of ``keys``, most frequent first: ``value`` and ``count``.

    The value of one key, or a document of several by the last part of their names. One command.
    """
    listing = selection.listing
    index = _index_for(replace(selection, order=next(iter(listing.orders))))
    match = {**listing.owned_by({"$in": list(parents)}), **_conditions(selection, index)}
    value: Any = f"${keys[0]}" if len(keys) == 1 else {key.rpartition(".")[2]: f"${key}" for key in keys}
    group = {"_id": {"parent": f"${listing.parent_key}", "value": value}, "count": {"$sum": 1}}
    sort = {"count": -1, "_id.value": 1}
    pipeline = [{"$match": match}, {"$group": group}, {"$sort": sort}]
    rows = await store.aggregate(listing.collection, pipeline, snapshot=snapshot)
    counts: dict[str, list[Document]] = {parent: [] for parent in parents}
    for row in rows:
        counts[row["_id"]["parent"]].append({"value": row["_id"].get("value"), "count": row["count"]})
    return counts


async def count_by(
    store: Store, selection: Selection, key: str, time: str, windows: Sequence[Between], *, in_order: bool = False
) -> Mapping[str, int]:
    """Returns how many rows a list without parents has in these windows of ``time``, by the value of ``key``.

    One command, answered from the index where it can be: the order's own with ``in_order``.
    """
    rows = await _grouped(store, selection, f"${key}", time, windows, in_order)
    return {row["_id"]: row["count"] for row in rows}


async def _grouped(
    store: Store, selection: Selection, by: Any, time: str, windows: Sequence[Between], in_order: bool
) -> list[Document]:
    index = _index_for(replace(selection, where=()) if in_order else selection)
    conditions = _conditions(selection, index)
    either = [{**conditions, time: _condition(window)} for window in windows]
    match = either[0] if len(either) == 1 else {"$or": either}
    group = {"_id": by, "count": {"$sum": 1}}
    return await store.aggregate(selection.listing.collection, [{"$match": match}, {"$group": group}], hint=index.name)


async def count_by_day(
    store: Store, selection: Selection, key: str, time: str, windows: Sequence[Between], *, in_order: bool = False
) -> Mapping[datetime, Mapping[str, int]]:
    """Returns the same as ``count_by``, for each day (UTC) of ``time`` by itself."""
    day = {"$dateTrunc": {"date": f"${time}", "unit": "day"}}
    days: dict[datetime, dict[str, int]] = {}
    for row in await _grouped(store, selection, {"day": day, "value": f"${key}"}, time, windows, in_order):
        days.setdefault(row["_id"]["day"], {})[row["_id"]["value"]] = row["count"]
    return days


async def distinct(store: Store, selection: Selection, key: str, at_most: int) -> list[Any]:
    """Returns the values of ``key`` that occur in a list without parents, smallest first, at most ``at_most``.

    One command. Where an index has the key behind all equalities of the selection, it reads at most three entries for
    each value, however many rows have it (DISTINCT_SCAN); otherwise all rows that an index finds.
    """
    listing = selection.listing
    equalities = [name for name, condition in selection.where if isinstance(condition, In)]
    start = " ".join((*listing.prefix, *equalities, key, listing.orders[selection.order].keys[0]))
    in_order = next((each for each in COLLECTIONS[listing.collection].indexes if each.keys.startswith(start)), None)
    index = in_order or _index_for(selection)
    sort: Pipeline = [] if in_order else [{"$sort": {"_id": 1}}]
    match = {"$match": _conditions(selection, index)}
    pipeline = [match, {"$group": {"_id": f"${key}"}}, *sort, {"$limit": at_most}]
    return [row["_id"] for row in await store.aggregate(listing.collection, pipeline, hint=index.name)]


def matching(selection: Selection) -> Mapping[str, Any]:
    """Returns the condition that a row is part of the selection."""
    return _all_of({**dict(selection.listing.base), **dict(selection.where)})


# ---------------------------------------------------------------- how a page request becomes commands

_ALWAYS: Final = {"$gte": MinKey()}
"""True of every value, of whatever type: what breaks its shape is shown as broken, not passed over."""
_THERE: Final = {"$exists": True}
"""The same of a key that is not in the index: what lacks it is not in there, and no other way of reading finds it."""
_PRESENT: Final = {"$ne": None}
_FEW: Final = 50
_WIDE: Final = frozenset({"activities", "points"})
"""Rows with much in them that a page does not show. Of others, leaving some out costs more than reading them."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """A plan has one segment, or two if the order's first key may be absent: rows that have it come first."""

    page_request: PageRequest
    index: Index
    segments: Sequence[Document]
    sort: Mapping[str, int]

    @classmethod
    def of(cls, page_request: PageRequest) -> "_Plan":
        selection = page_request.selection
        listing, order = selection.listing, selection.listing.orders[selection.order]
        forward = 1 if selection.descending is page_request.backwards else -1
        index = _index_for(selection)
        conditions = _conditions(selection, index)
        nothing: Document = {}
        position = page_request.position or ()
        may_lack = {ORDER, *(order.keys[:1] if order.nulls_lowest else ())}
        after = _after(order.keys, position, forward, may_lack) if position else [nothing]
        if not order.nulls_last or order.keys[0] in conditions:
            segments = [_any_of(conditions, after, index, listing)]
        else:
            first = order.keys[0]
            present, absent = {**conditions, first: _PRESENT}, {**conditions, first: None}
            if not position:
                segments = [absent, present] if page_request.backwards else [present, absent]
            elif position[:1] == (None,):
                ties = _after(order.keys[1:], position[1:], forward, may_lack)
                segments = [_any_of(absent, ties, index, listing)] + ([present] if page_request.backwards else [])
            else:
                segments = [_any_of(conditions, after, index, listing)] + ([] if page_request.backwards else [absent])
        return cls(page_request, index, segments, dict.fromkeys(order.keys, forward))

    @property
    def limit(self) -> int:
        return self.page_request.size + 1

    async def read_one(self, store: Store, parent: str) -> list[Document]:
        listing = self.page_request.selection.listing
        owned = listing.owned_by(parent)
        collation, keys = _collation(listing), self.page_request.projection
        if len(self.segments) > 1:
            pipeline = [*self._union(owned, owned), *([{"$project": keys}] if keys else [])]
            return await store.aggregate(listing.collection, pipeline, collation=collation)
        return await store.find(
            listing.collection,
            _within(owned, self.segments[0]),
            sort=self.sort,
            limit=self.limit,
            hint=None if listing.searched else self.index.name,
            collation=collation,
            fields=keys,
        )

    async def read_several(self, store: Store, parents: Sequence[str]) -> list[Document]:
        listing, keys = self.page_request.selection.listing, self.page_request.projection
        owned = listing.owned_by({"$in": [*parents]})
        pipeline = [*self._union(owned, owned), *([{"$project": keys}] if keys else [])]
        hint = self.index.name if len(self.segments) == 1 else None
        return await store.aggregate(listing.collection, pipeline, hint=hint, snapshot=True)

    def joined(self) -> Document:
        """Returns what a ``$lookup`` does for each parent: an equality of its own is cheaper than an ``$expr``.

        A later segment can have no other.
        """
        key = self.page_request.selection.listing.parent_key
        pipeline = self._union(self._there(), {"$expr": {"$eq": [f"${key}", "$$parent"]}})
        parent = {"let": {"parent": "$_id"}} if len(self.segments) > 1 else {}
        return {"localField": "_id", "foreignField": key, **parent, "pipeline": pipeline}

    def _there(self) -> Document:
        """Returns a condition that keeps the planner, which takes no hint here, from an index that lacks rows."""
        asks = self.index.partial_on
        return {asks: _THERE} if asks and self.segments[0].get(asks) == _ALWAYS else {}

    def _union(self, owned: Document, also_owned: Document) -> list[Document]:
        """Reads the later segment only as far as the earlier one leaves the page unfilled."""
        first, *later = [
            [{"$match": _within(whose, where)}, {"$sort": self.sort}, {"$limit": self.limit}]
            for where, whose in zip(self.segments, (owned, also_owned), strict=False)
        ]
        for pipeline in later:
            first += [{"$unionWith": {"coll": self.page_request.selection.listing.collection, "pipeline": pipeline}}]
            first += [{"$limit": self.limit}]
        return first


def _within(owned: Document, where: Document) -> Document:
    """Returns ``where`` of these owners' rows; a rooted ``$or`` stays one, whose branches merge without a sort."""
    return {"$or": [{**branch, **owned} for branch in where["$or"]]} if "$or" in where else {**where, **owned}


def _collation(listing: Listing) -> Mapping[str, Any] | None:
    return FOLDS_ACCENTS if listing.searched else None


def _index_for(selection: Selection) -> Index:
    """Returns the index of this order for the first condition that has one, else the order's own.

    Where a condition names very many values the order's own is better than a seek for each of them. Behind a range an
    index is in no order.
    """
    listing = selection.listing
    keys = " ".join(listing.orders[selection.order].keys)
    few = [
        name
        for name, condition in selection.where
        if not isinstance(condition, Between) and not (isinstance(condition, In) and len(condition.values) > _FEW)
    ]
    wanted = [" ".join((*listing.prefix, name, keys)) for name in few]
    wanted.append(" ".join((*listing.prefix, keys)))
    indexes = COLLECTIONS[listing.collection].indexes
    return next(index for start in wanted for index in indexes if index.keys.startswith(start))


def _conditions(selection: Selection, index: Index) -> Document:
    conditions = {**matching(selection)}
    if index.partial_on and index.partial_on not in conditions:
        conditions[index.partial_on] = _ALWAYS if index.partial_on in index.keys.split() else _THERE
    return conditions


def _all_of(wanted: Mapping[str, Condition]) -> Document:
    either = [
        {"$or": [_all_of(dict(where)) for where in value.wheres]}
        for value in wanted.values()
        if isinstance(value, AnyOf)
    ]
    computed = [
        {"$expr": expression} for name, value in wanted.items() if (expression := _expression(name, value)) is not None
    ]
    fields = {
        name: _condition(value)
        for name, value in wanted.items()
        if not isinstance(value, AnyOf | Ahead) and _expression(name, value) is None
    }
    return {**fields, **({"$and": [*either, *computed]} if either or computed else {})}


def _expression(name: str, value: Condition) -> Document | None:
    """Returns the expression of a condition that no query on a field can say."""
    match value:
        case Ahead(lies_ahead=lies_ahead):  # what is missing is less than any time
            return {"$gt" if lies_ahead else "$lte": [f"${name}", "$$NOW"]}
        case Contains(pattern=pattern, in_values=True):
            return _has_text_in_values(name, pattern)
        case _:
            return None


def _has_text_in_values(name: str, pattern: str) -> Document:
    """Returns an expression: one of the object's values, as text, has a part like the pattern."""
    values: Document = {"$objectToArray": {"$ifNull": [f"${name}", {}]}}
    items = {"$cond": [{"$isArray": "$$each.v"}, "$$each.v", [{"$ifNull": ["$$each.v.amount", "$$each.v"]}]]}
    text = {"$convert": {"input": "$$item", "to": "string", "onError": "", "onNull": ""}}
    matches = {"$regexMatch": {"input": text, "regex": pattern, "options": "i"}}
    in_items = {"$anyElementTrue": {"$map": {"input": items, "as": "item", "in": matches}}}
    return {"$anyElementTrue": {"$map": {"input": values, "as": "each", "in": in_items}}}


def _condition(value: In | Exactly | Between | Has | HasNamed | Contains) -> Any:
    if isinstance(value, Contains):
        return {"$regex": value.pattern, "$options": "i"}
    if isinstance(value, Has):
        return {"$elemMatch": _condition(value.element)}
    if isinstance(value, HasNamed):
        its_value = {} if value.value == Between() else {"value": _condition(value.value)}
        return {"$elemMatch": {"name": value.name, **its_value}}
    if isinstance(value, Exactly):
        # An expression is compared as it is written, whatever the collation; the equality finds it in the index.
        return {"$eq": value.text, "$regex": rf"\A{re.escape(value.text)}\z"}
    if isinstance(value, In):
        values = [asdict(each) if isinstance(each, Named) else each for each in value.values]
        return values[0] if len(values) == 1 else {"$in": values}
    return {
        **({"$gte": value.at_least} if value.at_least is not None else {}),
        **({"$lt": value.below} if value.below is not None else {}),
    }


def _after(keys: Sequence[str], position: Position, forward: int, may_lack: Set[str]) -> list[Document]:
    """Returns disjuncts, each a range of an index on ``keys``: equal in the first i keys and beyond in the next."""
    return [
        {**dict(zip(keys[:i], position[:i], strict=True)), keys[i]: _beyond(position[i], forward, keys[i] in may_lack)}
        for i in reversed(range(len(keys)))
        if not (position[i] is None and forward == -1)  # before those without there is nothing
    ]


def _beyond(value: Any, forward: int, may_be_absent: bool) -> Document:
    """Returns a range. Rows without the key come before all others, which no comparison with a value says."""
    if value is None:
        return _PRESENT
    if may_be_absent and forward == -1:
        return {"$not": {"$gte": value}}
    return {"$gt" if forward == 1 else "$lt": value}


def _any_of(conditions: Document, disjuncts: list[Document], index: Index, listing: Listing) -> Document:
    """Joins ``conditions`` and one of ``disjuncts`` to a rooted ``$or`` of index ranges, which merge without a sort.

    Hence a condition on several values becomes a branch for each, where the index has its key before the order's.

    Where the database chooses the index, the ``$or`` stands below the root: each branch of a rooted one would get the
    index that was best for such a branch before, whatever the others have, and all that it finds be sorted.
    """
    if listing.searched and conditions and disjuncts != [{}]:
        return {"$and": [conditions, {"$or": disjuncts}]}
    ordered = {key for disjunct in disjuncts for key in disjunct}
    branching = set(index.keys.split()) - ordered
    several: dict[str, list[Any]] = {
        key: value["$in"] for key, value in conditions.items() if key in branching and "$in" in _operators(value)
    }
    if disjuncts == [{}] or not all(several.values()):  # from anywhere, or nothing can match
        return conditions
    fixed = {key: value for key, value in conditions.items() if key not in several}
    return {
        "$or": [
            {**dict(zip(several, values, strict=True)), "$and": [fixed, disjunct]}
            for values in product(*several.values())
            for disjunct in disjuncts
        ]
    }


def _operators(condition: Any) -> Document:
    return cast(Document, condition) if isinstance(condition, dict) else {}
