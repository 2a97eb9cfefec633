"""What earlier versions left: `rebuild` mends what can be mended, says what cannot, and touches nothing else."""

from typing import Any

import pytest

from app.domain.ids import derived_id
from app.services import repairs
from app.services.repairs import ledgers, put_statuses_in_order, walk_ledgers
from app.store import previews
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from app.store.indexes import refresh_customers, wrong_copies
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, Bring, ada, customer, fingerprint, points, status
from tests.support.world import NOW

AUDIT = "query($id: ID!) { customer(by: {id: $id}) { points { spendable audit { ok drift } } } }"
LEDGER = [
    points("1", "EARNED", 100, occurredAt="2023-01-01T00:00:00Z", expiresAt="2999-01-01T00:00:00Z"),
    points("2", "EARNED", 50, occurredAt="2023-02-01T00:00:00Z"),
    points("3", "SPENT", -30, occurredAt="2023-03-01T00:00:00Z"),
]


async def audited(ask: Ask) -> Document:
    return (await ask(AUDIT, id=ADA))["data"]["customer"]["points"]


def without_balance(document: Document) -> None:
    for key in ("points", "spendable", "revision"):
        document.pop(key, None)


async def test_a_ledger_that_was_reckoned_in_the_order_of_arrival_is_walked_anew_and_nothing_else_is_changed(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer(), *LEDGER, customer("2"), points("other", "EARNED", 5, of="esuite/E2"))
    right = (await ada(store))["points"]
    # As it was where the spending came in first: the same balance, of other points.
    wrong = [{**right["buckets"][0], "remaining": 100}, {**right["buckets"][1], "remaining": 20}]
    stale = {"$set": {"points.buckets": wrong}, "$unset": {"points.owed": "", "points.latestAt": ""}}
    await store.write("customers", [UpdateOne({"_id": ADA}, stale)])
    assert (await audited(ask))["audit"] == {"ok": False, "drift": 0}
    before = await fingerprint(store, without=without_balance)

    found = await ledgers(store)
    assert (found.stale, found.broken) == ([ADA], [])
    assert (await walk_ledgers(store, NOW)).stale == [ADA]
    assert (await ada(store))["points"] == right
    assert await audited(ask) == {"spendable": 120, "audit": {"ok": True, "drift": 0}}
    assert await previews.differences(store) == []
    assert await fingerprint(store, without=without_balance) == before
    assert (await walk_ledgers(store, NOW)).stale == []


@pytest.mark.parametrize(
    ("collection", "where", "change"),
    [
        ("customers", {"_id": ADA}, {"$inc": {"points.earned": 7}}),
        ("points", {"seq": 2}, {"$set": {"balanceAfter": 1}}),
        ("points", {"seq": 3}, {"$set": {"seq": 9}}),
    ],
    ids=["another balance", "another balance after an entry", "an entry is missing"],
)
async def test_a_ledger_that_its_entries_contradict_is_said_and_left_alone(
    collection: str, where: Document, change: Document, store: Store, bring: Bring
) -> None:
    await bring(customer(), *LEDGER)
    await store.write(collection, [UpdateOne(where, change)])
    before = await fingerprint(store)
    found = await walk_ledgers(store, NOW)
    assert (found.stale, found.broken) == ([], [ADA])
    assert await fingerprint(store) == before


async def test_many_ledgers_are_walked_whatever_was_done_before_an_interruption(
    store: Store, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairs, "_AT_ONCE", 2)
    numbers = [f"{number}" for number in range(7)]
    for number in numbers:
        await bring(customer(number), points(number, "EARNED", 10, of=f"esuite/E{number}"))
    right = {each["_id"]: each["points"] for each in await store.find("customers", {})}
    await store.write("customers", [UpdateMany({}, {"$set": {"points.buckets.0.remaining": 3}})])
    kept = previews.refresh

    async def interrupted(store: Store, customer_ids: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(previews, "refresh", interrupted)
    with pytest.raises(KeyboardInterrupt):
        await walk_ledgers(store, NOW)
    monkeypatch.setattr(previews, "refresh", kept)
    assert len((await walk_ledgers(store, NOW)).stale) == 6
    assert {each["_id"]: each["points"] for each in await store.find("customers", {})} == right


async def test_statuses_of_one_moment_that_have_no_places_get_them(ask: Ask, store: Store, bring: Bring) -> None:
    moment, names = "2024-01-01T00:00:00Z", ["ACTIVE", "BLOCKED", "DEACTIVATED", "BLOCKED", "ACTIVE"]
    chain = [status(f"{n}", names[n], moment, **{"from": names[n - 1]}) for n in (3, 1, 4, 2)]
    before = status("0", "ACTIVE", "2023-01-01T00:00:00Z")
    await bring(customer(), before, *chain, customer("2"), status("other", "BLOCKED", moment, of="esuite/E2"))
    await store.write("statuses", [UpdateMany({}, {"$unset": {"order": ""}})])
    assert await put_statuses_in_order(store, NOW) == 1
    assert await put_statuses_in_order(store, NOW) == 0
    answer = await ask("query($id: ID!) { customer(by: {id: $id}) { statusHistory { nodes { id } } } }", id=ADA)
    shown = [node["id"] for node in answer["data"]["customer"]["statusHistory"]["nodes"]]
    assert shown == [derived_id("statuses", source="loyalty", source_id=f"{n}") for n in (4, 3, 2, 1, 0)]
    assert ADA not in await previews.differences(store)


async def test_what_a_customer_is_found_by_is_made_again_where_an_earlier_version_left_it(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer(name="Anna Müller", email="anna@example.com"))
    await store.write("customers", [UpdateOne({"_id": ADA}, {"$set": {"name": "Berta Maier"}})])
    assert await wrong_copies(store) == [ADA]
    await refresh_customers(store, all_of_them=True)
    assert await wrong_copies(store) == []
    search = "query($text: String!) { search(text: $text) { customer { id } } }"
    assert (await ask(search, text="maier"))["data"]["search"] == [{"customer": {"id": ADA}}]
    assert (await ask(search, text="müller"))["data"]["search"] == []


@pytest.mark.parametrize(
    ("to", "reason"),
    [("ANONYMISED", "no status in its history says since when"), ("MERGED", "Give mergedInto on its customer line")],
)
async def test_points_of_an_account_that_is_closed_nobody_knows_since_when_are_rejected_with_that_reason(
    to: str, reason: str, store: Store, bring: Bring
) -> None:
    await bring(customer())
    await store.write("customers", [UpdateOne({"_id": ADA}, {"$set": {"status": to}})])
    run = await bring(LEDGER[0])
    assert f"closed ({to})" in run.reasons[1]
    assert reason in run.reasons[1]
