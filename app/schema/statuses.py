"""Declares how an account's status came to be."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node
from app.schema.enums import CustomerStatus
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import ACTOR, CONTACT, WITH_OWNER, WORDS, Access


@strawberry.type(description="A change of a customer's status.")
class StatusChange(Imported, Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id from_ to changed_at source customer",
        WORDS: "reason",
        ACTOR: "actor",
        CONTACT: "source_id",
    }

    from_: CustomerStatus | None = strawberry.field(
        name="from", description="The status before the change. Null if it is not known."
    )
    to: CustomerStatus = strawberry.field(description="The status after the change.")
    reason: str | None = strawberry.field(description="The reason that was given.")
    actor: Actor = strawberry.field(description="The person or program that changed it.")
    changed_at: datetime = strawberry.field(description="The time of the change.")
    customer = owner()
