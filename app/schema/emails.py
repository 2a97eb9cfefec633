"""Mails that were sent, and what became of them."""

import asyncio
import base64
from datetime import datetime
from typing import ClassVar, Final, cast

import strawberry

from app.domain.attachments import images_of, link
from app.domain.listings import DELIVERIES
from app.domain.mail_html import MOST_ENTITIES, MOST_TAGS, harmless
from app.schema.base import Document, Info, Node, ShortList, Source, reads
from app.schema.connection import rows_of
from app.schema.enums import DeliveryStatus
from app.schema.rules import MAIL, Access

_LONG: Final = 10_000


@strawberry.type(description="One attempt to get a mail to its addressee.")
class EmailDelivery(Node):
    access: ClassVar[Access] = MAIL

    to: str = strawberry.field(description="The address it went to.")
    status: DeliveryStatus = strawberry.field(description="What became of it so far.")
    attempts: int = strawberry.field(description="How often it was handed to the mail server.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    delivered_at: datetime | None = strawberry.field(description="When the mail server took it.")
    error: str | None = strawberry.field(
        description="Why the last attempt failed, or why it was given up, in plain words."
    )


@strawberry.type(description="A file that a mail carries.")
class EmailAttachment:
    access: ClassVar[Access] = MAIL

    name: str = strawberry.field(description="Its name.")
    media_type: str = strawberry.field(description="What it is: application/pdf.")
    size: int = strawberry.field(description="How many bytes it has.")
    content_id: str | None = strawberry.field(
        description="By which the HTML names it (`cid:`), if it belongs inside; null for one that stands by itself."
    )

    @strawberry.field(
        description="The path of the file below this gateway's address, made anew each time: it opens the file for a "
        "few minutes to whoever has it, without a token."
    )
    @staticmethod
    def url(attachment: strawberry.Parent[Document], info: Info) -> str:
        return link(attachment, info.context.now + info.context.changes.outgoing.link, info.context.viewer)


@strawberry.type(description="A mail as the customer got it.")
class Email(Node):
    access: ClassVar[Access] = MAIL

    subject: str = strawberry.field(description="The subject line.")
    to: str = strawberry.field(description="The address it was sent to then.")

    @strawberry.field(
        description="The HTML body as a whole document, made harmless: it runs nothing, loads nothing but "
        "the images that it brings, has no forms; "
        "style sheets are gone, inline styles stay; links open in a page of their own. Show it in a frame, "
        '`<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="…">`, never in your page. Null if the '
        f"mail has no HTML. A mail too intricate to be shown (more than {MOST_TAGS:,} tags or {MOST_ENTITIES:,} "
        "entities) is a document that says so: show its `text`. What is sent again is the original as it is stored."
    )
    @staticmethod
    async def html(email: strawberry.Parent[Document], info: Info) -> str | None:
        html = email.get("html")
        if not isinstance(html, str) or not html:
            return html
        images = await _images(email, info) if "cid:" in html else {}
        # What takes more than a moment must not hold up everybody else.
        return harmless(html, images) if len(html) < _LONG else await asyncio.to_thread(harmless, html, images)

    @strawberry.field(description="The files that it carries, images inside of its HTML included.")
    @staticmethod
    @reads("_id attachments")
    def attachments(email: strawberry.Parent[Document]) -> list[EmailAttachment] | None:
        return cast(Source, [{**each, "emailId": email["_id"]} for each in email.get("attachments", [])])

    reply_to: str | None = strawberry.field(description="Where answers to it go, if not to its sender.")

    text: str | None = strawberry.field(description="The plain-text body.")
    sent_at: datetime | None = strawberry.field(description="When it was sent.")

    @strawberry.field(description="Its deliveries through this gateway, newest first.")
    @staticmethod
    def deliveries(email: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[EmailDelivery] | None:
        return rows_of(info, email, DELIVERIES, first=first)


async def _images(email: Document, info: Info) -> dict[str, str]:
    """What the mail's own images are in its HTML, by content id."""
    images = images_of(email)
    files = await info.context.loaders.files.load_all([each["fileId"] for each in images.values()])
    return {
        content_id: f"data:{image['mediaType']};base64,{base64.b64encode(file['content']).decode()}"
        for (content_id, image), file in zip(images.items(), files, strict=True)
        if isinstance(file, dict)
    }
