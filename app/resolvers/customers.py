"""Ways in to one customer."""

from typing import Annotated

import strawberry

from app.domain.access import Permission
from app.domain.ids import collection_of
from app.domain.refusals import Ambiguous
from app.schema.base import Info, Source
from app.schema.customers import Customer, CustomerBy


async def customer(
    info: Info, by: Annotated[CustomerBy, strawberry.argument(description="Exactly one way to name them.")]
) -> Customer | None:
    found = await _named(info, by)
    if len(found) > 1:
        raise Ambiguous("customers", "by", found=len(found))
    return found[0] if found else None


async def _named(info: Info, by: CustomerBy) -> list[Source]:
    loaders = info.context.loaders
    if by.id:
        collection_of(by.id.value, expected="customers", argument="by")
        found = await loaders.documents.load(by.id.value)
        return [found] if found else []
    if by.number:
        return await loaders.customers.load(("number", by.number.value)) or []
    info.context.viewer.require(Permission.SEARCH_BY_CONTACT)
    if by.email:
        name = ("email", by.email.value.strip())
    else:
        assert by.identity  # @oneOf
        name = ("identity", by.identity.value.source, by.identity.value.id)
    return await loaders.customers.load(name) or []
