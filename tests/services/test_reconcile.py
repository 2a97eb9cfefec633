"""A source's file compared with what is here: the same, and every way in which they may differ. Nothing is written."""

import json
import subprocess
import sys
from datetime import UTC
from pathlib import Path
from typing import Any

from app.services.importing.reconciling import Reconciliation, reconcile
from app.store.driver import DeleteOne, Store, UpdateOne
from tests.support.import_lines import NOW, Bring, Line, activity, coupon, customer, fingerprint, points, status, thing

EXAMPLES = sorted(Path("examples/import").glob("*.ndjson"))
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
    lines = [line for file in EXAMPLES for line in map(json.loads, file.read_text().splitlines())]
    assert (await bring(*lines)).rejects == []
    found = await compared(store, *lines)
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
    assert (await compared(store, SALE)).kinds["transaction"].not_in_file is None


async def test_of_a_repeated_thing_what_counts_in_an_import_counts_here(bring: Bring, store: Store) -> None:
    lines = [customer(), coupon("C-1", value="5 %"), coupon("C-1", value="6 %")]
    await bring(*lines)
    found = await compared(store, *lines, {"kind": "coupn"})
    assert (found.kinds["coupon"].in_file, found.kinds["coupon"].different) == (1, 0)
    assert (found.unreadable, found.is_equal) == (1, False)


def test_the_command_reads_a_mapping_and_says_by_its_exit_code_what_it_found(
    mongodb_uri: str, database_name: str
) -> None:
    database = f"{database_name}_reconciled"
    example, mapping = "examples/import/mappings/stripe.ndjson", "examples/import/mappings/stripe.toml"

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
    finally:
        run("seed", "--customers", "1", "--drop", database)
