"""Mails that were sent, and what became of them."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.domain.listings import DELIVERIES
from app.schema.base import Document, Info, Node, ShortList
from app.schema.connection import rows_of
from app.schema.enums import DeliveryStatus
from app.schema.rules import MAIL, Access


@strawberry.type(description="One attempt to get a mail to its addressee.")
class EmailDelivery(Node):
    access: ClassVar[Access] = MAIL

    to: str = strawberry.field(description="The address it went to.")
    status: DeliveryStatus = strawberry.field(description="What became of it so far.")
    attempts: int = strawberry.field(description="How often it was handed to the mail server.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    delivered_at: datetime | None = strawberry.field(description="When the mail server took it.")
    error: str | None = strawberry.field(description="Why it was given up, in plain words.")


@strawberry.type(description="A mail as the customer got it.")
class Email(Node):
    access: ClassVar[Access] = MAIL

    subject: str = strawberry.field(description="The subject line.")
    to: str = strawberry.field(description="The address it was sent to then.")
    html: str | None = strawberry.field(
        description="The HTML body. Untrusted: show it in a sandboxed frame (`srcdoc`), never in your page."
    )
    text: str | None = strawberry.field(description="The plain-text body.")
    sent_at: datetime | None = strawberry.field(description="When it was sent.")

    @strawberry.field(description="Its deliveries through this gateway, newest first.")
    @staticmethod
    def deliveries(email: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[EmailDelivery] | None:
        return rows_of(info, email, DELIVERIES, first=first)
