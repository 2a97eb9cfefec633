"""Declares who did something, and how to reach someone."""

from typing import ClassVar

import strawberry

from app.schema.enums import AccessLevel, ActorKind
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="The person or program that did something.")
class Actor:
    access: ClassVar[Access] = WITH_OWNER

    kind: ActorKind = strawberry.field(description="The kind of actor, as precisely as it is known.")
    user_id: str | None = strawberry.field(
        description="The id in the system where they acted, such as an agent's user id. Unique within that system only."
    )
    name: str = strawberry.field(
        description='The name to show: "System" for systems and imports, and for self-service and API calls '
        "if the source says so; otherwise the actor's own name."
    )
    access_level: AccessLevel | None = strawberry.field(description="The access level in that system, if it is known.")


@strawberry.type(description="An e-mail address or a phone number.")
class ContactPoint:
    access: ClassVar[Access] = WITH_OWNER

    value: str = strawberry.field(description="The address or number.")
    label: str | None = strawberry.field(description="The label, such as work or home.")
    primary: bool = strawberry.field(description="Whether it is the registered address or number.")


@strawberry.type(description="A postal address.")
class Address:
    access: ClassVar[Access] = WITH_OWNER

    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="The second line of the street address.")
    city: str | None = strawberry.field(description="City or town.")
    region: str | None = strawberry.field(description="State, province or county.")
    postal_code: str | None = strawberry.field(description="Postal or ZIP code.")
    country: str | None = strawberry.field(description="Two-letter country code (ISO 3166-1).")


@strawberry.type(description="The id of a customer in one source system.")
class SourceIdentity:
    access: ClassVar[Access] = WITH_OWNER

    source: str = strawberry.field(description="The name of the source system.")
    external_id: str = strawberry.field(description="The customer's id in that system.")


@strawberry.input(description="The id of a customer in one source system.")
class IdentityInput:
    source: str = strawberry.field(description="The name of the source system, such as esuite.")
    id: str = strawberry.field(description="The customer's id in that system.")
