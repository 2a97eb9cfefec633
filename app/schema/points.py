"""Points: the balance, and why it is what it is."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias, cast

import strawberry

from app.domain.access import Role
from app.domain.cursors import size_of
from app.domain.paging import Sorting, Where
from app.domain.points import HISTORY, PointsState, as_of, empty, owed, spendable
from app.domain.refusals import BadUserInput
from app.schema.base import Document, Info, Node, SafeInt, ShortList, Source, follow_own, reads
from app.schema.enums import OrderDirection, PointsKind, PointsOrderField
from app.schema.filters import among, during
from app.schema.people import Actor
from app.schema.rules import ACTOR, ADJUSTMENT, WITH_OWNER, WORDS, Access
from app.schema.transactions import Transaction

if TYPE_CHECKING:
    from app.schema.adjustments import PointsAdjustment

_Adjustment: TypeAlias = Annotated["PointsAdjustment", strawberry.lazy("app.schema.adjustments")]


@strawberry.type(description="Points that end together, unless they are used before.")
class PointsExpiry:
    access: ClassVar[Access] = WITH_OWNER

    points: SafeInt = strawberry.field(description="How many.")
    expires_at: datetime = strawberry.field(description="The moment from which on they cannot be spent.")


@strawberry.type(description="The balance, recomputed from all entries and compared with what is stored.")
class PointsAudit:
    access: ClassVar[Access] = WITH_OWNER

    ok: bool = strawberry.field(description="Whether every figure agrees.")
    entries: int = strawberry.field(description="How many entries there are, those outside the history included.")
    drift: SafeInt = strawberry.field(description="The stored balance minus the recomputed one: 0 when all is well.")


@strawberry.type(
    description="What a customer has. Points past their expiry count as expired from that moment on, "
    "even before their entry is written. Always: spendable - owed = earned - spent - expired - reserved."
)
class PointsBalance:
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="Stable per customer, for the caches of clients. Not a node.")
    @staticmethod
    def id(balance: strawberry.Parent[Document]) -> strawberry.ID:
        return strawberry.ID(f"{balance['customerId']}.points")

    earned: SafeInt = strawberry.field(description="All that ever came in, without what was taken back.")
    spent: SafeInt = strawberry.field(description="All that was used.")
    expired: SafeInt = strawberry.field(description="All that was not used in time.")
    reserved: SafeInt = strawberry.field(description="Set aside for purchases under way; not part of the history.")
    pending: SafeInt = strawberry.field(description="Announced, but not yet theirs; not part of the history.")
    spendable: SafeInt = strawberry.field(description="What can be used now.")
    owed: SafeInt = strawberry.field(
        description="What was taken beyond what was there, such as an earning clawed back after it was spent. What "
        "comes in pays it first; until then nothing is spendable."
    )

    @strawberry.field(description="The points that end next.")
    @staticmethod
    def next_expiry(balance: strawberry.Parent[Document]) -> PointsExpiry | None:
        return next(iter(_expiries(balance)), None)

    @strawberry.field(description="All points that will end, soonest first. Those that never do are not listed.")
    @staticmethod
    def expiries(balance: strawberry.Parent[Document], first: ShortList = 20) -> list[PointsExpiry] | None:
        return _expiries(balance)[: size_of(first)]

    @strawberry.field(description="The balance recomputed from all entries, in one snapshot. It costs a full read.")
    @staticmethod
    def audit(balance: strawberry.Parent[Document], info: Info) -> PointsAudit | None:
        return cast(Source, info.context.loaders.audits.defer(balance["customerId"]))


def balance_of(customer: Document, now: datetime) -> Source:
    """The source of PointsBalance: the ledger's state as it counts at ``now``."""
    stored: PointsState = customer.get("points") or empty()
    state = as_of(stored, now)
    return {
        **state,
        # What is reserved beyond its expiry ends with its reservation.
        "buckets": [each for each in state["buckets"] if each["expiresAt"] is None or each["expiresAt"] > now],
        "customerId": customer["_id"],
        "spendable": spendable(state),
        "owed": owed(state),
    }


def _expiries(balance: Document) -> Source:
    return [
        {"points": bucket["remaining"], "expiresAt": bucket["expiresAt"]}
        for bucket in balance["buckets"]
        if bucket["expiresAt"]
    ]


@strawberry.type(description="One entry of the points ledger. Entries never change; a correction is a new one.")
class PointsEntry(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id seq kind points balance_after occurred_at recorded_at expires_at shortfall settled source "
        "transaction",
        WORDS: "reason",
        ACTOR: "actor",
        ADJUSTMENT: "adjustment",
    }

    seq: int = strawberry.field(description="1, 2, 3, … per customer, in the order of recording.")
    kind: PointsKind = strawberry.field(description="What it does.")
    points: int = strawberry.field(description="How many, with their sign.")
    balance_after: SafeInt = strawberry.field(
        description="earned - spent - expired once it was recorded; below 0 where points were owed."
    )
    reason: str | None = strawberry.field(description="Why, in the words of whoever made it.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When it was recorded; later for what arrived late.")
    expires_at: datetime | None = strawberry.field(
        description="The moment from which on the points it brought cannot be spent, as it was given; null: never."
    )

    @strawberry.field(
        description="How many of its points were not there when it was recorded: they are owed. 0 for most entries."
    )
    @staticmethod
    @reads("shortfall")
    def shortfall(entry: strawberry.Parent[Document]) -> int | None:
        return entry.get("shortfall", 0)

    @strawberry.field(
        description="How many more points its source has expired: those had expired here before, and are not taken "
        "twice. 0 for most entries."
    )
    @staticmethod
    @reads("settlements")
    def settled(entry: strawberry.Parent[Document]) -> int | None:
        return sum(portion["points"] for portion in entry.get("settlements", ()))

    actor: Actor = strawberry.field(description="Who made it.")
    source: str = strawberry.field(description="The system that said so.")

    @strawberry.field(description="Who asked for it and who approved it, where it took two people.")
    @staticmethod
    @reads("adjustmentId customerId")
    def adjustment(entry: strawberry.Parent[Document], info: Info) -> _Adjustment | None:
        return follow_own(info, entry, "adjustmentId")

    @strawberry.field(description="The transaction that it belongs to.")
    @staticmethod
    @reads("transactionId customerId")
    def transaction(entry: strawberry.Parent[Document], info: Info) -> Transaction | None:
        return follow_own(info, entry, "transactionId")


@strawberry.input(description="Which entries of the history; what is left out does not filter.")
class PointsFilter:
    from_: datetime | None = strawberry.field(name="from", default=None, description="Happened not before this moment.")
    to: datetime | None = strawberry.field(default=None, description="Happened before this moment.")
    kinds: list[PointsKind] | None = strawberry.field(
        default=None,
        description="Only these kinds, of those that the history holds: EARNED, SPENT, ADJUSTED, EXPIRED, REFUNDED. "
        "An empty list matches none.",
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Raises BadUserInput."""
        if outside := sorted(set(self.kinds or ()) - HISTORY):
            raise BadUserInput(
                f"The history holds no {' and no '.join(outside)}: they move no balance for good.", "kinds"
            )
        return (*among("kind", self.kinds), *during("occurredAt", self.from_, self.to))


@strawberry.input(description="How to sort the points history.")
class PointsOrder:
    default: ClassVar[str] = "Last recorded first"

    field: PointsOrderField = strawberry.field(default=PointsOrderField.SEQ, description="What to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")

    def sorting(self, _: PointsFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
