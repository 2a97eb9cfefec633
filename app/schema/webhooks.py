"""Declares webhooks: endpoints that are told of what happens to customers, and what each of them was told."""

from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, ClassVar

import strawberry
from strawberry.utils.str_converters import to_camel_case

from app.domain.access import Role
from app.domain.feed import DAYS_KEPT
from app.domain.listings import WEBHOOK_DELIVERIES
from app.domain.paging import Where
from app.domain.webhooks import DELIVERIES_KEPT_DAYS, MAX_ENDPOINTS, MAX_REDELIVERIES, MAX_TYPES, message_type
from app.schema.base import Document, Info, Node, SafeInt, follow, reads
from app.schema.changes import KEY, MutationPayload
from app.schema.connection import paged
from app.schema.enums import WebhookDeliveryStatus, WebhookEndpointStatus
from app.schema.filters import among, of_customer
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import WEBHOOK, WITH_OWNER, Access
from app.schema.segments import plain

_NAME = "The name, at most 100 characters."
_URL = (
    "The address to post to, https:// and at most 1,000 characters. Addresses of private networks are not called, and "
    "redirects are not followed."
)
_DESCRIPTION = "What it is for, at most 1,000 characters."
_TYPES = (
    f"The codes of the activity types that messages are sent for; at most {MAX_TYPES}. Empty: all types, and changes "
    "without an activity. Merges, erasures and changes that are not listed whole are always sent."
)
_ID = "The id of the endpoint."
_SHOWN_ONCE = (
    "The secret with which messages are signed, whsec_ and base64. It is shown here and never again: also null if this "
    "change was made before, under the same key."
)


@strawberry.type(description="A failure to deliver a message.")
class WebhookFailure:
    access: ClassVar[Access] = WEBHOOK

    at: datetime = strawberry.field(description="The time of the attempt.")
    message: str = strawberry.field(description="Why it failed.")


@strawberry.type(
    description="A message to a webhook endpoint: that something was changed of a customer, without what it was. "
    f"Deliveries are kept for {DELIVERIES_KEPT_DAYS} days after they were delivered or given up."
)
class WebhookDelivery(Node):
    access: ClassVar[Access] = WEBHOOK

    revision: SafeInt = strawberry.field(
        description="The customer's revision. Messages about one customer come in the order of these."
    )
    sequence: SafeInt = strawberry.field(description="The number of the change among those of all customers.")
    status: WebhookDeliveryStatus = strawberry.field(description="The state of the delivery.")
    attempts: int = strawberry.field(description="The number of attempts that have ended.")
    error: str | None = strawberry.field(description="Why the last attempt failed, or why it was given up.")
    queued_at: datetime = strawberry.field(description="The time when it was queued first.")
    delivered_at: datetime | None = strawberry.field(description="The time when the endpoint took it.")
    settled_at: datetime | None = strawberry.field(description="The time when it was delivered or given up.")

    customer = owner("The customer whom it is about.")

    @strawberry.field(
        description="The type of the message: customer.merged, customer.erased, the activity type in dots if it is "
        "about activities of one type, and customer.changed for all else."
    )
    @staticmethod
    @reads("kind types")
    def type(delivery: strawberry.Parent[Document]) -> str:
        return message_type(delivery)

    @strawberry.field(description="The time of the next attempt. Null once it is delivered or given up.")
    @staticmethod
    @reads("dueAt")
    def next_attempt_at(delivery: strawberry.Parent[Document]) -> datetime | None:
        return delivery.get("dueAt")

    @strawberry.field(description="The endpoint. Null if it was deleted.")
    @staticmethod
    @reads("endpointId")
    def endpoint(
        delivery: strawberry.Parent[Document], info: Info
    ) -> Annotated["WebhookEndpoint", strawberry.lazy("app.schema.webhooks")] | None:
        return follow(info, delivery, "endpointId")


@strawberry.input(
    description="A filter on deliveries. Conditions that are given must all hold; conditions that are left out do not "
    "filter."
)
class WebhookDeliveryFilter:
    statuses: list[WebhookDeliveryStatus] | None = strawberry.field(
        default=None, description="Only deliveries in one of these states. An empty list matches no rows."
    )
    customer_id: strawberry.ID | None = strawberry.field(
        default=None, description="Only deliveries about this customer."
    )

    def where(self, roles: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (*among("status", self.statuses), *of_customer(self.customer_id))


@strawberry.type(
    description="A webhook endpoint: an address of another system that gets a signed message (Standard Webhooks) when "
    "something changed for a customer. The message has ids and no personal data."
)
class WebhookEndpoint(Node):
    access: ClassVar[Access] = WEBHOOK

    name: str = strawberry.field(description="The name.")
    description: str | None = strawberry.field(description="What it is for.")
    url: str = strawberry.field(description="The address that messages are posted to.")
    types: list[str] = strawberry.field(
        description="The codes of the activity types that messages are sent for. Empty: all types, and changes without "
        "an activity."
    )
    status: WebhookEndpointStatus = strawberry.field(description="Whether messages are sent to it.")
    disabled_reason: str | None = strawberry.field(description="Why it is disabled. Null if it is not.")
    disabled_at: datetime | None = strawberry.field(description="The time when it was disabled. Null if it is not.")
    last_failure: WebhookFailure | None = strawberry.field(
        description="The last attempt that failed, of any message. It stays when others succeed."
    )
    position: SafeInt = strawberry.field(
        description="The `sequence` of the last change that it was considered for. Deliveries of those before are made."
    )
    created_at: datetime = strawberry.field(description="The time when it was created.")
    created_by: Actor = strawberry.field(description="The person or program that created it.")
    updated_at: datetime = strawberry.field(description="The time when a person changed it last.")

    @strawberry.field(description="The number of secrets that messages are signed with: two after a rotation.")
    @staticmethod
    @reads("secrets")
    def secret_count(endpoint: strawberry.Parent[Document]) -> int:
        return len(endpoint["secrets"])

    deliveries = paged(
        WEBHOOK_DELIVERIES,
        WebhookDelivery,
        filter=WebhookDeliveryFilter,
        description="Its messages, newest first by `sequence`.",
    )


# ---------------------------------------------------------------- changes


@strawberry.input(description="A webhook endpoint to create. It gets messages about what happens from then on.")
class CreateWebhookEndpointInput:
    name: str = strawberry.field(description=_NAME)
    url: str = strawberry.field(description=_URL)
    idempotency_key: str = strawberry.field(description=KEY)
    description: str | None = strawberry.field(default=None, description=_DESCRIPTION)
    types: list[str] | None = strawberry.field(default=None, description=f"{_TYPES} Default: empty.")


@strawberry.input(
    description="Values of a webhook endpoint to change. What is left out stays; null takes a value away."
)
class UpdateWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description=_ID)
    idempotency_key: str = strawberry.field(description=KEY)
    name: strawberry.Maybe[str | None] = strawberry.field(description=f"{_NAME} It cannot be cleared.")
    url: strawberry.Maybe[str | None] = strawberry.field(
        description=f"{_URL} Messages that wait go to the new address. It cannot be cleared."
    )
    description: strawberry.Maybe[str | None] = strawberry.field(description=_DESCRIPTION)
    types: strawberry.Maybe[list[str] | None] = strawberry.field(description=f"{_TYPES} Null: empty.")
    enabled: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether messages are sent to it. Messages that wait for an endpoint that is disabled are given "
        "up. One that is enabled again gets messages about what happens from then on; `redeliverWebhooks` sends what "
        "it missed. It cannot be cleared."
    )


@strawberry.input(description="A webhook endpoint to give another secret.")
class RotateWebhookSecretInput:
    endpoint_id: strawberry.ID = strawberry.field(description=_ID)
    idempotency_key: str = strawberry.field(description=KEY)
    drop_old: bool | None = strawberry.field(
        default=False,
        description="Whether messages are signed with the new secret alone, from the next one on. Default: false; they "
        "have a signature of the secret before it, too, until the next rotation.",
    )


@strawberry.input(description="A webhook endpoint to delete for good.")
class DeleteWebhookEndpointInput:
    endpoint_id: strawberry.ID = strawberry.field(description=_ID)
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.input(description="A window of time whose messages an endpoint is sent once more.")
class RedeliverWebhooksInput:
    endpoint_id: strawberry.ID = strawberry.field(description=_ID)
    from_: datetime = strawberry.field(
        name="from", description=f"The first moment of it. What is older than {DAYS_KEPT * 24} hours is not kept."
    )
    to: datetime = strawberry.field(description="The moment before which it ends.")
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type
class WebhookEndpointChanged(MutationPayload):
    """Every payload with an endpoint has this field; the schema has no type of this name."""

    webhook_endpoint: WebhookEndpoint | None = strawberry.field(description="The endpoint after the change.")


@strawberry.type(description=f"The result of `createWebhookEndpoint`. There are at most {MAX_ENDPOINTS} endpoints.")
class CreateWebhookEndpointPayload(WebhookEndpointChanged):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", WEBHOOK: "webhook_endpoint secret"}

    secret: str | None = strawberry.field(description=_SHOWN_ONCE)


@strawberry.type(description="The result of `updateWebhookEndpoint`.")
class UpdateWebhookEndpointPayload(WebhookEndpointChanged):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", WEBHOOK: "webhook_endpoint"}


@strawberry.type(description="The result of `rotateWebhookSecret`.")
class RotateWebhookSecretPayload(WebhookEndpointChanged):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", WEBHOOK: "webhook_endpoint secret"}

    secret: str | None = strawberry.field(description=_SHOWN_ONCE)


@strawberry.type(description="The result of `deleteWebhookEndpoint`. What waited for it is given up.")
class DeleteWebhookEndpointPayload(MutationPayload):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", WEBHOOK: "deleted_webhook_endpoint_id"}

    deleted_webhook_endpoint_id: strawberry.ID | None = strawberry.field(
        description="The id of the endpoint that is gone."
    )


@strawberry.type(
    description="The result of `redeliverWebhooks`. One endpoint has at most "
    f"{MAX_REDELIVERIES} windows that are still being sent again."
)
class RedeliverWebhooksPayload(WebhookEndpointChanged):
    access: ClassVar[Access] = {WITH_OWNER: "query user_errors", WEBHOOK: "webhook_endpoint count"}

    count: int | None = strawberry.field(
        description="The number of messages that are sent again. Null if this change was made before, under the same "
        "key."
    )


_OTHERS = ("endpoint_id", "idempotency_key")


def values_of(input: CreateWebhookEndpointInput | UpdateWebhookEndpointInput) -> dict[str, Any]:
    """Returns the values that an input gives, by their keys and as they are stored; None takes one away."""
    given = {each.name: getattr(input, each.name) for each in fields(input) if each.name not in _OTHERS}
    return {to_camel_case(name): plain(value) for name, value in given.items() if value is not None}
