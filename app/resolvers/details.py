"""Admits new customers, and edits of their details."""

from typing import Annotated

from app.domain import tax_ids
from app.domain.access import Permission
from app.domain.vocabulary import TaxIdType
from app.resolvers.payloads import Input, make, make_new
from app.schema import details as schema
from app.schema.base import Info, Source
from app.services import details


async def create_customer(
    info: Info, input: Annotated[schema.CreateCustomerInput, Input]
) -> schema.CreateCustomerPayload | None:
    return await make_new(
        info,
        "createCustomer",
        Permission.CREATE_CUSTOMER,
        lambda of: details.create(
            of, schema.details_of(input), identity=schema.identity_of(input.identity), key=input.idempotency_key
        ),
    )


async def update_customer(
    info: Info, input: Annotated[schema.UpdateCustomerInput, Input]
) -> schema.UpdateCustomerPayload | None:
    return await make(
        info,
        "updateCustomer",
        Permission.UPDATE_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: details.update(
            of,
            customer["_id"],
            schema.details_of(input),
            expected_revision=input.expected_revision,
            key=input.idempotency_key,
        ),
    )


async def add_tax_id(info: Info, input: Annotated[schema.TaxIdInput, Input]) -> schema.AddTaxIdPayload | None:
    return await _change_tax_ids(info, "addTaxId", tax_ids.add, input)


async def remove_tax_id(info: Info, input: Annotated[schema.TaxIdInput, Input]) -> schema.RemoveTaxIdPayload | None:
    return await _change_tax_ids(info, "removeTaxId", tax_ids.remove, input)


async def set_default_tax_id(
    info: Info, input: Annotated[schema.TaxIdInput, Input]
) -> schema.SetDefaultTaxIdPayload | None:
    return await _change_tax_ids(info, "setDefaultTaxId", tax_ids.set_default, input)


async def _change_tax_ids(info: Info, mutation: str, change: details.ChangeTaxIds, input: schema.TaxIdInput) -> Source:
    return await make(
        info,
        mutation,
        Permission.UPDATE_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: details.change_tax_ids(
            of, mutation, change, customer["_id"], TaxIdType(input.type), input.value, key=input.idempotency_key
        ),
    )


async def update_lead_source(
    info: Info, input: Annotated[schema.UpdateLeadSourceInput, Input]
) -> schema.UpdateLeadSourcePayload | None:
    return await make(
        info,
        "updateLeadSource",
        Permission.UPDATE_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: details.update_lead_source(
            of, customer["_id"], schema.details_of(input), key=input.idempotency_key
        ),
    )
