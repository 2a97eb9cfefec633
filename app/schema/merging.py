"""Declares merges: what one would do, what it did, and how it is undone."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.schema.base import Document, Info, Node, SafeInt, linked_document, reads, result_or_error
from app.schema.changes import COMMON, KEY, Changed, UserError
from app.schema.customers import Customer
from app.schema.enums import MergeField, MergeStatus, MergeWarning
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import MERGE, WITH_OWNER, Access


@strawberry.type(
    description="A merge of customers into one. Who was merged keeps an account that is closed and names the survivor "
    "in `mergedInto`; everything that was on it moves to the survivor."
)
class Merge(Node):
    access: ClassVar[Access] = MERGE

    status: MergeStatus = strawberry.field(description="The state of the merge.")
    reason: str = strawberry.field(description="The reason for the merge.")
    created_at: datetime = strawberry.field(description="The time when the customers were merged.")
    created_by: Actor = strawberry.field(description="The person who merged them.")
    moved: SafeInt = strawberry.field(
        description="The number of rows that were moved so far. The survivor's lists have all of them from the "
        "beginning, wherever they are on their way."
    )
    total: SafeInt = strawberry.field(description="The number of rows to move when the merge began.")
    finished_at: datetime | None = strawberry.field(description="The time when all rows were moved.")
    undone_at: datetime | None = strawberry.field(description="The time when the merge was undone.")
    undone_by: Actor | None = strawberry.field(description="The person who undid it.")
    undo_reason: str | None = strawberry.field(description="The reason why it was undone.")
    points_kept: SafeInt | None = strawberry.field(
        description="The number of points that could not be given back when the merge was undone, because the survivor "
        "had used them or they had expired. Null if it was not undone."
    )

    survivor = owner("The customer who stays.")

    @strawberry.field(description="The customers who were merged into the survivor.")
    @staticmethod
    @reads("sourceIds")
    def sources(merge: strawberry.Parent[Document], info: Info) -> list[Customer | None]:
        return [result_or_error(linked_document, info, each) for each in merge["sourceIds"]]


# ---------------------------------------------------------------- a preview


@strawberry.type(description="A field of which a customer has one value, and what a merge makes of it.")
class MergedField:
    access: ClassVar[Access] = MERGE

    field: MergeField = strawberry.field(description="The field.")
    kept: str | None = strawberry.field(description="The value that stands, as text.")
    from_id: strawberry.ID = strawberry.field(description="The id of the customer whose value it is.")
    dropped: list[str] = strawberry.field(description="The other customers' values, which are given up, as texts.")


@strawberry.type(description="The number of rows of one list that would move.")
class MergedRows:
    access: ClassVar[Access] = MERGE

    list_: str = strawberry.field(name="list", description="The list, such as `activities` or `coupons`.")
    count: SafeInt = strawberry.field(description="The number of its rows.")


@strawberry.type(description="A balance before a merge.")
class BalanceBefore:
    access: ClassVar[Access] = MERGE

    points: SafeInt = strawberry.field(description="The points that the customer can spend, less what is owed.")

    @strawberry.field(description="The customer.")
    @staticmethod
    @reads("customerId")
    def customer(balance: strawberry.Parent[Document], info: Info) -> Customer | None:
        return linked_document(info, balance["customerId"])


@strawberry.type(description="The points before and after a merge. Their sum stays the same, expiry by expiry.")
class MergedPoints:
    access: ClassVar[Access] = MERGE

    before: list[BalanceBefore] = strawberry.field(description="What each of the customers has.")
    after: SafeInt = strawberry.field(description="What the survivor would have.")


@strawberry.type(description="A reason why the customers cannot be merged now.")
class MergeBlocker:
    access: ClassVar[Access] = MERGE

    error: UserError = strawberry.field(description="What `mergeCustomers` would answer.")

    @strawberry.field(description="The customer who is the reason.")
    @staticmethod
    @reads("customerId")
    def customer(blocker: strawberry.Parent[Document], info: Info) -> Customer | None:
        return linked_document(info, blocker["customerId"])


@strawberry.type(description="What a merge would do now. Nothing is written.")
class MergePreview:
    access: ClassVar[Access] = MERGE

    fields: list[MergedField] = strawberry.field(
        description="The fields of which a customer has one value. The survivor's own stand and blanks are filled, "
        "unless `keep` says otherwise."
    )
    counts: list[MergedRows] = strawberry.field(description="How many rows of each list would move.")
    points: MergedPoints = strawberry.field(description="The points before and after.")
    warnings: list[MergeWarning] = strawberry.field(description="What to know before merging.")
    blockers: list[MergeBlocker] = strawberry.field(
        description="All reasons why the customers cannot be merged now; empty if they can."
    )


# ---------------------------------------------------------------- changes


@strawberry.input(description="A field, and the customer whose value stands.")
class MergeKeepInput:
    field: MergeField = strawberry.field(description="The field.")
    from_id: strawberry.ID = strawberry.field(
        description="The id of the customer whose value stands: the survivor or one of those who are merged. Of a "
        "customer who has no value, it is as if this was not given."
    )


@strawberry.input(description="The revision of a customer that the client has read.")
class ExpectedRevisionInput:
    customer_id: strawberry.ID = strawberry.field(description="The id of the customer.")
    revision: int = strawberry.field(
        description="The `revision` that was read. If the details were changed after it, the merge is refused (STALE)."
    )


MergedIds = Annotated[
    list[strawberry.ID],
    strawberry.argument(description="The ids of the customers who are merged away; at least 1 and at most 10."),
]
SurvivorId = Annotated[strawberry.ID, strawberry.argument(description="The id of the customer who stays.")]
Kept = Annotated[
    list[MergeKeepInput] | None,
    strawberry.argument(description="Whose value stands, by field. Default: the survivor's, or the first there is."),
]


@strawberry.input(description="Customers to merge into one.")
class MergeCustomersInput:
    into_id: strawberry.ID = strawberry.field(description="The id of the customer who stays.")
    ids: list[strawberry.ID] = strawberry.field(
        description="The ids of the customers who are merged away; at least 1 and at most 10."
    )
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)
    keep: list[MergeKeepInput] | None = strawberry.field(
        default=None, description="Whose value stands, by field. Default: the survivor's, or the first there is."
    )
    expected_revisions: list[ExpectedRevisionInput] | None = strawberry.field(
        default=None, description="The revisions that the client has read. Default: whatever they are."
    )


@strawberry.type(description="The result of `mergeCustomers`. `customer` is the survivor.")
class MergeCustomersPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, MERGE: "merge"}

    merge: Merge | None = strawberry.field(description="The merge. Its rows are moved by a worker.")


@strawberry.input(description="A merge to undo.")
class UnmergeInput:
    merge_id: strawberry.ID = strawberry.field(description="The id of the merge.")
    reason: str = strawberry.field(description="The reason, at most 1,000 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `unmerge`. `customer` is the survivor.")
class UnmergePayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, MERGE: "merge"}

    merge: Merge | None = strawberry.field(description="The merge. Its rows are moved back by a worker.")
