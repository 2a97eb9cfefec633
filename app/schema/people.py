"""Who did something, and how to reach someone."""

from typing import ClassVar

import strawberry

from app.schema.enums import AccessLevel, ActorKind
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="Who did something.")
class Actor:
    access: ClassVar[Access] = WITH_OWNER

    kind: ActorKind = strawberry.field(description="What kind of actor it was, as finely as it is known.")
    user_id: str | None = strawberry.field(
        description="Their id in the system where they acted, such as an agent's user id; unique in that system only."
    )
    name: str = strawberry.field(
        description='The name people are shown: "System" for systems and imports (for self-service and API calls too, '
        "where the source says so), otherwise the actor's own."
    )
    access_level: AccessLevel | None = strawberry.field(description="Their access level there, where it is known.")


@strawberry.type(description="An e-mail address or a phone number.")
class ContactPoint:
    access: ClassVar[Access] = WITH_OWNER

    value: str = strawberry.field(description="The address or the number itself.")
    label: str | None = strawberry.field(description="What it is for, such as work or home.")
    primary: bool = strawberry.field(description="Whether it is the registered one.")


@strawberry.type(description="A postal address.")
class Address:
    access: ClassVar[Access] = WITH_OWNER

    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="Anything more about where in the street it is.")
    city: str | None = strawberry.field(description="City or town.")
    region: str | None = strawberry.field(description="State, province or county.")
    postal_code: str | None = strawberry.field(description="Postal or ZIP code.")
    country: str | None = strawberry.field(description="Two-letter country code (ISO 3166-1).")


@strawberry.type(description="Who a customer is in one source system.")
class SourceIdentity:
    access: ClassVar[Access] = WITH_OWNER

    source: str = strawberry.field(description="The source system's name.")
    external_id: str = strawberry.field(description="The customer's id in that system.")


@strawberry.input(description="A customer as one source system knows them.")
class IdentityInput:
    source: str = strawberry.field(description="The source system's name, such as esuite.")
    id: str = strawberry.field(description="The customer's id in that system.")
