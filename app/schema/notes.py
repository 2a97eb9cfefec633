"""Declares notes by agents."""

from datetime import datetime
from typing import ClassVar, cast

import strawberry

from app.domain.notes import pinned_for
from app.schema.base import Document, Info, Node, Source, linked_document, reads, result_or_error
from app.schema.enums import PinnedFor
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import NOTE, Access


@strawberry.type(description="A text that a note has, or had before it was edited.")
class NoteVersion:
    access: ClassVar[Access] = NOTE

    message: str = strawberry.field(description="The text.")
    author: Actor = strawberry.field(description="The person who wrote it.")
    at: datetime = strawberry.field(description="The time when it was written.")


@strawberry.type(description="A note on a customer's account.")
class Note(Node):
    access: ClassVar[Access] = NOTE

    message: str = strawberry.field(description="The text.")
    author: Actor = strawberry.field(description="The person who wrote it.")
    created_at: datetime = strawberry.field(description="The time when it was written.")
    customer = owner()
    mentions: list[str] = strawberry.field(description="The mentioned colleagues, by user name.")

    @strawberry.field(description="All texts that the note has had, oldest first; the last one is `message`.")
    @staticmethod
    @reads("versions message author createdAt")
    def versions(note: strawberry.Parent[Document]) -> list[NoteVersion]:
        first = {"message": note["message"], "author": note["author"], "at": note["createdAt"]}
        return note.get("versions", [first])

    @strawberry.field(description="For whom the note is pinned, as this viewer sees it. Null if it is not.")
    @staticmethod
    @reads("pins")
    def pinned_for(note: strawberry.Parent[Document], info: Info) -> PinnedFor | None:
        return pinned_for(note, info.context.viewer.subject)

    @strawberry.field(
        description="The linked nodes: customers, transactions or any other. Null for a node that no longer "
        "exists or that this viewer may not see."
    )
    @staticmethod
    def links(note: strawberry.Parent[Document], info: Info) -> list[Node | None]:
        return cast(Source, [result_or_error(linked_document, info, node_id) for node_id in note.get("linkIds", [])])
