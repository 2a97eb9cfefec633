"""Declares notes by agents."""

from datetime import datetime
from typing import ClassVar, cast

import strawberry

from app.domain.attachments import link
from app.domain.notes import pinned_for
from app.domain.uploads import safe_name
from app.schema.base import Document, Info, Node, Source, linked_document, reads, result_or_error
from app.schema.enums import PinnedFor
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import NOTE, Access


@strawberry.type(description="A text that a note has, or had before it was edited.")
class NoteVersion:
    access: ClassVar[Access] = NOTE

    message: str = strawberry.field(description="The text.")
    author: Actor = strawberry.field(description="The person who wrote it.")
    at: datetime = strawberry.field(description="The time when it was written.")


@strawberry.type(description="A file attached to a note.")
class NoteAttachment:
    access: ClassVar[Access] = NOTE

    id: strawberry.ID = strawberry.field(description="The id. The file comes with its note: `node` does not find it.")
    name: str = strawberry.field(description="The file name.")
    description: str | None = strawberry.field(description="The description that the author gave.")
    mime_type: str = strawberry.field(description="The media type, such as application/pdf.")
    bytes: int = strawberry.field(description="The size in bytes.")
    sha256: str = strawberry.field(description="The SHA-256 hash of the content, in hexadecimal digits.")
    uploaded_by: Actor = strawberry.field(description="The person who uploaded it.")
    uploaded_at: datetime = strawberry.field(description="The time when its content was complete.")

    @strawberry.field(
        description="The path of the file at this gateway. Anyone who has it can open the file for a few "
        "minutes, without a token. A name without an ending of the file's type gets one there."
    )
    @staticmethod
    def url(attachment: strawberry.Parent[Document], info: Info) -> str:
        type_ = attachment["mimeType"]
        file = {"fileId": attachment["uploadId"], "name": safe_name(attachment["name"], type_), "mediaType": type_}
        until = info.context.now + info.context.changes.outgoing.link
        return link(attachment["noteId"], file, until, info.context.viewer)


@strawberry.type(description="A note on a customer's account.")
class Note(Imported, Node):
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

    @strawberry.field(description="The attached files, in the order in which their author gave them.")
    @staticmethod
    @reads("_id attachments")
    def attachments(note: strawberry.Parent[Document]) -> list[NoteAttachment]:
        return cast(Source, [{**each, "noteId": note["_id"]} for each in note.get("attachments", [])])

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
