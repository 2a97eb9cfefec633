"""Admits erasures of customers, and files with their data."""

from typing import Annotated

import strawberry

from app.domain.access import Permission
from app.domain.ids import check_id
from app.resolvers.payloads import Input, document_of, make
from app.schema import changes
from app.schema import erasing as schema
from app.schema.base import Info
from app.services import erasing, exports
from app.services.erasing import DELETED_ROWS


async def preview_anonymise(
    info: Info,
    customer_id: Annotated[strawberry.ID, strawberry.argument(description="The id of the customer.")],
) -> schema.AnonymisePreview | None:
    info.context.viewer.require(Permission.ANONYMISE_CUSTOMER)
    check_id(customer_id, "customerId", expected="customers")
    customer = await document_of(info, customer_id)
    if customer is None:
        return None
    preview = await erasing.preview(info.context.changes.store, customer)
    counts = [
        {"list": name, "erased": count, "kept": 0}
        if name in DELETED_ROWS
        else {"list": name, "erased": 0, "kept": count}
        for name, count in preview.counts.items()
    ]
    return {
        "counts": counts,
        "blockers": [each for refusal in preview.blockers for each in changes.user_errors_of(refusal)],
    }  # pyright: ignore[reportReturnType] # a source


async def anonymise_customer(
    info: Info, input: Annotated[schema.AnonymiseCustomerInput, Input]
) -> schema.AnonymiseCustomerPayload | None:
    return await make(
        info,
        "anonymiseCustomer",
        Permission.ANONYMISE_CUSTOMER,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: erasing.anonymise(
            of,
            customer["_id"],
            confirm_number=input.confirm_number,
            reason=input.reason,
            key=input.idempotency_key,
        ),
    )


async def request_data_export(
    info: Info, input: Annotated[schema.RequestDataExportInput, Input]
) -> schema.RequestDataExportPayload | None:
    return await make(
        info,
        "requestDataExport",
        Permission.REQUEST_DATA_EXPORT,
        ("customers", "customerId", input.customer_id),
        lambda of, customer: exports.request_data(of, customer["_id"], key=input.idempotency_key),
    )
