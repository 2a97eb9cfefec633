"""An import may be run again, may tell who is who in any order, and loses nothing meanwhile."""

import json
from asyncio import gather

import pytest

from app.domain.points import audit
from app.services.importing import LineOutcome
from app.store.driver import Store
from tests.support.import_lines import (
    ADA,
    AGENT,
    Bring,
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

# ---------------------------------------------------------------- again, and differently


async def test_later_content_updates_what_has_a_present(store: Store, bring: Bring) -> None:
    await bring(customer(phones=[{"value": "1"}]), coupon("c1", expiresAt="2024-05-01T00:00:00Z"))
    run = await bring(customer(name="Ada", email="ada@example.com"), coupon("c1", value="20 %"))
    assert run.totals == {LineOutcome.UPDATED: 2}
    stored = await ada(store)
    assert (stored["name"], stored["phones"][0]["value"]) == ("Ada", "1"), "a key that is left out says nothing"
    changed = await only(store, "coupons")
    assert (changed["value"], "expiresAt" in changed) == ("20 %", False), "a coupon is what its line says"


async def test_a_new_address_becomes_primary_and_the_old_one_stays_known(store: Store, bring: Bring) -> None:
    await bring(customer(email="old@example.com"))
    await bring(customer(email="new@example.com"))
    stored = await ada(store)
    assert stored["email"] == "new@example.com"
    assert stored["emails"] == [
        {"value": "new@example.com", "primary": True},
        {"value": "old@example.com", "primary": False},
    ]


async def test_what_happened_is_never_rewritten(store: Store, bring: Bring) -> None:
    note = {"message": "Call back.", "createdAt": "2024-01-01T00:00:00Z"}
    await bring(
        customer(),
        customer("1002"),
        activity("a1"),
        points("p1", "EARNED", 10),
        status("s1", "BLOCKED", "2024-01-01T00:00:00Z"),
        thing("note", "n1", **note),
    )
    before = await fingerprint(store)
    run = await bring(
        activity("a1", message="More."),
        points("p1", "EARNED", 11),
        points("p1", "EARNED", 10, expiresAt="2030-01-01T00:00:00Z"),
        status("s1", "ACTIVE", "2024-01-01T00:00:00Z"),
        thing("note", "n1", **{**note, "message": "Forget it."}),
        activity("a1", of="esuite/E1002"),
    )
    rewritten = "This id is here already with other content ({}), and what happened is never rewritten."
    differ = ["message", "points", "expiresAt", "to", "message", "customer"]
    assert run.reasons == {line: rewritten.format(key) for line, key in enumerate(differ, start=1)}
    assert await fingerprint(store) == before


async def test_an_older_export_does_not_undo_a_redemption(store: Store, bring: Bring) -> None:
    await bring(customer(), coupon("c1", redeemedAt="2024-02-01T00:00:00Z", redeemedBy=AGENT))
    assert (await bring(coupon("c1"))).totals == {LineOutcome.UNCHANGED: 1}
    assert (await bring(coupon("c1", value="20 %"))).totals == {LineOutcome.UPDATED: 1}
    stored = await only(store, "coupons")
    assert (stored["redeemed"], stored["redeemedBy"], stored["value"]) == (True, AGENT, "20 %")


async def test_a_customer_who_is_renamed_is_still_called_as_they_were(store: Store, bring: Bring) -> None:
    line = activity("a1", actor={"kind": "CUSTOMER"})
    await bring(customer(), line)
    await bring(customer(name="Ada"))
    assert (await bring(line)).totals == {LineOutcome.UNCHANGED: 1}


async def test_two_imports_of_the_same_lines_at_once_make_what_one_does(store: Store, bring: Bring) -> None:
    lines = [customer(), *(points(f"p{number}", "EARNED", number) for number in range(1, 40)), activity("a1")]
    await gather(*(bring(*lines, lines_per_chunk=5) for _ in range(3)))
    entries = await store.find("points", {}, sort={"seq": 1})
    assert audit((await ada(store))["points"], entries) == {"ok": True, "entries": 39, "drift": 0}  # pyright: ignore[reportArgumentType] # documents are entries
    assert (await bring(*lines)).totals == {LineOutcome.UNCHANGED: 41}


# ---------------------------------------------------------------- who is who


async def test_one_of_many_identities_is_enough_to_find_the_customer(store: Store, bring: Bring) -> None:
    await bring(customer(identities=[{"source": "billing", "id": "B7"}]))
    run = await bring(
        {**customer(name="Ada"), "source": "overview", "id": "O1", "identities": [{"source": "billing", "id": "B7"}]},
        activity("a1", of="overview/O1"),
    )
    assert run.totals == {LineOutcome.UPDATED: 1, LineOutcome.IMPORTED: 1}
    stored = await only(store, "customers")
    assert (stored["_id"], stored["name"], len(stored["identities"])) == (ADA, "Ada", 3)


async def test_identities_of_two_customers_and_a_number_that_is_taken_are_refused(store: Store, bring: Bring) -> None:
    run = await bring(
        customer(),
        customer("1002"),
        customer("1003", identities=[{"source": "esuite", "id": "E1001"}, {"source": "esuite", "id": "E1002"}]),
        customer("1001", id="E9"),
        link("esuite/E1001", "esuite/E1002"),
        link("esuite/E1001", "esuite/E1001"),
    )
    assert run.reasons == {
        3: "These identities belong to different customers, numbers 1001 and 1002.",
        4: "Customer number 1001 belongs to another customer.",
        5: "These identities belong to different customers, numbers 1001 and 1002.",
        6: "to must be another identity than the line's own.",
    }


async def test_a_number_may_pass_from_one_customer_to_another(store: Store, bring: Bring) -> None:
    await bring(customer("1"), customer("2"))
    run = await bring(
        customer("3", id="E2"), customer("2", id="E1"), customer("3", id="E2", name="Last"), customer("1", id="E9")
    )
    assert run.totals == {LineOutcome.UPDATED: 3, LineOutcome.IMPORTED: 1}
    numbers = {found["identities"][0]["id"]: found["number"] for found in await store.find("customers", {})}
    assert numbers == {"E1": "2", "E2": "3", "E9": "1"}


@pytest.mark.parametrize("lines_per_chunk", [1, 1_000])
async def test_a_chain_of_links_is_joined_once_one_end_is_known(
    store: Store, bring: Bring, lines_per_chunk: int
) -> None:
    run = await bring(
        link("loyalty/L", "billing/B"),
        link("esuite/E1001", "billing/B"),
        activity("a1", of="loyalty/L"),
        customer(),
        customer("1001", source="billing", id="B", name="Ada"),
        link("loyalty/L", "esuite/E1001"),
        lines_per_chunk=lines_per_chunk,
    )
    assert not run.rejects
    stored = await only(store, "customers")
    assert [identity["source"] for identity in stored["identities"]] == ["billing", "esuite", "loyalty"]
    assert (stored["name"], (await only(store, "activities"))["customerId"]) == ("Ada", ADA)
    assert await store.find("parked", {}) == []


# ---------------------------------------------------------------- parking


async def test_what_names_nobody_is_parked_once_and_comes_in_with_its_customer(store: Store, bring: Bring) -> None:
    early = [activity("a1"), coupon("c1"), points("p1", "EARNED", 10), points("p2", "SPENT", -4)]
    assert (await bring(*early)).totals == {LineOutcome.PARKED: 4}
    before = await fingerprint(store)
    again = await bring(*early)
    assert (again.totals, again.summary.exit_code) == ({LineOutcome.PARKED: 4}, 0)
    assert await fingerprint(store) == before
    assert await store.find("activities", {}) == []

    run = await bring(customer())
    assert run.totals == {LineOutcome.IMPORTED: 1, LineOutcome.UNPARKED: 4}
    assert await store.find("parked", {}) == []
    assert (await ada(store))["points"]["spent"] == 4
    assert (await bring(*early)).totals == {LineOutcome.UNCHANGED: 4}


async def test_a_link_brings_in_what_was_parked_for_its_other_identity(store: Store, bring: Bring) -> None:
    await bring(activity("a1", of="loyalty/L"), customer())
    assert (await bring(link("loyalty/L", "esuite/E1001"))).totals == {LineOutcome.IMPORTED: 1, LineOutcome.UNPARKED: 1}
    assert (await only(store, "activities"))["customerId"] == ADA
    assert (await bring(link("esuite/E1001", "loyalty/L"))).totals == {LineOutcome.UNCHANGED: 1}


async def test_a_link_that_waited_itself_brings_in_what_was_parked_for_its_other_identity(
    store: Store, bring: Bring
) -> None:
    await bring(activity("a", of="lost/1"), link("lost/1", "lost/2"), link("lost/2", "esuite/E1001"))
    run = await bring(customer())
    assert run.totals == {LineOutcome.IMPORTED: 1, LineOutcome.UNPARKED: 3}
    assert (await only(store, "activities"))["customerId"] == ADA
    assert await store.find("parked", {}) == []


async def test_parked_points_come_in_before_those_of_the_line_that_follows(store: Store, bring: Bring) -> None:
    await bring(points("p1", "EARNED", 10))
    run = await bring(points("p2", "SPENT", -10), customer())
    assert not run.rejects
    assert [entry["points"] for entry in await store.find("points", {}, sort={"seq": 1})] == [10, -10]


async def test_a_parked_line_that_is_refused_in_the_end_is_rejected_and_waits_no_longer(
    store: Store, bring: Bring
) -> None:
    await bring(points("p1", "EARNED", 10), points("p2", "SPENT", -11))
    run = await bring(customer())
    assert run.reasons == {2: "11 points were asked for; 10 are spendable. (This line had been parked.)"}
    assert json.loads(run.rejects[0].input) == points("p2", "SPENT", -11)
    assert await store.find("parked", {}) == []


async def test_a_parked_line_follows_the_same_rule_as_one_that_is_in(store: Store, bring: Bring) -> None:
    await bring(activity("a1", message="First."), coupon("c1"))
    run = await bring(activity("a1", message="Second."), coupon("c1", value="20 %"))
    assert list(run.reasons) == [1]
    await bring(customer())
    assert (await only(store, "activities"))["message"] == "First."
    assert (await only(store, "coupons"))["value"] == "20 %"


async def test_what_an_interrupted_run_left_parked_comes_in_with_the_next_line_of_that_customer(
    store: Store, bring: Bring
) -> None:
    await bring(activity("a1"), customer("1002"))
    await store.insert(
        "customers",
        [
            {
                **(await only(store, "customers")),
                "_id": ADA,
                "number": "1001",
                "identities": [{"source": "esuite", "id": "E1001"}],
            }
        ],
    )
    assert (await bring(activity("a2"))).totals == {LineOutcome.UNPARKED: 1, LineOutcome.IMPORTED: 1}


async def test_more_than_one_batch_of_parked_lines_comes_in(store: Store, bring: Bring) -> None:
    await bring(*(points(f"p{number}", "EARNED", number) for number in range(1, 601)))
    assert (await bring(customer())).totals == {LineOutcome.IMPORTED: 1, LineOutcome.UNPARKED: 600}
    entries = await store.find("points", {}, sort={"seq": 1})
    assert [entry["points"] for entry in entries] == list(range(1, 601))
