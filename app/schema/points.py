"""Declares points: the balance, and why it is what it is."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias, cast

import strawberry

from app.domain.access import Role
from app.domain.cursors import size_of
from app.domain.paging import Sorting, Where
from app.domain.points import HISTORY, PointsState, as_of, empty, owed, reservations, spendable
from app.domain.refusals import BadUserInput
from app.schema.base import Document, Info, Node, SafeInt, ShortList, Source, follow, follow_own, reads
from app.schema.enums import OrderDirection, PointsKind, PointsOrderField
from app.schema.filters import TimeRange, among, during
from app.schema.origins import Reported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, ADJUSTMENT, CONTACT, WITH_OWNER, WORDS, Access
from app.schema.transactions import Transaction

if TYPE_CHECKING:
    from app.schema.adjustments import PointsAdjustment

_Adjustment: TypeAlias = Annotated["PointsAdjustment", strawberry.lazy("app.schema.adjustments")]


@strawberry.type(description="Points that expire at the same time, unless they are used before.")
class PointsExpiry:
    access: ClassVar[Access] = WITH_OWNER

    points: SafeInt = strawberry.field(description="The number of points.")
    expires_at: datetime = strawberry.field(description="The time from which they cannot be spent.")


@strawberry.type(description="The balance recomputed from all ledger entries, compared with the stored balance.")
class PointsAudit:
    access: ClassVar[Access] = WITH_OWNER

    ok: bool = strawberry.field(description="Whether every figure agrees.")
    entries: int = strawberry.field(
        description="The number of ledger entries, including those that are not part of the history."
    )
    drift: SafeInt = strawberry.field(description="The stored balance minus the recomputed balance: 0 if they agree.")


@strawberry.type(
    description="A customer's points balance. Points count as expired from their expiry on, even before "
    "the entry is recorded. Always: spendable - owed = earned - spent - expired - reserved."
)
class PointsBalance:
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="A stable id per customer for client caches. Not a node.")
    @staticmethod
    def id(balance: strawberry.Parent[Document]) -> strawberry.ID:
        return strawberry.ID(f"{balance['customerId']}.points")

    earned: SafeInt = strawberry.field(description="All points that ever came in, less those taken back.")
    spent: SafeInt = strawberry.field(description="All points that were used.")
    expired: SafeInt = strawberry.field(description="All points that were not used in time.")
    reserved: SafeInt = strawberry.field(
        description="Points set aside for purchases under way; not part of the history."
    )
    pending: SafeInt = strawberry.field(description="Points announced but not yet available; not part of the history.")
    spendable: SafeInt = strawberry.field(description="The points that can be used now.")
    owed: SafeInt = strawberry.field(
        description="Points taken beyond what was there, such as an earning clawed back after it was spent. "
        "Points that come in pay it first; until then nothing is spendable."
    )

    @strawberry.field(description="The points that expire next, without those that are reserved.")
    @staticmethod
    def next_expiry(balance: strawberry.Parent[Document]) -> PointsExpiry | None:
        return next(iter(_expiries(balance)), None)

    @strawberry.field(
        description="All points that will expire unless they are used, soonest first. Points that never expire are "
        "not listed, nor those that are reserved: they do not expire while they are."
    )
    @staticmethod
    def expiries(balance: strawberry.Parent[Document], first: ShortList = 20) -> list[PointsExpiry] | None:
        return _expiries(balance)[: size_of(first)]

    @strawberry.field(
        description="The balance recomputed from all ledger entries, in one snapshot. Reads the whole ledger."
    )
    @staticmethod
    def audit(balance: strawberry.Parent[Document], info: Info) -> PointsAudit | None:
        return cast(Source, info.context.loaders.audits.defer(balance["customerId"]))


def balance_of(customer: Document, now: datetime) -> Source:
    """Returns the source of PointsBalance: the ledger's state as it counts at ``now``."""
    stored: PointsState = customer.get("points") or empty()
    state = as_of(stored, now)
    return {
        **state,
        "customerId": customer["_id"],
        "spendable": spendable(state),
        "owed": owed(state),
    }


def _expiries(balance: Document) -> Source:
    """Returns what will expire. What is reserved does not while it is, even beyond its day."""
    return [
        {"points": free, "expiresAt": expires_at}
        for bucket, held in reservations(cast(PointsState, balance))
        if (expires_at := bucket["expiresAt"]) and (free := bucket["remaining"] - held)
    ]


@strawberry.type(description="An entry of the points ledger. Entries never change; a correction is a new entry.")
class PointsEntry(Reported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id seq kind points balance_after occurred_at recorded_at expires_at shortfall settled source "
        "transaction transfer_of customer",
        WORDS: "reason",
        ACTOR: "actor",
        ADJUSTMENT: "adjustment",
        CONTACT: "source_id",
    }

    seq: int = strawberry.field(
        description="The number of the entry, 1, 2, 3, … per customer, in the order of recording."
    )
    kind: PointsKind = strawberry.field(description="The kind of entry.")
    points: int = strawberry.field(description="The number of points, negative for points taken away.")
    balance_after: SafeInt = strawberry.field(
        description="The balance (earned - spent - expired) after this entry; negative if points were owed."
    )
    reason: str | None = strawberry.field(description="The reason that was given.")
    occurred_at: datetime = strawberry.field(description="The time when it happened.")
    recorded_at: datetime = strawberry.field(
        description="The time when it was recorded. Later than `occurredAt` for entries that arrived late."
    )
    expires_at: datetime | None = strawberry.field(
        description="The time from which the points cannot be spent. Null: never."
    )

    @strawberry.field(
        description="The number of its points that were not there when it was recorded and are owed. 0 for "
        "most entries."
    )
    @staticmethod
    @reads("shortfall")
    def shortfall(entry: strawberry.Parent[Document]) -> int | None:
        return entry.get("shortfall", 0)

    @strawberry.field(
        description="The number of points that its source system expired and that had expired here before, so "
        "that they are not taken twice. 0 for most entries."
    )
    @staticmethod
    @reads("settlements")
    def settled(entry: strawberry.Parent[Document]) -> int | None:
        return sum(portion["points"] for portion in entry.get("settlements", ()))

    actor: Actor = strawberry.field(description="The person or program that made it.")
    source: str = strawberry.field(description="The system that reported it.")

    @strawberry.field(
        description="The adjustment with the two people who asked for it and approved it, if it took two."
    )
    @staticmethod
    @reads("adjustmentId customerId")
    def adjustment(entry: strawberry.Parent[Document], info: Info) -> _Adjustment | None:
        return follow_own(info, entry, "adjustmentId")

    @strawberry.field(description="The transaction that it belongs to.")
    @staticmethod
    @reads("transactionId customerId")
    def transaction(entry: strawberry.Parent[Document], info: Info) -> Transaction | None:
        return follow_own(info, entry, "transactionId")

    @strawberry.field(
        description="The entry in the other customer's ledger, if the points went from one to the other in a merge."
    )
    @staticmethod
    @reads("transferOfId")
    def transfer_of(entry: strawberry.Parent[Document], info: Info) -> "PointsEntry | None":
        return follow(info, entry, "transferOfId")

    customer = owner()


@strawberry.input(description="A filter on the points history. Conditions that are left out do not filter.")
class PointsFilter:
    occurred_at: TimeRange | None = strawberry.field(default=None, description="Only what happened in this window.")
    kinds: list[PointsKind] | None = strawberry.field(
        default=None,
        description="Only these kinds, of those in the history: not RESERVED, RELEASED and PENDING. An empty list "
        "matches no rows.",
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput for kinds that the history does not hold."""
        if outside := sorted(set(self.kinds or ()) - HISTORY):
            raise BadUserInput(
                f"The history holds no {' and no '.join(outside)}: they move no balance for good.", "kinds"
            )
        return (*among("kind", self.kinds), *during("occurredAt", self.occurred_at))


@strawberry.input(description="A sort order for the points history.")
class PointsOrder:
    default: ClassVar[str] = "Last recorded first"

    field: PointsOrderField = strawberry.field(default=PointsOrderField.SEQ, description="The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: PointsFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
