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
    "stripe": {
        "customer": 1,
        "customerLink": 2,
        "activity": 8,
        "transaction": 4,
        "transaction updated": 2,
        "invoice": 1,
    },
    "shopify": {"customer": 1, "customer unchanged": 1, "activity": 2, "transaction": 2, "order": 1},
    "woocommerce": {"customer": 1, "activity": 2, "transaction": 2, "order": 1},
    "chargebee": {"customer": 1, "activity": 1, "transaction": 1, "invoice": 1, "order": 1},
    "killbill": {"customer": 1, "activity": 4, "transaction": 2, "invoice": 1},
    "voucherify": {"customer": 1, "customerLink": 1, "activity": 2, "points": 3},
    "intercom": {"customer": 2, "activity": 2, "note": 1},
    "olist": {"customer": 2, "activity": 4, "order": 2},
    "konnektive": {"customer": 1, "activity": 5, "transaction": 3},
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
    "stripe": ["10.00 EUR", "24.90 EUR", "5000 JPY", "5000 JPY"],
    "shopify": ["209.00 USD", "598.94 USD"],
    "woocommerce": ["10.00 USD", "29.35 USD"],
    "chargebee": ["120.050 KWD"],
    "killbill": ["12.10 USD", "2.10 USD"],
    "konnektive": ["10.00 USD", "20.00 USD", "49.95 USD"],
    "cdnow": ["11.77 USD", "12.00 USD", "77.00 USD"],
}


def export_of(system: str) -> Path:
    [path] = [path for path in FOLDER.glob(f"{system}.*") if path.suffix != ".toml"]
    return path


async def brought(store: Store, lines: MappedLines) -> tuple[Summary, list[Reject]]:
    rejects: list[Reject] = []
    return await import_lines(store, lines, now=NOW, reject=rejects.append), rejects


def counted(summary: Summary) -> dict[str, int]:
    return {
        f"{kind}{'' if outcome is LineOutcome.IMPORTED else f' {outcome.lower()}'}": count
        for (kind, outcome), count in summary.counts.items()
        if count
    }


def test_every_mapping_that_ships_is_tried() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == EXPECTED.keys()
    assert len(EXPECTED) >= 8


def row_of_manual(system: str) -> str:
    """Returns what docs/import.md says of a mapping: what the tests here hold it to."""
    mapping = mapping_of(FOLDER / f"{system}.toml")
    with export_of(system).open("rb") as file:
        rows = sum(1 for _ in MappedLines(file, mapping).by_row())
    made = ", ".join(f"{count} {what}" for what, count in EXPECTED[system].items())
    dropped = "; ".join(DROPPED.get(system, []))
    return f"| [{mapping.system}](../examples/import/mappings/{system}.toml) | {rows} | {made} | {dropped} |"


def test_the_manual_has_what_every_mapping_makes_of_its_export() -> None:
    manual = Path("docs/import.md").read_text().splitlines()
    assert [row_of_manual(system) for system in EXPECTED] == [
        line for line in manual if line.startswith("| [") and "examples/import/mappings/" in line
    ]


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
    [refund] = await store.find("transactions", {"number": "re_1"})
    assert refund["refundOfId"] == charge["_id"]
    [told_alone] = await store.find("transactions", {"number": "re_2"})
    assert (told_alone["type"], told_alone["customerId"]) == ("REFUND", customer["_id"])
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
        (gzip.compress(b"", mtime=0)[:10] + b"\xff" * 20, "ndjson", "It cannot be unpacked to its end"),
        (b'["a",\n"\xff"]', "json", "It is not utf-8 in line 2; set `encoding`, or mend it there."),
        (b"[" * 100_000, "json", "The JSON is nested too deep."),
        (b"a,\xff\n1,2\n", "csv", "The names of its columns cannot be read. The row is not utf-8 at character 3"),
        (b"[1, 2", "json", "It is not JSON: Expecting"),
        (b"a,b,a\n1,2,3\n", "csv", "Two columns are called a. Name them all in `columns`; the row of their names is"),
        (b"ab\0,c\n1,2\n", "csv", "The names of its columns cannot be read. They have zeros, which no text has."),
        (
            b"PK\x03\x04" + bytes(30),
            "csv",
            "It is a ZIP archive, as workbooks of Excel (.xlsx) are: save its sheet as CSV",
        ),
        (gzip.compress(b"PK\x03\x04" + bytes(30), mtime=0), "json", "It is a ZIP archive"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(30),
            "tsv",
            "It is a workbook of Excel (.xls): save its sheet as CSV.",
        ),
        (bytes.fromhex("28b52ffd") + bytes(30), "ndjson", "It is packed by zstd: unpack it, or pack it by gzip."),
        (b'{"line": 1, "reason": "x"}\n', "ndjson", "It begins as a rejects file, and has a line of something else."),
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


TABLE = """
system = "Any"
source = "any"
reads = "csv"
lines = '{kind: "note", id, message: .text}'
"""
REST = "\n".join(["2,Two", "3,Three", ""]).encode()


def read_by(tmp_path: Path, mapping: str, content: bytes) -> MappedLines:
    path = tmp_path / "any.toml"
    path.write_text(mapping)
    return lines_of(content, path)


def rows_of(lines: MappedLines) -> list[tuple[int, str, str]]:
    """Returns the number of each row, what came of it, and what is wrong with it."""
    return [(each.row, "" if each.problem else json.loads(each)["message"], each.problem) for each in lines]


DATED: Final = """
system = "Any"
source = "any"
reads = "csv"
once = ["customer"]
lines = '''
{kind: "customer", id, number: .id, name: .text},
{kind: "coupon", id, message: .text, asOf: (if .at | blank then null else .at end)}
'''
"""


def test_of_rows_about_one_thing_the_first_counts_or_the_newest(tmp_path: Path) -> None:
    rows = ["id,text,at", "1,a,2", "1,b,1", "1,c,2", "2,d,", "2,e,", "2,f,1", "2,g,"]
    made = [json.loads(line) for line in read_by(tmp_path, DATED, "\n".join(rows).encode())]
    assert [line["name"] for line in made if line["kind"] == "customer"] == ["a", "d"]
    assert [line["message"] for line in made if line["kind"] == "coupon"] == ["a", "c", "d", "e", "f", "g"]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("28.02.2024", "01.03.2024"),
        ("9", "10"),
        ("2024-03-01T12:00:00+02:00", "2024-03-01T11:00:00Z"),
        ("2024-03-01 11:00", "2024-03-01T11:00:00.5Z"),
        ("999999999", "1709290800"),
        ("1709290800", "1709290801000"),
        ("1709290800.000001", "1709290800.000002"),
    ],
)
def test_what_a_row_is_as_of_is_compared_as_a_time_or_a_count(tmp_path: Path, older: str, newer: str) -> None:
    mapping = DATED.replace("reads", 'times = ["%d.%m.%Y"]\nreads', 1)
    for rows, known in (((f"1,a,{newer}", f"1,b,{older}"), ["a"]), ((f"1,a,{older}", f"1,b,{newer}"), ["a", "b"])):
        lines = read_by(tmp_path, mapping, "\n".join(["id,text,at", *rows]).encode())
        assert [json.loads(line)["message"] for line in lines if b'"coupon"' in line] == known


@pytest.mark.parametrize("as_of", ["yesterday", "-1", "20240301120000", "1.5"])
def test_what_a_row_is_as_of_is_refused_where_nobody_can_tell_its_order(tmp_path: Path, as_of: str) -> None:
    [line] = read_by(tmp_path, DATED, f"id,text,at\n1,a,{as_of}".encode())
    assert line.problem == f"asOf: {as_of} is no time that the mapping knows; name its form in `times`."


def test_what_was_told_of_many_things_leaves_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.importing.rows._TOLD_KIBIBYTES", 16)
    ids = [f"{number:03}{'0' * 60}" for number in range(300)]
    rows = ["id,text,at", *(f"{id_},first,1" for id_ in ids), *(f"{id_},again,1" for id_ in reversed(ids))]
    made = [json.loads(line) for line in read_by(tmp_path, DATED, "\n".join(rows).encode())]
    assert [line["id"] for line in made if line["kind"] == "customer"] == ids


OTHER_REJECT: Final = json.dumps({"line": 9, "reason": "It is.", "input": '{"id": "9", "text": "Nine"}'})


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b"1,Z\xf6e", "The row is not utf-8 at character 4 (byte 0xf6)."),
        (b'1,"One', "A quote of the row is not closed."),
        (b"1," + b"a" * 140_000, "The row cannot be read: field larger than field limit (131072)."),
        (b"1," + b"a," * 600_000, "The row is longer than 1 MiB."),
        (b"1", 'The row has 1 cells for 2 columns. Where the rest is empty, the mapping says `short_rows = "empty"`.'),
        (b"1,One,more", "The row has 3 cells for 2 columns."),
    ],
)
def test_a_bad_row_of_a_table_costs_itself_only(tmp_path: Path, row: bytes, problem: str) -> None:
    lines = read_by(tmp_path, TABLE, b"id,text\n" + row + b"\n" + REST)
    assert rows_of(lines) == [(2, "", problem), (3, "Two", ""), (4, "Three", "")]
    raw = json.loads(lines.raw(2, ""))
    assert raw["id"] == "1"

    def again(**values: str) -> list[tuple[int, str, str]]:
        reject = {"line": 2, "reason": problem, "input": json.dumps({**raw, **values})}
        return rows_of(read_by(tmp_path, TABLE, f"{json.dumps(reject)}\n{OTHER_REJECT}\n".encode()))

    assert again() == [(2, "", problem), (9, "Nine", "")]
    assert again(text="Mended") == [(2, "", problem), (9, "Nine", "")]  # as far as anybody knows it is not
    del raw["remove once mended"]
    assert again(text="Mended") == [(2, "Mended", ""), (9, "Nine", "")]


def test_a_quote_that_no_row_closes_within_131072_characters_costs_its_row(tmp_path: Path) -> None:
    many = b"".join(b"%d,%s\n" % (number, b"a" * 100) for number in range(3, 2_003))
    made = rows_of(read_by(tmp_path, TABLE, b'id,text\n2,"Two\n' + many))
    assert made[0] == (2, "", "A quote of the row is not closed.")
    assert [(number, text) for number, text, _ in made[1:]] == [(number, "a" * 100) for number in range(3, 2_003)]


def test_a_cell_may_have_several_lines_and_a_table_extra_delimiters(tmp_path: Path) -> None:
    made = rows_of(read_by(tmp_path, TABLE, b'id,text\r\n1,"One\r\nand more"\r\n2,Two,,\r\n'))
    assert made == [(3, "One\r\nand more", ""), (4, "Two", "")]


def test_short_rows_may_be_declared(tmp_path: Path) -> None:
    mapping = TABLE.replace("reads", 'short_rows = "empty"\nreads').replace(".text", '(.text // "none")')
    assert rows_of(read_by(tmp_path, mapping, b"id,text\n1\n" + REST)) == [
        (2, "none", ""),
        (3, "Two", ""),
        (4, "Three", ""),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (b'{"id": 1, "text": "\xff"}', "The row is not utf-8 at character 20 (byte 0xff)."),
        (b"[" * 100_000, "The JSON is nested too deep."),
        (b'{"id": 1, "text": "' + b"a" * 1_100_000 + b'"}', "The row is longer than 1 MiB."),
        (b"nope", "The line is not JSON: Expecting value at character 1."),
        (b'{"id": ' + b"1" * 5_000 + b"}", "A number of the JSON has more than 4,300 digits."),
        (b'{"id": 1e5000}', "A number of the JSON has more than 4,300 digits."),
        (b'{"id": 1e-99999999999999999999}', "A number of the JSON has more than 4,300 digits."),
    ],
)
def test_a_bad_row_of_ndjson_costs_itself_only(tmp_path: Path, row: bytes, problem: str) -> None:
    content = row + b'\n{"id": 2, "text": "Two"}\n'
    mapping = TABLE.replace('"csv"', '"ndjson"')
    lines = read_by(tmp_path, mapping, content)
    assert rows_of(lines) == [(1, "", problem), (2, "Two", "")]
    reject = json.dumps({"line": 1, "reason": problem, "input": lines.raw(1, "")})
    [(number, text, why), other] = rows_of(read_by(tmp_path, mapping, f"{reject}\n{OTHER_REJECT}\n".encode()))
    assert (number, text, bool(why), other) == (1, "", True, (9, "Nine", ""))


def test_rows_of_which_no_line_is_made_are_counted(tmp_path: Path) -> None:
    """The delimiter may be another one, or a column have another name."""
    mapping = TABLE.replace("{kind", "if .text then {kind").replace(".text}", ".text} else empty end")
    lines = read_by(tmp_path, mapping, b"id;text\n1;One\n2;Two\n")
    assert rows_of(lines) == []
    assert lines.as_json()["dropped"] == [{"what": "rows of which it made no line", "rows": 2}]


def test_a_reject_of_a_document_holds_its_row(tmp_path: Path) -> None:
    mapping = TABLE.replace('"csv"', '"json"\nrows = ".data[]"').replace(
        ".text", '(.text | if . == "x" then error("no") else . end)'
    )
    lines = read_by(tmp_path, mapping, b'{"data": [{"id": "1", "text": "x"}, {"id": "2", "text": "Two"}]}')
    why = "The mapping cannot read this row: no."
    assert rows_of(lines) == [(1, "", why), (2, "Two", "")]
    raw = lines.raw(1, "")
    for given, made in ((raw, (1, "", why)), (raw.replace('"x"', '"One"'), (1, "One", ""))):
        reject = json.dumps({"line": 1, "reason": "no", "input": given})
        assert rows_of(read_by(tmp_path, mapping, reject.encode())) == [made]


@pytest.mark.parametrize(("encoding", "bad"), [("utf-16", b"\x00\xd8a\x00"), ("cp1252", b"\x81")])
def test_what_no_encoding_has_costs_its_row_in_other_encodings_too(tmp_path: Path, encoding: str, bad: bytes) -> None:
    """In UTF-16 it is a half of a pair; a byte that is lost there moves all others."""
    content = "id,text\n1,?\n2,Zwö\n".encode(encoding).replace("?".encode(encoding)[-2:].strip(b"\xff\xfe"), bad, 1)
    made = rows_of(read_by(tmp_path, TABLE.replace("reads", f'encoding = "{encoding}"\nreads'), content))
    assert [(number, text) for number, text, _ in made] == [(2, ""), (3, "Zwö")]
    assert made[0][2].startswith(f"The row is not {encoding} at character 3")


def test_nested_decimals_are_numbers_where_the_mapping_says_so(tmp_path: Path) -> None:
    mapping = """
system = "Any"
source = "any"
reads = "ndjson"
lines = '{kind: "activity", id, type: "X", attributes: {lines: [.lines[] | {sku, price: (.price | decimal)}]}}'
"""
    row = b'{"id": 1, "lines": [{"sku": "MUG", "price": 12.50}, {"sku": "12.50", "price": "9007199254740993.10"}]}'
    [line] = read_by(tmp_path, mapping, row)
    assert b'[{"sku":"MUG","price":12.50},{"sku":"12.50","price":9007199254740993.10}]' in line
    [line] = read_by(tmp_path, mapping, row.replace(b"12.50}", b'"dear"}'))
    assert line.problem == "attributes.lines.0.price: dear is no number."


def test_an_amount_that_is_no_number_is_refused_and_not_left_out(tmp_path: Path) -> None:
    """Python writes NaN into JSON for what pandas lacks."""
    lines = '{kind: "transaction", id, amount: money(.amount; "EUR")}'
    mapping = f"system = 'Any'\nsource = 'any'\nreads = 'ndjson'\nlines = '''{lines}'''\n"
    [bad] = read_by(tmp_path, mapping, b'{"id": 1, "amount": NaN}')
    assert bad.problem.startswith("amount: NaN is no amount")
    [good] = read_by(tmp_path, f"nulls = ['NaN']\n{mapping}", b'{"id": 1, "amount": NaN}')
    assert json.loads(good).keys() == {"source", "kind", "id"}


def test_a_reference_to_nothing_is_left_out_and_names_no_thing_called_null(tmp_path: Path) -> None:
    """A column that an export lacks, or an empty cell, would gather all rows under one customer called null."""
    mapping = """
system = "Any"
source = "any"
reads = "ndjson"
lines = '''{kind: "transaction", id, customer: named(.owner), refundOf: named_by("other"; .sale),
  subject: named(.lacking)}'''
"""
    rows = [b'{"id": 1, "owner": 0, "sale": "S"}', b'{"id": 2, "owner": null, "sale": ""}', b'{"id": 3}']
    first, *others = [json.loads(line) for line in read_by(tmp_path, mapping, b"\n".join(rows))]
    assert first["customer"] == {"source": "any", "id": "0"}
    assert first["refundOf"] == {"source": "other", "id": "S"}
    assert "subject" not in first
    assert [each.keys() & {"customer", "refundOf", "subject"} for each in others] == [set(), set()]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('id: "\\(.x)/y"', "id: null/y"),
        ("id: (.x | tostring)", "id: null"),
        ('id: 1, name: "Ada \\(.x)"', "name: Ada null"),
        ('id: 1, customer: named("S-\\(.x)")', "customer.id: S-null"),
        ('id: 1, tags: ["a", "b \\(.x)"]', "tags.1: b null"),
        ('id: 1, attributes: {orders: ["\\(.x)"]}', "attributes.orders.0: null"),
    ],
)
@pytest.mark.parametrize("row", ["1,Ada,,", "1,Ada,NULL,", "1,Ada"])
def test_a_text_that_jq_made_of_nothing_is_refused(tmp_path: Path, row: str, line: str, place: str) -> None:
    """All rows that lack a cell would be one thing, called null/y."""
    mapping = """
system = "Any"
source = "any"
reads = "csv"
nulls = ["NULL"]
short_rows = "empty"
lines = '''{kind: "customer", LINE}'''
"""
    table = f"id,name,x,other\n{row}\n1,Ada,2,\n1,Ada,,the null hypothesis\n".encode()
    bad, *good = read_by(tmp_path, mapping.replace("LINE", line), table)
    assert bad.problem.startswith(f"{place} was made of nothing, which a text of jq has as null. Say in `lines`")
    assert [each.problem for each in good] == ["", ""]


def test_json_that_a_line_has_as_a_text_may_hold_null(tmp_path: Path) -> None:
    mapping = (
        "system = 'A'\nsource = 'a'\nreads = 'ndjson'\nlines = '{kind: \"note\", id, message: (.all | tostring)}'\n"
    )
    [line] = read_by(tmp_path, mapping, b'{"id": 1, "all": {"a": null}}')
    assert json.loads(line)["message"] == '{"a":null}'


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("declared", ["utf-8", "utf-16"])
def test_an_encoding_that_a_file_shows_needs_no_word(tmp_path: Path, encoding: str, declared: str) -> None:
    content = "id,text\r\n1,Zoë\r\n".encode(encoding)
    assert rows_of(read_by(tmp_path, f"encoding = '{declared}'\n{TABLE}", content)) == [(2, "Zoë", "")]


@pytest.mark.parametrize(
    ("mapping", "first", "again"),
    [
        (TABLE, b"id,text\n1,One\n", b"\xef\xbb\xbf2,Two\n"),
        (TABLE.replace("csv", "ndjson"), b'{"id": 1, "text": "One"}\n', b'\xef\xbb\xbf{"id": 2, "text": "Two"}\n'),
    ],
)
def test_a_mark_in_the_middle_of_a_file_is_no_part_of_its_row(
    tmp_path: Path, mapping: str, first: bytes, again: bytes
) -> None:
    """`cat` leaves it there; an id that begins with it looks like another, and is not."""
    made = read_by(tmp_path, mapping, first + again)
    assert [json.loads(line) for line in made] == [
        {"source": "any", "kind": "note", "id": str(number), "message": text}
        for number, text in enumerate(("One", "Two"), 1)
    ]


def test_columns_without_a_name_have_their_number(tmp_path: Path) -> None:
    """Spreadsheets write such columns, empty, behind all others."""
    assert rows_of(read_by(tmp_path, TABLE, b"id,text,,\n1,One,,\n2,Two,,\n")) == [(2, "One", ""), (3, "Two", "")]
    named = TABLE.replace(".text", '.["column 2"]')
    assert rows_of(read_by(tmp_path, named, b"id,,\n1,One,\n")) == [(2, "One", "")]


def test_columns_of_one_name_come_in_as_the_refusal_says(tmp_path: Path) -> None:
    content = b"id,text,text\n1,One,Eins\n"
    with pytest.raises(UnreadableExport) as raised:
        list(read_by(tmp_path, TABLE, content))
    _, _, way_out = str(raised.value).partition("leave out in `lines`: ")
    program = way_out.rstrip(".").replace("…", '{kind: "note", id, message: .other}')
    mapping = f"system = 'Any'\nsource = 'any'\nreads = 'csv'\ncolumns = ['id', 'text', 'other']\nlines = '{program}'\n"
    made = read_by(tmp_path, mapping, content)
    assert rows_of(made) == [(2, "Eins", "")]
    assert made.dropped == {"names of columns": 1}


@pytest.mark.parametrize(
    ("program", "lacking"),
    [
        ('{kind: "note", id, message: .txet}', {"txet": "text"}),
        ('{kind: "note", id, message: .["txet"]}', {"txet": "text"}),
        ('{kind: "note", id, message: ."txet"}', {"txet": "text"}),
        ('{kind: "note", id, message: "\\(.text)/\\(.["my text"])"}', {"my text": "text"}),
        (
            '{kind: "note", id}, {kind: "transaction", id: "T-\\(.id)", amount: money(.text; .currency)}',
            {"currency": None},
        ),
        ('. as {$id, $txet} | {kind: "note", $id, message: $txet}', {"txet": "text"}),
        ('{kind: "note", id, author}', {"author": None}),
        ('{kind: "note", id, message: (if .text == "Two" then .author else .text end)}', {"author": None}),
        ('{kind: "note", id, message: .text} # and not .author', {}),
        ('{kind: "note", id, message: ({author: .text} | .author)}', {}),
        ('{kind: "note", id, message: (to_entries | map(.value) | join(" "))}', {}),
    ],
)
@pytest.mark.parametrize("short", [False, True])
def test_a_column_that_a_program_reads_and_a_table_lacks_is_told(
    tmp_path: Path, program: str, lacking: Mapping[str, str | None], short: bool
) -> None:
    """Its value is left out of each line, or makes each a reject; neither says why."""
    told = f"system = 'Any'\nsource = 'any'\nreads = 'csv'\nlines = '''{program}'''\n"
    made = read_by(tmp_path, f"short_rows = 'empty'\n{told}" if short else told, b"id,text\n1,One\n" + REST)
    assert {each.row for each in made} == {2, 3, 4}
    assert made.lacking == lacking
    assert made.as_json()["lackingColumns"] == [{"column": name, "suggestion": lacking[name]} for name in lacking]
    assert made.sentences() == [
        f"`lines` reads the column {name}, which the export does not have"
        + (f"; did you mean {meant}?" if meant else ".")
        for name, meant in lacking.items()
    ]


@pytest.mark.parametrize("system", sorted(path.stem for path in FOLDER.glob("*.csv")))
def test_a_mapping_that_ships_reads_columns_that_its_export_has(system: str) -> None:
    made = MappedLines(io.BytesIO(export_of(system).read_bytes()), mapping_of(FOLDER / f"{system}.toml"))
    assert list(made)
    optional = {"customerDateCreated"} if system == "konnektive" else set[str]()
    assert made.lacking.keys() == optional
