"""Declares what a search finds: customers, and what of them was found."""

from typing import ClassVar

import strawberry

from app.schema.base import Document, Info, Node, follow, reads
from app.schema.enums import SearchMatchKind
from app.schema.owner import owner
from app.schema.rules import WITH_OWNER, Access


@strawberry.type(description="A value of a customer that matched a search.")
class SearchMatch:
    access: ClassVar[Access] = WITH_OWNER

    kind: SearchMatchKind = strawberry.field(description="The kind.")
    value: str = strawberry.field(description="The value that matched, as it is stored.")
    is_exact: bool = strawberry.field(
        description="Whether the value matched as a whole: all words of a name, all characters of a number. "
        "False if only its beginning matched, and for a phone number whose country is not "
        "certain."
    )

    @strawberry.field(
        description="The transaction, coupon or pass that has the value, or the activity that names the "
        "order. Null for values of the customer itself."
    )
    @staticmethod
    @reads("nodeId")
    def node(match: strawberry.Parent[Document], info: Info) -> Node | None:
        return follow(info, match, "nodeId")


@strawberry.type(description="A customer that a search found.")
class SearchHit:
    access: ClassVar[Access] = WITH_OWNER

    matches: list[SearchMatch] = strawberry.field(description="The values that matched, likeliest first.")

    customer = owner("The customer.")
