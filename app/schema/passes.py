"""Mobile wallet passes."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node
from app.schema.enums import PassType
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="A pass in the customer's mobile wallet.")
class Pass(Node):
    access: ClassVar[Access] = WITH_OWNER

    serial_number: str = strawberry.field(description="The id by which the wallet provider knows it.")
    type: PassType = strawberry.field(description="Which wallet it is for.")
    reward: str | None = strawberry.field(description="The reward that it carries, if any.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When its content last changed here.")
