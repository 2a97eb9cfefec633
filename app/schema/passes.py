"""Mobile wallet passes, and what became of informing their providers."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node
from app.schema.enums import PassType, PushStatus
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="A pass in the customer's mobile wallet.")
class Pass(Node):
    access: ClassVar[Access] = WITH_OWNER

    serial_number: str = strawberry.field(description="The id by which the wallet provider knows it.")
    type: PassType = strawberry.field(description="Which wallet it is for.")
    reward: str | None = strawberry.field(description="The reward that it carries, if any.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When its content last changed here.")


@strawberry.type(
    description="The wallet service is informed that a pass should be updated. Whether and when the pass on the phone "
    "changes is up to the service and to Apple or Google."
)
class PassPush(Node):
    access: ClassVar[Access] = WITH_OWNER

    status: PushStatus = strawberry.field(description="What became of it so far.")
    attempts: int = strawberry.field(description="How often the wallet service was asked.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    informed_at: datetime | None = strawberry.field(description="When the wallet service acknowledged it.")
    error: str | None = strawberry.field(
        description="Why the last attempt failed, or why it was given up, in plain words."
    )
