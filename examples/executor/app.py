"""A worked example of an executor: the system that does what agents ask the gateway for.

It takes one signed message for each request, answers 200 once it has written it down, does it, and calls back with what
became of it. Its payment engine is made up, and does what the cents of the amount say: .13 fails, .17 succeeds and is
reversed later, .19 stays silent, and everything else succeeds. What is without an amount succeeds; what needs the
customer gets a link, and succeeds when somebody opens it.

    GATEWAY=http://127.0.0.1:8000 SECRET=whsec_... python examples/executor/app.py --port 8100

All that it knows is in one SQLite file, so that it can be killed at any moment: a request is done once, by its id, and
an outcome is told again until the gateway has it.
"""

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

TOLERANCE_SECONDS = 300
NEEDS_THE_CUSTOMER = {"DEPOSIT", "PORTAL_LINK", "KYC_DOCUMENTS", "KYC_UPLOAD_LINK", "PAYOUT_SELECTION"}
TABLES = """
create table if not exists requests (id text primary key, kind text, attributes text, due real, step text, link text);
create table if not exists outcomes (id text primary key, request text, body text, due real, attempts integer);
"""


class Signer:
    """Standard Webhooks, https://www.standardwebhooks.com: any of its libraries does the same."""

    def __init__(self, secret: str) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    def sign(self, message_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{self._signature(message_id, timestamp, body)}",
        }

    def is_signed(self, headers: Any, body: bytes) -> bool:
        message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
            return False
        expected = self._signature(message_id, timestamp, body)
        # A list: while one secret replaces another, the gateway signs with both.
        given = [each.partition(",")[2] for each in headers.get("webhook-signature", "").split(" ")]
        return any(hmac.compare_digest(expected, each) for each in given)

    def _signature(self, message_id: str, timestamp: str, body: bytes) -> str:
        content = f"{message_id}.{timestamp}.".encode() + body
        return base64.b64encode(hmac.digest(self._key, content, hashlib.sha256)).decode()


class Executor:
    """Each step is written down before anybody is told of it."""

    def __init__(self, database: str, gateway: str, signer: Signer, seconds: float) -> None:
        self._rows = sqlite3.connect(database, isolation_level=None)
        self._rows.executescript(TABLES)
        self._gateway, self._signer, self._seconds = gateway, signer, seconds
        self._awake = asyncio.Event()
        self.address = ""

    # ------------------------------------------------ what comes

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        if not self._signer.is_signed(request.headers, body):
            return JSONResponse({"error": "not signed"}, 401)
        message = json.loads(body)
        data, request_id = message["data"], request.headers["webhook-id"]
        # The id decides: a message that comes again, whoever has lost the first answer, changes nothing.
        self._rows.execute(
            "insert or ignore into requests values (?, ?, ?, ?, 'received', null)",
            (request_id, data["kind"], json.dumps(data["attributes"]), time.time() + self._seconds),
        )
        self._awake.set()
        return JSONResponse({"received": True})

    async def follow(self, request: Request) -> Response:
        """The page behind a link: a customer who opens it has done their part."""
        found = self._rows.execute(
            "select id from requests where link = ? and step = 'waiting'", (request.path_params["token"],)
        ).fetchone()
        if not found:
            return HTMLResponse("<h1>This link has ended.</h1>", 410)
        self._finish(found[0], "SUCCEEDED", "done")
        return HTMLResponse("<h1>Thank you.</h1>")

    # ------------------------------------------------ what it does

    async def work(self) -> None:
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            while True:
                self._step()
                await self._tell(client)
                self._awake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), self._seconds / 2)

    def _step(self) -> None:
        now = time.time()
        rows = "select id, kind, attributes, step from requests where due <= ? and step in ('received', 'reversing')"
        for request_id, kind, attributes, step in self._rows.execute(rows, (now,)).fetchall():
            given: dict[str, Any] = json.loads(attributes)
            amount: dict[str, str] = given.get("amount") or {}
            cents = amount.get("amount", "")[-3:]
            if step == "reversing":
                self._finish(request_id, "REVERSED", "done", code="chargeback", message="The bank took it back.")
            elif kind in NEEDS_THE_CUSTOMER or given.get("way") == "HOSTED_FORM":
                self._ask_customer(request_id)
            elif cents == ".13":
                self._finish(request_id, "FAILED", "done", code="declined", message="The bank declined it.")
            elif cents == ".17":
                self._finish(request_id, "SUCCEEDED", "reversing", due=now + self._seconds)
            elif cents == ".19":
                self._rows.execute("update requests set step = 'silent' where id = ?", (request_id,))
            else:
                self._finish(request_id, "SUCCEEDED", "done")

    def _ask_customer(self, request_id: str) -> None:
        token = secrets.token_urlsafe(16)
        expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        link = {"url": f"{self.address}/links/{token}", "expiresAt": expires}
        self._rows.execute("update requests set link = ? where id = ?", (token, request_id))
        self._finish(request_id, "ACTION_REQUIRED", "waiting", attributes=link)

    def _finish(self, request_id: str, status: str, step: str, *, due: float = 0, **more: Any) -> None:
        """Writes a step and the outcome to tell of, both or neither."""
        outcome = {"requestId": request_id, "status": status, "at": datetime.now(UTC).isoformat(), **more}
        if status == "SUCCEEDED":
            outcome["reference"] = f"EX-{request_id[-8:]}"
        self._rows.execute("begin immediate")
        self._rows.execute("update requests set step = ?, due = ? where id = ?", (step, due, request_id))
        row = (f"out_{secrets.token_hex(12)}", request_id, json.dumps(outcome), time.time())
        self._rows.execute("insert into outcomes values (?, ?, ?, ?, 0)", row)
        self._rows.execute("commit")
        self._awake.set()

    async def _tell(self, client: httpx2.AsyncClient) -> None:
        """Tells the gateway what became of requests; what it has not taken is told again, under the same id."""
        rows = "select id, body, attempts from outcomes where due <= ? order by rowid"
        for outcome_id, text, attempts in self._rows.execute(rows, (time.time(),)).fetchall():
            body = text.encode()
            headers = {"Content-Type": "application/json", **self._signer.sign(outcome_id, body)}
            try:
                answer = await client.post(f"{self._gateway}/callbacks/requests", content=body, headers=headers)
                has_it = answer.is_success
            except httpx2.HTTPError:
                has_it = False
            if has_it:
                self._rows.execute("delete from outcomes where id = ?", (outcome_id,))
            else:
                due = time.time() + min(2**attempts * self._seconds, 60)
                self._rows.execute(
                    "update outcomes set due = ?, attempts = attempts + 1 where id = ?", (due, outcome_id)
                )


def application(executor: Executor) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: object) -> AsyncGenerator[None]:
        working = asyncio.create_task(executor.work())
        yield
        working.cancel()

    routes = [
        Route("/requests", executor.receive, methods=["POST"]),
        Route("/links/{token}", executor.follow),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def main() -> None:
    parser = argparse.ArgumentParser(description="An executor with a made-up payment engine.")
    parser.add_argument("--port", type=int, default=8100, help="The port on this machine; 0 takes a free one.")
    parser.add_argument("--database", default=":memory:", help="A SQLite file. Default: none, nothing is kept.")
    parser.add_argument("--seconds", type=float, default=2, help="How long each step takes.")
    parser.add_argument("--until-stdin-ends", action="store_true", help="End with who has started it.")
    given = parser.parse_args()
    signer = Signer(os.environ["SECRET"])
    executor = Executor(given.database, os.environ["GATEWAY"].rstrip("/"), signer, given.seconds)
    config = uvicorn.Config(application(executor), host="127.0.0.1", port=given.port, log_level="warning")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    executor.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(executor.address, flush=True)
    if given.until_stdin_ends:
        asyncio.get_running_loop().run_in_executor(None, _until_alone, server)
    await server.serve(sockets=[listener])


def _until_alone(server: uvicorn.Server) -> None:
    """Ends with who has started it: their end of the pipe closes."""
    sys.stdin.buffer.read()
    server.should_exit = True


if __name__ == "__main__":
    asyncio.run(main())
