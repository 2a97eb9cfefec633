"""How an account's status came to be."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node
from app.schema.enums import CustomerStatus
from app.schema.people import Actor
from app.schema.rules import ACTOR, WITH_OWNER, WORDS, Access


@strawberry.type(description="One change of a customer's status.")
class StatusChange(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id from_ to changed_at",
        WORDS: "reason",
        ACTOR: "actor",
    }

    from_: CustomerStatus | None = strawberry.field(
        name="from", description="The status before; null where it is not known."
    )
    to: CustomerStatus = strawberry.field(description="The status after.")
    reason: str | None = strawberry.field(description="Why, in the words of whoever changed it.")
    actor: Actor = strawberry.field(description="Who changed it.")
    changed_at: datetime = strawberry.field(description="When it changed.")
