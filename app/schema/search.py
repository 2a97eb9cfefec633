"""What a search finds: customers, and what of them was found."""

from typing import ClassVar

import strawberry

from app.schema.base import Document, Info, Node, follow, reads
from app.schema.customers import Customer
from app.schema.enums import SearchMatchKind
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="What of a customer a search has found.")
class SearchMatch:
    access: ClassVar[Access] = WITH_OWNER

    kind: SearchMatchKind = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="The value that was found, as it is stored.")
    is_exact: bool = strawberry.field(
        description="Whether it is what was asked for: all words of a name, a number to its end. False where it only "
        "begins so, and for a phone number whose country is not certain."
    )

    @strawberry.field(
        description="The transaction, coupon or pass, or the activity that names the order; null for what the "
        "customer has themselves."
    )
    @staticmethod
    @reads("nodeId")
    def node(match: strawberry.Parent[Document], info: Info) -> Node | None:
        return follow(info, match, "nodeId")


@strawberry.type(description="A customer whom a search has found.")
class SearchHit:
    access: ClassVar[Access] = WITH_OWNER

    matches: list[SearchMatch] = strawberry.field(description="What of them was found, the likeliest first.")

    @strawberry.field(description="The customer.")
    @staticmethod
    @reads("customerId")
    def customer(hit: strawberry.Parent[Document], info: Info) -> Customer | None:
        return follow(info, hit, "customerId")
