"""Admits readers of webhook endpoints, and changes of them."""

from typing import Annotated

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE
from app.domain.ids import check_id
from app.domain.listings import WEBHOOK_ENDPOINTS
from app.resolvers.payloads import Input, make, make_new
from app.schema import webhooks as schema
from app.schema.base import Document, Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.filters import bound
from app.services import webhooks as service
from app.services.changes import Changes, Wrote

_MANAGE = Permission.MANAGE_WEBHOOKS


def webhook_endpoints(
    info: Info, first: First = DEFAULT_SIZE, after: After = None, last: Last = None, before: Before = None
) -> Connection[schema.WebhookEndpoint] | None:
    info.context.viewer.require(_MANAGE)
    return page_of_all(info, WEBHOOK_ENDPOINTS, (), first=first, after=after, last=last, before=before)


async def create_webhook_endpoint(
    info: Info, input: Annotated[schema.CreateWebhookEndpointInput, Input]
) -> schema.CreateWebhookEndpointPayload | None:
    secret = None

    async def create(of: Changes) -> Wrote:
        nonlocal secret
        wrote, secret = await service.create(of, schema.values_of(input), key=input.idempotency_key)
        return wrote

    payload = await make_new(info, "createWebhookEndpoint", _MANAGE, create)
    return payload | {"secret": secret}


async def update_webhook_endpoint(
    info: Info, input: Annotated[schema.UpdateWebhookEndpointInput, Input]
) -> schema.UpdateWebhookEndpointPayload | None:
    return await make(
        info,
        "updateWebhookEndpoint",
        _MANAGE,
        ("webhookEndpoints", "endpointId", input.endpoint_id),
        lambda of, found: service.update(of, found["_id"], schema.values_of(input), key=input.idempotency_key),
    )


async def rotate_webhook_secret(
    info: Info, input: Annotated[schema.RotateWebhookSecretInput, Input]
) -> schema.RotateWebhookSecretPayload | None:
    secret = None

    async def rotate(of: Changes, endpoint: Document) -> Wrote:
        nonlocal secret
        drop_old = bool(input.drop_old)
        wrote, secret = await service.rotate(of, endpoint["_id"], drop_old=drop_old, key=input.idempotency_key)
        return wrote

    about = "webhookEndpoints", "endpointId", input.endpoint_id
    payload = await make(info, "rotateWebhookSecret", _MANAGE, about, rotate)
    return payload | {"secret": secret}


async def delete_webhook_endpoint(
    info: Info, input: Annotated[schema.DeleteWebhookEndpointInput, Input]
) -> schema.DeleteWebhookEndpointPayload | None:
    async def delete(of: Changes) -> Wrote:
        check_id(input.endpoint_id, "endpointId", expected="webhookEndpoints")
        return await service.delete(of, input.endpoint_id, key=input.idempotency_key)

    payload = await make_new(info, "deleteWebhookEndpoint", _MANAGE, delete)
    gone = {} if payload["userErrors"] else {"deletedWebhookEndpointId": input.endpoint_id}
    return payload | gone


async def redeliver_webhooks(
    info: Info, input: Annotated[schema.RedeliverWebhooksInput, Input]
) -> schema.RedeliverWebhooksPayload | None:
    count = None

    async def redeliver(of: Changes, endpoint: Document) -> Wrote:
        nonlocal count
        from_, to = (bound(each) or each for each in (input.from_, input.to))
        wrote, count = await service.redeliver(of, endpoint["_id"], from_, to, key=input.idempotency_key)
        return wrote

    about = "webhookEndpoints", "endpointId", input.endpoint_id
    payload = await make(info, "redeliverWebhooks", _MANAGE, about, redeliver)
    return payload | {"count": count}
