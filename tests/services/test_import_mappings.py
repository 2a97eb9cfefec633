"""The mappings that ship: each with a small export in its system's real shape, imported, and what is here then."""

import gzip
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from app.commands.rows import mapping_of
from app.domain.attributes import to_text
from app.services.importing import LineOutcome, Reject, Summary, import_lines
from app.services.importing.rows import MappedLines, UnreadableExport
from app.store.driver import Store

FOLDER: Final = Path("examples/import/mappings")
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPECTED: Final[Mapping[str, Mapping[str, int]]] = {
    "stripe": {"customer": 1, "activity": 7, "transaction": 3, "transaction updated": 1, "invoice": 1},
    "shopify": {"customer": 1, "customer unchanged": 1, "activity": 2, "transaction": 2, "order": 1},
    "woocommerce": {"customer": 1, "activity": 2, "transaction": 2, "order": 1},
    "chargebee": {"customer": 1, "activity": 1, "transaction": 1, "invoice": 1, "order": 1},
    "killbill": {"customer": 1, "activity": 3, "transaction": 2, "invoice": 1},
    "voucherify": {"customer": 1, "customerLink": 1, "activity": 2, "points": 3},
    "intercom": {"customer": 2, "activity": 2, "note": 1},
    "olist": {"customer": 2, "activity": 4, "order": 2},
    "konnektive": {"customer": 1, "activity": 2, "transaction": 2},
    "cdnow": {"customer": 2, "transaction": 3},
}
DROPPED: Final[Mapping[str, Sequence[str]]] = {
    "stripe": ["balance.available, of no customer"],
    "shopify": ["orders without a customer"],
    "woocommerce": ["orders of guests", "order notes that do not say whose they are"],
    "chargebee": ["coupons, which are of no customer"],
    "killbill": ["authorizations that were captured"],
    "voucherify": ["customer.segment.entered"],
}
AMOUNTS: Final[Mapping[str, Sequence[str]]] = {
    "stripe": ["10.00 EUR", "24.90 EUR", "5000 JPY"],
    "shopify": ["209.00 USD", "598.94 USD"],
    "woocommerce": ["10.00 USD", "29.35 USD"],
    "chargebee": ["120.050 KWD"],
    "killbill": ["12.10 USD", "2.10 USD"],
    "konnektive": ["10.00 USD", "49.95 USD"],
    "cdnow": ["11.77 USD", "12.00 USD", "77.00 USD"],
}


def export_of(system: str) -> Path:
    [path] = [path for path in FOLDER.glob(f"{system}.*") if path.suffix != ".toml"]
    return path


async def brought(store: Store, lines: MappedLines) -> tuple[Summary, list[Reject]]:
    rejects: list[Reject] = []
    return await import_lines(store, lines, now=NOW, reject=rejects.append), rejects


def counted(summary: Summary) -> dict[str, int]:
    suffixes = {LineOutcome.IMPORTED: "", LineOutcome.UPDATED: " updated", LineOutcome.UNCHANGED: " unchanged"}
    return {f"{kind}{suffixes[outcome]}": count for (kind, outcome), count in summary.counts.items() if count}


def test_every_mapping_that_ships_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == EXPECTED.keys()
    assert len(EXPECTED) >= 8


@pytest.mark.parametrize("system", EXPECTED)
async def test_an_export_comes_in_whole_and_again_changes_nothing(store: Store, system: str) -> None:
    with export_of(system).open("rb") as file:
        lines = MappedLines(file, mapping_of(FOLDER / f"{system}.toml"))
        summary, rejects = await brought(store, lines)
    assert rejects == []
    assert counted(summary) == EXPECTED[system]
    assert sorted(lines.dropped) == sorted(DROPPED.get(system, []))
    transactions = await store.find("transactions", {})
    assert sorted(to_text(each["amount"]) for each in transactions) == sorted(AMOUNTS.get(system, []))
    with export_of(system).open("rb") as file:
        again, _ = await brought(store, MappedLines(file, mapping_of(FOLDER / f"{system}.toml")))
    assert {outcome for (_, outcome), count in again.counts.items() if count} <= {
        LineOutcome.UNCHANGED,
        *([LineOutcome.UPDATED] if system == "stripe" else []),  # the charge is told before and after its refund
    }


async def test_what_came_in_of_stripe(store: Store) -> None:
    with export_of("stripe").open("rb") as file:
        await brought(store, MappedLines(file, mapping_of(FOLDER / "stripe.toml")))
    [customer] = await store.find("customers", {})
    assert (customer["name"], customer["email"], customer["country"]) == ("Nora Lindqvist", "nora@example.com", "NO")
    [charge] = await store.find("transactions", {"number": "ch_1"})
    assert charge["status"] == "PARTIALLY_REFUNDED"
    assert charge["occurredAt"] == datetime(2024, 3, 1, 6, 0, 59, tzinfo=UTC)
    [refund] = await store.find("transactions", {"type": "REFUND"})
    assert refund["refundOfId"] == charge["_id"]
    legacy = await store.find("activities", {"legacy": True})
    assert [each["title"] for each in legacy] == ["customer.discount.created"]


async def test_points_of_a_card_newest_first_are_the_customers(store: Store) -> None:
    """With the balances that Voucherify tells: each is what the ledger has at that time."""
    with export_of("voucherify").open("rb") as file:
        summary, _ = await brought(store, MappedLines(file, mapping_of(FOLDER / "voucherify.toml")))
    [customer] = await store.find("customers", {})
    assert sum(entry["points"] for entry in await store.find("points", {"customerId": customer["_id"]})) == 70
    assert summary.warnings.counts == {}


def lines_of(content: bytes, mapping: Path, timezone: str | None = None) -> MappedLines:
    return MappedLines(io.BytesIO(content), mapping_of(mapping, timezone))


CSV = """
system = "Shop"
source = "shop"
reads = "csv"
encoding = "cp1252"
delimiter = ";"
decimal = ","
times = ["%d.%m.%Y %H:%M"]
lines = '''
{kind: "customer", id: .Kunde, number: .Kunde, name: .Name, registeredAt: .Seit},
(if .Betrag | blank then empty else {kind: "transaction", id: .Beleg, customer: named(.Kunde), number: .Beleg,
 type: "SALE", occurredAt: .Seit, amount: money(.Betrag; "EUR")} end)
'''
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
async def test_a_table_is_read_in_its_encoding_and_its_rejects_name_its_rows(
    store: Store, tmp_path: Path, pack: Any, encoding: str
) -> None:
    mapping = tmp_path / "shop.toml"
    mapping.write_text(CSV)
    rows = "Kunde;Name;Seit;Beleg;Betrag\r\n1;Zoë Müller;01.03.2024 07:00;B1;1.234,50\r\n2;Ada;gestern;;\r\n"
    lines = lines_of(pack(rows.encode(encoding)), mapping, "Europe/Berlin")
    summary, rejects = await brought(store, lines)
    assert [(each.line, each.reason) for each in rejects] == [
        (3, "registeredAt: gestern is no time that the mapping knows; name its form in `times`.")
    ]
    row = json.loads(lines.raw(3, ""))
    assert row["Name"] == "Ada"
    [customer] = await store.find("customers", {})
    assert (customer["name"], customer["registeredAt"]) == ("Zoë Müller", datetime(2024, 3, 1, 6, tzinfo=UTC))
    [sale] = await store.find("transactions", {})
    assert to_text(sale["amount"]) == "1234.50 EUR"
    assert summary.total(LineOutcome.REJECTED) == 1
    mended = {"line": 3, "reason": "x", "input": json.dumps({**row, "Seit": "02.03.2024 07:00"})}
    summary, rejects = await brought(store, lines_of(json.dumps(mended).encode(), mapping, "Europe/Berlin"))
    assert (counted(summary), rejects) == ({"customer": 1}, [])


async def test_a_card_number_of_a_row_is_written_nowhere(store: Store, tmp_path: Path) -> None:
    mapping = tmp_path / "shop.toml"
    mapping.write_text(CSV)
    lines = lines_of(b"Kunde;Name;Seit\n1;4111 1111 1111 1111;01.03.2024 07:00\n", mapping, "UTC")
    _, [reject] = await brought(store, lines)
    assert reject.line == 2
    assert "4111 1111" not in lines.raw(2, "") + reject.input


@pytest.mark.parametrize(
    ("content", "reads", "words"),
    [
        (gzip.compress(b"a" * 100, mtime=0)[:-9], "ndjson", "It cannot be unpacked to its end"),
        (b"\xff\xff\xff", "ndjson", "It is not utf-8 at byte 1"),
        (b"[1, 2", "json", "It is not JSON: Expecting"),
        (b"a,a\n1,2\n", "csv", "Two columns have the same name"),
        (b'{"line": 1}\n', "ndjson", "It begins as a rejects file, and has a line of something else."),
    ],
)
def test_a_file_that_cannot_be_read_on_says_why(tmp_path: Path, content: bytes, reads: str, words: str) -> None:
    mapping = tmp_path / "any.toml"
    mapping.write_text(f'system = "Any"\nsource = "any"\nreads = "{reads}"\nlines = "empty"\n')
    with pytest.raises(UnreadableExport) as raised:
        list(lines_of(content, mapping))
    assert words in str(raised.value)


def test_rows_that_are_no_json_are_rejects_and_others_go_on(tmp_path: Path) -> None:
    mapping = tmp_path / "any.toml"
    mapping.write_text('system = "Any"\nsource = "any"\nreads = "ndjson"\nlines = "{kind: \\"note\\", id}"\n')
    made = list(lines_of(b'{"id": 1}\nnope\n\n{"id": 2}\n', mapping))
    assert [(each.row, bool(each.problem)) for each in made] == [(1, False), (2, True), (4, False)]
    assert Counter(each.problem for each in made)["The line is not JSON: Expecting value at character 1."] == 1


@pytest.mark.parametrize("newest_first", [False, True])
async def test_the_newest_row_about_a_thing_counts_in_whatever_order_they_come(
    store: Store, newest_first: bool
) -> None:
    """Stripe lists events newest first: an older one would make a refunded charge whole again."""
    rows = export_of("stripe").read_bytes().splitlines(keepends=True)
    content = b"".join(reversed(rows) if newest_first else rows)
    await brought(store, lines_of(content, FOLDER / "stripe.toml"))
    [charge] = await store.find("transactions", {"number": "ch_1"})
    assert charge["status"] == "PARTIALLY_REFUNDED"
