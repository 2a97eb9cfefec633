"""Checks gql against a running gateway: `make clients ARGS=python`."""

import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
from gateway import GatewayTransport, ask, open_gateway
from gql import Client, GraphQLRequest, gql
from gql.client import AsyncClientSession
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

GATEWAY = os.environ["GATEWAY"]
TOKENS: dict[str, str] = json.loads(os.environ["TOKENS"])
SDL = (Path(__file__).parents[3] / "schema.graphql").read_text()

VIEWER = "{ viewer { id subject } }"
PAGE = """
query ($number: String!, $first: Int, $after: String, $last: Int, $before: String) {
  customer(by: {number: $number}) {
    activities(first: $first, after: $after, last: $last, before: $before) {
      nodes { id } pageInfo { startCursor endCursor }
    }
  }
}"""
ADJUST = """
mutation ($input: AdjustPointsInput!) {
  adjustPoints(input: $input) { entry { id } customer { points { spendable } } userErrors { code message } }
}"""
LIVE = "subscription ($id: ID!) { customerActivity(customerId: $id) { kind cursor activity { id message } } }"
NOTE = "mutation ($input: AddNoteInput!) { addNote(input: $input) { activity { id } } }"
POINTS = "query ($number: String!) { customer(by: {number: $number}) { id points { spendable } } }"

failures = 0


def check(held: object, what: str) -> None:
    global failures
    failures += not held
    print("ok" if held else "FAILED", what, flush=True)


class Recorder(httpx2.AsyncHTTPTransport):
    """Lists the statuses that came back, and may give the first answer itself."""

    def __init__(self, *answers: httpx2.Response) -> None:
        super().__init__()
        self.answers, self.statuses = list(answers), list[int]()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.answers.pop(0) if self.answers else await super().handle_async_request(request)
        self.statuses.append(response.status_code)
        return response


@asynccontextmanager
async def session_of(token: str, recorder: Recorder | None = None) -> AsyncGenerator[AsyncClientSession]:
    current = [token]

    async def refresh() -> None:
        current[0] = TOKENS["ADMIN"]

    options: dict[str, Any] = {"transport": recorder or Recorder(), "timeout": 30}
    transport = GatewayTransport(GATEWAY, get_token=lambda: current[0], refresh_token=refresh, **options)
    async with open_gateway(transport, SDL) as session:
        yield session


async def check_types() -> None:
    async with session_of(TOKENS["ADMIN"]) as session:
        query = '{ customer(by: {number: "C-100001"}) { registeredAt transactions { nodes { amount { amount } } } } }'
        customer = (await session.execute(gql(query)))["customer"]
        amounts = [node["amount"]["amount"] for node in customer["transactions"]["nodes"] if node["amount"]]
        held = isinstance(customer["registeredAt"], datetime) and all(isinstance(each, Decimal) for each in amounts)
        check(held and amounts, "times are datetime, and money is Decimal")
        try:
            await session.execute(gql("{ viewer { phone } }"))
            check(False, "a field that does not exist is refused before it is sent")
        except GraphQLError:
            check(True, "a field that does not exist is refused before it is sent")


async def check_pages() -> None:
    async with session_of(TOKENS["ADMIN"]) as session:
        for size, cursor, end in (("first", "after", "endCursor"), ("last", "before", "startCursor")):
            rows, variables = list[str](), dict[str, Any]()
            for _ in range(3):
                page = GraphQLRequest(PAGE, variable_values={"number": "C-100001", size: 5, **variables})
                activities = (await session.execute(page))["customer"]["activities"]
                ids = [node["id"] for node in activities["nodes"]]
                rows = [*rows, *ids] if size == "first" else [*ids, *rows]
                variables = {cursor: activities["pageInfo"][end]}
            whole = GraphQLRequest(PAGE, variable_values={"number": "C-100001", size: 15})
            truth = [node["id"] for node in (await session.execute(whole))["customer"]["activities"]["nodes"]]
            check(rows == truth, f"three pages by {size} are one list of {len(truth)} rows")


async def check_changes() -> None:
    async with session_of(TOKENS["ADMIN"]) as session:
        query = GraphQLRequest(POINTS, variable_values={"number": "C-100003"})
        customer = (await session.execute(query))["customer"]
        change = {"customerId": customer["id"], "points": 7, "reason": "A check", "idempotencyKey": str(uuid.uuid4())}
        made = [
            (await session.execute(GraphQLRequest(ADJUST, variable_values={"input": change})))["adjustPoints"]
            for _ in range(2)
        ]
        before, after = customer["points"]["spendable"], made[0]["customer"]["points"]["spendable"]
        truth = (await session.execute(query))["customer"]["points"]["spendable"]
        check(truth == after == before + 7, f"adjustPoints: {before} + 7 = {after}, by the payload alone")
        check(made[0]["entry"] == made[1]["entry"], "the same idempotencyKey twice: the points are given once")


async def check_recovery() -> None:
    recorder = Recorder()
    async with session_of(TOKENS["EXPIRED"], recorder) as session:
        data = await session.execute(gql(VIEWER))
        held = data["viewer"]["subject"] == "admin" and recorder.statuses == [401, 200]
        check(held, "an expired token: 401, one refresh, and the operation is repeated")
    errors = [{"message": "Try again.", "extensions": {"code": "OVERLOADED", "retryAfterSeconds": 1}}]
    recorder = Recorder(httpx2.Response(503, json={"errors": errors}))
    async with session_of(TOKENS["ADMIN"], recorder) as session:
        began = time.monotonic()
        data = await session.execute(gql(VIEWER))
        held = data["viewer"] and time.monotonic() - began >= 1 and recorder.statuses == [503, 200]
        check(held, "OVERLOADED: repeated after retryAfterSeconds")


async def check_masks() -> None:
    query = gql("{ customers(first: 5) { nodes { number email activities(first: 3) { nodes { title message } } } } }")
    for role in ("SALES_REP", "AFFILIATE"):
        async with session_of(TOKENS[role]) as session:
            data, errors = await ask(session, query)
            rows = data["customers"]["nodes"]
            held = rows and all(row["number"] and row["activities"] for row in rows)
            check(held, f"{role}: {len(rows)} customers are shown, with {len(errors)} errors for masked fields")


@contextmanager
def folder_with(name: str, text: str) -> Generator[str]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_text(text)
        yield folder


async def check_live() -> None:
    """Subscribes by WebSocket; and a follower of all customers hears of the same note."""
    async with session_of(TOKENS["ADMIN"]) as session:
        customer_id = (await session.execute(gql('{ customer(by: {number: "C-100003"}) { id } }')))["customer"]["id"]
        head = (await session.execute(gql("{ changes(first: 0) { head } }")))["changes"]["head"]
        transport = WebsocketsTransport(
            GATEWAY.replace("http", "ws", 1), init_payload={"Authorization": f"Bearer {TOKENS['ADMIN']}"}
        )
        async with Client(transport=transport) as socket, asyncio.timeout(30):
            events = socket.subscribe(GraphQLRequest(LIVE, variable_values={"id": customer_id}))
            first = (await anext(events))["customerActivity"]
            check(first["kind"] == "HEARTBEAT", "a subscription begins with a heartbeat")
            given = {"customerId": customer_id, "message": "Live", "idempotencyKey": str(uuid.uuid4())}
            await session.execute(GraphQLRequest(NOTE, variable_values={"input": given}))
            event = (await anext(events))["customerActivity"]
            check(event["kind"] == "ADDED" and event["activity"]["message"] == "Live", "and tells of a note at once")
            await events.aclose()
    with folder_with("changes.cursor", head) as folder:
        environment = {**os.environ, "TOKEN": TOKENS["ADMIN"]}
        follower = await asyncio.create_subprocess_exec(
            sys.executable, Path(__file__).with_name("follow.py"), cwd=folder, env=environment, stdout=PIPE
        )
        try:
            async with asyncio.timeout(30):
                assert follower.stdout
                while json.loads(await follower.stdout.readline())["customerId"] != customer_id:
                    pass
            check(True, "a follower of all customers hears of it, too")
        finally:
            follower.terminate()
            await follower.wait()


async def main() -> int:
    for act in (check_types, check_pages, check_changes, check_recovery, check_masks, check_live):
        try:
            await act()
        except Exception as failed:  # the other checks go on
            check(False, f"{act.__name__}: {failed!r}")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
