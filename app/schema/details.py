"""Declares how customers are created and edited."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, cast

import strawberry
from strawberry.types.maybe import Some
from strawberry.utils.str_converters import to_camel_case

from app.domain.import_forms import Identity
from app.schema.base import Date
from app.schema.changes import KEY, Changed
from app.schema.enums import TaxIdType
from app.schema.people import AddressInput, ContactPointInput, IdentityInput
from app.schema.rules import WITH_OWNER, Access

_NUMBER = "The customer number that people read out on the phone; at most 50 characters."
_FIELDS = (
    "Values of fields that this gateway's own catalogue adds; `customerFields` lists all. At most 100. Fields that are "
    "left out stay as they are; null changes none."
)
_EMAILS = "All e-mail addresses; at most 100, and one of them primary. Mails are sent to the primary one."


@strawberry.input(description="A value of a customer under a field of this gateway's own catalogue.")
class CustomerFieldInput:
    name: str = strawberry.field(description="The name of the field; `customerFields` lists all.")
    value: str | None = strawberry.field(
        default=None,
        description="The value as `CustomerField.value` has it, such as 2024-02-29, 12.5 or true. Null clears it.",
    )


@strawberry.input(description="A customer to create. Some name is needed: of a person, an organisation, or an address.")
class CreateCustomerInput:
    idempotency_key: str = strawberry.field(description=KEY)
    number: str | None = strawberry.field(default=None, description=f"{_NUMBER} Default: a new one.")
    identity: IdentityInput | None = strawberry.field(
        default=None, description="The id of the customer in a source system. What it reports of them comes in here."
    )
    name: str | None = strawberry.field(
        default=None,
        description="The full name; at most 255 characters. Default: first and last name, else the organisation, else "
        "the e-mail address. Such a name follows when these are changed.",
    )
    first_name: str | None = strawberry.field(default=None, description="The given name; at most 45 characters.")
    last_name: str | None = strawberry.field(default=None, description="The family name; at most 45 characters.")
    organization: str | None = strawberry.field(
        default=None, description="The organisation that the customer belongs to; at most 255 characters."
    )
    job_title: str | None = strawberry.field(
        default=None, description="The job title in that organisation; at most 255 characters."
    )
    date_of_birth: Date | None = strawberry.field(default=None, description="The date of birth, not in the future.")
    website: str | None = strawberry.field(default=None, description="The website; at most 1,000 characters.")
    locale: str | None = strawberry.field(
        default=None, description="The language to write in, as a BCP 47 tag such as de-CH."
    )
    emails: list[ContactPointInput] | None = strawberry.field(default=None, description=_EMAILS)
    phones: list[ContactPointInput] | None = strawberry.field(
        default=None, description="All phone numbers; at most 100, and one of them primary."
    )
    billing_address: AddressInput | None = strawberry.field(default=None, description="The billing address.")
    country: str | None = strawberry.field(
        default=None, description="Two-letter country code (ISO 3166-1). Default: that of the billing address."
    )
    fields: list[CustomerFieldInput] | None = strawberry.field(default=None, description=_FIELDS)


@strawberry.type(
    description="The result of `createCustomer`. `customer { possibleDuplicates { … } }` tells whom they resemble."
)
class CreateCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(
    description="Details of a customer to change. What is left out stays as it is; null clears a value. Lists and "
    "addresses are replaced as a whole."
)
class UpdateCustomerInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    idempotency_key: str = strawberry.field(description=KEY)
    expected_revision: int | None = strawberry.field(
        default=None,
        description="The `revision` of the customer that was read. If the details were changed since, the change is "
        "refused as STALE. Default: whatever they are.",
    )
    number: strawberry.Maybe[str | None] = strawberry.field(description=f"{_NUMBER} It cannot be cleared.")
    name: strawberry.Maybe[str | None] = strawberry.field(
        description="The full name; at most 255 characters. It cannot be cleared."
    )
    first_name: strawberry.Maybe[str | None] = strawberry.field(description="The given name; at most 45 characters.")
    last_name: strawberry.Maybe[str | None] = strawberry.field(description="The family name; at most 45 characters.")
    organization: strawberry.Maybe[str | None] = strawberry.field(
        description="The organisation that the customer belongs to; at most 255 characters."
    )
    job_title: strawberry.Maybe[str | None] = strawberry.field(
        description="The job title in that organisation; at most 255 characters."
    )
    date_of_birth: strawberry.Maybe[Date | None] = strawberry.field(description="The date of birth, not in the future.")
    website: strawberry.Maybe[str | None] = strawberry.field(description="The website; at most 1,000 characters.")
    locale: strawberry.Maybe[str | None] = strawberry.field(
        description="The language to write in, as a BCP 47 tag such as de-CH."
    )
    emails: strawberry.Maybe[list[ContactPointInput] | None] = strawberry.field(description=_EMAILS)
    phones: strawberry.Maybe[list[ContactPointInput] | None] = strawberry.field(
        description="All phone numbers; at most 100, and one of them primary."
    )
    billing_address: strawberry.Maybe[AddressInput | None] = strawberry.field(description="The billing address.")
    country: strawberry.Maybe[str | None] = strawberry.field(description="Two-letter country code (ISO 3166-1).")
    fields: list[CustomerFieldInput] | None = strawberry.field(default=None, description=_FIELDS)


@strawberry.type(description="The result of `updateCustomer`. Without `activity`, every value was there already.")
class UpdateCustomerPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(description="A tax id of a customer, to add, remove or make the default.")
class TaxIdInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    type: TaxIdType = strawberry.field(description="The kind of tax id.")
    value: str = strawberry.field(description="The number; at most 50 characters.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `addTaxId`.")
class AddTaxIdPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.type(description="The result of `removeTaxId`.")
class RemoveTaxIdPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.type(description="The result of `setDefaultTaxId`. Without `activity`, it was the default already.")
class SetDefaultTaxIdPayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


@strawberry.input(
    description="Where a customer came from. What is left out stays as it is; null clears a value. Each has at most "
    "512 characters, the referrer 2,083."
)
class UpdateLeadSourceInput:
    customer_id: strawberry.ID = strawberry.field(description="The customer's id.")
    idempotency_key: str = strawberry.field(description=KEY)
    medium: strawberry.Maybe[str | None] = strawberry.field(description="The kind of channel, such as search.")
    source: strawberry.Maybe[str | None] = strawberry.field(description="The site or list that they came from.")
    campaign: strawberry.Maybe[str | None] = strawberry.field(description="The campaign.")
    term: strawberry.Maybe[str | None] = strawberry.field(description="The words that they searched for.")
    content: strawberry.Maybe[str | None] = strawberry.field(description="The version of the advertisement.")
    affiliate: strawberry.Maybe[str | None] = strawberry.field(description="The affiliate who brought them.")
    sub_affiliate: strawberry.Maybe[str | None] = strawberry.field(description="The affiliate's own partner.")
    sales_agent: strawberry.Maybe[str | None] = strawberry.field(description="The person who sold.")
    click_id: strawberry.Maybe[str | None] = strawberry.field(
        description="The id of the click, as the channel knows it."
    )
    path: strawberry.Maybe[str | None] = strawberry.field(description="The path of the page that they came to.")
    referrer: strawberry.Maybe[str | None] = strawberry.field(
        description="The address of the page that they came from."
    )


@strawberry.type(description="The result of `updateLeadSource`. Without `activity`, every value was there already.")
class UpdateLeadSourcePayload(Changed):
    access: ClassVar[Access] = WITH_OWNER


_OTHERS = frozenset({"customer_id", "idempotency_key", "expected_revision", "identity"})


def details_of(input: CreateCustomerInput | UpdateCustomerInput | UpdateLeadSourceInput) -> dict[str, Any]:
    """Returns the details that an input gives, by their keys; None is one to clear."""
    given = {each.name: getattr(input, each.name) for each in fields(input) if each.name not in _OTHERS}
    return {to_camel_case(name): _plain(value) for name, value in given.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Some):
        return _plain(cast(Some[Any], value).value)
    if isinstance(value, list):
        return [_plain(each) for each in cast(Sequence[Any], value)]
    if isinstance(value, ContactPointInput | AddressInput | CustomerFieldInput):
        each: Mapping[str, Any] = vars(value)
        return {to_camel_case(name): inner for name, inner in each.items() if inner is not None}
    return value


def identity_of(given: IdentityInput | None) -> Identity | None:
    return given and Identity(given.source, given.id)
