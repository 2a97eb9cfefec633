"""What the one search box finds: candidates by index, each then compared with what its viewer may see of it.

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
    """What hangs on a customer and has a number of its own."""

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
    """Orders by likelihood: what is exact before what only begins so, then by kind."""

    is_partial: bool
    rank: int
    kind: Kind
    value: str
    node_id: str | None


@dataclass(frozen=True)
class Asked:
    """A text, and all that it may be."""

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
        """The likeliest customers first, each with what of them was found."""
        asked = Asked(cleaned(text), region)
        customers, things = await asyncio.gather(
            self._customers(asked), asyncio.gather(*(self._things(thing, asked) for thing in THINGS))
        )
        found: defaultdict[str, list[Match]] = defaultdict(list)
        shown: dict[str, Document] = {}
        for customer in customers:
            shown[customer["_id"]] = customer
            found[customer["_id"]] += _matches(customer, asked)
        for customer_id, match in (each for these in things for each in these):
            found[customer_id].append(match)
        names = {customer_id: str(customer.get("searchName", "")) for customer_id, customer in shown.items()}
        best = {customer_id: sorted(matches) for customer_id, matches in found.items() if matches}

        def likelihood(customer_id: str) -> tuple[Any, ...]:
            name = names.get(customer_id, "")
            return *best[customer_id][0][:2], name != asked.folded, name, customer_id

        return [
            {"customerId": customer_id, "matches": [_shown(match) for match in best[customer_id]]}
            for customer_id in sorted(best, key=likelihood)[:size]
        ]

    async def _customers(self, asked: Asked) -> list[Document]:
        """One command."""
        ways = [
            [{"$match": {**way, **reach}}, {"$limit": _CANDIDATES}]
            for reach, masks in self._gate.reaches
            for way in _ways(asked, masks)
        ]
        if not ways:
            return []
        keep = {"$project": dict.fromkeys((*SEARCHED_KEYS, *SEARCH_COPIES), 1)}
        first, *others = ways
        also = [{"$unionWith": {"coll": "customers", "pipeline": [*way, keep]}} for way in others]
        found = await self._store.aggregate("customers", [*first, keep, *also])
        return await self._admitted(found)

    async def _things(self, thing: Thing, asked: Asked) -> list[tuple[str, Match]]:
        """One command, and one more of an affiliate. Of a customer the first of each kind."""
        if all(masks.forbids(thing.collection, thing.path[0]) for _, masks in self._gate.reaches):
            return []
        reaches = [reach for reach, _ in self._gate.reaches]
        own = {"customerId": reaches[0]["_id"]} if len(reaches) == 1 and "_id" in reaches[0] else {}
        rows = await self._store.find(
            thing.collection, {thing.key: asked.text, **own}, limit=_NAMED, collation=FOLDS_CASE
        )
        matches: dict[str, Match] = {}
        for row in await self._admitted(rows):
            value = _value(row, thing.path)
            if isinstance(value, str) and folded(value) == asked.folded:
                matches.setdefault(row["customerId"], _match(thing.kind, value, node_id=row["_id"]))
        return list(matches.items())

    async def _admitted(self, found: Iterable[Document]) -> list[Document]:
        """As their viewer sees them. What is too broken to be masked is not found."""
        admitted = await self._gate.admitted({each["_id"]: each for each in found})
        return [each for each in admitted.values() if not isinstance(each, Exception)]


def _ways(asked: Asked, masks: Masks) -> Iterator[Document]:
    """Conditions, each of which one index answers, for what these masks show."""
    yield {"searchNumber": asked.folded}
    yield {"searchNumber": _beginning(asked.folded)}
    if masks.shows("customers", "emails") and asked.address:
        yield {"searchEmails": asked.address}
        if "@" in asked.address or len(asked.address) > 2:
            yield {"searchEmails": _one_beginning(asked.address)}
    if masks.shows("customers", "phones") and asked.phone:
        yield {"searchPhones": {"$in": [*asked.phone.exact, *asked.phone.national]}}
    if asked.words:
        yield {"$and": [_has(word, whole=True) for word in asked.words]}
        yield {"$and": [_has(word) for word in asked.words]}


def _has(word: Word, *, whole: bool = False) -> Document:
    ways = [{"$and": [{"searchWords": part if whole else _one_beginning(part)} for part in way]} for way in word.ways]
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _beginning(text: str) -> Document:
    return {"$gte": text, "$lt": text + _LAST}


def _one_beginning(text: str) -> Document:
    """Of a list, where the two bounds together must hold of one element."""
    return {"$elemMatch": _beginning(text)}


def _matches(customer: Document, asked: Asked) -> Iterator[Match]:
    """What of this customer, as the viewer sees them, the text is or begins.

    Copies are compared where everybody may read what they copy; of an address or a phone number the value itself is.
    """
    number = str(customer.get("searchNumber", ""))
    if number.startswith(asked.folded):
        yield _match(Kind.CUSTOMER_NUMBER, str(customer.get("number")), partial=number != asked.folded)
    if asked.address and any(each.startswith(asked.address) for each in customer.get("searchEmails", ())):
        for value in addresses_of(customer):
            if address(value).startswith(asked.address):
                yield _match(Kind.EMAIL, value, partial=address(value) != asked.address)
    if phone := asked.phone:
        for value in phones_of(customer):
            forms = phones(value, home_of(customer))
            if not {*forms}.isdisjoint((*phone.exact, *phone.national)):
                yield _match(Kind.PHONE, value, partial={*forms}.isdisjoint(phone.exact))
    if asked.words and (name := _name(customer, asked)):
        yield name


def _name(customer: Document, asked: Asked) -> Match | None:
    every: list[str] = customer.get("searchWords", [])
    if not all(begins(word, every) for word in asked.words):
        return None
    is_whole = all(begins(word, every, whole=True) for word in asked.words)
    name, organization = customer.get("name"), customer.get("organization")
    of_organization = (
        isinstance(organization, str)
        and not all(begins(word, words([str(name)])) for word in asked.words)
        and all(begins(word, words([organization])) for word in asked.words)
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
