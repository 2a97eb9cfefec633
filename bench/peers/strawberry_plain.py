"""A peer: Strawberry the way its documentation says. Types with resolvers, a row made into its type, DataLoaders for
each request, Strawberry's own ASGI application.

With ``CACHES=1`` it has its parser's and its validation's cache, which its documentation offers and does not presume.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar, cast

import strawberry
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from app.catalogue.model import ActivityGroup
from app.domain.points import PointsKind
from app.domain.vocabulary import CustomerStatus, PassType, TransactionStatus, TransactionType
from bench.peers.data import LISTS, Document, database, rows, titles

_DB: Final = database()
_TITLES: Final = titles()
T = TypeVar("T")


for words in (ActivityGroup, CustomerStatus, PassType, PointsKind, TransactionStatus, TransactionType):
    strawberry.enum(words)


@strawberry.interface
class Node:
    id: strawberry.ID


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool


@strawberry.type
class Connection(Generic[T]):
    nodes: list[T | None]
    page_info: PageInfo


@strawberry.type
class Activity(Node):
    type: str
    title: str
    group: ActivityGroup
    source: str
    occurred_at: datetime
    recorded_at: datetime
    message: str | None
    points: int | None

    @classmethod
    def of(cls, row: Document) -> "Activity":
        return cls(
            id=row["_id"],
            type=row["type"],
            title=_TITLES.get(row["type"]) or row["title"],
            group=ActivityGroup(row["group"]),
            source=row["source"],
            occurred_at=row["occurredAt"],
            recorded_at=row["recordedAt"],
            message=row.get("message"),
            points=row.get("points"),
        )


@strawberry.type
class PointsEntry(Node):
    seq: int
    kind: PointsKind
    points: int
    balance_after: int
    reason: str | None
    occurred_at: datetime
    source: str

    @classmethod
    def of(cls, row: Document) -> "PointsEntry":
        return cls(
            id=row["_id"],
            seq=row["seq"],
            kind=PointsKind(row["kind"]),
            points=row["points"],
            balance_after=row["balanceAfter"],
            reason=row.get("reason"),
            occurred_at=row["occurredAt"],
            source=row["source"],
        )


@strawberry.type
class Coupon(Node):
    code: str | None
    value: str
    redeemed: bool

    @classmethod
    def of(cls, row: Document) -> "Coupon":
        return cls(id=row["_id"], code=row["code"], value=row["value"], redeemed=row["redeemed"])


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class Transaction(Node):
    number: str
    type: TransactionType
    status: TransactionStatus
    occurred_at: datetime
    amount: Money | None

    @classmethod
    def of(cls, row: Document) -> "Transaction":
        amount = row.get("amount")
        return cls(
            id=row["_id"],
            number=row["number"],
            type=TransactionType(row["type"]),
            status=TransactionStatus(row["status"]),
            occurred_at=row["occurredAt"],
            amount=Money(amount=amount["amount"].to_decimal(), currency=amount["currency"]) if amount else None,
        )


@strawberry.type
class Pass(Node):
    serial_number: str
    type: PassType

    @classmethod
    def of(cls, row: Document) -> "Pass":
        return cls(id=row["_id"], serial_number=row["serialNumber"], type=PassType(row["type"]))


@strawberry.type
class StatusChange(Node):
    from_: CustomerStatus | None = strawberry.field(name="from")
    to: CustomerStatus
    reason: str | None
    changed_at: datetime

    @classmethod
    def of(cls, row: Document) -> "StatusChange":
        return cls(
            id=row["_id"],
            from_=CustomerStatus(row["from"]) if row.get("from") else None,
            to=CustomerStatus(row["to"]),
            reason=row.get("reason"),
            changed_at=row["changedAt"],
        )


@dataclass
class Context:
    """Made for each request."""

    customers: DataLoader[str, "Customer | None"]
    pages: Mapping[str, DataLoader[tuple[str, int], Any]]


Info = strawberry.Info[Context, None]


@strawberry.type
class Customer(Node):
    number: str
    name: str
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None
    registered_at: datetime
    payment_count: int
    status: CustomerStatus

    @classmethod
    def of(cls, row: Document) -> "Customer":
        return cls(
            id=row["_id"],
            number=row["number"],
            name=row["name"],
            first_name=row.get("firstName"),
            last_name=row.get("lastName"),
            email=row.get("email"),
            country=row.get("country") or row.get("billingAddress", {}).get("country"),
            registered_at=row["registeredAt"],
            payment_count=row["paymentCount"],
            status=CustomerStatus(row["status"]),
        )

    @strawberry.field
    async def activities(self, info: Info, first: int = 20) -> Connection[Activity] | None:
        return await info.context.pages["activities"].load((self.id, first))

    @strawberry.field
    async def points_history(self, info: Info, first: int = 20) -> Connection[PointsEntry] | None:
        return await info.context.pages["pointsHistory"].load((self.id, first))

    @strawberry.field
    async def coupons(self, info: Info, first: int = 20) -> Connection[Coupon] | None:
        return await info.context.pages["coupons"].load((self.id, first))

    @strawberry.field
    async def transactions(self, info: Info, first: int = 20) -> Connection[Transaction] | None:
        return await info.context.pages["transactions"].load((self.id, first))

    @strawberry.field
    async def passes(self, info: Info, first: int = 20) -> Connection[Pass] | None:
        return await info.context.pages["passes"].load((self.id, first))

    @strawberry.field
    async def status_history(self, info: Info, first: int = 20) -> Connection[StatusChange] | None:
        return await info.context.pages["statusHistory"].load((self.id, first))


@strawberry.input(one_of=True)
class CustomerBy:
    id: strawberry.Maybe[strawberry.ID]
    number: strawberry.Maybe[str]


@strawberry.type
class Query:
    @strawberry.field
    async def customer(self, by: CustomerBy) -> Customer | None:
        where = {"_id": by.id.value} if by.id else {"number": by.number.value} if by.number else {}
        row = await _DB.customers.find_one(where)
        return Customer.of(row) if row else None

    @strawberry.field
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        return cast(list[Node | None], await info.context.customers.load_many(ids))


async def _customers(ids: Sequence[str]) -> list[Customer | None]:
    found = {row["_id"]: Customer.of(row) for row in await _DB.customers.find({"_id": {"$in": ids}}).to_list(None)}
    return [found.get(each) for each in ids]


_TYPES: Final[Mapping[str, Callable[[Document], Any]]] = {
    "activities": Activity.of,
    "pointsHistory": PointsEntry.of,
    "coupons": Coupon.of,
    "transactions": Transaction.of,
    "passes": Pass.of,
    "statusHistory": StatusChange.of,
}


def _pages(name: str) -> DataLoader[tuple[str, int], Any]:
    of = _TYPES[name]

    async def pages(keys: Sequence[tuple[str, int]]) -> list[Any]:
        found: dict[tuple[str, int], list[Document]] = {}
        for first in {first for _, first in keys}:
            by_customer = await rows(_DB, name, [each for each, size in keys if size == first], first)
            found |= {(each, first): page for each, page in by_customer.items()}
        return [
            Connection(
                nodes=[of(row) for row in found[key][: key[1]]],
                page_info=PageInfo(has_next_page=len(found[key]) > key[1], has_previous_page=False),
            )
            for key in keys
        ]

    return DataLoader(load_fn=pages)


class App(GraphQL[Context, None]):
    async def get_context(self, request: Any, response: Any) -> Context:
        return Context(DataLoader(load_fn=_customers), {name: _pages(name) for name in LISTS})


def _serialize_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(name="DateTime", serialize=_serialize_time, parse_value=datetime.fromisoformat),
}
schema = strawberry.Schema(
    query=Query,
    types=[Customer, Activity, PointsEntry, Coupon, Transaction, Pass, StatusChange],
    config=StrawberryConfig(scalar_map=_SCALARS),
    extensions=[ParserCache, ValidationCache] if os.environ.get("CACHES") else [],
)
app = App(schema, graphql_ide=None)
