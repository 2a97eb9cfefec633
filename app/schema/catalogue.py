"""The catalogue as clients see it: which types of activity there are, and what each of them tells."""

from typing import ClassVar

import strawberry

from app.schema.enums import ActivityGroup, AttributeKind
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="An attribute that activities of a type have.")
class AttributeDefinition:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="Its name, as in `attribute(name:)`.")
    label: str = strawberry.field(description="Its name for people.")
    kind: AttributeKind = strawberry.field(description="What its value is.")
    required: bool = strawberry.field(description="Whether every activity of the type has it.")


@strawberry.type(description="A row of the catalogue: one type of activity of one source system.")
class ActivityType:
    access: ClassVar[Access] = WITH_OWNER

    code: str = strawberry.field(description="Its code, unique over all sources: SUBSCRIPTION_RENEWED.")
    title: str = strawberry.field(description="Its title, exactly as the source system shows it.")
    description: str = strawberry.field(description="What it means, in a sentence.")
    group: ActivityGroup = strawberry.field(description="The grouping it belongs to.")
    icon: str = strawberry.field(description="A stable key for its icon; no two types share one.")
    source: str = strawberry.field(description="The source system whose type it is.")
    attributes: list[AttributeDefinition] = strawberry.field(description="What its activities tell, in display order.")
