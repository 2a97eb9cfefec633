"""Creates webhook endpoints, changes and deletes them, and has what they missed delivered once more."""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from app.domain import changes, webhooks
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.customers import update_of
from app.domain.external_requests import WrongState
from app.domain.ids import new_id
from app.domain.vocabulary import CustomerChangeKind, WebhookEndpointStatus
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.feed import last_sequence
from app.store.driver import DeleteOne, Document, DuplicateKey, Store, TryAgain, UpdateOne
from app.store.sealed import seal

_SECRET_BYTES: Final = 32
_DISABLED: Final = "An administrator disabled it."
_REDELIVERY_OPEN: Final = f"{webhooks.MAX_REDELIVERIES} windows wait to be delivered again; try later."


async def create(of: Changes, given: Mapping[str, Any], *, key: str) -> tuple[Wrote, str | None]:
    """Creates an endpoint that is told of what comes from now on. Raises Invalid, LimitExceeded.

    Returns its secret, too, which nobody sees again; None if the key had made it before.
    """
    read = changes.check(
        lambda: webhooks.read({"types": [], **given}, loopback=of.outgoing.loopback_webhooks), lambda: changes.key(key)
    )
    endpoint_id, secret = new_id("webhookEndpoints"), _new_secret()
    sealed, position = await seal(of.store, secret, endpoint_id), await last_sequence(of.store)

    async def decide(_customer: Document, session: Session) -> Effect:
        others = await of.store.find("webhookEndpoints", {}, fields={"slot": 1}, session=session)
        free = {*range(webhooks.MAX_ENDPOINTS)} - {each["slot"] for each in others}
        if not free:
            raise LimitExceeded(f"There are {webhooks.MAX_ENDPOINTS} endpoints; delete one of them first.")
        endpoint: Document = {
            "_id": endpoint_id,
            **{name: value for name, value in read.items() if value is not None},
            "secrets": [sealed],
            "status": WebhookEndpointStatus.ENABLED.value,
            "slot": min(free),
            "position": position,
            "redeliveries": [],
            "createdAt": of.now,
            "createdBy": changes.actor_of(of.viewer, ""),
            "updatedAt": of.now,
        }
        try:
            await of.store.insert("webhookEndpoints", [endpoint], session=session)
        except DuplicateKey as raced:
            raise TryAgain from raced  # the same slot, a moment earlier: the next run finds it
        return _wrote(endpoint_id)

    wrote = await of.run_once("createWebhookEndpoint", None, key, given, decide)
    return wrote, secret if wrote["webhookEndpoint"] == endpoint_id else None


async def update(of: Changes, endpoint_id: str, given: Mapping[str, Any], *, key: str) -> Wrote:
    """Changes the values that are given; None takes one away. Raises Invalid, NotFound.

    An endpoint that is enabled again is told of what comes from now on.
    """
    values = changes.check(
        lambda: webhooks.read(given, loopback=of.outgoing.loopback_webhooks), lambda: changes.key(key)
    )
    if not values:
        raise Invalid("Give at least one value to change.")
    enabled: bool | None = values.pop("enabled", None)
    position = await last_sequence(of.store)

    async def decide(_customer: Document, session: Session) -> Effect:
        before = await _stored(of.store, endpoint_id, session)
        keys: Document = {key: value for key, value in values.items() if before.get(key) != value}
        if enabled is not None and enabled != (before["status"] == WebhookEndpointStatus.ENABLED):
            keys |= _enabled(position) if enabled else disabled(_DISABLED, of.now)
        if keys:
            change = update_of({**keys, "updatedAt": of.now})
            await of.store.write("webhookEndpoints", [UpdateOne({"_id": endpoint_id}, change)], session=session)
        return _wrote(endpoint_id)

    return await of.run_once("updateWebhookEndpoint", None, key, {"endpointId": endpoint_id, **given}, decide)


def disabled(reason: str, now: datetime) -> Document:
    """Returns the keys of an endpoint that is told nothing any more, and why. What is queued for it is given up."""
    return {"status": WebhookEndpointStatus.DISABLED.value, "disabledReason": reason, "disabledAt": now}


def _enabled(position: int) -> Document:
    status = WebhookEndpointStatus.ENABLED.value
    return {"status": status, "position": position, "redeliveries": [], "disabledReason": None, "disabledAt": None}


async def rotate(of: Changes, endpoint_id: str, *, drop_old: bool, key: str) -> tuple[Wrote, str | None]:
    """Gives an endpoint another secret. Raises Invalid, NotFound.

    Messages are signed with the one before it, too, until the next rotation, or not any more if that is dropped.
    Returns the secret, which nobody sees again; None if the key had made it before.
    """
    changes.key(key)
    secret = _new_secret()
    sealed = await seal(of.store, secret, endpoint_id)

    async def decide(_customer: Document, session: Session) -> Effect:
        before = await _stored(of.store, endpoint_id, session)
        kept: list[bytes] = [] if drop_old else before["secrets"][: webhooks.MAX_SECRETS - 1]
        change = {"$set": {"secrets": [sealed, *kept], "updatedAt": of.now}}
        await of.store.write("webhookEndpoints", [UpdateOne({"_id": endpoint_id}, change)], session=session)
        return _wrote(endpoint_id)

    given = {"endpointId": endpoint_id, "dropOld": drop_old}
    wrote = await of.run_once("rotateWebhookSecret", None, key, given, decide)
    (after,) = await of.store.find("webhookEndpoints", {"_id": endpoint_id}) or [{"secrets": []}]
    return wrote, secret if sealed in map(bytes, after["secrets"]) else None


async def delete(of: Changes, endpoint_id: str, *, key: str) -> Wrote:
    """Deletes an endpoint for good; what is queued for it is given up. Raises Invalid, NotFound.

    It is looked up behind its key: who asks again after it is gone gets the first result.
    """
    changes.key(key)

    async def decide(_customer: Document, session: Session) -> Effect:
        await _stored(of.store, endpoint_id, session)
        await of.store.write("webhookEndpoints", [DeleteOne({"_id": endpoint_id})], session=session)
        return _wrote(endpoint_id)

    return await of.run_once("deleteWebhookEndpoint", None, key, {"endpointId": endpoint_id}, decide)


async def redeliver(
    of: Changes, endpoint_id: str, from_: datetime, to: datetime, *, key: str
) -> tuple[Wrote, int | None]:
    """Has what the feed still holds of a window delivered once more, under the ids that they had.

    Also what was never delivered. Returns how many messages those are, too; None if the key had it done before. Raises
    Invalid, WrongState, LimitExceeded, NotFound.
    """
    changes.key(key)
    if from_ >= to:
        raise Invalid("from must be earlier than to.", "from")
    count: int | None = None

    async def decide(_customer: Document, session: Session) -> Effect:
        nonlocal count
        endpoint = await _stored(of.store, endpoint_id, session)
        if endpoint["status"] != WebhookEndpointStatus.ENABLED:
            raise WrongState("The endpoint is disabled: enable it first.", "endpointId")
        if len(endpoint["redeliveries"]) >= webhooks.MAX_REDELIVERIES:
            raise LimitExceeded(_REDELIVERY_OPEN)
        count, first, last = await _told(of.store, endpoint, from_, to, session)
        if count:
            window: Document = {"after": first - 1, "until": last, "from": from_, "to": to}
            change = {"$push": {"redeliveries": window}}
            await of.store.write("webhookEndpoints", [UpdateOne({"_id": endpoint_id}, change)], session=session)
        return _wrote(endpoint_id)

    given = {"endpointId": endpoint_id, "from": from_, "to": to}
    return await of.run_once("redeliverWebhooks", None, key, given, decide), count


async def _told(
    store: Store, endpoint: Document, from_: datetime, to: datetime, session: Session
) -> tuple[int, int, int]:
    """Returns how many entries of a window an endpoint is told of, and the numbers of the first and the last.

    Those that it has not come to yet are not among them: it will.
    """
    where: Document = {"at": {"$gte": from_, "$lt": to}, "sequence": {"$lte": endpoint["position"]}}
    if endpoint["types"]:
        others = {"kind": {"$ne": CustomerChangeKind.CHANGED.value}}
        where["$or"] = [{"types": {"$in": endpoint["types"]}}, others, {"isPartial": True}]
    group = {"_id": None, "n": {"$sum": 1}, "first": {"$min": "$sequence"}, "last": {"$max": "$sequence"}}
    found = await store.aggregate("feed", [{"$match": where}, {"$group": group}], session=session)
    return (found[0]["n"], found[0]["first"], found[0]["last"]) if found else (0, 0, 0)


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def _wrote(endpoint_id: str) -> Effect:
    """Returns the effect: no customer is concerned, so no timeline tells of it."""
    return Effect({"webhookEndpoint": endpoint_id}, None)


async def _stored(store: Store, endpoint_id: str, session: Session) -> Document:
    """Returns the endpoint as it is now. Raises NotFound."""
    found = await store.find("webhookEndpoints", {"_id": endpoint_id}, session=session)
    if not found:
        raise NotFound("There is no such webhook endpoint.", "endpointId")
    return found[0]
