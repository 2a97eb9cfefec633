"""Declares how an account's status came to be."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node
from app.schema.enums import CustomerStatus
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, WITH_OWNER, WORDS, Access


@strawberry.type(description="A change of a customer's status.")
class StatusChange(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id from_ to changed_at customer",
        WORDS: "reason",
        ACTOR: "actor",
    }

    from_: CustomerStatus | None = strawberry.field(
        name="from", description="The status before the change. Null if it is not known."
    )
    to: CustomerStatus = strawberry.field(description="The status after the change.")
    reason: str | None = strawberry.field(description="The reason that was given.")
    actor: Actor = strawberry.field(description="The person or program that changed it.")
    changed_at: datetime = strawberry.field(description="The time of the change.")
    customer = owner()
