"""Ways in to one customer."""

from typing import Annotated, cast

import strawberry

from app.domain.access import Permission
from app.domain.ids import collection_of
from app.domain.refusals import Ambiguous
from app.schema.base import Info, Source
from app.schema.customers import Customer, CustomerBy


def customer(
    info: Info, by: Annotated[CustomerBy, strawberry.argument(description="Exactly one way to name them.")]
) -> Customer | None:
    loaders = info.context.loaders
    if by.id:
        collection_of(by.id.value, expected="customers", argument="by")
        return cast(Source, loaders.documents.wanted(by.id.value))
    return cast(Source, loaders.customers.wanted(_name(info, by), _only))


def _name(info: Info, by: CustomerBy) -> tuple[str, ...]:
    """As the loader calls it. Raises Forbidden."""
    if by.number:
        return ("number", by.number.value)
    info.context.viewer.require(Permission.SEARCH_BY_CONTACT)
    if by.email:
        return ("email", by.email.value.strip())
    assert by.identity  # @oneOf
    return ("identity", by.identity.value.source, by.identity.value.id)


def _only(found: list[Source] | None) -> Source:
    """Raises Ambiguous."""
    if found and len(found) > 1:
        raise Ambiguous("customers", "by", found=len(found))
    return found[0] if found else None
