"""An import is a batch: it is listed, and what it wrote can be taken back where nothing followed."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import AsyncMock

import pytest

from app.domain.access import ADMINISTRATOR
from app.domain.changes import NotFound
from app.domain.ids import new_id
from app.domain.import_forms import Identity
from app.domain.points import audit, owed, spendable
from app.domain.times import stored
from app.domain.vocabulary import LineOutcome
from app.services import daily_counts
from app.services.audit import AuditTrail
from app.services.expiry import expire_due
from app.services.importing import DEFAULTS, ImportOptions, Reject, Verdict
from app.services.importing.batches import begin, go_on, import_batch, newest, refresh_previews, reopen
from app.services.importing.parking import drop, waiting_for
from app.services.importing.undo import StillRuns, TooLate, undo
from app.services.repairs import date_steps_of_imports
from app.store import indexes, previews
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from app.store.schema import COLLECTIONS
from tests.support.gateway import Ask
from tests.support.import_lines import (
    ADA,
    NOW,
    Bring,
    Killed,
    Line,
    activity,
    ada,
    coupon,
    customer,
    fingerprint,
    link,
    only,
    points,
    status,
    thing,
)
from tests.support.mutations import MERGE_CUSTOMERS


async def batch_of(
    store: Store, *lines: Line, name: str = "file.ndjson", minutes: int = 0, options: ImportOptions = DEFAULTS
) -> str:
    """Imports lines as a batch, without a reject, and returns its id."""
    rejects: list[Reject] = []
    batch_id, _ = await import_batch(
        store,
        [json.dumps(line).encode() for line in lines],
        file_name=name,
        viewer=ADMINISTRATOR,
        request_id="test",
        now=NOW + timedelta(minutes=minutes),
        reject=rejects.append,
        advance=lambda lines: None,
        options=options,
    )
    assert rejects == []
    return batch_id


async def undone(store: Store, batch_id: str, *, minutes: int = 60) -> list[str]:
    """Undoes a batch, and returns what is said of it."""
    return str(await undo(store, batch_id, ADMINISTRATOR, "test", NOW + timedelta(minutes=minutes))).splitlines()


def _without_counters(document: Document) -> None:
    for key in ("revision", "undoneAt"):
        document.pop(key, None)


async def content(store: Store) -> str:
    """Hashes what customers and their rows are; not how often they were changed, nor what is told of it."""
    kept: Any = {}
    for name in ("customers", "activities", "points", "coupons", "notes", "statuses", "emails", "files", "passes"):
        rows = await store.find(name, {}, sort={"_id": 1})
        for row in rows:
            _without_counters(row)
        kept[name] = rows
    return json.dumps(kept, default=str, sort_keys=True)


async def consistent(store: Store) -> None:
    """Holds what every writer keeps up."""
    assert await indexes.wrong_copies(store) == []
    assert await previews.differences(store) == []
    assert await daily_counts.differences(store) == []
    for each in await store.find("customers", {"points": {"$exists": True}}):
        entries = await store.find("points", {"customerId": each["_id"]}, sort={"seq": 1})
        assert audit(each["points"], entries)["ok"]  # pyright: ignore[reportArgumentType] # documents are entries


def some_lines() -> list[Line]:
    mail: dict[str, Any] = {
        "subject": "Receipt",
        "to": "a@example.com",
        "attachments": [{"name": "a", "type": "a/b", "content": "YQ=="}],
    }
    return [
        customer("1002"),
        activity("a9", occurredAt="2025-01-01T00:00:00Z", campaign="Spring"),
        points("p9", "EARNED", 50, occurredAt="2025-01-01T00:00:00Z"),
        coupon("c9"),
        thing("note", "n9", message="Call back.", createdAt="2024-01-01T00:00:00Z"),
        thing("email", "m9", **mail),
        status("s9", "BLOCKED", "2025-06-01T00:00:00Z"),
        activity("a10", of="esuite/E1002"),
    ]


async def test_an_import_is_listed_with_what_became_of_its_lines(store: Store) -> None:
    batch_id = await batch_of(store, customer(), activity("a"), activity("b", of="lost/1"), name="crm.ndjson")
    batch = await only(store, "imports")
    assert (batch["_id"], batch["fileName"], batch["lines"]) == (batch_id, "crm.ndjson", 3)
    assert batch["counts"] == [
        {"kind": "activity", "outcome": "IMPORTED", "lines": 1},
        {"kind": "activity", "outcome": "PARKED", "lines": 1},
        {"kind": "customer", "outcome": "IMPORTED", "lines": 1},
    ]
    assert batch["startedBy"] == {"kind": "AGENT", "id": "command line", "name": "Command line"}
    assert batch["finishedAt"] >= batch["startedAt"]
    row = await only(store, "audit")
    assert (row["action"], row["outcome"], row["wrote"]) == ("import", "ACCEPTED", [batch_id])
    second = await batch_of(store, minutes=1)
    told = await newest(store, 20)
    assert [each.split()[0] for each in told] == [second, batch_id]
    assert told[1] == f"{batch_id}  2026-03-01 12:00:00Z  3 lines  crm.ndjson  2 imported, 1 parked"
    assert len(await newest(store, 1)) == 1


async def test_an_import_that_is_interrupted_is_listed_as_not_finished(store: Store) -> None:
    def lines() -> Any:
        yield json.dumps(customer()).encode()
        raise Killed

    with pytest.raises(Killed):
        await import_batch(
            store,
            lines(),
            file_name="half",
            viewer=ADMINISTRATOR,
            request_id="test",
            now=NOW,
            reject=lambda rejected: None,
            advance=lambda lines: None,
        )
    assert (await newest(store, 1))[0].endswith("half  not finished")


async def test_previews_that_an_interrupted_import_left_stale_are_made_by_the_worker(store: Store) -> None:
    def dies(_: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await import_batch(
            store,
            [json.dumps(customer()).encode()],
            file_name="half",
            viewer=ADMINISTRATOR,
            request_id="test",
            now=NOW,
            reject=lambda rejected: None,
            advance=dies,
        )
    assert (await store.find("heads", {}), len(await store.find("customers", {}))) == ([], 1)
    assert await refresh_previews(store, NOW + timedelta(minutes=1)) == 0
    assert await refresh_previews(store, NOW + timedelta(minutes=3)) == 1
    assert await refresh_previews(store, NOW + timedelta(minutes=9)) == 0
    assert (await only(store, "heads"))["_id"] == ADA


async def test_what_an_import_left_behind_before_it_was_gone_on_with_is_made_by_the_worker(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second request knows nothing of the lines of the first, and ends the batch."""
    await batch_of(store, customer(), customer("1002"))
    batch = await begin(store, "sent", ADMINISTRATOR, "test", NOW)
    told: list[Verdict] = []

    async def send(batch: Document, first: int, *lines: Line) -> None:
        async def given() -> AsyncIterator[bytes]:
            for line in lines:
                yield json.dumps(line).encode()
            if first == 1:
                raise Killed

        await go_on(
            store,
            batch,
            given(),
            first=first,
            now=NOW,
            on_verdict=told.append,
            each_chunk=AsyncMock(),
            options=DEFAULTS,
            lines_per_chunk=1,
        )

    with monkeypatch.context() as patched:
        patched.setattr(previews, "settle", AsyncMock(side_effect=Killed))
        with pytest.raises(Killed):
            await send(batch, 1, activity("a1", occurredAt="2025-06-01T00:00:00Z"), points("p1", "EARNED", 5))
    later = NOW + timedelta(minutes=5)
    again = await reopen(store, batch["_id"], ADMINISTRATOR, later, first=1)
    await send(again, again["settledLines"] + 1, coupon("c1", of="esuite/E1002"))
    assert [verdict.outcome for verdict in told] == [LineOutcome.IMPORTED] * 3
    [ada] = await store.find("customers", {"_id": ADA})
    assert ada["spendable"] == 0
    assert await refresh_previews(store, later) == 1
    [ada] = await store.find("customers", {"_id": ADA})
    assert (ada["spendable"], ada["lastActivityAt"]) == (5, datetime(2025, 6, 1, tzinfo=UTC))
    assert await indexes.wrong_copies(store) == []
    assert await refresh_previews(store, later) == 0


async def test_an_undone_import_leaves_what_was_there_before_it(store: Store) -> None:
    await batch_of(store, customer(), activity("a1"), points("p1", "EARNED", 10))
    before = await content(store)
    batch_id = await batch_of(store, *some_lines(), minutes=1)
    assert await content(store) != before
    told = await undone(store, batch_id)
    assert told == [
        "2 activities taken back",
        "1 coupon taken back",
        "1 customer taken back",
        "1 e-mail taken back",
        "1 note taken back",
        "1 points entry taken back",
        "1 status change taken back",
    ]
    assert await content(store) == before
    await consistent(store)
    row = (await store.find("audit", {"action": "undoImport"}))[0]
    assert row["wrote"] == [batch_id]
    assert (await newest(store, 1))[0].endswith("undone")
    assert await undone(store, batch_id) == ["There was nothing to take back."]
    again = await batch_of(store, *some_lines(), minutes=2)
    assert await undone(store, again) == told
    assert await content(store) == before


async def test_the_feed_tells_of_a_customer_who_is_taken_back_as_of_one_who_was_erased(store: Store) -> None:
    batch_id = await batch_of(store, customer())
    await undone(store, batch_id)
    entries = await store.find("feed", {"customerId": ADA}, sort={"revision": 1})
    assert [entry["kind"] for entry in entries] == ["CHANGED", "ERASED"]
    assert await store.find("heads", {}) == []


async def test_rows_that_were_changed_since_are_left_and_named(store: Store) -> None:
    batch_id = await batch_of(store, customer(), coupon("c1"), coupon("c2"))
    first = (await store.find("coupons", {}, sort={"_id": 1}, limit=1))[0]
    redeemed = {"redeemed": True, "redeemedAt": NOW}
    await store.write("coupons", [UpdateOne({"_id": first["_id"]}, {"$set": redeemed})])
    assert await undone(store, batch_id) == [
        "1 coupon taken back",
        "1 coupon left: changed since",
        "1 customer left: they have rows that stay: coupons",
    ]
    assert (await only(store, "coupons"))["_id"] == first["_id"]
    await consistent(store)


async def test_what_tells_of_changes_that_stay_stays_with_them(store: Store) -> None:
    """What was corrected or overruled is not as it was before: that it was once otherwise is told nowhere else."""
    edited = {"name": "Ada M.", "edited": [{"field": "name", "before": "Customer 1001"}]}
    note = thing("note", "n1", message="Call.", createdAt="2024-01-01T00:00:00Z")
    await batch_of(store, customer(), activity("a1"), note)
    await store.write("customers", [UpdateOne({"_id": ADA}, {"$set": edited})])
    lines = [
        customer(name="Ada Moe"),
        activity("a1", occurredAt="2024-02-01T00:00:00Z"),
        {**note, "message": "Write."},
        activity("a2"),
        customer("1002"),
    ]
    batch_id = await batch_of(store, *lines, minutes=1, options=ImportOptions(corrects=True))
    told = await undone(store, batch_id)
    kept = await store.find("activities", {"type": {"$in": ["CUSTOMER_UPDATED", "RECORD_CORRECTED"]}})
    assert told == [
        "1 activity taken back",
        "1 customer taken back",
        f"{len(kept)} activities left: they tell of changes that stay",
    ]
    assert sorted(each["type"] for each in kept) == ["CUSTOMER_UPDATED", "RECORD_CORRECTED", "RECORD_CORRECTED"]
    assert await undone(store, batch_id) == told[-1:]
    await consistent(store)


async def test_points_that_others_followed_are_made_up_for_once(store: Store, bring: Bring) -> None:
    await batch_of(store, customer(), points("p1", "EARNED", 10))
    batch_id = await batch_of(store, points("p2", "EARNED", 50, occurredAt="2025-01-01T00:00:00Z"), minutes=1)
    await batch_of(store, points("p3", "SPENT", -5, occurredAt="2025-02-01T00:00:00Z"), minutes=2)
    made_up_for = (
        "1 balance made up for by one more entry: the points are here, and count as unchanged where their file comes "
        "again"
    )
    for told in ([made_up_for], ["There was nothing to take back."]):
        assert await undone(store, batch_id) == told
        entries = await store.find("points", {}, sort={"seq": 1})
        assert [(entry["kind"], entry["points"]) for entry in entries][-1] == ("ADJUSTED", -50)
        assert (await ada(store))["spendable"] == 5
        await consistent(store)
    again = await bring(points("p2", "EARNED", 50, occurredAt="2025-01-01T00:00:00Z"))
    assert again.totals == {LineOutcome.UNCHANGED: 1}
    assert (await ada(store))["spendable"] == 5


async def test_points_that_were_spent_since_are_left_and_the_reason_is_said(store: Store) -> None:
    await batch_of(store, customer())
    batch_id = await batch_of(store, points("p2", "EARNED", 50), minutes=1)
    await batch_of(store, points("p3", "SPENT", -45, occurredAt="2025-02-01T00:00:00Z"), minutes=2)
    [told] = await undone(store, batch_id)
    assert told.startswith("1 points entry left: others followed; ")
    assert (await ada(store))["spendable"] == 5


@pytest.mark.parametrize("seed", range(8))
async def test_points_that_others_followed_leave_what_there_would_be_without_them(seed: int, store: Store) -> None:
    """Two customers live the same life, but for the import that is undone; a worker expires points meanwhile."""
    random = Random(seed)
    await batch_of(store, customer(), customer("1002"))

    def movements(name: str) -> list[Line]:
        lines: list[Line] = []
        for number in range(3):
            at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=random.randrange(700))
            expires = {"expiresAt": (at + timedelta(days=random.choice([40, 900]))).isoformat()}
            kind, amount = random.choice([("EARNED", 300), ("EARNED", 200), ("SPENT", -60)])
            more = expires if kind == "EARNED" and random.random() < 0.8 else {}
            lines.append(points(f"{name}{number}", kind, amount, occurredAt=at.isoformat(), **more))
        return lines

    opening = [points("open", "EARNED", 900, occurredAt="2023-12-01T00:00:00Z")]
    before, ours, after = [*opening, *movements("a")], movements("b"), movements("c")
    both = ("", "other ")

    def of_both(lines: list[Line]) -> list[Line]:
        owners = zip(both, ("E1001", "E1002"), strict=True)
        named = [(who, {"source": "esuite", "id": owner}) for who, owner in owners]
        return [{**line, "id": who + line["id"], "customer": owner} for who, owner in named for line in lines]

    await batch_of(store, *of_both(before))
    batch_id = await batch_of(store, *ours)
    await expire_due(store, NOW)
    await batch_of(store, *of_both(after))
    await expire_due(store, NOW)
    told = await undone(store, batch_id)
    assert told[0].endswith("come to nothing") or told[0].startswith("1 balance made up for")
    await expire_due(store, NOW + timedelta(hours=1))
    one, other = [each["points"] for each in await store.find("customers", {}, sort={"number": 1})]
    assert spendable(one) - owed(one) == spendable(other) - owed(other)
    await consistent(store)


async def test_points_of_an_account_that_was_merged_away_are_left_and_nobody_gains_any(ask: Ask, store: Store) -> None:
    await batch_of(store, customer(), customer("1002"), points("p1", "EARNED", 500))
    batch_id = await batch_of(store, points("p2", "SPENT", -200, occurredAt="2025-01-01T00:00:00Z"))
    [into] = await store.find("customers", {"number": "1002"})
    asked = {"intoId": into["_id"], "ids": [ADA], "reason": "The same", "idempotencyKey": "m"}
    assert (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]["userErrors"] == []
    [told] = await undone(store, batch_id)
    assert told.startswith("1 points entry left: others followed; This account is closed")
    balances = {each["number"]: each["spendable"] for each in await store.find("customers", {})}
    assert balances == {"1001": 0, "1002": 300}


async def test_points_that_are_left_are_counted_once_however_many_there_are(store: Store) -> None:
    await batch_of(store, customer())
    many = [points(f"p{number}", "EARNED", 1) for number in range(450)]
    batch_id = await batch_of(store, *many, minutes=1)
    await batch_of(store, points("spent", "SPENT", -45, occurredAt="2025-02-01T00:00:00Z"), minutes=2)
    [told] = await undone(store, batch_id)
    assert told.startswith("450 points left: others followed; ")


async def test_more_points_than_one_entry_holds_are_left(store: Store) -> None:
    most = 2**31 - 1
    await batch_of(store, customer())
    batch_id = await batch_of(store, *(points(f"p{number}", "EARNED", most) for number in range(2)), minutes=1)
    await batch_of(store, points("spent", "EARNED", 1, occurredAt="2025-02-01T00:00:00Z"), minutes=2)
    assert await undone(store, batch_id) == [
        "2 points left: others followed, and they come to more than one entry holds"
    ]
    assert (await ada(store))["spendable"] == 2 * most + 1


async def test_an_import_that_is_not_there_cannot_be_undone(store: Store) -> None:
    before = await fingerprint(store)
    with pytest.raises(NotFound):
        await undone(store, new_id("imports"))
    assert await fingerprint(store) == before


@pytest.mark.parametrize(("days", "is_late"), [(89, False), (90, True)])
async def test_an_import_is_undone_while_it_is_known_what_it_wrote(store: Store, days: int, is_late: bool) -> None:
    """The server deletes what is known of it 90 days after it was written, which is never before its import began."""
    batch_id = await batch_of(store, customer())
    before = await fingerprint(store)
    if is_late:
        with pytest.raises(TooLate, match="is known for 90 days: this one"):
            await undone(store, batch_id, minutes=days * 24 * 60)
        assert await fingerprint(store) == before
    else:
        assert await undone(store, batch_id, minutes=days * 24 * 60) == ["1 customer taken back"]


async def test_what_is_known_of_an_import_has_a_time_from_which_it_is_kept(store: Store) -> None:
    began = stored(datetime.now(UTC))
    await batch_of(store, customer(), activity("a"))
    steps = await store.find("importSteps", {})
    assert steps
    assert all(began <= step["at"] <= datetime.now(UTC) for step in steps)
    [index] = [each for each in COLLECTIONS["importSteps"].indexes if each.ttl_days]
    assert (index.keys, index.ttl_days) == ("at", 90)


async def test_rebuild_dates_what_earlier_versions_kept_for_ever(store: Store) -> None:
    batch_id = await batch_of(store, customer())
    await store.write("importSteps", [UpdateMany({}, {"$unset": {"at": ""}})])
    first = stored(datetime.now(UTC))
    await date_steps_of_imports(store, first)
    await date_steps_of_imports(store, first + timedelta(days=1))
    assert {step["at"] for step in await store.find("importSteps", {"importId": batch_id})} == {first}


@pytest.mark.parametrize(("minutes", "runs"), [(0, True), (1, True), (2, False), (9, False)])
async def test_an_import_that_may_still_run_is_not_undone(store: Store, minutes: int, runs: bool) -> None:
    batch_id = await batch_of(store, customer())
    running = {"$set": {"seenAt": NOW}, "$unset": {"finishedAt": 1}}
    await store.write("imports", [UpdateOne({"_id": batch_id}, running)])
    before = await fingerprint(store)
    if runs:
        with pytest.raises(StillRuns, match="it was seen at 12:00:00 UTC"):
            await undone(store, batch_id, minutes=minutes)
        assert await fingerprint(store) == before
    else:
        assert await undone(store, batch_id, minutes=minutes) == ["1 customer taken back"]


async def test_a_line_of_a_rejects_file_is_imported_once_it_is_mended(store: Store, bring: Bring) -> None:
    first = await bring(customer(), activity("a", occurredAt="yesterday"))
    [reject] = first.rejects
    again = await bring(asdict(reject))
    assert (again.reasons[1], again.rejects[0].input) == (reject.reason, reject.input)
    mended = replace(reject, input=reject.input.replace("yesterday", "2024-01-01T00:00:00Z"))
    assert (await bring(asdict(mended))).totals == {LineOutcome.IMPORTED: 1}
    assert (await only(store, "activities"))["type"] == "BIRTHDAY"


async def test_what_is_parked_is_listed_with_what_it_waits_for_and_can_be_dropped(store: Store, bring: Bring) -> None:
    await bring(activity("a", of="lost/1"), coupon("c", of="lost/1"), link("lost/1", "lost/2"), activity("b", of="x/9"))
    assert await waiting_for(store, 9) == [
        "1 of lost  3 lines since 2026-03-01: activity, coupon, customerLink",
        "2 of lost  1 lines since 2026-03-01: customerLink",
        "9 of x  1 lines since 2026-03-01: activity",
    ]
    assert len(await waiting_for(store, 1)) == 1
    trail = AuditTrail(ADMINISTRATOR, "dropParked", "test", NOW)
    assert [await drop(store, Identity("lost", "1"), trail) for _ in range(2)] == [3, 0]
    assert await waiting_for(store, 9) == ["9 of x  1 lines since 2026-03-01: activity"]
    assert [row["action"] for row in await store.find("audit", {})] == ["dropParked"]
