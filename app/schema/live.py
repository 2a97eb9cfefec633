"""Declares what is told as it happens."""

from datetime import datetime
from typing import Annotated, ClassVar, cast

import strawberry

from app.schema.activities import Activity
from app.schema.base import Document, Info, Source, linked_document
from app.schema.enums import LiveKind
from app.schema.owner import owner
from app.schema.people import Principal
from app.schema.rules import WITH_OWNER, Access

AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description="Begins after the event with this cursor, so that nothing is missed and nothing comes twice. "
        "Default: what happens from now on."
    ),
]


@strawberry.type(
    description="An event on a customer's account. It is executed as a query of the viewer at that moment, with the "
    "rights of that moment."
)
class LiveActivity:
    access: ClassVar[Access] = WITH_OWNER

    kind: LiveKind = strawberry.field(description="What happened.")
    cursor: str = strawberry.field(
        description="The position after this event, to pass as `after`. Good for 72 hours, and for this customer only."
    )

    revision: int = strawberry.field(
        description="The customer's revision that the stream has reached. If you read the customer before the first "
        "event and their `revision` was lower, read them again."
    )

    @strawberry.field(
        description="The activity that was added (ADDED) or corrected (CHANGED). Null if it is about the customer, or "
        "about a row of another list."
    )
    @staticmethod
    def activity(event: strawberry.Parent[Document], info: Info) -> Activity | None:
        activity_id = event.get("activityId")
        return cast(Source, linked_document(info, activity_id, owner=event) if activity_id else None)

    customer = owner("The customer as they are now. Null in a HEARTBEAT.")


@strawberry.type(description="A member of staff who has a customer's record open, by subscribing to it.")
class CustomerViewer:
    access: ClassVar[Access] = WITH_OWNER

    viewer: Principal = strawberry.field(description="The person.")
    since: datetime = strawberry.field(description="The time since when, in the first of their windows.")
