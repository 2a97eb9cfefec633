"""Declares mails that were sent, and what became of them."""

import asyncio
import base64
from datetime import datetime
from typing import Annotated, ClassVar, Final, cast

import strawberry

from app.domain.attachments import images_of, link
from app.domain.listings import DELIVERIES
from app.domain.mail_html import MOST_ENTITIES, MOST_TAGS, harmless
from app.schema.base import Document, Info, Node, ShortList, Source, follow_own, reads
from app.schema.connection import rows_of
from app.schema.enums import DeliveryStatus
from app.schema.origins import Imported
from app.schema.owner import owner
from app.schema.rules import MAIL, Access

_LONG: Final = 10_000
_Email = Annotated["Email", strawberry.lazy("app.schema.emails")]


@strawberry.type(description="A delivery of an e-mail through this gateway.")
class EmailDelivery(Node):
    access: ClassVar[Access] = MAIL

    @strawberry.field(description="The e-mail that is delivered.")
    @staticmethod
    @reads("emailId customerId")
    def email(delivery: strawberry.Parent[Document], info: Info) -> _Email | None:
        return follow_own(info, delivery, "emailId")

    to: str = strawberry.field(description="The address that it is sent to.")
    status: DeliveryStatus = strawberry.field(description="The state of the delivery.")
    attempts: int = strawberry.field(description="The number of attempts so far.")
    requested_at: datetime = strawberry.field(description="The time when it was requested.")
    delivered_at: datetime | None = strawberry.field(description="The time when the mail server accepted it.")
    error: str | None = strawberry.field(description="The reason why the last attempt failed, in plain words.")


@strawberry.type(description="A file attached to an e-mail.")
class EmailAttachment:
    access: ClassVar[Access] = MAIL

    name: str = strawberry.field(description="The file name.")
    media_type: str = strawberry.field(description="The media type, such as application/pdf.")
    size: int = strawberry.field(description="The size in bytes.")
    content_id: str | None = strawberry.field(
        description="The id by which the HTML body refers to it (`cid:`). Null for a file that is not shown "
        "inside the body."
    )

    @strawberry.field(
        description="The path of the file at this gateway. Anyone who has it can open the file for a few "
        "minutes, without a token."
    )
    @staticmethod
    def url(attachment: strawberry.Parent[Document], info: Info) -> str:
        until = info.context.now + info.context.changes.outgoing.link
        return link(attachment["emailId"], attachment, until, info.context.viewer)


@strawberry.type(description="An e-mail as the customer received it.")
class Email(Imported, Node):
    access: ClassVar[Access] = MAIL

    subject: str = strawberry.field(description="The subject line.")
    to: str = strawberry.field(description="The address that it was sent to.")

    @strawberry.field(
        description="The HTML body as a complete, sanitised document: without scripts, forms and style sheets (inline "
        "styles stay), loading nothing but the images attached to the e-mail; links open in a new page. Show it in a "
        'frame, `<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="…">`, never in your own page. '
        f"Null if the e-mail has no HTML. In place of a body with more than {MOST_TAGS:,} tags or {MOST_ENTITIES:,} "
        "entities there is a document that says so: show `text`. What is sent again is the stored original."
    )
    @staticmethod
    async def html(email: strawberry.Parent[Document], info: Info) -> str | None:
        html = email.get("html")
        if not isinstance(html, str) or not html:
            return html
        images = await _images(email, info) if "cid:" in html else {}
        # What takes more than a moment must not hold up everybody else.
        return harmless(html, images) if len(html) < _LONG else await asyncio.to_thread(harmless, html, images)

    @strawberry.field(description="The attached files, including images inside the HTML body.")
    @staticmethod
    @reads("_id attachments")
    def attachments(email: strawberry.Parent[Document]) -> list[EmailAttachment] | None:
        return cast(Source, [{**each, "emailId": email["_id"]} for each in email.get("attachments", [])])

    reply_to: str | None = strawberry.field(description="The address for replies, if it is not the sender's.")

    text: str | None = strawberry.field(description="The plain-text body.")
    sent_at: datetime | None = strawberry.field(description="The time when it was sent.")
    customer = owner()

    @strawberry.field(description="The deliveries through this gateway, newest first.")
    @staticmethod
    def deliveries(email: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[EmailDelivery] | None:
        return rows_of(info, email, DELIVERIES, first=first)


async def _images(email: Document, info: Info) -> dict[str, str]:
    """Returns the addresses of the mail's own images in its HTML, by content id."""
    images = images_of(email)
    files = await info.context.loaders.files.load_all([each["fileId"] for each in images.values()])
    return {
        content_id: f"data:{image['mediaType']};base64,{base64.b64encode(file['content']).decode()}"
        for (content_id, image), file in zip(images.items(), files, strict=True)
        if isinstance(file, dict)
    }
