"""Declares mobile wallet passes, and what became of informing their providers."""

from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from app.domain.access import Role
from app.domain.listings import PUSHES
from app.domain.paging import Sorting, Where
from app.schema.base import Document, Info, Node, ShortList, follow_own, reads
from app.schema.connection import rows_of
from app.schema.enums import OrderDirection, PassOrderField, PassType, PushStatus
from app.schema.filters import among
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.rules import CONTACT, WITH_OWNER, Access

_Push = Annotated["PassPush", strawberry.lazy("app.schema.passes")]


@strawberry.type(description="A pass in the customer's mobile wallet.")
class Pass(Imported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id serial_number type reward created_at updated_at customer pushes source",
        CONTACT: "source_id",
    }

    serial_number: str = strawberry.field(description="The serial number at the wallet provider.")
    type: PassType = strawberry.field(description="The wallet that it is for.")
    reward: str | None = strawberry.field(description="The reward on the pass, if there is one.")
    created_at: datetime = strawberry.field(description="The time when it was made.")
    updated_at: datetime = strawberry.field(description="The time of the last change of its content in this gateway.")
    customer = owner()

    @strawberry.field(description="The requests to the wallet service to update it, newest first.")
    @staticmethod
    @reads("_id customerId")
    def pushes(pass_: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[_Push] | None:
        return rows_of(info, pass_, PUSHES, first=first)


@strawberry.type(
    description="A request to the wallet service to update a pass. Whether and when the pass on the phone "
    "changes is up to the service and to Apple or Google."
)
class PassPush(Node):
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(name="pass", description="The pass that is to be updated.")
    @staticmethod
    @reads("passId customerId")
    def pass_(push: strawberry.Parent[Document], info: Info) -> Pass | None:
        return follow_own(info, push, "passId")

    status: PushStatus = strawberry.field(description="The state of the delivery.")
    attempts: int = strawberry.field(description="The number of attempts so far.")
    requested_at: datetime = strawberry.field(description="The time when it was requested.")
    informed_at: datetime | None = strawberry.field(
        description="The time when the wallet service acknowledged the request."
    )
    error: str | None = strawberry.field(description="The reason why the last attempt failed, in plain words.")


@strawberry.input(description="A filter on passes. Conditions that are left out do not filter.")
class PassFilter:
    types: list[PassType] | None = strawberry.field(
        default=None, description="Only passes for these wallets. An empty list matches no rows."
    )

    def where(self, _: frozenset[Role]) -> Where:
        return among("type", self.types)


@strawberry.input(description="A sort order for passes.")
class PassOrder:
    default: ClassVar[str] = "Newest first"

    field: PassOrderField = strawberry.field(default=PassOrderField.CREATED_AT, description="The field to sort by.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: PassFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)
