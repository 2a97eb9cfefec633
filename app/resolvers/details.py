"""Admits new customers, and edits of their details."""

from typing import Annotated

from app.domain.access import Permission
from app.resolvers.payloads import Input, make, make_new
from app.schema import details as schema
from app.schema.base import Info
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
