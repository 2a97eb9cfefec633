"""Mails that were sent, and what became of them."""

import asyncio
from datetime import datetime
from typing import ClassVar, Final

import strawberry

from app.domain.listings import DELIVERIES
from app.domain.mail_html import MOST_ENTITIES, MOST_TAGS, harmless
from app.schema.base import Document, Info, Node, ShortList
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


@strawberry.type(description="A mail as the customer got it.")
class Email(Node):
    access: ClassVar[Access] = MAIL

    subject: str = strawberry.field(description="The subject line.")
    to: str = strawberry.field(description="The address it was sent to then.")

    @strawberry.field(
        description="The HTML body as a whole document, made harmless: it runs nothing, loads nothing, has no forms; "
        "style sheets are gone, inline styles stay; links open in a page of their own. Show it in a frame, "
        '`<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="…">`, never in your page. Null if the '
        f"mail has no HTML. A mail too intricate to be shown (more than {MOST_TAGS:,} tags or {MOST_ENTITIES:,} "
        "entities) is a document that says so: show its `text`. What is sent again is the original as it is stored."
    )
    @staticmethod
    async def html(email: strawberry.Parent[Document]) -> str | None:
        html = email.get("html")
        if not isinstance(html, str) or not html:
            return html
        # What takes more than a moment must not hold up everybody else.
        return harmless(html) if len(html) < _LONG else await asyncio.to_thread(harmless, html)

    text: str | None = strawberry.field(description="The plain-text body.")
    sent_at: datetime | None = strawberry.field(description="When it was sent.")

    @strawberry.field(description="Its deliveries through this gateway, newest first.")
    @staticmethod
    def deliveries(email: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[EmailDelivery] | None:
        return rows_of(info, email, DELIVERIES, first=first)
