"""Rows of other systems' exports sent over HTTP, by the mappings that the gateway has."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from app.domain.access import Role
from app.domain.attributes import to_text
from app.domain.mappings import Mapping as ImportMapping
from app.domain.mappings import read_mapping
from app.environment import SettingsError, read_settings
from app.http import imports as route
from app.services.importing import import_lines
from app.services.importing.rows import MappedLines
from app.services.mappings import read_mappings
from app.store.driver import Store
from tests.support.gateway import gateway_app, serve
from tests.support.import_lines import NOW
from tests.support.tokens import token

FOLDER: Final = Path("examples/import/mappings")
API: Final = token(Role.API_USER, subject="crm")
SHOP: Final = """
system = "Shop"
source = "shop"
reads = "csv"
times = ["%d.%m.%Y %H:%M"]
lines = '''
{kind: "customer", id: .id, number: .id, name: .name, registeredAt: .since},
(if .paid | blank then empty else {kind: "transaction", id: "T-\\(.id)", customer: named(.id), number: .id,
 type: "SALE", occurredAt: .since, amount: money(.paid; "EUR")} end)
'''
"""


@pytest.fixture(scope="module")
def mappings() -> Mapping[str, ImportMapping]:
    """Gives the mappings that ship, and one of a shop's table."""
    return {**read_mappings(FOLDER), "shop": read_mapping(SHOP)}


def table(rows: int) -> bytes:
    lines = [f"{1_000 + row},Customer {row},01.03.2024 07:00,{'10.00' if row % 2 else ''}" for row in range(rows)]
    return "\n".join(["id,name,since,paid", *lines, ""]).encode()


async def sent(
    store: Store,
    mappings: Mapping[str, ImportMapping],
    content: Any,
    headers: dict[str, str] | None = None,
    **query: str,
) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=gateway_app(store, mappings=mappings))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        own = {"Authorization": f"Bearer {API}", **(headers or {})}
        return await client.post("/import", content=content, params=query, headers=own)


async def state(store: Store, batch: str) -> dict[str, Any]:
    transport = httpx2.ASGITransport(app=gateway_app(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return (await client.get(f"/import/{batch}", headers={"Authorization": f"Bearer {API}"})).json()


def told(response: httpx2.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize("system", sorted(path.stem for path in FOLDER.glob("*.toml")))
async def test_an_export_becomes_what_the_command_makes_of_it(
    store: Store, mappings: Mapping[str, ImportMapping], system: str
) -> None:
    [export] = [each for each in FOLDER.glob(f"{system}.*") if each.suffix != ".toml"]
    first, *outcomes, last = told(await sent(store, mappings, export.read_bytes(), mapping=system))
    assert {each["outcome"] for each in outcomes} <= {"IMPORTED", "UPDATED", "UNCHANGED"}
    assert (await state(store, first["id"]))["isFinished"]
    rows, again = MappedLines(io.BytesIO(export.read_bytes()), mappings[system]), list[tuple[int, str]]()
    summary = await import_lines(
        store,
        rows,
        now=NOW,
        reject=lambda rejected: pytest.fail(rejected.reason),
        on_verdict=lambda verdict: again.append((verdict.number, verdict.kind)),
    )
    assert again == [(each["line"], each["kind"]) for each in outcomes]
    assert summary.lines == last["summary"]["lines"]
    assert last["summary"]["dropped"] == rows.dropped_as_json()["dropped"]
    assert {outcome for (_, outcome), count in summary.counts.items() if count} <= {"UNCHANGED", "UPDATED"}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(table(500)), {"Content-Type": "application/gzip"}),
        (gzip.compress(table(500)), {"Content-Type": "text/csv", "Content-Encoding": "gzip"}),
        (table(500).decode().encode("utf-16"), {"Content-Type": "text/csv"}),
    ],
    ids=["a file of gzip", "by gzip", "utf-16"],
)
async def test_a_table_comes_in_however_it_is_packed(
    store: Store, mappings: Mapping[str, ImportMapping], content: bytes, headers: dict[str, str]
) -> None:
    *_, last = told(await sent(store, mappings, content, headers, mapping="shop", timezone="Europe/Berlin"))
    assert {(each["kind"], each["outcome"]): each["lines"] for each in last["summary"]["counts"]} == {
        ("customer", "IMPORTED"): 500,
        ("transaction", "IMPORTED"): 250,
    }
    [customer] = await store.find("customers", {"number": "1000"})
    assert customer["registeredAt"].hour == 6


async def test_a_body_may_come_byte_by_byte(store: Store, mappings: Mapping[str, ImportMapping]) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for byte in gzip.compress(table(3).decode().encode("utf-16")):
            yield bytes([byte])

    *_, last = told(await sent(store, mappings, pieces(), mapping="shop", timezone="UTC"))
    assert last["summary"]["lines"] == 4


async def test_a_bad_row_is_told_with_its_line_and_the_rest_goes_on(
    store: Store, mappings: Mapping[str, ImportMapping]
) -> None:
    content = b"id,name,since,paid\n1,Ada,yesterday,\n2,Bo,01.03.2024 07:00,1.50\n"
    _, *outcomes, _ = told(await sent(store, mappings, content, mapping="shop", timezone="UTC"))
    assert [(each["line"], each["kind"], each["outcome"]) for each in outcomes] == [
        (2, "unreadable", "REJECTED"),
        (3, "customer", "IMPORTED"),
        (3, "transaction", "IMPORTED"),
    ]
    assert outcomes[0]["reason"] == (
        "registeredAt: yesterday is no time that the mapping knows; name its form in `times`."
    )
    [sale] = await store.find("transactions", {})
    assert to_text(sale["amount"]) == "1.50 EUR"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"mapping": "strype"}, "The mapping strype is unknown; did you mean stripe? There are cdnow, chargebee,"),
        ({"mapping": "../shop"}, "The mapping ../shop is unknown; did you mean shop? There are"),
        ({"mapping": "shop", "timezone": "Berlin"}, "timezone Berlin is no zone of the IANA database"),
        ({"timezone": "Europe/Berlin"}, "timezone is for times of a mapping: lines say their offsets themselves."),
    ],
)
async def test_what_cannot_be_mapped_wrote_nothing(
    store: Store, mappings: Mapping[str, ImportMapping], query: Any, words: str
) -> None:
    response = await sent(store, mappings, table(1), **query)
    [error] = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (400, "INVALID")
    assert error["message"].startswith(words)
    assert await store.find("imports", {}) == []


async def test_without_mappings_it_is_said_where_they_come_from(store: Store) -> None:
    [error] = (await sent(store, {}, table(1), mapping="shop")).json()["errors"]
    assert error["message"] == "The mapping shop is unknown. There are none here: MAPPINGS is not set."


async def test_a_file_that_cannot_be_read_on_says_so_and_what_came_before_is_in(
    store: Store, mappings: Mapping[str, ImportMapping]
) -> None:
    packed = gzip.compress(table(900))
    *_, last = told(await sent(store, mappings, packed[: len(packed) // 2], mapping="shop", timezone="UTC"))
    assert last["error"]["code"] == "INVALID"
    assert last["error"]["message"].startswith("The export cannot be read on: It cannot be unpacked to its end")
    assert len(await store.find("customers", {})) > 100


async def test_what_breaks_off_goes_on_from_the_row_that_the_batch_names(
    store: Store, mappings: Mapping[str, ImportMapping], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is sent again as a whole: its header is needed, and what earlier rows said."""
    monkeypatch.setattr(route, "_LINES_PER_CHUNK", 10)
    content = table(100)
    half = gzip.compress(content[: content.index(b"1050,")]) + b"no gzip"
    query: dict[str, Any] = {"mapping": "shop", "timezone": "UTC"}
    first, *heard, broken = told(await sent(store, mappings, half, {"Content-Encoding": "gzip"}, **query))
    assert broken["error"]["code"] == "BROKEN_OFF"
    then = await state(store, first["id"])
    assert then["from"] == max(each["line"] for each in heard) + 1
    assert 2 < then["from"] <= 52
    rest: dict[str, Any] = {"batch": first["id"], "from": str(then["from"])}
    again = told(await sent(store, mappings, content, **query, **rest))
    assert next(each["line"] for each in again if "line" in each) == then["from"]
    assert {each["outcome"] for each in again if "outcome" in each} == {"IMPORTED"}
    assert {(each["kind"], each["outcome"]): each["lines"] for each in again[-1]["summary"]["counts"]} == {
        ("customer", "IMPORTED"): 100,
        ("transaction", "IMPORTED"): 50,
    }
    [batch] = await store.find("imports", {})
    assert (batch["lines"], batch["settledLines"]) == (150, 101)
    assert batch["counts"] == again[-1]["summary"]["counts"]


async def test_a_client_that_leaves_in_the_middle_leaves_no_thread_that_waits(
    store: Store, mappings: Mapping[str, ImportMapping], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_SILENCE_SECONDS", 30)
    async with serve(gateway_app(store, mappings=mappings)) as port:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            query = "mapping=shop&timezone=UTC"
            head = f"POST /import?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API}\r\n"
            body = table(20)
            writer.write(f"{head}Content-Length: 100000\r\n\r\n".encode() + body)
            await writer.drain()
            await asyncio.sleep(0.3)
            writer.close()
        async with asyncio.timeout(10):
            while sum("pausedAt" in each for each in await store.find("imports", {})) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert len(await store.find("customers", {})) == 20


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("", "", "there is no folder"),
        ("notes.txt", "", "there is no mapping in"),
        ("shop.toml", SHOP.replace("reads", "raeds"), "shop.toml: raeds is unknown; did you mean reads?"),
        ("shop.toml", SHOP.replace("blank", "blnak"), "shop.toml: lines is no program of jq"),
    ],
)
def test_a_folder_of_mappings_that_cannot_be_used_stops_the_start(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    folder = tmp_path / ("mappings" if name else "nowhere")
    if name:
        folder.mkdir()
        (folder / name).write_text(content)
    with pytest.raises(SettingsError) as refused:
        read_settings(mappings=folder)
    assert str(refused.value).startswith("MAPPINGS cannot be used: ")
    assert words in str(refused.value)
    assert str(refused.value).endswith("Example: MAPPINGS=/etc/customer-gateway/mappings")


def test_the_mappings_that_ship_can_be_used() -> None:
    assert read_settings(mappings=FOLDER).mappings == FOLDER
