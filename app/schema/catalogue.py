"""Declares the catalogue as clients see it: which types of activity there are, and what each of them tells."""

from typing import ClassVar

import strawberry

from app.schema.enums import ActivityGroup, AttributeKind
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="A name in another language.")
class Translation:
    access: ClassVar[Access] = WITH_OWNER

    language: str = strawberry.field(description="The language, as a BCP 47 tag, such as `de` or `de-CH`.")
    text: str = strawberry.field(description="The name in this language.")


@strawberry.type(description="An attribute of an activity type.")
class AttributeDefinition:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="The name, as `attribute(name:)` takes it.")
    label: str = strawberry.field(description="The name to show to people, in English.")
    translations: list[Translation] = strawberry.field(
        description="The label in other languages, as far as this gateway's own catalogue has it. Ordered by language."
    )
    kind: AttributeKind = strawberry.field(description="The kind of the value, which says how to show it.")
    required: bool = strawberry.field(description="Whether every activity of the type has this attribute.")


@strawberry.type(description="A field that this gateway's own catalogue adds to customers.")
class CustomerFieldDefinition:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="The name, as `Customer.fields(names:)` takes it.")
    label: str = strawberry.field(description="The name to show to people, in English.")
    translations: list[Translation] = strawberry.field(
        description="The label in other languages, as far as this gateway's own catalogue has it. Ordered by language."
    )
    kind: AttributeKind = strawberry.field(
        description="The kind of the value, which says how to show it: TEXT, INTEGER, DECIMAL, BOOLEAN, DATE or "
        "DATETIME."
    )
    values: list[str] = strawberry.field(
        description="All values that there may be, in display order. Empty where it may be any."
    )
    filterable: bool = strawberry.field(description="Whether `CustomerFilter.fields` may name it.")


@strawberry.type(description="An activity type of one source system: one row of the catalogue.")
class ActivityType:
    access: ClassVar[Access] = WITH_OWNER

    code: str = strawberry.field(description="The code, unique over all sources, such as SUBSCRIPTION_RENEWED.")
    title: str = strawberry.field(description="The title, exactly as the source system shows it.")
    translations: list[Translation] = strawberry.field(
        description="The title in other languages, as far as this gateway's own catalogue has it. Ordered by language."
    )
    description: str = strawberry.field(description="The meaning, in a sentence.")
    group: ActivityGroup = strawberry.field(description="The group that it belongs to.")
    icon: str = strawberry.field(description="The stable key of the icon; no two types share one.")
    source: str = strawberry.field(description="The source system that reports this type.")
    attributes: list[AttributeDefinition] = strawberry.field(
        description="The attributes of its activities, in display order."
    )
