"""Declares uploads: files that a person sends to attach them to a note."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.uploads import MIME_TYPES, MOST_BYTES, MOST_OPEN, TEXT_AT_MOST, link
from app.schema.base import Document, Info, Node, reads
from app.schema.changes import KEY, MutationPayload
from app.schema.rules import NOTE, WITH_OWNER, Access


@strawberry.type(
    description="A file that its person uploads to attach it to a note. It is visible to this person and to "
    "administrators. One that is not attached expires after a day."
)
class Upload(Node):
    access: ClassVar[Access] = NOTE

    name: str = strawberry.field(description="The file name.")
    mime_type: str = strawberry.field(description="The media type.")
    bytes: int = strawberry.field(description="The size in bytes.")
    sha256: str = strawberry.field(description="The SHA-256 hash of the content, in hexadecimal digits.")
    created_at: datetime = strawberry.field(description="The time when it was created.")
    expires_at: datetime = strawberry.field(description="The time when it is deleted if it is not attached.")
    completed_at: datetime | None = strawberry.field(
        description="The time when its content was complete. Null as long as the content has not been sent."
    )

    @strawberry.field(
        description="The path at this gateway to which the content is sent, by PUT and as it is: the body is the file. "
        "Anyone who has it can send that content for a few minutes, without a token. Null once the content was sent or "
        "the upload has expired."
    )
    @staticmethod
    @reads("_id fileId expiresAt")
    def url(upload: strawberry.Parent[Document], info: Info) -> str | None:
        now = info.context.now
        if "fileId" in upload or now >= upload["expiresAt"]:
            return None
        return link(upload, now + info.context.changes.outgoing.link, info.context.viewer)


@strawberry.input(
    description=f"A file to upload. One person has at most {MOST_OPEN} uploads that are not attached to anything yet."
)
class CreateUploadInput:
    name: str = strawberry.field(description=f"The file name, at most {TEXT_AT_MOST} characters.")
    mime_type: str = strawberry.field(description=f"The media type, one of {', '.join(MIME_TYPES)}.")
    bytes: int = strawberry.field(description=f"The size in bytes, at most {MOST_BYTES:,}.")
    sha256: str = strawberry.field(description="The SHA-256 hash of the content, 64 hexadecimal digits.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(description="The result of `createUpload`.")
class CreateUploadPayload(MutationPayload):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", NOTE: "upload"}

    upload: Upload | None = strawberry.field(description="The upload. Send its content to its `url`.")
