"""Finds what the one search box asks for: candidates by index, each then compared with what its viewer may see.

Six commands at most, side by side. Of customers, each way of finding them reads a bounded number; names with several
words read at most those who have the rarest of them (docs/decisions/0027).
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, cast

from app.domain.access import Masks
from app.domain.search import (
    SEARCH_COPIES,
    SEARCHED_KEYS,
    Phone,
    Word,
    address,
    addresses_of,
    begins,
    cleaned,
    folded,
    home_of,
    phones,
    phones_of,
    query_phone,
    query_words,
    words,
)
from app.domain.vocabulary import SearchMatchKind as Kind
from app.loaders.gate import Gate
from app.store.driver import FOLDS_CASE, Document, Store

_CANDIDATES: Final = 100
"""Customers whom one way of finding them may bring, before they are put in order."""
_NAMED: Final = 100
"""The same of a code or number that many things have."""
_LAST: Final = "\uffff"


class Thing(NamedTuple):
    """A thing hangs on a customer and has a number of its own."""

    kind: Kind
    collection: str
    path: tuple[str, ...]

    @property
    def key(self) -> str:
        return ".".join(self.path)


THINGS: Final = (
    Thing(Kind.TRANSACTION, "transactions", ("number",)),
    Thing(Kind.ORDER, "activities", ("attributes", "orderId")),
    Thing(Kind.COUPON, "coupons", ("code",)),
    Thing(Kind.PASS, "passes", ("serialNumber",)),
)


class Match(NamedTuple):
    """A match is ordered by likelihood: an exact one before one that only begins with the text, then by kind."""

    is_partial: bool
    rank: int
    kind: Kind
    value: str
    node_id: str | None


@dataclass(frozen=True)
class SearchText:
    """A search text knows all that it may be: a word, an address, a number."""

    text: str
    region: str | None

    @cached_property
    def folded(self) -> str:
        return folded(self.text)

    @cached_property
    def address(self) -> str:
        return address(self.text)

    @cached_property
    def words(self) -> tuple[Word, ...]:
        return query_words(self.text)

    @cached_property
    def phone(self) -> Phone | None:
        return query_phone(self.text, self.region)


class Search:
    """Searches customers for one request."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store, self._gate = store, gate

    async def hits(self, text: str, region: str | None, size: int) -> list[Document]:
        """Returns the likeliest customers first, each with what of them was found."""
        query = SearchText(cleaned(text), region)
        customers, things = await asyncio.gather(
            self._customers(query), asyncio.gather(*(self._things(thing, query) for thing in THINGS))
        )
        found: defaultdict[str, list[Match]] = defaultdict(list)
        shown: dict[str, Document] = {}
        for customer in customers:
            shown[customer["_id"]] = customer
            found[customer["_id"]] += _matches(customer, query)
        for customer_id, match in (each for these in things for each in these):
            found[customer_id].append(match)
        names = {customer_id: str(customer.get("searchName", "")) for customer_id, customer in shown.items()}
        best = {customer_id: sorted(matches) for customer_id, matches in found.items() if matches}

        def likelihood(customer_id: str) -> tuple[Any, ...]:
            name = names.get(customer_id, "")
            return *best[customer_id][0][:2], name != query.folded, name, customer_id

        return [
            {"customerId": customer_id, "matches": [_shown(match) for match in best[customer_id]]}
            for customer_id in sorted(best, key=likelihood)[:size]
        ]

    async def _customers(self, query: SearchText) -> list[Document]:
        """Finds customers by one command."""
        ways = [
            [{"$match": {**way, **reach}}, {"$limit": _CANDIDATES}]
            for reach, masks in self._gate.reaches
            for way in _ways(query, masks)
        ]
        if not ways:
            return []
        keep = {"$project": dict.fromkeys((*SEARCHED_KEYS, *SEARCH_COPIES), 1)}
        first, *others = ways
        also = [{"$unionWith": {"coll": "customers", "pipeline": [*way, keep]}} for way in others]
        found = await self._store.aggregate("customers", [*first, keep, *also])
        return await self._admitted(found)

    async def _things(self, thing: Thing, query: SearchText) -> list[tuple[str, Match]]:
        """Finds things by one command, one more for an affiliate; the first of each kind for a customer."""
        if all(masks.forbids(thing.collection, thing.path[0]) for _, masks in self._gate.reaches):
            return []
        reaches = [reach for reach, _ in self._gate.reaches]
        own = {"customerId": reaches[0]["_id"]} if len(reaches) == 1 and "_id" in reaches[0] else {}
        rows = await self._store.find(
            thing.collection, {thing.key: query.text, **own}, limit=_NAMED, collation=FOLDS_CASE
        )
        matches: dict[str, Match] = {}
        for row in await self._admitted(rows):
            value = _value(row, thing.path)
            if isinstance(value, str) and folded(value) == query.folded:
                matches.setdefault(row["customerId"], _match(thing.kind, value, node_id=row["_id"]))
        return list(matches.items())

    async def _admitted(self, found: Iterable[Document]) -> list[Document]:
        """Returns documents as their viewer sees them."""
        return [*(await self._gate.admitted({each["_id"]: each for each in found})).values()]


def _ways(query: SearchText, masks: Masks) -> Iterator[Document]:
    """Yields conditions, each of which one index answers, for what these masks show."""
    yield {"searchNumber": query.folded}
    yield {"searchNumber": _beginning(query.folded)}
    if masks.shows("customers", "emails") and query.address:
        yield {"searchEmails": query.address}
        if "@" in query.address or len(query.address) > 2:
            yield {"searchEmails": _one_beginning(query.address)}
    if masks.shows("customers", "phones") and query.phone:
        yield {"searchPhones": {"$in": [*query.phone.exact, *query.phone.national]}}
    if query.words:
        yield {"$and": [_has(word, whole=True) for word in query.words]}
        yield {"$and": [_has(word) for word in query.words]}


def _has(word: Word, *, whole: bool = False) -> Document:
    ways = [{"$and": [{"searchWords": part if whole else _one_beginning(part)} for part in way]} for way in word.ways]
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _beginning(text: str) -> Document:
    return {"$gte": text, "$lt": text + _LAST}


def _one_beginning(text: str) -> Document:
    """Returns the condition that one element begins with the text: both bounds hold of the same one."""
    return {"$elemMatch": _beginning(text)}


def _matches(customer: Document, query: SearchText) -> Iterator[Match]:
    """Yields what of this customer, as the viewer sees them, the text is or begins.

    Copies are compared where everybody may read what they copy; of an address or a phone number the value itself is.
    """
    number = str(customer.get("searchNumber", ""))
    if number.startswith(query.folded):
        yield _match(Kind.CUSTOMER_NUMBER, str(customer.get("number")), partial=number != query.folded)
    if query.address and any(each.startswith(query.address) for each in customer.get("searchEmails", ())):
        for value in addresses_of(customer):
            if address(value).startswith(query.address):
                yield _match(Kind.EMAIL, value, partial=address(value) != query.address)
    if phone := query.phone:
        for value in phones_of(customer):
            forms = phones(value, home_of(customer))
            if not {*forms}.isdisjoint((*phone.exact, *phone.national)):
                yield _match(Kind.PHONE, value, partial={*forms}.isdisjoint(phone.exact))
    if query.words and (name := _name(customer, query)):
        yield name


def _name(customer: Document, query: SearchText) -> Match | None:
    every: list[str] = customer.get("searchWords", [])
    if not all(begins(word, every) for word in query.words):
        return None
    is_whole = all(begins(word, every, whole=True) for word in query.words)
    name, organization = customer.get("name"), customer.get("organization")
    of_organization = (
        isinstance(organization, str)
        and not all(begins(word, words([str(name)])) for word in query.words)
        and all(begins(word, words([organization])) for word in query.words)
    )
    return _match(Kind.NAME, str(organization if of_organization else name), partial=not is_whole)


_RANKS: Final = {kind: rank for rank, kind in enumerate(Kind)}


def _match(kind: Kind, value: str, *, partial: bool = False, node_id: str | None = None) -> Match:
    return Match(partial, _RANKS[kind], kind, value, node_id)


def _shown(match: Match) -> Document:
    return {"kind": match.kind.value, "value": match.value, "isExact": not match.is_partial, "nodeId": match.node_id}


def _value(row: Mapping[str, Any], path: Sequence[str]) -> object:
    value: Any = row
    for key in path:
        if type(value) is not dict:  # a refusal, or what breaks its shape
            return None
        value = cast(Document, value).get(key)
    return value
