"""Declares the erasure of a customer's personal data, and the file with all of them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node, SafeInt
from app.schema.changes import COMMON, KEY, Changed, UserError
from app.schema.enums import ErasureStatus
from app.schema.exports import Export
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ERASURE, EXPORT, WITH_OWNER, Access


@strawberry.type(
    description="The erasure of a customer's personal data. What happened, when, how much and by whom among the staff "
    "stays, and the points still add up. It cannot be undone."
)
class Erasure(Node):
    access: ClassVar[Access] = ERASURE

    status: ErasureStatus = strawberry.field(description="The state of the erasure.")
    reason: str = strawberry.field(description="The reason for it.")
    erased_at: datetime = strawberry.field(description="The time when the customer was anonymised.")
    erased_by: Actor = strawberry.field(description="The person who had it done.")
    finished_at: datetime | None = strawberry.field(description="The time when nothing personal was left.")
    erased: SafeInt = strawberry.field(description="The number of rows from which something was taken so far.")
    total: SafeInt = strawberry.field(description="The number of rows on the account when it began.")

    customer = owner("The customer, without a name.")


@strawberry.type(description="The number of rows of one list that an erasure concerns.")
class ErasedRows:
    access: ClassVar[Access] = ERASURE

    list_: str = strawberry.field(name="list", description="The list, such as `activities` or `emails`.")
    erased: SafeInt = strawberry.field(description="The number of its rows that are deleted.")
    kept: SafeInt = strawberry.field(description="The number of its rows that stay, without what is personal.")


@strawberry.type(description="What an erasure would do now. Nothing is written.")
class AnonymisePreview:
    access: ClassVar[Access] = ERASURE

    counts: list[ErasedRows] = strawberry.field(description="How many rows of each list it concerns.")
    blockers: list[UserError] = strawberry.field(
        description="All reasons why the customer cannot be anonymised now, as `anonymiseCustomer` would answer; empty "
        "if they can."
    )


@strawberry.input(description="A customer whose personal data are to be erased for good.")
class AnonymiseCustomerInput:
    customer_id: strawberry.ID = strawberry.field(description="The id of the customer.")
    confirm_number: str = strawberry.field(
        description="The number of the customer, typed by the person who confirms that this is the right one."
    )
    reason: str = strawberry.field(
        description="The reason, at most 1,000 characters. It is kept: do not name the person in it."
    )
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `anonymiseCustomer`.")
class AnonymiseCustomerPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, ERASURE: "erasure"}

    erasure: Erasure | None = strawberry.field(description="The erasure. A worker does what is left of it.")


@strawberry.input(description="A person who asks for their data.")
class RequestDataExportInput:
    customer_id: strawberry.ID = strawberry.field(description="The id of the customer.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `requestDataExport`.")
class RequestDataExportPayload(Changed):
    access: ClassVar[Access] = {WITH_OWNER: COMMON, EXPORT: "export"}

    export: Export | None = strawberry.field(description="The file, which a worker makes.")
