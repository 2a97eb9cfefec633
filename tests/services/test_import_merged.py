"""Lines of customers who were merged here: they are the survivor's, and what came in before stays as it was."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.services.expiry import expire_due
from app.services.importing import Reject, import_lines
from app.services.merge_job import Mover
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.import_lines import Bring, Line, activity, customer, points, status, thing
from tests.support.mutations import MERGE_CUSTOMERS, UNMERGE


def _loyalty(source_id: str) -> dict[str, str]:
    return {"source": "loyalty", "id": source_id}


def _of_each_kind(number: int) -> Sequence[Line]:
    of = f"esuite/E100{number}"
    attachment = {"name": "a.txt", "type": "text/plain", "content": "aGVsbG8="}
    at = "2024-01-01T00:00:00Z"
    return (
        customer(f"100{number}", email=f"{number}@example.com", tags=["vip"]),
        activity(f"a{number}", of=of, actor={"kind": "CUSTOMER"}),
        points(f"p{number}", "EARNED", 50, of=of),
        points(f"q{number}", "SPENT", -20, of=of, occurredAt="2024-01-02T00:00:00Z"),
        points(
            f"r{number}",
            "REFUNDED",
            5,
            of=of,
            occurredAt="2024-01-03T00:00:00Z",
            refundOf=_loyalty(f"q{number}"),
        ),
        thing(
            "coupon", f"c{number}", of=of, code=f"C{number}", type="discount", value="10 %", addedAt=at, origin="RULE"
        ),
        thing("transaction", f"t{number}", of=of, number=f"T{number}", type="SALE", occurredAt=at),
        thing("pass", f"w{number}", of=of, serialNumber=f"S{number}", type="APPLE", createdAt=at),
        thing("email", f"e{number}", of=of, subject="Hello", to="a@example.com", text="Hi", attachments=[attachment]),
        thing("note", f"n{number}", of=of, message="Called.", createdAt=at),
        thing("dueDiligenceSearch", f"d{number}", of=of, factor="FRAUD", searchedAt=at, score="UNCLEAR"),
        status(f"s{number}", "BLOCKED", at, of=of),
        status(f"x{number}", "ACTIVE", "2024-02-01T00:00:00Z", of=of),
    )


async def _merge(ask: Ask, store: Store) -> tuple[Document, Document]:
    into, other = await store.find("customers", {}, sort={"number": 1})
    asked = {"intoId": into["_id"], "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    payload = (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]
    assert payload["userErrors"] == []
    return into, other


async def _all(store: Store, *collections: str) -> dict[str, list[Document]]:
    return {name: await store.find(name, {}, sort={"_id": 1}) for name in collections}


@pytest.mark.parametrize("batch", [1, 1_000])
async def test_the_same_files_again_change_nothing_before_and_after_the_rows_have_moved(
    batch: int, ask: Ask, store: Store, bring: Bring
) -> None:
    lines = [*_of_each_kind(1), *_of_each_kind(2)]
    assert not (await bring(*lines)).rejects
    into, _ = await _merge(ask, store)
    rows = ("activities", "points", "coupons", "transactions", "passes", "emails", "notes", "statuses", "files")
    for has_moved in (False, True):
        if has_moved:
            await Mover(store, batch=batch).once()
        before = await _all(store, *rows)
        run = await bring(*lines)
        assert (run.reasons, {outcome.value: count for outcome, count in run.totals.items()}) == (
            {}, {"UNCHANGED": len(lines)}
        ), has_moved  # fmt: skip
        assert await _all(store, *rows) == before
    emails = await store.find("emails", {})
    assert {each["customerId"] for each in emails} == {into["_id"]}
    assert {each["customerId"] for each in await store.find("files", {})} == {into["_id"]}


async def test_new_lines_of_either_identity_land_on_the_survivor(ask: Ask, store: Store, bring: Bring) -> None:
    await bring(*_of_each_kind(1), *_of_each_kind(2))
    into, other = await _merge(ask, store)
    for has_moved in (False, True):
        if has_moved:
            await Mover(store).once()
        own = f"{has_moved}"
        of = "esuite/E1002"
        changed = dict(_of_each_kind(2)[5]) | {"redeemed": True, "redeemedAt": "2024-03-01T00:00:00Z"}
        late = points(
            f"late{own}",
            "REFUNDED",
            3,
            of=of,
            occurredAt="2024-01-04T00:00:00Z",
            refundOf=_loyalty("q2"),
        )
        run = await bring(
            activity(f"new{own}", of=of),
            points(f"new{own}", "SPENT", -5, of=of, occurredAt="2024-06-01T00:00:00Z"),
            late,
            {**customer("1002", email="2@example.com", tags=["vip"]), "organization": f"New {own}"},
            changed,
        )
        assert run.reasons == {}
        again = await bring(late, changed)
        assert (again.reasons, {each.value for each in again.totals}) == ({}, {"UNCHANGED"})
    now = (await store.find("customers", {"_id": into["_id"]}))[0]
    assert (now["number"], now["organization"]) == ("1001", "New True")
    assert now["points"]["earned"] - now["points"]["spent"] == 2 * 35 - 2 * 5 + 2 * 3
    stub = (await store.find("customers", {"_id": other["_id"]}))[0]
    assert (stub["status"], stub["spendable"], stub["identities"]) == ("MERGED", 0, [])
    for collection in ("activities", "coupons"):
        rows: list[dict[str, Any]] = await store.find(collection, {"type": {"$ne": "CUSTOMER_MERGED_AWAY"}})
        assert {row["customerId"] for row in rows} == {into["_id"]}
    [coupon] = await store.find("coupons", {"code": "C2"})
    assert (coupon["redeemed"], [each["customerId"] for each in coupon["formerOwners"]]) == (True, [other["_id"]])


async def test_a_system_that_merges_them_later_tells_nothing_new(ask: Ask, store: Store, bring: Bring) -> None:
    await bring(customer("1001"), customer("1002"))
    await _merge(ask, store)
    await Mover(store).once()
    merged = customer("1002", mergedInto={"source": "esuite", "id": "E1001"})
    before = await store.find("customers", {}, sort={"_id": 1})
    told = [merged, {**merged, "status": "MERGED"}, status("s", "MERGED", "2024-02-01T00:00:00Z", of="esuite/E1002")]
    run = await bring(*told)
    assert (run.reasons, {each.value for each in run.totals}) == ({}, {"UNCHANGED"})
    after = await store.find("customers", {}, sort={"_id": 1})
    assert [each["status"] for each in after] == [each["status"] for each in before]


async def test_points_that_came_with_a_merge_expire_once_whoever_says_it_first(
    ask: Ask, store: Store, bring: Bring
) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(hours=1)
    own = points("own", "EARNED", 100, of="esuite/E1001")
    await bring(customer("1001"), own, customer("1002"))
    brought = points("brought", "EARNED", 70, of="esuite/E1002", expiresAt=soon.isoformat())
    await bring(brought)
    into, _ = await _merge(ask, store)
    await Mover(store).once()
    await expire_due(store, soon + timedelta(hours=1))
    expired = points("expired", "EXPIRED", -70, of="esuite/E1002", occurredAt=(soon + timedelta(hours=2)).isoformat())
    assert [(await bring_at(store, expired, soon + timedelta(hours=3))) for _ in range(2)] == [[], []]
    [survivor] = await store.find("customers", {"_id": into["_id"]})
    assert (survivor["spendable"], survivor["points"]["expired"]) == (100, 70)


async def bring_at(store: Store, line: Line, now: datetime) -> list[str]:
    """Imports a line at a time of its own, and returns why it was rejected."""
    rejects: list[Reject] = []
    await import_lines(store, [json.dumps(line).encode()], now=now, reject=rejects.append)
    return [each.reason for each in rejects]


@pytest.mark.parametrize("seed", range(6))
async def test_payments_of_a_survivor_are_those_that_sources_tell_of_each_account(
    seed: int, ask: Ask, store: Store, bring: Bring
) -> None:
    """Accounts are merged, into others that are merged, too, and parted again; what is told goes on all the time."""
    random = Random(seed)
    told = {number: random.randrange(9) for number in ("1001", "1002", "1003")}
    merges: list[tuple[str, str, str]] = []

    async def tell(number: str) -> None:
        """Nightly files tell of an account what they told before, or more; a second source knows it, too."""
        told[number] += random.choice([0, 1, 4])
        also: Line = {"kind": "customer", "source": "billing", "id": number, "paymentCount": told[number]}
        lines = [customer(number, paymentCount=told[number], identities=[{"source": "billing", "id": number}]), also]
        assert (await bring(*lines)).rejects == []

    async def ids() -> dict[str, str]:
        return {each["number"]: each["_id"] for each in await store.find("customers", {})}

    async def agree() -> None:
        within = {number: {number} for number in told}
        for _, into, other in merges:
            within[into] |= within.pop(other)
        found = {each["number"]: each["paymentCount"] for each in await store.find("customers", {})}
        assert {number: found[number] for number in within} == {
            number: sum(told[each] for each in accounts) for number, accounts in within.items()
        }

    for number in told:
        await tell(number)
    for step in range(12):
        open_ = [number for number in told if number not in {other for *_, other in merges}]
        if random.random() < 0.3 and len(open_) > 1:
            into, other = random.sample(open_, 2)
            asked = {"intoId": (await ids())[into], "ids": [(await ids())[other]], "reason": "The same"}
            payload = (await ask(MERGE_CUSTOMERS, input={**asked, "idempotencyKey": f"m{step}"}))["data"]
            assert payload["mergeCustomers"]["userErrors"] == []
            merges.append((payload["mergeCustomers"]["merge"]["id"], into, other))
        elif random.random() < 0.3 and merges:
            asked = {"mergeId": merges.pop()[0], "reason": "Two after all", "idempotencyKey": f"u{step}"}
            assert (await ask(UNMERGE, input=asked))["data"]["unmerge"]["userErrors"] == []
        else:
            await tell(random.choice([*told]))
        await Mover(store).once()
        await agree()
