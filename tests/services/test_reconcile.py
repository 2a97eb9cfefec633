"""A source's file compared with what is here: the same, and every way in which they may differ. Nothing is written."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.ids import derived_id
from app.domain.import_lines import COLLECTION_OF, TIMES, LineKind
from app.services.expiry import expire_due
from app.services.importing import ImportOptions
from app.services.importing.reconciling import Reconciliation, reconcile
from app.store.driver import DeleteOne, Store, UpdateMany, UpdateOne
from app.store.schema import COLLECTIONS
from tests.support.import_lines import NOW, Bring, Line, activity, coupon, customer, fingerprint, points, status, thing

EXAMPLES = sorted(Path("examples/import").glob("*.ndjson"))
ALL_EXAMPLES: list[Line] = [line for file in EXAMPLES for line in map(json.loads, file.read_text().splitlines())]
SALE = thing("transaction", "T-1", number="1", type="SALE", occurredAt="2024-01-01T10:00:00Z", amount="12.50 EUR")
FILE: list[Line] = [
    customer(email="ada@example.com", tags=["vip"]),
    customer("1002"),
    activity("A-1"),
    activity("A-2", of="esuite/E1002", occurredAt="2024-02-01T00:00:00Z"),
    points("P-1", "EARNED", 100, expiresAt="2030-03-01"),
    SALE,
    {**SALE, "id": "T-2", "number": "2", "amount": "0.50 EUR"},
    coupon("C-1"),
    status("S-1", "BLOCKED", "2023-09-02T07:00:00Z"),
    status("S-2", "ACTIVE", "2023-09-03T07:00:00Z"),
]


def id_of(line: Line) -> str:
    return derived_id(COLLECTION_OF[line["kind"]], source=line["source"], source_id=line["id"])


def three(kind: LineKind) -> list[Line]:
    """Returns three lines like the first example of a kind, a day apart, of a source of their own."""
    example = next(line for line in ALL_EXAMPLES if line["kind"] == kind)
    at = datetime.fromisoformat(example[TIMES[kind]])
    lines: list[Line] = []
    for day in range(3):
        own = {"source": "trial", "id": f"{kind}-{day}", TIMES[kind]: (at + timedelta(days=day)).isoformat()}
        who: dict[str, Any] = {"number": f"T-{day}", "identities": []} if kind is LineKind.CUSTOMER else {}
        lines.append({**example, **own, **who})
    return lines


async def compared(store: Store, *lines: Line) -> Reconciliation:
    before = await fingerprint(store)
    raw = [json.dumps(line).encode() for line in lines]
    found = await reconcile(store, raw, now=NOW, zone=UTC)
    assert await fingerprint(store) == before
    return found


async def test_what_was_imported_is_the_same(bring: Bring, store: Store) -> None:
    await bring(*FILE)
    found = await compared(store, *FILE)
    assert found.is_equal, str(found)
    assert {kind: (each.in_file, each.here) for kind, each in found.kinds.items()} == {
        "customer": (2, 2),
        "activity": (2, 2),
        "points": (1, 1),
        "transaction": (2, 2),
        "coupon": (1, 1),
        "status": (2, 2),
    }
    assert found.as_json()["sums"] == [
        {"day": "2024-01-01", "currency": "EUR", "inFile": "13.00", "here": "13.00"},
        {"day": "2024-01-01", "currency": "points", "inFile": "100", "here": "100"},
    ]


async def test_all_examples_are_the_same_once_they_are_imported(bring: Bring, store: Store) -> None:
    assert (await bring(*ALL_EXAMPLES)).rejects == []
    found = await compared(store, *ALL_EXAMPLES)
    assert found.is_equal, str(found)


async def test_what_is_missing_is_named_with_its_line(bring: Bring, store: Store) -> None:
    await bring(*FILE[:-4])
    await store.write("activities", [DeleteOne({"type": "BIRTHDAY", "occurredAt": {"$gt": NOW.replace(2024, 1, 15)}})])
    found = await compared(store, *FILE)
    assert [each[:3] for each in found.shown["missing"]] == [
        ("activity", 4, "loyalty A-2"),
        ("transaction", 7, "loyalty T-2"),
        ("coupon", 8, "loyalty C-1"),
        ("status", 9, "loyalty S-1"),
        ("status", 10, "loyalty S-2"),
    ]
    assert "2024-01-01: 13.00 EUR in the file, 12.50 here" in str(found)
    assert not found.is_equal


async def test_what_differs_is_named_with_its_keys(bring: Bring, store: Store) -> None:
    await bring(*FILE)
    await store.write("transactions", [UpdateOne({"number": "1"}, {"$set": {"pointsAwarded": 7}})])
    changed: list[Line] = [
        customer(email="ada@example.org", tags=["vip"]),
        activity("A-1", occurredAt="2024-01-02T00:00:00Z"),
        points("P-1", "EARNED", 90, expiresAt="2030-03-01"),
        SALE,
        activity("A-2", of="esuite/E1001", occurredAt="2024-02-01T00:00:00Z"),
        thing("coupon", "C-1", deleted=True),
    ]
    found = await compared(store, *changed)
    assert {each.line: each.keys for each in found.shown["different"]} == {
        1: ["email"],
        2: ["occurredAt"],
        3: ["points"],
        4: ["pointsAwarded"],
        5: ["customer"],
        6: ["deleted"],
    }


async def test_what_is_here_and_not_in_the_file_counts_within_its_time(bring: Bring, store: Store) -> None:
    lines = [activity(f"A-{day}", occurredAt=f"2024-01-{day:02}T00:00:00Z") for day in range(1, 6)]
    await bring(customer(), *lines)
    found = await compared(store, customer(), lines[0], lines[2])
    assert (found.kinds["activity"].not_in_file, len(found.shown["notInFile"])) == (1, 1)  # those of the 4th are later
    assert (await compared(store, customer(), lines[0], lines[4])).kinds["activity"].not_in_file == 3
    assert (await compared(store, customer(), lines[0])).kinds["customer"].not_in_file == 0


async def test_of_every_kind_it_is_told_what_is_not_in_the_file(bring: Bring, store: Store) -> None:
    assert (await bring(*ALL_EXAMPLES, *(line for kind in TIMES for line in three(kind)))).rejects == []
    found = await compared(store, *(line for kind in TIMES for line in three(kind)[::2]))
    counted = {kind: (each.in_file, each.here, each.not_in_file) for kind, each in found.kinds.items()}
    assert counted == dict.fromkeys(TIMES, (2, 2, 1))
    left_out = {(kind.value, id_of(three(kind)[1])) for kind in TIMES}
    assert {(each.kind, each.id) for each in found.shown["notInFile"]} == left_out
    assert TIMES.keys() == {*LineKind} - {LineKind.CUSTOMER_LINK}


async def test_of_several_sources_each_counts_within_its_own_time(bring: Bring, store: Store) -> None:
    both = {"identities": [{"source": "loyalty", "id": "M-1"}]}
    days = [f"2023-01-0{day}T00:00:00Z" for day in range(1, 4)]
    lines = [customer(f"100{at}", registeredAt=day, **(both if at == 1 else {})) for at, day in enumerate(days)]
    await bring(*lines)
    esuite = lines[::2]
    assert (await compared(store, *esuite)).kinds["customer"].not_in_file == 1
    loyalty = [
        {"kind": "customer", "source": "loyalty", "id": each, "registeredAt": days[1]} for each in ("M-1", "M-2")
    ]
    assert (await compared(store, *esuite, loyalty[0])).kinds[
        "customer"
    ].not_in_file == 1  # esuite has not told of them
    assert (await compared(store, *esuite, loyalty[1])).kinds["customer"].not_in_file == 2  # neither has


async def test_every_row_says_what_its_source_calls_it(bring: Bring, store: Store) -> None:
    assert (await bring(*ALL_EXAMPLES)).rejects == []
    for kind in TIMES.keys() - {LineKind.CUSTOMER}:
        rows = {row["_id"]: row for row in await store.find(COLLECTION_OF[kind], {})}
        told = {id_of(line): (line["source"], line["id"]) for line in ALL_EXAMPLES if line["kind"] == kind}
        assert {key: (rows[key]["source"], rows[key]["sourceId"]) for key in told if key in rows} == told
        assert not any("sourceId" in row for key, row in rows.items() if key not in told)  # those of our own


async def test_a_row_of_before_is_the_same_without_its_source(bring: Bring, store: Store) -> None:
    await bring(*ALL_EXAMPLES)
    for kind in TIMES.keys() - {LineKind.CUSTOMER}:
        name = COLLECTION_OF[kind]
        whose = dict.fromkeys({"source", "sourceId"} - COLLECTIONS[name].required.keys(), "")
        await store.write(name, [UpdateMany({}, {"$unset": whose})])
    again = await bring(*ALL_EXAMPLES, options=ImportOptions(corrects=True))
    assert {outcome for (_, outcome), count in again.summary.counts.items() if count} == {"UNCHANGED"}
    assert (await compared(store, *ALL_EXAMPLES)).is_equal
    assert not any("source" in row for row in await store.find("coupons", {}))
    [example] = [line for line in ALL_EXAMPLES if line["kind"] == "coupon"][:1]
    await bring({**example, "value": "another"})
    [updated] = await store.find("coupons", {"_id": id_of(example)})
    assert (updated["source"], updated["sourceId"]) == (example["source"], example["id"])


async def test_of_a_repeated_thing_what_counts_in_an_import_counts_here(bring: Bring, store: Store) -> None:
    lines = [customer(), coupon("C-1", value="5 %"), coupon("C-1", value="6 %")]
    await bring(*lines)
    found = await compared(store, *lines, {"kind": "coupn"})
    assert (found.kinds["coupon"].in_file, found.kinds["coupon"].different) == (1, 0)
    assert (found.unreadable, found.is_equal) == (1, False)


@pytest.mark.parametrize("lines", [[], [b"\n", b"  \n"]])
async def test_a_file_without_lines_is_not_the_same_as_what_is_here(store: Store, lines: list[bytes]) -> None:
    """So is one of which a mapping makes none, as it is with another delimiter."""
    found = await reconcile(store, lines, now=NOW, zone=UTC)
    assert (found.is_equal, str(found)) == (False, "Nothing was compared: there were no lines.")


def test_the_command_reads_a_mapping_and_says_by_its_exit_code_what_it_found(
    mongodb_uri: str, database_name: str, tmp_path: Path
) -> None:
    database = f"{database_name}_reconciled"
    # A copy: an import writes its rejects beside its file, where other tests look for the examples.
    example = str(shutil.copy("examples/import/mappings/stripe.ndjson", tmp_path))
    mapping = "examples/import/mappings/stripe.toml"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment: dict[str, Any] = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database, "PATH": ""}
        command = [sys.executable, "-m", "app", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    try:
        missing = run("reconcile", example, "--mapping", mapping, "--json")
        assert missing.returncode == 1, missing.stderr
        assert {each["here"] for each in json.loads(missing.stdout)["kinds"]} == {0}
        run("import", example, "--mapping", mapping)
        same = run("reconcile", example, "--mapping", mapping)
        assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "The file and what is here are the same.")
        assert "dropped by the mapping: 1 balance.available, of no customer" in same.stderr
    finally:
        run("seed", "--customers", "1", "--drop", database)


async def test_sums_are_of_what_a_source_told_of_its_expiry_and_exact(store: Store, bring: Bring) -> None:
    """What had expired here before is settled by the source's line, and is not taken twice."""
    earned = points("P-1", "EARNED", 100, expiresAt="2024-02-01T00:00:00Z")
    expired = points("P-2", "EXPIRED", -100, occurredAt="2024-02-02T00:00:00Z")
    large = {**SALE, "amount": f"{10**31 + 7}.25 EUR"}
    await bring(customer(), earned, large)
    await expire_due(store, NOW)
    await bring(expired)
    found = await compared(store, customer(), earned, expired, large)
    assert found.is_equal
    assert [(each["day"], each["inFile"], each["here"]) for each in found.as_json()["sums"]] == [
        ("2024-01-01", f"{10**31 + 7}.25", f"{10**31 + 7}.25"),
        ("2024-01-01", "100", "100"),
        ("2024-02-02", "-100", "-100"),
    ]
