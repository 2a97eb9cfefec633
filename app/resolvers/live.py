"""Yields what happens on a customer's account, as it happens.

A stream registers first, then reads what the feed has behind its position, and only then waits: there is no moment at
which something could pass it by. It holds no events: whoever reads slowly is told later, from the feed.
"""

import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final, TypeAlias, cast

import strawberry

from app.domain.access import Forbidden, Permission
from app.domain.changes import NotFound
from app.domain.feed import ENTRIES_AT_MOST, FeedPosition, cursor_of, position_of
from app.domain.ids import check_id
from app.domain.listings import ACTIVITIES
from app.domain.paging import In, Selection
from app.domain.vocabulary import LiveKind
from app.schema.activities import ActivityFilter
from app.schema.base import Document, Info, Source
from app.schema.connection import selection_of
from app.schema.external_requests import Request
from app.schema.live import AfterEvent, CustomerViewer, LiveActivity

HEARTBEAT_SECONDS: Final = 20
_SCALARS: Final = frozenset({"type", "group", "source", "audience", "isNote", "legacy"})

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
    async with AsyncExitStack() as open_:
        watch = open_.enter_context(live.watches.watch(customer_id))
        await live.renew()
        customer = await _customer(info, customer_id, NotFound("There is no such customer.", "customerId"))
        if context.viewer.sees_all_customers:
            presence = live.watches.presences.presence(context.viewer, customer_id, context.now)
            await open_.enter_async_context(presence)
        position = position or FeedPosition(customer.get("revision", 0), None, context.now)
        yield _event(LiveKind.HEARTBEAT, position, customer_id)
        told_at = time.monotonic()
        revision: int | None = customer.get("revision", 0)
        while True:
            for kind, reached, activity_id in await _news(info, customer_id, revision, position, selection):
                position = reached
                if kind is not None:
                    yield _event(kind, position, customer_id, customer_id, activity_id)
                    told_at = time.monotonic()
            if time.monotonic() - told_at >= HEARTBEAT_SECONDS:
                yield _event(LiveKind.HEARTBEAT, position, customer_id)
                told_at = time.monotonic()
            context.forget()  # who waits holds nothing of what was read
            await watch.wait(max(0.0, told_at + HEARTBEAT_SECONDS - time.monotonic()))
            await live.renew()
            # What staff may see does not depend on the customer: the feed alone is read.
            seen = {} if context.viewer.sees_all_customers else await _still_seen(info, customer_id)
            revision = seen.get("revision")


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
                context.loaders.documents.near(id, (owner,))
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
    presences, last = live.watches.presences, None
    with live.watches.watch(customer_id) as watch, presences.wanted(customer_id):
        await live.renew()
        await _customer(info, customer_id, NotFound("There is no such customer.", "customerId"))
        async with presences.presence(context.viewer, customer_id, context.now):
            while True:
                people = [
                    {"viewer": {"user_id": each["viewer"]["id"], **each["viewer"]}, "since": each["since"]}
                    for each in await presences.of(customer_id, context.now)
                ]
                if people != last:
                    last = people
                    yield cast(Source, people)
                await watch.wait(HEARTBEAT_SECONDS)
                await live.renew()


async def _customer(info: Info, customer_id: str, refusal: Exception) -> Document:
    """Returns the customer as the viewer may see them. Raises the refusal without one."""
    customer: Document | None = await info.context.loaders.documents.load(customer_id)
    if customer is None:
        raise refusal
    return customer


async def _still_seen(info: Info, customer_id: str) -> Document:
    return await _customer(info, customer_id, Forbidden("You may not see this customer any more."))


def _hidden(info: Info, customer_id: str) -> frozenset[str]:
    """Returns the collections whose changes the viewer must not even notice."""
    viewer, gate = info.context.viewer, info.context.loaders.gate
    hidden = {name for name in ("notes",) if not viewer.may(Permission.READ_NOTES, customer_id)}
    if not viewer.may(Permission.READ_AML, customer_id):
        hidden |= {"requests", "amlChecks"}  # some are about such checks
    return gate.hidden_on(customer_id) | hidden


_News: TypeAlias = tuple[LiveKind | None, FeedPosition, str | None]
"""How something happened, where a stream is once it told that, and the activity. Nothing without a kind."""


async def _news(
    info: Info, customer_id: str, revision: int | None, position: FeedPosition, selection: Selection
) -> list[_News]:
    """Returns what happened behind the position. ``revision`` is the customer's; None where they were not read.

    Raises Forbidden where the feed says that they are not what they were, and the viewer may not see them any more.
    """
    now, feed = info.context.now, info.context.loaders.feed
    nothing: _News = None, position._replace(at=now), None
    if revision is not None and revision <= position.revision and position.told is None:
        return [nothing]  # without a command: an entry is committed with the revision of its customer
    entries = await feed.after(customer_id, position)
    last: int = max([position.revision, *(entry["revision"] for entry in entries)])
    if revision is None and (len(entries) > ENTRIES_AT_MOST or any(entry["kind"] != "CHANGED" for entry in entries)):
        revision = (await _still_seen(info, customer_id)).get("revision", 0)
    revision = max(last, revision or 0)
    if len(entries) > ENTRIES_AT_MOST or (revision > position.revision and position.may_lack(now)):
        return [(LiveKind.RESET, FeedPosition(revision, None, now), None)]
    ids, hidden = await _told_of(info, selection, entries), _hidden(info, customer_id)
    told = {position.revision: position.told or 0}
    return [nothing] + [
        (kind, FeedPosition(entry["revision"], so_far, now), activity_id)
        for entry in entries
        for kind, so_far, activity_id in _news_of(entry, told.get(entry["revision"], 0), ids, hidden)
    ]


async def _told_of(info: Info, selection: Selection, entries: Sequence[Document]) -> frozenset[str]:
    """Returns which activities of the entries the stream tells of.

    Where that can be seen in the activities themselves they are read whole: the event that tells of one shows it.
    """
    plain = {**dict(selection.listing.base), **dict(selection.where)}
    wanted = [(key, each.values) for key, each in plain.items() if key in _SCALARS and isinstance(each, In)]
    if len(wanted) < len(plain):
        return await info.context.loaders.feed.matching_ids(selection, entries)
    ids = [each for entry in entries for key in ("addedIds", "rewrittenIds") for each in entry[key]]
    documents = info.context.loaders.documents
    for entry in entries:
        for each in (*entry["addedIds"], *entry["rewrittenIds"]):
            documents.near(each, (entry["customerId"],))
    rows = await documents.load_all(ids)
    return frozenset(
        row["_id"] for row in rows if isinstance(row, dict) and all(row.get(key) in values for key, values in wanted)
    )


def _news_of(
    entry: Mapping[str, Any], told: int, ids: frozenset[str], hidden: frozenset[str]
) -> Iterator[tuple[LiveKind | None, int | None, str | None]]:
    """Yields what an entry says behind what of it was told: how, how much is told by then (None: all), and of which
    activity."""
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
    event = {
        "kind": kind,
        "cursor": cursor_of(position, customer_id),
        "revision": position.revision,
        "activityId": activity_id,
    }
    return cast(Source, event | ({"customerId": shown_id} if shown_id else {}))
