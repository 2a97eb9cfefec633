"""What may be logged: ids and codes, and nothing that a person or a token said."""

import asyncio
import io
import json
import logging
from collections.abc import Generator
from typing import Any

import httpx2
import pytest
import structlog

from app import logs
from app.http import middleware, protocol
from app.http.quiet import EVERY_SECONDS, QuietLine
from app.store.driver import Store
from tests.support.gateway import gateway_app, serve
from tests.support.tokens import token
from tests.support.world import World

CANARY = "canary-that-must-not-sing"


@pytest.fixture(autouse=True)
def as_a_process_begins(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Undoes what servers that earlier tests ran have set, and afterwards what these tests set."""
    for name in ("uvicorn", "uvicorn.access"):
        logger = logging.getLogger(name)
        fresh: dict[str, Any] = {"propagate": True, "disabled": False, "handlers": [], "level": logging.NOTSET}
        for attribute, value in fresh.items():
            monkeypatch.setattr(logger, attribute, value)
    yield
    structlog.reset_defaults()


async def test_no_log_line_holds_a_token_a_name_an_address_or_a_variable(
    client: httpx2.AsyncClient, world: World, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logs.configure("DEBUG")
    customer = await world.customer(name=CANARY, email=f"{CANARY}@example.com")
    broken = {"_id": "cpn_broken", "customerId": customer["_id"], "code": {"odd": CANARY}, "redeemed": CANARY}
    await world.store.command({"insert": "coupons", "documents": [broken], "bypassDocumentValidation": True})
    bearer = token(subject=CANARY, name=CANARY)
    read = "query($id: ID!) { node(id: $id) { ... on Coupon { code redeemed } } }"
    for query, variables in (
        (read, {"id": "cpn_broken"}),
        ("query($e: String!) { customer(by: {email: $e}) { name email } }", {"e": f"{CANARY}@example.com"}),
        ("query($c: String) { customer(by: {number: $c}) { activities(after: $c) { totalCount } } }", {"c": CANARY}),
        (f'{{ customer(by: {{number: "{CANARY}"}}) {{ nope }} }}', {}),
        (f"{{ {CANARY}", {}),
    ):
        headers = {"Authorization": f"Bearer {bearer}"}
        await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": f"Bearer {CANARY}"})

    written = capfd.readouterr()
    lines = [json.loads(line) for line in written.err.splitlines() if line.startswith("{")]
    assert [line["document"] for line in lines] == ["cpn_broken", "cpn_broken"]  # both faults are there, by id
    assert all(line["requestId"] for line in lines)
    for said in (written.out, written.err, caplog.text):
        assert CANARY not in said
        assert bearer not in said


async def test_every_answer_names_its_request(client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 401
    assert response.headers["x-request-id"]


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]


class Writes(io.StringIO):
    """Standard error that remembers each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def write(self, text: str) -> int:
        self.made.append(text)
        return super().write(text)


def test_a_line_is_one_write_whoever_logs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the lines of two processes that share a file lie within each other."""
    monkeypatch.setattr("sys.stderr", written := Writes())
    logs.configure("INFO")
    logging.getLogger("a.library").warning("of a library")
    structlog.get_logger("gateway").info("ours")
    logs.starting("gateway", address="http://127.0.0.1:1")
    assert [json.loads(text)["event"] for text in written.made] == ["of a library", "ours", "starting"]
    assert all(text.endswith("}\n") for text in written.made)


def test_the_access_log_leaves_out_what_opens_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", written := Writes())
    logs.configure("INFO", access=True)
    access = logging.getLogger("uvicorn.access")
    for path in (f"/uploads/{CANARY}", f"/attachments/{CANARY}?x", f"/exports/exp_x?signature={CANARY}", "/graphql"):
        access.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", "GET", path, "1.1", 200)
    paths = [json.loads(text)["path"] for text in written.made]
    assert paths == ["/uploads/…", "/attachments/…", "/exports/exp_x", "/graphql"]


def test_a_quiet_line_is_written_at_most_once_in_a_while_and_says_how_often_it_was_caused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO")
    now = [0.0]
    line = QuietLine("knocked", lambda: now[0])
    for _ in range(100):
        line.warn()
    now[0] += EVERY_SECONDS
    line.warn(why="again")
    assert [(each["event"], each["times"]) for each in lines(capfd)] == [("knocked", 1), ("knocked", 100)]


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: g\r\nX-Request-ID: nobody's\r\n\r\n", "ignored a malformed X-Request-ID"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "refused what is not HTTP"),
        (b"GET / HTTP/9.9\r\n\r\n", "refused what is not HTTP"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "refused what is not HTTP"),
        (b"GET /livez HTTP/1.1\r\nHost: g\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n", None),
        (b"OPTIONS /graphql HTTP/1.1\r\nHost: g\r\nOrigin: http://x\r\n"
         b"Access-Control-Request-Method: POST\r\n\r\n", "a page of another origin was refused: see CORS_ORIGINS"),
        (b"POST /graphql HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer a.b.c\r\nContent-Length: 0\r\n\r\n", None),
    ],
    ids=["request id", "TLS", "version", "length", "upgrade", "origin", "token"],
)  # fmt: skip
async def test_what_anybody_can_send_without_a_token_is_one_line_however_often(
    store: Store,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
    event: str | None,
) -> None:
    logs.configure("DEBUG")
    monkeypatch.setattr(middleware, "_IGNORED_ID", QuietLine("ignored a malformed X-Request-ID"))
    monkeypatch.setattr(protocol, "_UNREADABLE", QuietLine("refused what is not HTTP"))
    async with serve(gateway_app(store)) as port:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await reader.read(100)
            writer.close()
    assert [line["event"] for line in lines(capfd)] == ([event] if event else [])
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []
