"""Declares the way back: from what hangs on a customer to the customer."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from app.schema.base import Document, Info, follow, reads

if TYPE_CHECKING:
    from app.schema.customers import Customer

_Customer = Annotated["Customer", strawberry.lazy("app.schema.customers")]


@reads("customerId")
def _customer(document: strawberry.Parent[Document], info: Info) -> _Customer | None:
    return follow(info, document, "customerId")


def owner(description: str = "The customer on whose account it is.") -> Any:
    """Returns the field ``customer``."""
    return strawberry.field(resolver=_customer, description=description)
