"""What agents wrote down."""

from datetime import datetime
from typing import ClassVar, cast

import strawberry

from app.schema.base import Document, Info, Node, Source, caught, linked
from app.schema.people import Actor
from app.schema.rules import NOTE, Access


@strawberry.type(description="A note that somebody wrote on a customer's account.")
class Note(Node):
    access: ClassVar[Access] = NOTE

    message: str = strawberry.field(description="The text, as it was written.")
    author: Actor = strawberry.field(description="Who wrote it.")
    created_at: datetime = strawberry.field(description="When it was written.")
    mentions: list[str] = strawberry.field(description="The colleagues it mentions, by user name.")

    @strawberry.field(
        description="What it links to: customers, transactions, anything with an id; null for what is gone."
    )
    @staticmethod
    def links(note: strawberry.Parent[Document], info: Info) -> list[Node | None]:
        return cast(Source, [caught(linked, info, node_id) for node_id in note.get("linkIds", [])])
