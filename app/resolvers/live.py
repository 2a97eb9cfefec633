"""Yields what happens on a customer's account, as it happens.

A stream registers first, then reads what the feed has behind its position, and only then waits: there is no moment at
which something could pass it by. It holds no events: whoever reads slowly is told later, from the feed.
"""

import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Annotated, Any, Final, cast

import strawberry

from app.domain.access import Forbidden, Permission
from app.domain.changes import NotFound
from app.domain.feed import ENTRIES_AT_MOST, FeedPosition, cursor_of, position_of
from app.domain.ids import check_id
from app.domain.listings import ACTIVITIES
from app.domain.vocabulary import LiveKind
from app.schema.activities import ActivityFilter
from app.schema.base import Document, Info, Source
from app.schema.connection import selection_of
from app.schema.external_requests import Request
from app.schema.live import AfterEvent, CustomerViewer, LiveActivity
from app.services.presence import Presence

HEARTBEAT_SECONDS: Final = 20
_PRESENCE_SECONDS: Final = 5

CustomerId = Annotated[strawberry.ID, strawberry.argument(description="The id of the customer.")]


async def customer_activity(
    info: Info,
    customer_id: CustomerId,
    after: AfterEvent = None,
    filter: Annotated[
        ActivityFilter | None, strawberry.argument(description="Which activities to tell of. Default: all.")
    ] = None,
) -> AsyncGenerator[LiveActivity]:
    """Raises NotFound, BadCursor, BadUserInput; Forbidden once the viewer may not see the customer any more."""
    context, live = info.context, info.context.live
    check_id(customer_id, "customerId", expected="customers")
    position = position_of(after, customer_id) if after is not None else None
    asked, roles = filter or ActivityFilter(), context.viewer.roles
    selection = selection_of(ACTIVITIES, roles, asked.where(roles))
    presence = Presence(context.viewer, customer_id, context.now) if context.viewer.sees_all_customers else None
    with live.watches.watch(customer_id) as watch:
        await live.renew()
        try:
            customer = await _customer(info, customer_id, NotFound("There is no such customer.", "customerId"))
            position = position or FeedPosition(customer.get("revision", 0), None, context.now)
            yield _event(LiveKind.HEARTBEAT, position, customer_id)
            told_at, stayed_at = time.monotonic(), 0.0
            while True:
                if presence and time.monotonic() - stayed_at >= HEARTBEAT_SECONDS:
                    await live.stay(presence, context.now)
                    stayed_at = time.monotonic()
                revision = customer.get("revision", 0)
                entries = await context.loaders.feed.after(customer_id, position)
                if len(entries) > ENTRIES_AT_MOST or (revision > position.revision and position.may_lack(context.now)):
                    position = FeedPosition(max(revision, position.revision), None, context.now)
                    yield _event(LiveKind.RESET, position, customer_id, customer_id)
                    told_at = time.monotonic()
                else:
                    ids = await context.loaders.feed.matching_ids(selection, entries)
                    position = position._replace(at=context.now)
                    for entry in entries:
                        for kind, told, activity_id in _news(entry, position, ids, hidden=_hidden(info, customer_id)):
                            position = FeedPosition(entry["revision"], told, context.now)
                            if kind is not None:
                                yield _event(kind, position, customer_id, customer_id, activity_id)
                                told_at = time.monotonic()
                if time.monotonic() - told_at >= HEARTBEAT_SECONDS:
                    yield _event(LiveKind.HEARTBEAT, position, customer_id)
                    told_at = time.monotonic()
                await watch.wait(max(0.0, told_at + HEARTBEAT_SECONDS - time.monotonic()))
                await live.renew()
                customer = await _customer(info, customer_id, Forbidden("You may not see this customer any more."))
        finally:
            if presence:
                await live.leave(presence)


async def request(
    info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the request.")]
) -> AsyncGenerator[Request]:
    """Raises NotFound; Forbidden once the viewer may not see the request any more."""
    context, live = info.context, info.context.live
    check_id(id, "id", expected="requests")
    await live.renew()
    found: Document | None = await context.loaders.documents.load(id)
    if found is None:
        raise NotFound("There is no such request.", "id")
    last: Document | None = None
    while True:
        with live.watches.watch(found["customerId"]) as watch:  # a merge may give it to another customer
            owner = found["customerId"]
            while found["customerId"] == owner:
                await live.renew()
                now: Document | None = await context.loaders.documents.load(id)
                if now is None:
                    raise Forbidden("You may not see this request any more.")
                found = now
                if found != last:
                    last = found
                    yield cast(Source, found)
                await watch.wait(HEARTBEAT_SECONDS)


async def viewers_of_customer(info: Info, customer_id: CustomerId) -> AsyncGenerator[list[CustomerViewer]]:
    """Raises NotFound; Forbidden for all but staff."""
    context, live = info.context, info.context.live
    check_id(customer_id, "customerId", expected="customers")
    if not context.viewer.sees_all_customers:
        raise Forbidden("Only staff may see who has a customer's record open.")
    presence, last = Presence(context.viewer, customer_id, context.now), None
    with live.watches.watch(customer_id) as watch:
        await live.renew()
        try:
            await _customer(info, customer_id, NotFound("There is no such customer.", "customerId"))
            stayed_at = -float(HEARTBEAT_SECONDS)
            while True:
                if time.monotonic() - stayed_at >= HEARTBEAT_SECONDS:
                    await live.stay(presence, context.now)
                    live.watches.wake(customer_id)
                    stayed_at = time.monotonic()
                people = [
                    {"viewer": {"user_id": each["viewer"]["id"], **each["viewer"]}, "since": each["since"]}
                    for each in await live.present(customer_id, context.now)
                ]
                if people != last:
                    last = people
                    yield cast(Source, people)
                await watch.wait(_PRESENCE_SECONDS)
                await live.renew()
        finally:
            await live.leave(presence)
            live.watches.wake(customer_id)


async def _customer(info: Info, customer_id: str, refusal: Exception) -> Document:
    """Returns the customer as the viewer may see them. Raises the refusal without one."""
    customer: Document | None = await info.context.loaders.documents.load(customer_id)
    if customer is None:
        raise refusal
    return customer


def _hidden(info: Info, customer_id: str) -> frozenset[str]:
    """Returns the collections whose changes the viewer must not even notice."""
    viewer, gate = info.context.viewer, info.context.loaders.gate
    hidden = {name for name in ("notes",) if not viewer.may(Permission.READ_NOTES, customer_id)}
    if not viewer.may(Permission.READ_AML, customer_id):
        hidden |= {"requests", "amlChecks"}  # some are about such checks
    return gate.hidden_on(customer_id) | hidden


def _news(
    entry: Mapping[str, Any], position: FeedPosition, ids: frozenset[str], *, hidden: frozenset[str]
) -> Iterator[tuple[LiveKind | None, int | None, str | None]]:
    """Yields what an entry says, from the position on: what happened, how much of the entry is told by then, and the
    activity. Nothing happened for this viewer where that is None."""
    told = position.told or 0 if entry["revision"] == position.revision else 0
    if entry.get("isPartial") or entry["kind"] != "CHANGED":
        yield LiveKind.RESET, None, None
        return
    listed = [(LiveKind.ADDED, each) for each in entry["addedIds"]]
    listed += [(LiveKind.CHANGED, each) for each in entry["rewrittenIds"]]
    for index, (kind, activity_id) in enumerate(listed[told:], told + 1):
        yield (kind, index, activity_id) if activity_id in ids else (None, index, None)
    seen = {*entry["collections"]} - hidden - {"activities"}
    yield (LiveKind.CHANGED if seen else None), None, None


def _event(
    kind: LiveKind,
    position: FeedPosition,
    customer_id: str,
    shown_id: str | None = None,
    activity_id: str | None = None,
) -> LiveActivity:
    event = {"kind": kind, "cursor": cursor_of(position, customer_id), "activityId": activity_id}
    return cast(Source, event | ({"customerId": shown_id} if shown_id else {}))
