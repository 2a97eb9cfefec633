"""The timeline as it happens: nothing is missed, nothing comes twice, and nobody sees more than a query would show."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.domain.access import Role
from app.domain.feed import FeedPosition, cursor_of
from app.services.changes import activity_of
from app.services.writing import CustomerRows, change_customers
from app.settings import Limits
from app.store.driver import Document, Store
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.streams import Stream, code_of, live_gateway, note, subscribed
from tests.support.tokens import token
from tests.support.world import SYSTEM, World

pytestmark = pytest.mark.anyio
ACTIVITY = """subscription($id: ID!, $after: String, $filter: ActivityFilter) {
  customerActivity(customerId: $id, after: $after, filter: $filter) {
    kind cursor revision activity { id type message } customer { id revision } } }"""

BLOCK = """mutation($input: ChangeCustomerStatusInput!) {
  changeCustomerStatus(input: $input) { userErrors { message } } }"""


def without_cursor(event: dict[str, Any]) -> dict[str, Any]:
    """Returns the event alone: a cursor says when it was given, too."""
    return {key: value for key, value in event.items() if key != "cursor"}


async def test_what_is_added_comes_at_once(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
        first = await stream.event()
        assert (first["kind"], first["activity"], first["customer"]) == ("HEARTBEAT", None, None)
        assert first["revision"] == 0
        added = await note(ask, ada["_id"], "1")
        event = await stream.event()
        assert (event["kind"], event["activity"]["id"]) == ("ADDED", added)
        assert event["customer"]["revision"] == event["revision"] == 1
        assert (await stream.event())["kind"] == "CHANGED"  # the note
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
        assert (await stream.event())["revision"] == 1  # who has read the customer before the note learns of it


async def test_whoever_comes_back_misses_nothing(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    async with live_gateway(store) as url:
        async with subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
            cursor = (await stream.event())["cursor"]
        written = [await note(ask, ada["_id"], str(number)) for number in range(3)]
        async with subscribed(url, ACTIVITY, id=ada["_id"], after=cursor) as stream:
            assert (await stream.event())["kind"] == "HEARTBEAT"
            events = [await stream.event() for _ in range(6)]
            assert [each["activity"]["id"] for each in events if each["kind"] == "ADDED"] == written
        async with subscribed(url, ACTIVITY, id=ada["_id"], after=events[1]["cursor"]) as stream:
            await stream.event()
            rest = [await stream.event() for _ in range(4)]
            assert [without_cursor(each) for each in rest] == [without_cursor(each) for each in events[2:]]


async def test_without_a_change_stream_it_comes_all_the_same(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    async with live_gateway(store, listens=False) as url, subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
        await stream.event()
        added = await note(ask, ada["_id"], "1")
        assert (await stream.event())["activity"]["id"] == added


async def test_nobody_notices_what_they_may_not_read(world: World, store: Store, ask: Ask) -> None:
    """Neither the note nor that there is one; and when the account is closed the stream of its owner ends."""
    ada = await world.customer()
    own = token(Role.CUSTOMER, customer_id=ada["_id"])
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, own, id=ada["_id"]) as stream:
        await stream.event()
        await note(ask, ada["_id"], "1")
        given = {"customerId": ada["_id"], "status": "BLOCKED", "reason": "x", "idempotencyKey": "2"}
        assert not (await ask(BLOCK, input=given))["data"]["changeCustomerStatus"]["userErrors"]
        assert code_of(await stream.next()) == "FORBIDDEN"
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        assert stream.is_complete


async def test_a_filter_chooses_activities_and_hides_no_other_change(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    only = {"types": ["CUSTOMER_BLOCKED"]}
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, id=ada["_id"], filter=only) as stream:
        await stream.event()
        await note(ask, ada["_id"], "1")
        event = await stream.event()
        assert (event["kind"], event["activity"]) == ("CHANGED", None)


async def test_a_stranger_to_the_customer_is_told_so(world: World, store: Store) -> None:
    ada, eve = await world.customer(), await world.customer()
    async with live_gateway(store) as url:
        for bearer, customer_id in (
            (token(Role.CUSTOMER, customer_id=eve["_id"]), ada["_id"]),
            (token(), "cus_aaaaaaaaaaaaaaaaaaaaaaaa"),
        ):
            async with subscribed(url, ACTIVITY, bearer, id=customer_id) as stream:
                assert code_of(await stream.next()) == "NOT_FOUND"


@pytest.mark.parametrize("cursor", ["", "x", "ä", "A" * 300])
async def test_a_cursor_that_is_not_ours_is_refused(world: World, store: Store, cursor: str) -> None:
    ada = await world.customer()
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, id=ada["_id"], after=cursor) as stream:
        assert code_of(await stream.next()) == "BAD_CURSOR"


async def test_a_cursor_of_another_customer_is_refused(world: World, store: Store) -> None:
    ada, eve = await world.customer(), await world.customer()
    async with live_gateway(store) as url:
        async with subscribed(url, ACTIVITY, id=eve["_id"]) as stream:
            cursor = (await stream.event())["cursor"]
        async with subscribed(url, ACTIVITY, id=ada["_id"], after=cursor) as stream:
            assert code_of(await stream.next()) == "BAD_CURSOR"


async def test_whoever_missed_what_is_not_kept_is_told_to_read_again(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    await note(ask, ada["_id"], "1")
    long_ago = datetime.now(UTC) - timedelta(days=4)
    async with live_gateway(store) as url:
        behind = cursor_of(FeedPosition(0, None, long_ago), ada["_id"])
        async with subscribed(url, ACTIVITY, id=ada["_id"], after=behind) as stream:
            assert [(await stream.event())["kind"] for _ in range(2)] == ["HEARTBEAT", "RESET"]
        level = cursor_of(FeedPosition(1, None, long_ago), ada["_id"])
        async with subscribed(url, ACTIVITY, id=ada["_id"], after=level) as stream:
            await stream.event()
            await note(ask, ada["_id"], "2")
            assert (await stream.event())["kind"] == "ADDED"


async def test_a_merge_is_told_as_a_whole(world: World, store: Store, ask: Ask) -> None:
    ada, twin = await world.customer(), await world.customer()
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, id=twin["_id"]) as stream:
        await stream.event()
        merge = "mutation($input: MergeCustomersInput!) { mergeCustomers(input: $input) { userErrors { message } } }"
        given = {"intoId": ada["_id"], "ids": [twin["_id"]], "reason": "The same", "idempotencyKey": "m"}
        assert not (await ask(merge, input=given))["data"]["mergeCustomers"]["userErrors"]
        assert (await stream.event())["kind"] == "RESET"


async def test_the_token_ends_the_stream(world: World, store: Store) -> None:
    ada = await world.customer()
    soon = token(lifetime=timedelta(seconds=3))
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, soon, id=ada["_id"]) as stream:
        await stream.event()
        assert code_of(await stream.next()) == "TOKEN_EXPIRED"
        with pytest.raises(StopAsyncIteration):
            await stream.next()


async def test_a_request_comes_whenever_it_changes(world: World, store: Store, ask: Ask) -> None:
    ada = await world.customer()
    asked = """mutation($input: RequestPortalLinkInput!) {
      requestPortalLink(input: $input) { request { id } userErrors { message } } }"""
    given = {"customerId": ada["_id"], "portalId": "p", "idempotencyKey": "1"}
    request_id = (await ask(asked, input=given))["data"]["requestPortalLink"]["request"]["id"]
    query = "subscription($id: ID!) { request(id: $id) { id status open } }"
    async with live_gateway(store) as url, subscribed(url, query, id=request_id) as stream:
        assert (await stream.event("request"))["open"]
        cancel = "mutation($input: CancelRequestInput!) { cancelRequest(input: $input) { userErrors { message } } }"
        given = {"requestId": request_id, "reason": "x", "idempotencyKey": "2"}
        assert not (await ask(cancel, input=given))["data"]["cancelRequest"]["userErrors"]
        assert await stream.event("request") == {"id": request_id, "status": "CANCELLED", "open": False}


async def test_colleagues_see_who_else_is_there(world: World, store: Store) -> None:
    ada = await world.customer()
    query = "subscription($id: ID!) { viewersOfCustomer(customerId: $id) { viewer { userId name } since } }"

    async def until(stream: Stream, people: set[str]) -> None:
        while {each["viewer"]["userId"] for each in await stream.event("viewersOfCustomer")} != people:
            pass

    async with live_gateway(store) as url, live_gateway(store) as other:
        async with subscribed(url, query, token(subject="grace"), id=ada["_id"]) as grace:
            await until(grace, {"grace"})
            async with subscribed(other, ACTIVITY, token(subject="linus"), id=ada["_id"]) as linus:
                await linus.event()
                await until(grace, {"grace", "linus"})
            await until(grace, {"grace"})
        own = token(Role.CUSTOMER, customer_id=ada["_id"])
        async with subscribed(url, query, own, id=ada["_id"]) as stream:
            assert code_of(await stream.next()) == "FORBIDDEN"


async def test_a_subject_has_as_many_streams_as_it_may(world: World, store: Store) -> None:
    ada = await world.customer()
    limits = Limits(max_subscriptions_of_subject=2)
    async with live_gateway(store, limits) as url, AsyncExitStack() as open_:
        streams = [await open_.enter_async_context(subscribed(url, ACTIVITY, id=ada["_id"])) for _ in range(2)]
        for stream in streams:
            await stream.event()
        async with httpx2.AsyncClient() as client:
            headers = {"Authorization": f"Bearer {token()}", "Accept": "text/event-stream"}
            body = {"query": ACTIVITY, "variables": {"id": ada["_id"]}}
            refused = await client.post(f"{url}/graphql", json=body, headers=headers)
        assert refused.status_code == 503
        assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        assert 1 <= int(refused.headers["retry-after"]) <= 10


async def test_a_place_is_free_when_its_client_has_left(world: World, store: Store) -> None:
    ada = await world.customer()
    async with live_gateway(store, Limits(max_subscriptions=1)) as url:
        for _ in range(3):
            async with asyncio.timeout(20):
                while True:
                    try:
                        async with subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
                            await stream.event()
                            break
                    except AssertionError:  # 503: the one before is still being cleared away
                        await asyncio.sleep(0.05)


async def test_a_process_that_leaves_ends_its_streams(world: World, store: Store) -> None:
    ada = await world.customer()
    async with AsyncExitStack() as process:
        url = await process.enter_async_context(live_gateway(store))
        async with subscribed(url, ACTIVITY, id=ada["_id"]) as stream:
            await stream.event()
            leaving = asyncio.create_task(process.aclose())
            assert code_of(await stream.next()) == "SUBSCRIPTION_ENDED"
            await leaving


async def test_a_client_that_takes_its_time_is_told_everything_all_the_same(world: World, store: Store) -> None:
    """More than sockets hold; the time of a request has long passed when the last event is read."""
    ada = await world.customer()
    now = datetime.now(UTC)
    batches = [
        [activity_of(ada["_id"], "SUBSCRIPTION_RENEWED", SYSTEM, now, message="long " * 1_800) for _ in range(180)]
        for _ in range(5)
    ]
    for batch in batches:

        async def body(rows: CustomerRows, batch: list[Document] = batch) -> None:
            await rows.lock(ada["_id"])
            rows.insert("activities", batch)

        await change_customers(store, body, now=now)
    written = [activity["_id"] for batch in batches for activity in batch]
    begin = cursor_of(FeedPosition(0, None, now), ada["_id"])
    async with (
        live_gateway(store, timeout_seconds=1) as url,
        subscribed(url, ACTIVITY, id=ada["_id"], after=begin) as stream,
    ):
        await asyncio.sleep(3)
        heard: list[str] = []
        while len(heard) < len(written):
            event = await stream.event()
            heard += [event["activity"]["id"]] if event["kind"] == "ADDED" else []
        assert heard == written


async def test_an_event_costs_staff_two_reads_and_others_one_more(
    world: World, store: Store, ask: Ask, commands: Commands
) -> None:
    """One of the feed and one of the activity that is shown; whether others may still see the customer is read, too."""
    ada = await world.customer()
    shown = "subscription($id: ID!) { customerActivity(customerId: $id) { kind activity { id title } } }"
    own = token(Role.CUSTOMER, customer_id=ada["_id"])
    for bearer, reads in ((token(), ["feed", "activities"]), (own, ["customers", "feed", "activities"])):
        async with live_gateway(store, listens=False) as url, subscribed(url, shown, bearer, id=ada["_id"]) as stream:
            await stream.event()
            row = activity_of(ada["_id"], "POINTS_ADJUSTED", SYSTEM, datetime.now(UTC), points=1)

            async def body(rows: CustomerRows, row: Document = row) -> None:
                rows.insert("activities", [row])

            await change_customers(store, body, now=datetime.now(UTC))
            commands.clear()
            assert (await stream.event())["activity"]["id"] == row["_id"]
            looks = {"revision": 1}  # the process looks every five seconds, for all streams together
            mine = [sent[name] for name, sent in commands.sent if sent.get("projection") != looks]
            assert mine == reads
