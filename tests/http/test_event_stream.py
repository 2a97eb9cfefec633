"""GraphQL by server-sent events: distinct connections, and clients that list every type that they can read."""

import asyncio

import httpx2
import pytest

from app.store.driver import Store
from tests.support.streams import code_of, live_gateway, subscribed
from tests.support.tokens import token
from tests.support.world import World

pytestmark = pytest.mark.anyio
ACTIVITY = "subscription($id: ID!) { customerActivity(customerId: $id) { kind } }"
VIEWER = "{ viewer { name } }"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)


async def post(url: str, query: str, accept: str, bearer: str | None = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {bearer or token()}", "Accept": accept}
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{url}/graphql", json={"query": query}, headers=headers)


async def test_a_client_that_lists_all_that_it_can_read_gets_json_for_a_query(store: Store) -> None:
    async with live_gateway(store) as url:
        answer = await post(url, VIEWER, URQL)
        assert answer.headers["content-type"].startswith("application/graphql-response+json")
        assert answer.json()["data"] == {"viewer": {"name": "Tess Tester"}}


async def test_and_a_stream_for_a_subscription(world: World, store: Store) -> None:
    ada = await world.customer()
    async with live_gateway(store) as url, subscribed(url, ACTIVITY, accept=URQL, id=ada["_id"]) as stream:
        assert await stream.event() == {"kind": "HEARTBEAT"}


async def test_a_query_by_stream_is_one_event_and_complete(store: Store) -> None:
    async with live_gateway(store) as url, subscribed(url, VIEWER) as stream:
        assert (await stream.next())["data"] == {"viewer": {"name": "Tess Tester"}}
        with pytest.raises(StopAsyncIteration):
            await stream.next()
        assert stream.is_complete


async def test_what_is_wrong_with_a_document_comes_as_an_event(store: Store) -> None:
    async with live_gateway(store) as url, subscribed(url, "subscription { nothing }") as stream:
        assert code_of(await stream.next()) == "GRAPHQL_VALIDATION_FAILED"


async def test_a_client_without_a_token_gets_its_status(store: Store) -> None:
    async with live_gateway(store) as url:
        answer = await post(url, ACTIVITY, "text/event-stream", "x.y.z")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "accept",
    ["application/json", "*/*", "application/graphql-response+json", "application/json, text/event-stream;q=0"],
)
async def test_a_subscription_without_a_stream_is_told_the_way_out(store: Store, accept: str) -> None:
    query = 'subscription { customerActivity(customerId: "cus_aaaaaaaaaaaaaaaaaaaaaaaa") { kind } }'
    async with live_gateway(store) as url:
        answer = await post(url, query, accept)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")
        assert "text/event-stream" in error["message"]


async def test_the_wire_is_what_the_protocol_says(world: World, store: Store) -> None:
    ada = await world.customer()
    headers = {"Authorization": f"Bearer {token()}", "Accept": "text/event-stream"}
    body = {"query": ACTIVITY, "variables": {"id": ada["_id"]}}
    async with (
        live_gateway(store) as url,
        httpx2.AsyncClient() as client,
        asyncio.timeout(20),
        client.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        assert response.headers["cache-control"] == "no-store, no-transform"
        wire = b""
        async for part in response.aiter_raw():
            wire += part
            if wire.endswith(b"}\n\n"):
                break
    assert wire.startswith(b':\n\nevent: next\ndata: {"data":{"customerActivity":{"kind":"HEARTBEAT"}}')
