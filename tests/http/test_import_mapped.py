"""Rows of other systems' exports sent over HTTP, by the mappings that the gateway has."""

import asyncio
import gzip
import io
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest

from app.domain.access import Role, Viewer
from app.domain.attributes import to_text
from app.domain.mappings import Mapping as ImportMapping
from app.domain.mappings import read_mapping
from app.environment import SettingsError, read_settings
from app.http import imports as route
from app.operations.rates import RateLimited, Rates
from app.services.importing import import_lines
from app.services.importing.rows import MappedLines
from app.services.mappings import read_mappings
from app.settings import PerMinute
from app.store.driver import Store
from tests.support import imports_over_http
from tests.support.gateway import gateway_app, serve
from tests.support.import_lines import NOW
from tests.support.imports_over_http import API, state, told
from tests.support.relays import until

FOLDER: Final = Path("examples/import/mappings")
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
    **query: Any,
) -> httpx2.Response:
    own = {"Content-Type": "", **(headers or {})}
    return await imports_over_http.sent(store, content, headers=own, app=gateway_app(store, mappings=mappings), **query)


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
    assert last["summary"]["dropped"] == rows.as_json()["dropped"]
    assert {outcome for (_, outcome), count in summary.counts.items() if count} <= {"UNCHANGED", "UPDATED"}


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(table(500), mtime=0), {"Content-Type": "application/gzip"}),
        (gzip.compress(table(500), mtime=0), {"Content-Type": "text/csv", "Content-Encoding": "gzip"}),
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


async def test_rows_come_in_while_their_sender_pauses(
    store: Store, mappings: Mapping[str, ImportMapping], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.importing.lines._PAUSE_SECONDS", 0.05)

    async def is_in(number: str) -> bool:
        return bool(await store.find("customers", {"number": number}))

    async def pieces() -> AsyncGenerator[bytes]:
        content = table(4).splitlines(keepends=True)
        yield b"".join(content[:3])
        await until(partial(is_in, "1001"))
        yield b"".join(content[3:])

    *_, last = told(await sent(store, mappings, pieces(), mapping="shop", timezone="UTC"))
    assert last["summary"]["lines"] == 6


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


@pytest.mark.parametrize("each", [1, 3, 450])
async def test_a_line_costs_the_same_however_many_a_row_makes(store: Store, each: int) -> None:
    """A row costs what docs/import.md says beside its lines, and a chunk that is not full what is in it."""
    rows = 900 // each
    name = r'"\(.id)-\($n)"'
    at = '"2024-01-01T00:00:00Z" as $at'
    makes = (
        f'{at} | range({each}) as $n | {{kind: "customer", id: {name}, number: {name}, name: .id, registeredAt: $at}}'
    )
    mapping = read_mapping(f"system = 'S'\nsource = 's'\nreads = 'ndjson'\nlines = '''{makes}'''")
    mapped = b"".join(b'{"id": "%d"}\n' % row for row in range(rows))
    unmapped = b"".join(line.strip() + b"\n" for line in MappedLines(io.BytesIO(mapped), mapping))
    spent: list[int] = []
    runs: list[tuple[bytes, dict[str, Any]]] = [(mapped, {"mapping": "own"}), (unmapped, {})]
    for content, query in runs:
        rates = Rates(store.database, PerMinute.read(10**9), PerMinute.read(1), clock=lambda: 0)
        app = gateway_app(store, mappings={"own": mapping}, rates=rates)
        *outcomes, _ = told(await imports_over_http.sent(store, content, app=app, **query))
        assert len(outcomes) == 1 + 900
        spent.append(10**9 - left(rates))
    admission = route.PRICE_OF_LINE
    assert spent[1] == admission + 900 * route.PRICE_OF_LINE
    assert spent[0] == spent[1] + rows * route.PRICE_OF_ROW


def left(rates: Rates) -> int:
    """Returns what may still be spent of a minute, by trying."""
    viewer, least, most = Viewer("crm", "crm", roles=frozenset({Role.API_USER})), 0, 10**9
    while least < most:
        middle = (least + most + 1) // 2
        try:
            rates.spend(viewer, middle)
        except RateLimited:
            most = middle - 1
        else:
            rates.give_back(viewer, middle)
            least = middle
    return least


async def are(store: Store, imports: int, moment: str) -> bool:
    return len(await store.find("imports", {moment: {"$exists": True}})) == imports


async def test_a_client_that_leaves_in_the_middle_leaves_no_thread_that_waits(
    store: Store, mappings: Mapping[str, ImportMapping], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_SILENCE_SECONDS", 30)
    async with serve(gateway_app(store, mappings=mappings)) as port:
        for number in range(1, 4):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            query = "mapping=shop&timezone=UTC"
            head = f"POST /import?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API}\r\n"
            body = table(20)
            writer.write(f"{head}Content-Length: 100000\r\n\r\n".encode() + body)
            await writer.drain()
            await until(partial(are, store, number, "startedAt"))
            writer.close()
            await until(partial(are, store, number, "pausedAt"))
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
