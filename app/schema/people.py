"""Declares who did something, and how to reach someone."""

from typing import ClassVar

import strawberry

from app.schema.enums import AccessLevel, ActorKind, TaxIdType, TaxIdValidity
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="A person or program that another one acts for, or that acts for another one.")
class Principal:
    access: ClassVar[Access] = WITH_OWNER

    user_id: str = strawberry.field(description="The subject of their tokens.")
    name: str = strawberry.field(description="The name to show.")


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
    on_behalf_of: Principal | None = strawberry.field(
        description="In whose name the actor did it, and with whose rights. Null if in their own."
    )


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


@strawberry.type(description="A tax id of a customer.")
class TaxId:
    access: ClassVar[Access] = WITH_OWNER

    type: TaxIdType = strawberry.field(description="The kind of tax id.")
    value: str = strawberry.field(description="The number; a VAT number in capitals, without blanks.")
    is_default: bool = strawberry.field(description="Whether it is the one to print. One of a customer's tax ids is.")
    validity: TaxIdValidity = strawberry.field(description="What a source system has found out about it.")


@strawberry.type
class _LeadSource:
    medium: str | None = strawberry.field(description="The kind of channel, such as search or email.")
    source: str | None = strawberry.field(description="The site or list that they came from, such as google.")
    campaign: str | None = strawberry.field(description="The campaign.")
    term: str | None = strawberry.field(description="The words that they searched for.")
    content: str | None = strawberry.field(description="The version of the advertisement.")
    affiliate: str | None = strawberry.field(description="The affiliate who brought them.")
    sub_affiliate: str | None = strawberry.field(description="The affiliate's own partner.")
    sales_agent: str | None = strawberry.field(description="The person who sold.")
    click_id: str | None = strawberry.field(description="The id of the click, as the channel knows it.")
    path: str | None = strawberry.field(description="The path of the page that they came to.")
    referrer: str | None = strawberry.field(description="The address of the page that they came from.")


@strawberry.type(description="Where a customer came from, by the first answer that there was. It never changes.")
class OriginalLeadSource(_LeadSource):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.type(description="Where a customer came from, by the latest answer.")
class LeadSource(_LeadSource):
    access: ClassVar[Access] = WITH_OWNER

    original: OriginalLeadSource | None = strawberry.field(description="The first answer that there was.")


@strawberry.type(description="The id of a customer in one source system.")
class SourceIdentity:
    access: ClassVar[Access] = WITH_OWNER

    source: str = strawberry.field(description="The name of the source system.")
    external_id: str = strawberry.field(description="The customer's id in that system.")


@strawberry.input(description="The id of a customer in one source system.")
class IdentityInput:
    source: str = strawberry.field(description="The name of the source system, such as esuite.")
    id: str = strawberry.field(description="The customer's id in that system.")


@strawberry.input(description="An e-mail address or a phone number.")
class ContactPointInput:
    value: str = strawberry.field(
        description="The address, at most 255 characters, or the number as people write it, at most 50."
    )
    label: str | None = strawberry.field(
        default=None, description="The label, such as work or home; at most 45 characters."
    )
    primary: bool | None = strawberry.field(
        default=None, description="Whether it is the one to use. Without a primary one, the first is."
    )


@strawberry.input(description="A postal address.")
class AddressInput:
    line1: str | None = strawberry.field(default=None, description="Street and number; at most 60 characters.")
    line2: str | None = strawberry.field(
        default=None, description="The second line of the street address; at most 60 characters."
    )
    city: str | None = strawberry.field(default=None, description="City or town; at most 45 characters.")
    region: str | None = strawberry.field(default=None, description="State, province or county; at most 45 characters.")
    postal_code: str | None = strawberry.field(
        default=None, description="Postal or ZIP code: at most 10 letters, digits, blanks and hyphens."
    )
    country: str | None = strawberry.field(default=None, description="Two-letter country code (ISO 3166-1).")
