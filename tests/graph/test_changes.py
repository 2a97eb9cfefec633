"""Careful changes: each made once, whole or not at all, with its activity, its audit row and its key."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from app.catalogue import CATALOGUE
from app.catalogue.model import Writers
from app.domain import points
from app.domain.access import GRANTS, PERMITTED, Permission, Role
from app.domain.ids import collection_of
from app.loaders import Loaders
from app.store import previews
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from tests.support.accounts import SETS_OF_ROLES
from tests.support.commands import Commands
from tests.support.digest import digest
from tests.support.gateway import Ask
from tests.support.mutations import (
    ADD_NOTE,
    ADD_TAX_ID,
    ADD_TO_BLOCKLIST,
    ADJUST,
    ANONYMISE,
    APPROVE_POINTS,
    DECLINE_POINTS,
    EDIT_NOTE,
    EMAIL_PASS,
    MERGE_CUSTOMERS,
    PIN_NOTE,
    PUSH_PASS,
    RECORD,
    REDEEM,
    REMOVE_FROM_BLOCKLIST,
    REMOVE_TAX_ID,
    REQUEST_DATA_EXPORT,
    REQUEST_POINTS,
    REQUESTED,
    REQUIRE_DUE_DILIGENCE,
    RESEND,
    SET_DEFAULT_TAX_ID,
    SET_DUE_DILIGENCE_SCORES,
    SHOWN,
    STATUS,
    UNMERGE,
    UPDATE_CUSTOMER,
    UPDATE_LEAD_SOURCE,
    about_request,
    text_of,
)
from tests.support.schema_walk import schema
from tests.support.thoroughness import part_of
from tests.support.tokens import token
from tests.support.world import NOW, World

KEEP = {"audit", "counters"}


async def _changed(ask: Ask, mutation: str, *, token: str | None = None, **given: Any) -> dict[str, Any]:
    """The payload of a mutation without top-level errors."""
    answer = await (ask(mutation, input=given, token=token) if token else ask(mutation, input=given))
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def _rows(store: Store, collection: str) -> list[Document]:
    return await store.find(collection, {})


async def _fingerprint(store: Store) -> str:
    """Hashes everything but the audit log."""
    return await digest(store, without=KEEP)


async def _rich(world: World) -> Document:
    """A customer with 100 points."""
    customer = await world.customer()
    await world.ledger(customer, points.earn(points.empty(), 100, now=NOW))
    return customer


# ---------------------------------------------------------------- what is written


async def test_a_note_is_on_the_timeline_under_its_authors_name(ask: Ask, world: World) -> None:
    ada, sale = await world.customer(), await world.transaction(await world.customer())
    payload = await _changed(
        ask,
        ADD_NOTE,
        customerId=ada["_id"],
        message="  Called back.  ",
        mentions=["grace"],
        links=[sale["_id"]],
        idempotencyKey="k",
    )
    note = payload["note"]
    assert note["message"] == "Called back."
    assert note["author"] == {"name": "Tess Tester"}
    assert (note["mentions"], note["links"]) == (["grace"], [{"id": sale["_id"]}])
    activity = payload["activity"]
    assert (activity["type"], activity["message"], activity["subject"]) == (
        "NOTE_ADDED",
        "Called back.",
        {"id": note["id"]},
    )
    assert activity["actor"] == {"kind": "AGENT", "userId": "tess", "name": "Tess Tester", "accessLevel": "ADMIN"}
    assert payload["userErrors"] == []
    assert len(await _rows(world.store, "activities")) == 1


async def test_an_adjustment_is_an_entry_a_balance_and_one_activity(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    payload = await _changed(
        ask, ADJUST, customerId=ada["_id"], points=-30, reason="Goodwill undone", idempotencyKey="k"
    )
    entry = payload["entry"]
    assert (entry["seq"], entry["kind"], entry["points"], entry["balanceAfter"]) == (2, "ADJUSTED", -30, 70)
    assert payload["customer"] == {"points": {"spendable": 70, "audit": {"ok": True, "entries": 2}}}
    assert (payload["activity"]["points"], payload["activity"]["subject"]) == (-30, {"id": entry["id"]})
    (row,) = await _rows(world.store, "audit")
    assert (row["action"], row["outcome"], row["customerId"]) == ("adjustPoints", "ACCEPTED", ada["_id"])
    assert row["wrote"] == [entry["id"], payload["activity"]["id"]]
    (customer,) = await _rows(world.store, "customers")
    assert customer["revision"] == 1


async def test_coupons_are_redeemed_all_or_none(ask: Ask, world: World) -> None:
    ada = await world.customer()
    one, two = await world.coupon(ada, code="A"), await world.coupon(ada, code="B")
    used = await world.coupon(ada, code="C", redeemed=True)
    before = await _fingerprint(world.store)
    ids = [one["_id"], used["_id"]]
    payload = await _changed(ask, REDEEM, customerId=ada["_id"], couponIds=ids, idempotencyKey="k")
    assert payload["userErrors"][0]["code"] == "ALREADY_REDEEMED"
    assert await _fingerprint(world.store) == before

    ids = [two["_id"], one["_id"]]
    payload = await _changed(ask, REDEEM, customerId=ada["_id"], couponIds=ids, idempotencyKey="k")
    by = {"name": "Tess Tester"}
    assert payload["coupons"] == [{"id": each, "redeemed": True, "redeemedBy": by} for each in ids]
    assert len(await _rows(world.store, "activities")) == 1


@pytest.mark.parametrize(
    ("before", "after", "type_"),
    [
        ("ACTIVE", "BLOCKED", "CUSTOMER_BLOCKED"),
        ("ACTIVE", "DEACTIVATED", "CUSTOMER_DEACTIVATED"),
        ("BLOCKED", "ACTIVE", "CUSTOMER_REACTIVATED"),
        ("BLOCKED", "DEACTIVATED", "CUSTOMER_DEACTIVATED"),
        ("DEACTIVATED", "ACTIVE", "CUSTOMER_REACTIVATED"),
        ("DEACTIVATED", "BLOCKED", "CUSTOMER_BLOCKED"),
    ],
)
async def test_a_status_changes_with_its_reason(before: str, after: str, type_: str, ask: Ask, world: World) -> None:
    ada = await world.customer(status=before)
    payload = await _changed(
        ask, STATUS, customerId=ada["_id"], status=after, reason="Asked for it", idempotencyKey="k"
    )
    assert payload["statusChange"] == {"from": before, "to": after, "reason": "Asked for it"}
    assert payload["customer"] == {"status": after, "hasStatusDetails": True}
    assert payload["activity"]["type"] == type_


async def test_an_activity_is_recorded_with_its_own_time_and_moves_points_by_the_ledger(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    payload = await _changed(
        ask,
        RECORD,
        customerId=ada["_id"],
        type="BILLING_DATE_CHANGED",
        attributes=[{"name": "billDayFrom", "value": "1"}, {"name": "billDayTo", "value": "15"}],
        occurredAt="2026-01-01T00:00:00+01:00",
        points=-40,
        idempotencyKey="k",
    )
    attributes = [{"name": "billDayFrom", "value": "1"}, {"name": "billDayTo", "value": "15"}]
    shown = {"occurredAt": "2025-12-31T23:00:00.000Z", "source": "platform", "attributes": attributes}
    assert payload["activity"] == shown
    assert payload["customer"] == {"points": {"spendable": 60}}
    (entry,) = await world.store.find("points", {"kind": "SPENT"})
    (activity,) = await _rows(world.store, "activities")
    assert activity["subjectId"] == entry["_id"]


# ---------------------------------------------------------------- once


async def test_the_same_key_with_the_same_input_gives_back_what_was_written(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    given: dict[str, Any] = {"customerId": ada["_id"], "points": 50, "reason": "Goodwill", "idempotencyKey": "k"}
    first = await _changed(ask, ADJUST, **given)
    before = await _fingerprint(world.store)
    assert await _changed(ask, ADJUST, **given) == first
    assert await _fingerprint(world.store) == before
    assert len(await _rows(world.store, "audit")) == 1


async def test_the_same_key_with_another_input_is_a_conflict_over_all_mutations(ask: Ask, world: World) -> None:
    ada, bea = await _rich(world), await world.customer()
    await _changed(ask, ADJUST, customerId=ada["_id"], points=50, reason="Goodwill", idempotencyKey="k")
    before = await _fingerprint(world.store)
    others: list[tuple[str, dict[str, Any]]] = [
        (ADJUST, {"points": 51, "reason": "Goodwill"}),
        (ADD_NOTE, {"message": "Hello"}),
    ]
    for mutation, given in others:
        payload = await _changed(ask, mutation, customerId=ada["_id"], idempotencyKey="k", **given)
        assert payload["userErrors"][0]["code"] == "IDEMPOTENCY_CONFLICT"
        assert payload["userErrors"][0]["field"] == ["idempotencyKey"]
    assert await _fingerprint(world.store) == before
    assert (await _changed(ask, ADD_NOTE, customerId=bea["_id"], message="Mine", idempotencyKey="k"))[
        "userErrors"
    ] == []


async def test_a_refusal_uses_up_no_key(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    given = {"customerId": ada["_id"], "reason": "Oops", "idempotencyKey": "k"}
    refused = await _changed(ask, ADJUST, points=-101, **given)
    assert refused["userErrors"] == [
        {"code": "NOT_ENOUGH_POINTS", "field": ["points"], "message": "101 points were asked for; 100 are spendable."}
    ]
    assert (await _changed(ask, ADJUST, points=-100, **given))["userErrors"] == []


async def test_a_ledger_that_does_not_follow_its_balance_fails_at_once_and_keeps_nobody_waiting(
    ask: Ask, world: World, commands: Commands
) -> None:
    """An entry that the balance does not know of has the next number: no number of attempts would pass it."""
    ada = await _rich(world)
    await world.many("points", ada, {"seq": 2})
    before = await _fingerprint(world.store)
    commands.clear()
    answer = await ask(ADJUST, input={"customerId": ada["_id"], "points": 5, "reason": "Late", "idempotencyKey": "k"})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"]
    assert commands.names.count("abortTransaction") == 1
    assert await _fingerprint(world.store) == before


async def test_sixty_four_writers_of_one_customer_each_write_once(ask: Ask, world: World) -> None:
    ada = await _rich(world)

    async def adjust(index: int) -> dict[str, Any]:
        reason = f"Number {index}"
        return await _changed(ask, ADJUST, customerId=ada["_id"], points=1, reason=reason, idempotencyKey=f"k{index}")

    # Each key is sent twice at once.
    payloads = await asyncio.gather(*(adjust(index // 2) for index in range(128)))
    assert all(payload["userErrors"] == [] for payload in payloads)
    assert len({payload["entry"]["id"] for payload in payloads}) == 64
    audit = "query($id: ID!) { customer(by: {id: $id}) { points { spendable audit { ok entries drift } } } }"
    balance = (await ask(audit, id=ada["_id"]))["data"]["customer"]["points"]
    assert balance == {"spendable": 164, "audit": {"ok": True, "entries": 65, "drift": 0}}
    assert len(await _rows(world.store, "activities")) == len(await _rows(world.store, "audit")) == 64


async def test_of_many_who_take_the_whole_balance_at_once_one_gets_it(ask: Ask, world: World) -> None:
    ada = await _rich(world)

    async def take(index: int) -> dict[str, Any]:
        given: dict[str, Any] = {
            "customerId": ada["_id"],
            "points": -100,
            "reason": "All of it",
            "idempotencyKey": f"k{index}",
        }
        return await _changed(ask, ADJUST, **given)

    payloads = await asyncio.gather(*(take(index) for index in range(16)))
    codes = [error["code"] for payload in payloads for error in payload["userErrors"]]
    assert codes == ["NOT_ENOUGH_POINTS"] * 15


@pytest.mark.parametrize("seed", range(3))
async def test_any_mix_of_changes_at_once_leaves_what_a_plain_sum_says(seed: int, ask: Ask, world: World) -> None:
    """20 random changes of 3 customers, each sent twice, four at a time: 60 keys and 120 calls in all."""
    rng, customers = random.Random(seed), [await _rich(world) for _ in range(3)]
    calls: list[tuple[str, dict[str, Any]]] = []
    for index in range(20):
        amount = rng.choice([-120, -60, -30, -1, 1, 20, 75, 0])
        about = {"customerId": rng.choice(customers)["_id"], "points": amount, "idempotencyKey": f"k{index}"}
        if rng.random() < 0.5:
            calls += [(ADJUST, {**about, "reason": "Any"})] * 2
        else:
            calls += [(RECORD_PLAIN, {**about, "type": "CREDIT_CONTROL_CYCLE_EXITED"})] * 2
    queue = iter(calls)
    answers: list[tuple[dict[str, Any], bool]] = []

    async def sender() -> None:
        for mutation, given in queue:
            payload = await _changed(ask, mutation, **given)
            answers.append((given, payload["userErrors"] == []))

    await asyncio.gather(*(sender() for _ in range(4)))

    accepted = {(given["customerId"], given["idempotencyKey"]): given["points"] for given, ok in answers if ok}
    for customer in customers:
        moved = [amount for (whose, _), amount in accepted.items() if whose == customer["_id"]]
        read = """query($id: ID!) { customer(by: {id: $id}) {
          points { spendable audit { ok entries } } activities { totalCount } } }"""
        shown = (await ask(read, id=customer["_id"]))["data"]["customer"]
        entries = 1 + sum(1 for amount in moved if amount)
        assert shown["points"] == {"spendable": 100 + sum(moved), "audit": {"ok": True, "entries": entries}}
        assert shown["activities"]["totalCount"] == len(moved)


async def test_a_change_after_another_in_one_request_sees_it(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    query = """mutation($a: AdjustPointsInput!, $b: AdjustPointsInput!) {
      a: adjustPoints(input: $a) { customer { points { spendable } activities { totalCount } } }
      b: adjustPoints(input: $b) { customer { points { spendable } activities { totalCount } } } }"""
    given = {"customerId": ada["_id"], "points": 1, "reason": "One"}
    answer = await ask(query, a={**given, "idempotencyKey": "a"}, b={**given, "idempotencyKey": "b"})
    assert answer["data"] == {
        "a": {"customer": {"points": {"spendable": 101}, "activities": {"totalCount": 1}}},
        "b": {"customer": {"points": {"spendable": 102}, "activities": {"totalCount": 2}}},
    }


# ---------------------------------------------------------------- refused, and nothing changed


async def _refused(ask: Ask, world: World, mutation: str, code: str, field: list[str], **given: Any) -> None:
    before = await _fingerprint(world.store)
    payload = await _changed(ask, mutation, **{"idempotencyKey": "k", **given})
    assert [(each["code"], each["field"]) for each in payload["userErrors"]] == [(code, field)]
    assert payload["activity"] is None
    assert await _fingerprint(world.store) == before
    log = await _rows(world.store, "audit")
    assert (log[-1]["outcome"], log[-1]["code"]) == ("REFUSED", code)


BAD_ADJUSTMENTS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "no points": ({"points": 0}, "INVALID", ["points"]),
    "beyond int32 in all": ({"points": 2**31 - 1}, "LIMIT_EXCEEDED", ["points"]),
    "more than there is": ({"points": -101}, "NOT_ENOUGH_POINTS", ["points"]),
    "an empty reason": ({"reason": "   "}, "INVALID", ["reason"]),
    "a reason of 1,001 characters": ({"reason": "x" * 1001}, "INVALID", ["reason"]),
    "a control character": ({"reason": "a\x07b"}, "INVALID", ["reason"]),
    "a megabyte": ({"reason": "x" * 1_000_000}, "INVALID", ["reason"]),
    "no key": ({"idempotencyKey": ""}, "INVALID", ["idempotencyKey"]),
    "a key of 129 characters": ({"idempotencyKey": "k" * 129}, "INVALID", ["idempotencyKey"]),
    "an expiry that is past": ({"expiresAt": "2020-01-01T00:00:00Z"}, "INVALID", ["expiresAt"]),
    "an unknown customer": ({"customerId": "cus_nobody"}, "NOT_FOUND", ["customerId"]),
}


@pytest.mark.parametrize("bad", BAD_ADJUSTMENTS)
async def test_a_bad_adjustment_is_refused_and_changes_nothing(bad: str, ask: Ask, world: World) -> None:
    given, code, field = BAD_ADJUSTMENTS[bad]
    ada = await _rich(world)
    asked = {"customerId": ada["_id"], "points": 1, "reason": "Goodwill", **given}
    await _refused(ask, world, ADJUST, code, field, **asked)


async def test_half_a_character_is_no_text_to_anybody(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    before = await _fingerprint(world.store)
    given = {"customerId": ada["_id"], "points": 1, "reason": "a\ud800b", "idempotencyKey": "k"}
    answer = await ask(ADJUST, input=given)
    assert answer["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}
    assert await _fingerprint(world.store) == before


async def test_points_beyond_int32_are_an_error_before_anything_is_asked(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    given = {"customerId": ada["_id"], "points": 2**31, "reason": "Much", "idempotencyKey": "k"}
    answer = await ask(ADJUST, input=given)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_an_agent_adjusts_up_to_a_thousand_at_a_time(ask: Ask, world: World) -> None:
    ada, agent = await world.customer(), token(Role.CUSTOMER_SERVICE_AGENT)
    given = {"customerId": ada["_id"], "reason": "Goodwill", "idempotencyKey": "k"}
    refused = await _changed(ask, ADJUST, token=agent, points=1001, **given)
    assert refused["userErrors"][0]["code"] == "LIMIT_EXCEEDED"
    assert (await _changed(ask, ADJUST, token=agent, points=1000, **given))["userErrors"] == []


@pytest.mark.parametrize("status", ["ANONYMISED", "MERGED"])
async def test_a_closed_customer_refuses_every_change(status: str, ask: Ask, world: World) -> None:
    ada = await world.customer(status=status)
    coupon = await world.coupon(ada)
    asked: list[tuple[str, dict[str, Any]]] = [
        (ADD_NOTE, {"message": "Hello"}),
        (ADJUST, {"points": 1, "reason": "Why"}),
        (REDEEM, {"couponIds": [coupon["_id"]]}),
        (STATUS, {"status": "ACTIVE", "reason": "Why"}),
    ]
    for mutation, given in asked:
        await _refused(ask, world, mutation, "CUSTOMER_CLOSED", ["customerId"], customerId=ada["_id"], **given)


async def test_the_same_status_again_is_refused(ask: Ask, world: World) -> None:
    ada = await world.customer(status="BLOCKED")
    given = {"customerId": ada["_id"], "status": "BLOCKED", "reason": "Again"}
    await _refused(ask, world, STATUS, "SAME_STATUS", ["status"], **given)


async def test_another_customers_coupon_is_not_found(ask: Ask, world: World) -> None:
    ada, bea = await world.customer(), await world.customer()
    ids = [(await world.coupon(ada))["_id"], (await world.coupon(bea))["_id"]]
    await _refused(ask, world, REDEEM, "NOT_FOUND", ["couponIds"], customerId=ada["_id"], couponIds=ids)
    await _refused(ask, world, REDEEM, "INVALID", ["couponIds"], customerId=ada["_id"], couponIds=[])


async def test_a_note_that_is_none_is_refused(ask: Ask, world: World) -> None:
    ada = await world.customer()
    for given, field in (
        ({"message": "x" * 10_001}, ["message"]),
        ({"message": "Hello", "mentions": ["x"] * 101}, ["mentions"]),
    ):
        await _refused(ask, world, ADD_NOTE, "INVALID", field, customerId=ada["_id"], **given)


async def test_a_recorded_activity_is_checked_against_the_catalogue(ask: Ask, world: World) -> None:
    ada = await world.customer()

    async def refused(code: str, field: list[str], type_: str, **given: Any) -> None:
        await _refused(ask, world, RECORD_PLAIN, code, field, customerId=ada["_id"], type=type_, **given)

    await refused("UNKNOWN_ACTIVITY_TYPE", ["type"], "BILLING_DATE_CHANGE")
    for row in CATALOGUE.values():
        if row.writers is Writers.NOBODY:
            await refused("PLATFORM_ONLY_TYPE", ["type"], row.code)
    for attributes, field in (
        ([{"name": "billDayFrom", "value": "1"}], ["attributes", "billDayTo"]),
        ([{"name": "billDayFrom", "value": "1"}, {"name": "billDayTo", "value": "soon"}], ["attributes", "billDayTo"]),
        (
            [*({"name": name, "value": "1"} for name in ("billDayFrom", "billDayTo", "billDay"))],
            ["attributes", "billDay"],
        ),
        ([{"name": "billDayFrom", "value": "1"}, {"name": "billDayFrom", "value": "2"}], ["attributes"]),
    ):
        await refused("INVALID", field, "BILLING_DATE_CHANGED", attributes=attributes)
    await refused("INVALID", ["occurredAt"], "CREDIT_CONTROL_CYCLE_EXITED", occurredAt="2999-01-01T00:00:00Z")
    await refused("NOT_ENOUGH_POINTS", ["points"], "CREDIT_CONTROL_CYCLE_EXITED", points=-1)


RECORD_PLAIN = f"mutation($input: RecordActivityInput!) {{ recordActivity(input: $input) {{ {SHOWN} }} }}"


# ---------------------------------------------------------------- who may

EDITORS = {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.API_USER}
BOOKS = {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE}
SERVICE_AND_BOOKS = BOOKS | {Role.CUSTOMER_SERVICE_AGENT}
SELLERS = {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP}
MAY: dict[str, set[Role]] = {
    **dict.fromkeys("updateCustomer addTaxId removeTaxId setDefaultTaxId updateLeadSource".split(), EDITORS),
    "addNote": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.FINANCE},
    "editNote": {Role.ADMIN, Role.CS_ADMIN},  # of a note that somebody else wrote
    "pinNote": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.FINANCE},
    "adjustPoints": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.FINANCE, Role.API_USER},
    "requestPointsAdjustment": {
        Role.ADMIN,
        Role.CS_ADMIN,
        Role.CUSTOMER_SERVICE_AGENT,
        Role.FINANCE,
        Role.API_USER,
    },
    "approvePointsAdjustment": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "declinePointsAdjustment": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "redeemCoupon": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.CUSTOMER},
    "resendEmail": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.CUSTOMER},
    "emailPass": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT},
    "pushPass": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT},
    "changeCustomerStatus": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.CUSTOMER},
    "recordActivity": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.SALES_REP, Role.API_USER},
    "anonymiseCustomer": {Role.ADMIN, Role.CS_ADMIN},
    "requestDataExport": {Role.ADMIN, Role.CS_ADMIN},
    "mergeCustomers": {Role.ADMIN, Role.CS_ADMIN},
    "unmerge": {Role.ADMIN, Role.CS_ADMIN},
    "requireDueDiligence": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "setDueDiligenceScores": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "addToBlocklist": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE, Role.API_USER},
    "removeFromBlocklist": {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE, Role.API_USER},
    **dict.fromkeys("requestRefund requestRefunds requestKycDocuments requestKycUploadLink".split(), SERVICE_AND_BOOKS),
    "requestKycDocumentLink": SERVICE_AND_BOOKS,
    **dict.fromkeys("recordOutsidePayment requestPayment requestDeposit".split(), SERVICE_AND_BOOKS | {Role.SALES_REP}),
    **dict.fromkeys("requestPayout requestPayoutSelection requestCreditMemo cancelRequest".split(), BOOKS),
    "requestAmlReview": BOOKS,
    **dict.fromkeys("requestOrder requestQuote requestOrderCancellation requestQuoteAction".split(), SELLERS),
    **dict.fromkeys("requestPortalLink requestPaymentInstrument requestPaymentInstrumentChange".split(), SELLERS),
    "requestCouponRedemption": {Role.ADMIN, Role.CS_ADMIN, Role.CUSTOMER_SERVICE_AGENT, Role.CUSTOMER},
    "requestEraseAtSource": {Role.ADMIN, Role.CS_ADMIN},
    "completeRequest": SERVICE_AND_BOOKS | {Role.API_USER},
}


REFERRED_BY: dict[str, dict[str, Any]] = {
    "own": {},
    "referred": {"affiliateId": "aff-1"},
    "other": {"affiliateId": "aff-2"},
}
ROWS: Mapping[str, Callable[[World, Document], Awaitable[Document]]] = {
    "editNote": World.note,
    "pinNote": World.note,
    "approvePointsAdjustment": World.adjustment,
    "declinePointsAdjustment": World.adjustment,
    "redeemCoupon": World.coupon,
    "resendEmail": World.email,
    "emailPass": lambda world, customer: world.pass_(customer, downloadUrl="https://wallet.example.com/1"),
    "pushPass": World.pass_,
    "mergeCustomers": lambda world, _: world.customer(),
    "unmerge": World.undoable_merge,
    "removeFromBlocklist": World.blocklist_entry,
}
"""What has to be there for a mutation, beside the customer."""
OWNER_BY = {"own": Role.CUSTOMER, "referred": Role.AFFILIATE}


@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids="-".join)
async def test_each_mutation_is_for_its_roles_on_customers_whom_they_reach(
    roles: tuple[Role, ...], ask: Ask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two roles, a customer is changed by what those of them permit that reach this customer: each two of them try
    a third of the mutations.

    What a payload shows without reading it is what was stored, and so are previews that follow a change.
    """
    taken: dict[str, Document] = {}
    take = Loaders.take

    async def note(self: Loaders, stored: Mapping[str, Document]) -> None:
        taken.update(stored)
        await take(self, stored)

    monkeypatch.setattr(Loaders, "take", note)
    staff = set(roles) - {Role.AFFILIATE, Role.CUSTOMER}
    for whose in ("own", "referred", "other"):
        for mutation, permitted in part_of(MAY.items(), 3 if len(roles) == 2 else 1, turn=SETS_OF_ROLES.index(roles)):
            tax_id = {"type": "OTHER", "value": "1"}
            tax_ids = [{**tax_id, "isDefault": False, "validity": "UNCHECKED"}]
            ada = await world.customer(email="ada@example.com", taxIds=tax_ids, **REFERRED_BY[whose])
            own = ada if whose == "own" else await world.customer()
            bearer = token(
                *roles,
                customer_id=own["_id"] if Role.CUSTOMER in roles else None,
                affiliate_id="aff-1" if Role.AFFILIATE in roles else None,
            )
            reaching = staff | (set(roles) & {OWNER_BY.get(whose)})
            row = await ROWS[mutation](world, ada) if mutation in ROWS else {"_id": ""}
            card: dict[str, Any] = {"type": "PAYMENT_CARD", "value": ada["_id"], "reason": "Why"}
            customer_id = {"customerId": ada["_id"]}
            given: dict[str, tuple[str, dict[str, Any]]] = {
                "updateCustomer": (UPDATE_CUSTOMER, {**customer_id, "firstName": "Ada"}),
                "addTaxId": (ADD_TAX_ID, {**customer_id, "type": "OTHER", "value": "2"}),
                "removeTaxId": (REMOVE_TAX_ID, {**customer_id, **tax_id}),
                "setDefaultTaxId": (SET_DEFAULT_TAX_ID, {**customer_id, **tax_id}),
                "updateLeadSource": (UPDATE_LEAD_SOURCE, {**customer_id, "medium": "search"}),
                "addNote": (ADD_NOTE, {**customer_id, "message": "Hello"}),
                "editNote": (EDIT_NOTE, {"noteId": row["_id"], "message": "Hello"}),
                "pinNote": (PIN_NOTE, {"noteId": row["_id"], "pinnedFor": "ALL"}),
                "adjustPoints": (ADJUST, {**customer_id, "points": 1, "reason": "Why"}),
                "requestPointsAdjustment": (REQUEST_POINTS, {**customer_id, "points": 5_000, "reason": "Why"}),
                "approvePointsAdjustment": (APPROVE_POINTS, {"adjustmentId": row["_id"]}),
                "declinePointsAdjustment": (DECLINE_POINTS, {"adjustmentId": row["_id"], "reason": "No"}),
                "redeemCoupon": (REDEEM, {**customer_id, "couponIds": [row["_id"]]}),
                "resendEmail": (RESEND, {"emailId": row["_id"]}),
                "emailPass": (EMAIL_PASS, {"passId": row["_id"]}),
                "pushPass": (PUSH_PASS, {"passId": row["_id"]}),
                "changeCustomerStatus": (STATUS, {**customer_id, "status": "DEACTIVATED", "reason": "Why"}),
                "recordActivity": (RECORD_PLAIN, {**customer_id, "type": "CREDIT_CONTROL_CYCLE_EXITED"}),
                "mergeCustomers": (MERGE_CUSTOMERS, {"intoId": ada["_id"], "ids": [row["_id"]], "reason": "Why"}),
                "requestDataExport": (REQUEST_DATA_EXPORT, customer_id),
                "anonymiseCustomer": (
                    ANONYMISE,
                    {**customer_id, "confirmNumber": ada["number"], "reason": "Why"},
                ),
                "unmerge": (UNMERGE, {"mergeId": row["_id"], "reason": "Why"}),
                "requireDueDiligence": (REQUIRE_DUE_DILIGENCE, {**customer_id, "required": True, "reason": "Why"}),
                "setDueDiligenceScores": (
                    SET_DUE_DILIGENCE_SCORES,
                    {**customer_id, "scores": [{"factor": "FRAUD", "score": "PROBABLE"}], "reason": "Why"},
                ),
                "addToBlocklist": (ADD_TO_BLOCKLIST, {**customer_id, **card}),
                "removeFromBlocklist": (REMOVE_FROM_BLOCKLIST, {"entryId": row["_id"], "reason": "Why"}),
            }
            if mutation in REQUESTED:
                about = await about_request(world, ada, mutation)
                query = text_of(mutation)
                given[mutation] = query, {**about, **REQUESTED[mutation]}
            query, asked = given[mutation]
            await previews.refresh(world.store, [ada["_id"]])
            before = await _fingerprint(world.store)
            answer = await ask(query, token=bearer, input={"idempotencyKey": "k", **asked})
            (payload,) = answer["data"].values()
            hidden = mutation == "resendEmail" and reaching == {Role.AFFILIATE}  # who sees no mails
            if not permitted & set(roles) or (reaching and not hidden and not permitted & reaching):
                assert payload is None
                assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            elif not reaching or hidden:
                assert payload["userErrors"][0]["code"] == "NOT_FOUND"
            else:
                assert payload["userErrors"] == []
            accepted = bool(permitted & reaching)
            if accepted:
                (activity, *_) = await world.store.find("activities", {"customerId": ada["_id"]})
                assert Role(activity["actor"]["accessLevel"]) in reaching
            assert (await _fingerprint(world.store) == before) is not accepted
            log = await _rows(world.store, "audit")
            assert (log[-1]["action"], log[-1]["outcome"] == "ACCEPTED") == (mutation, accepted)
            assert bool(taken) is accepted, mutation
            for node_id, document in taken.items():
                assert await world.store.find(collection_of(node_id), {"_id": node_id}) == [document]
            taken.clear()
    assert await previews.differences(world.store) == []


def test_every_mutation_of_a_customer_is_in_the_matrix() -> None:
    mutation_type = schema().mutation_type
    assert mutation_type
    others = ("exportCustomers", "exportReport", "cancelExport", "Segment", "Webhook", "createUpload")
    mutations = {name for name in mutation_type.fields if not any(word in name for word in others)}
    mutations -= {"request", "retryRequest"}  # which need a system that is connected: test_executors
    assert {*MAY, "tagCustomer", "untagCustomer", "createCustomer"} == mutations


# ---------------------------------------------------------------- points that take two people


@pytest.mark.parametrize("role", sorted(PERMITTED[Permission.ADJUST_POINTS]))
async def test_nobody_moves_more_points_alone_than_their_role_may(role: Role, ask: Ask, world: World) -> None:
    ada = await _rich(world)
    (limit,) = (grant.limit for grant in GRANTS if grant[:2] == (role, Permission.ADJUST_POINTS))
    assert limit is not None
    limits = await ask("{ viewer { adjustPointsLimit } }", token=token(role))
    assert limits["data"]["viewer"]["adjustPointsLimit"] == limit
    given = {"customerId": ada["_id"], "reason": "Goodwill", "idempotencyKey": "k"}
    payload = await _changed(ask, ADJUST, token=token(role), **given, points=limit)
    assert payload["userErrors"] == []
    before = await _fingerprint(world.store)
    for amount in (limit + 1, -limit - 1, 2**31 - 1, -(2**31)):
        payload = await _changed(ask, ADJUST, token=token(role), **{**given, "idempotencyKey": "l"}, points=amount)
        assert [error["code"] for error in payload["userErrors"]] == ["LIMIT_EXCEEDED"]
        assert "requestPointsAdjustment" in payload["userErrors"][0]["message"]
    assert await _fingerprint(world.store) == before


DOORS = (ADJUST, RECORD)


@pytest.mark.parametrize("doors", [DOORS, DOORS[::-1], (ADJUST, ADJUST), (RECORD, RECORD)])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
async def test_many_small_changes_move_no_more_points_than_a_large_one(
    doors: tuple[str, str], signs: tuple[int, int], ask: Ask, world: World
) -> None:
    """Points add up for one subject, one customer and 24 hours, whatever the doors and the signs are."""
    ada, bob = await world.customer(), await world.customer()
    for each in (ada, bob):
        await world.ledger(each, points.earn(points.empty(), 5_000, now=NOW))
    grace, other = (token(Role.CUSTOMER_SERVICE_AGENT, subject=subject) for subject in ("grace", "other"))
    keys = iter(range(100))

    async def move(door: str, amount: int, customer: Document = ada, who: str = grace) -> list[str]:
        given: dict[str, Any] = {"customerId": customer["_id"], "points": amount, "idempotencyKey": str(next(keys))}
        given |= {"reason": "Goodwill"} if door == ADJUST else {"type": "TAX_ID_ADDED"}
        payload = await _changed(ask, door, token=who, **given)
        return [error["code"] for error in payload["userErrors"]]

    assert await move(doors[0], 600 * signs[0]) == []
    assert await move(doors[1], 401 * signs[1]) == ["LIMIT_EXCEEDED"]
    assert await move(doors[1], 400 * signs[1]) == []
    for door in DOORS:
        assert await move(door, 1) == ["LIMIT_EXCEEDED"]
        assert await move(door, 1, bob) == []
        assert await move(door, 1, ada, other) == []
    await world.store.write("idempotency", [UpdateMany({}, [{"$set": {"at": {"$subtract": ["$at", 86_400_000]}}}])])
    assert await move(doors[0], 1_000) == []


async def test_more_points_move_once_another_person_approves_them(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    agent = token(Role.CUSTOMER_SERVICE_AGENT, subject="grace")
    lead, other = token(Role.CS_ADMIN, subject="lead"), token(Role.FINANCE, subject="fin")
    given = {"customerId": ada["_id"], "points": 5_000, "reason": "Late for a year", "idempotencyKey": "k"}
    asked = await _changed(ask, REQUEST_POINTS, token=agent, **given)
    assert asked["userErrors"] == []
    adjustment = asked["adjustment"]
    assert (adjustment["status"], adjustment["requestedBy"]) == ("PENDING", {"userId": "grace"})
    assert (asked["activity"]["type"], asked["activity"]["subject"]) == (
        "POINTS_ADJUSTMENT_REQUESTED",
        {"id": adjustment["id"]},
    )
    assert asked["customer"]["points"] == {"spendable": 100}
    waiting = await ask(
        "{ pointsAdjustments(filter: {statuses: [PENDING]}) { nodes { id customer { id } } } }", token=lead
    )
    assert waiting["data"]["pointsAdjustments"]["nodes"] == [{"id": adjustment["id"], "customer": {"id": ada["_id"]}}]

    answer = await ask(APPROVE_POINTS, token=agent, input={"adjustmentId": adjustment["id"], "idempotencyKey": "k"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    approval = {"adjustmentId": adjustment["id"], "idempotencyKey": "a"}
    approved = await _changed(ask, APPROVE_POINTS, token=lead, **approval)
    assert approved["userErrors"] == []
    assert approved["customer"]["points"] == {"spendable": 5_100, "audit": {"ok": True}}
    assert approved["entry"] == {
        "id": approved["entry"]["id"],
        "points": 5_000,
        "balanceAfter": 5_100,
        "reason": "Late for a year",
        "adjustment": {"id": adjustment["id"]},
    }
    assert approved["adjustment"]["decidedBy"] == {"userId": "lead"}
    assert (approved["activity"]["type"], approved["activity"]["points"]) == ("POINTS_ADJUSTED", 5_000)
    assert await _changed(ask, APPROVE_POINTS, token=lead, **approval) == approved

    before = await _fingerprint(world.store)
    for mutation, more in ((APPROVE_POINTS, {}), (DECLINE_POINTS, {"reason": "No"})):
        given = {"adjustmentId": adjustment["id"], "idempotencyKey": "b", **more}
        payload = await _changed(ask, mutation, token=other, **given)
        assert [error["code"] for error in payload["userErrors"]] == ["ALREADY_DECIDED"]
    assert await _fingerprint(world.store) == before


@pytest.mark.parametrize("role", sorted(PERMITTED[Permission.APPROVE_ADJUSTMENT]))
async def test_nobody_approves_what_they_asked_for_themselves_and_they_may_withdraw_it(
    role: Role, ask: Ask, world: World
) -> None:
    ada = await _rich(world)
    bearer = token(role, subject="grace")
    given = {"customerId": ada["_id"], "points": 5_000_000, "reason": "Goodwill", "idempotencyKey": "k"}
    asked = await _changed(ask, REQUEST_POINTS, token=bearer, **given)
    before = await _fingerprint(world.store)
    own = {"adjustmentId": asked["adjustment"]["id"], "idempotencyKey": "a"}
    payload = await _changed(ask, APPROVE_POINTS, token=bearer, **own)
    assert [error["code"] for error in payload["userErrors"]] == ["SAME_PERSON"]
    assert await _fingerprint(world.store) == before
    withdrawn = await _changed(ask, DECLINE_POINTS, token=bearer, **own, reason="A mistake")
    assert (withdrawn["adjustment"]["status"], withdrawn["adjustment"]["decisionReason"]) == ("DECLINED", "A mistake")
    assert withdrawn["activity"]["type"] == "POINTS_ADJUSTMENT_DECLINED"


async def test_whoever_asked_withdraws_and_nobody_elses_agent_does(ask: Ask, world: World) -> None:
    adjustment = await world.adjustment(await _rich(world))
    given = {"adjustmentId": adjustment["_id"], "reason": "No", "idempotencyKey": "k"}
    stranger, grace = (token(Role.CUSTOMER_SERVICE_AGENT, subject=subject) for subject in ("stranger", "grace"))
    answer = await ask(DECLINE_POINTS, token=stranger, input=given)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await _changed(ask, DECLINE_POINTS, token=grace, **given))["userErrors"] == []


async def test_an_adjustment_that_cannot_be_made_is_refused_when_asked_for_and_when_approved(
    ask: Ask, world: World
) -> None:
    ada = await _rich(world)
    given = {"customerId": ada["_id"], "reason": "Wrong", "idempotencyKey": "k"}
    for amount, code in ((-101, "NOT_ENOUGH_POINTS"), (0, "INVALID")):
        payload = await _changed(ask, REQUEST_POINTS, **given, points=amount)
        assert [error["code"] for error in payload["userErrors"]] == [code]
    asked = await _changed(ask, REQUEST_POINTS, **given, points=-100)
    await _changed(ask, ADJUST, **{**given, "idempotencyKey": "spent"}, points=-1)
    approval = {"adjustmentId": asked["adjustment"]["id"], "idempotencyKey": "a"}
    payload = await _changed(ask, APPROVE_POINTS, token=token(Role.CS_ADMIN, subject="lead"), **approval)
    assert [error["code"] for error in payload["userErrors"]] == ["NOT_ENOUGH_POINTS"]
    assert payload["adjustment"] is None


async def test_two_who_approve_at_once_move_the_points_once(ask: Ask, world: World) -> None:
    adjustment = await world.adjustment(await _rich(world))
    approvers = [token(Role.CS_ADMIN, subject=f"lead-{number}") for number in range(6)]
    payloads = await asyncio.gather(
        *(
            _changed(ask, APPROVE_POINTS, token=each, adjustmentId=adjustment["_id"], idempotencyKey="k")
            for each in approvers
        )
    )
    codes = sorted(error["code"] for payload in payloads for error in payload["userErrors"])
    assert codes == ["ALREADY_DECIDED"] * 5
    assert len(await _rows(world.store, "points")) == 2


async def test_totals_go_beyond_32_bits_and_come_back(ask: Ask, world: World) -> None:
    ada = await _rich(world)
    most, times = 2**31 - 1, 3
    for number in range(2 * times):
        amount = most if number < times else -most
        given: dict[str, Any] = {"customerId": ada["_id"], "points": amount, "reason": "Much"}
        asked = await _changed(ask, REQUEST_POINTS, **given, idempotencyKey=f"{number}")
        approval = {"adjustmentId": asked["adjustment"]["id"], "idempotencyKey": f"a{number}"}
        payload = await _changed(ask, APPROVE_POINTS, token=token(Role.CS_ADMIN, subject="lead"), **approval)
        expected = 100 + most * min(number + 1, 2 * times - number - 1)
        assert payload["entry"]["balanceAfter"] == expected
        assert payload["customer"]["points"] == {"spendable": expected, "audit": {"ok": True}}
        found = await ask(
            "query($range: IntRange!) { customers(filter: {spendablePoints: $range}) { nodes { id } } }",
            range={"min": expected, "max": expected},
        )
        assert found["data"]["customers"]["nodes"] == [{"id": ada["_id"]}]
    query = "query($id: ID!) { customer(by: {id: $id}) { points { earned spent spendable audit { ok drift } } } }"
    shown = (await ask(query, id=ada["_id"]))["data"]["customer"]["points"]
    assert shown == {
        "earned": 100 + times * most,
        "spent": times * most,
        "spendable": 100,
        "audit": {"ok": True, "drift": 0},
    }


# ---------------------------------------------------------------- who may, by any door


async def test_points_are_moved_by_hand_only_by_who_may_adjust_so_many_whatever_the_change_is_called(
    ask: Ask, world: World
) -> None:
    ada = await _rich(world)
    given = {"customerId": ada["_id"], "type": "CREDIT_CONTROL_CYCLE_EXITED", "idempotencyKey": "k"}
    before = await _fingerprint(world.store)
    for role, amounts, code in (
        (Role.SALES_REP, (1, -1, 2_000_000), "FORBIDDEN"),
        (Role.CUSTOMER_SERVICE_AGENT, (1_001, -1_001), "LIMIT_EXCEEDED"),
    ):
        for amount in amounts:
            answer = await ask(RECORD_PLAIN, token=token(role), input={**given, "points": amount})
            payload = answer["data"]["recordActivity"]
            errors = payload["userErrors"] if payload else [error["extensions"] for error in answer["errors"]]
            assert [error["code"] for error in errors] == [code], (role, amount)
    assert await _fingerprint(world.store) == before
    agent = token(Role.CUSTOMER_SERVICE_AGENT)
    assert (await _changed(ask, RECORD_PLAIN, token=agent, **given, points=1_000))["userErrors"] == []


async def test_a_key_belongs_to_who_made_it(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given: dict[str, Any] = {"customerId": ada["_id"], "points": 5, "reason": "Why", "idempotencyKey": "k"}
    for subject in ("tess", "eve", "tess", "eve"):
        payload = await _changed(ask, ADJUST, token=token(subject=subject), **given)
        assert payload["userErrors"] == []
    assert payload["customer"]["points"]["spendable"] == 10
    rows = await _rows(world.store, "audit")
    assert [row["actor"]["subject"] for row in rows] == ["tess", "eve"]


async def test_a_key_of_before_keys_had_subjects_is_still_that_key(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given: dict[str, Any] = {"customerId": ada["_id"], "points": 5, "reason": "Why", "idempotencyKey": "k"}
    first = await _changed(ask, ADJUST, **given)
    (record,) = await _rows(world.store, "idempotency")
    await world.store.command({"collMod": "idempotency", "validationLevel": "off"})
    try:
        await world.store.write("idempotency", [UpdateOne({"_id": record["_id"]}, {"$unset": {"subject": ""}})])
        assert await _changed(ask, ADJUST, **given) == first
    finally:
        await world.store.command({"collMod": "idempotency", "validationLevel": "strict"})
    assert len(await _rows(world.store, "points")) == 1


@pytest.mark.parametrize("role", sorted(MAY["recordActivity"]))
async def test_what_only_a_system_can_know_is_recorded_by_systems(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer()
    for row in CATALOGUE.values():
        if row.writers is not Writers.PEOPLE:
            given = {"customerId": ada["_id"], "type": row.code, "idempotencyKey": row.code}
            answer = await ask(RECORD_PLAIN, token=token(role), input=given)
            payload = answer["data"]["recordActivity"]
            code = payload["userErrors"][0]["code"] if payload and payload["userErrors"] else None
            if role == Role.API_USER and row.is_note:
                assert code == "UNKNOWN_ACTIVITY_TYPE", row.code
            elif row.writers is Writers.NOBODY:
                assert code == "PLATFORM_ONLY_TYPE", row.code
            elif role in (Role.ADMIN, Role.API_USER):
                assert code in (None, "INVALID"), row.code  # some have attributes that must be there
            else:
                assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN", "field": ["type"]}, row.code
    by_people = {"AML_CHECK_COMPLETED", "FRAUD_RESULT", "CUSTOMER_ANONYMISED", "CUSTOMERS_MERGED", "STATUS_CHANGED"}
    assert {code for code in by_people if CATALOGUE[code].writers is Writers.PEOPLE} == set()


async def test_nothing_is_recorded_before_the_customer_was_known(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = {"type": "CREDIT_CONTROL_CYCLE_EXITED", "customerId": ada["_id"], "occurredAt": "1970-01-01T00:00:00Z"}
    await _refused(ask, world, RECORD_PLAIN, "INVALID", ["occurredAt"], **given)


async def test_a_customer_may_deactivate_their_own_account_and_no_more(ask: Ask, world: World) -> None:
    ada = await world.customer()
    own = token(Role.CUSTOMER, customer_id=ada["_id"])
    given = {"customerId": ada["_id"], "reason": "Enough", "idempotencyKey": "k"}
    answer = await ask(STATUS, token=own, input={**given, "status": "BLOCKED"})
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    payload = await _changed(ask, STATUS, token=own, status="DEACTIVATED", **given)
    assert payload["activity"]["actor"]["kind"] == "CUSTOMER"
    assert payload["activity"]["message"] is None
    assert "data" not in await ask("{ __typename }", token=own)


@pytest.mark.parametrize("role", Role)
async def test_what_a_tile_offers_is_exactly_what_would_be_accepted(role: Role, ask: Ask, world: World) -> None:
    for status in ("ACTIVE", "BLOCKED", "DEACTIVATED", "ANONYMISED", "MERGED"):
        for ready in (False, True):
            ada = await world.customer(status=status, affiliateId="aff-1", email="ada@example.com" if ready else "none")
            coupon, email = await world.coupon(ada, redeemed=not ready), await world.email(ada)
            pass_ = await world.pass_(ada, downloadUrl="https://wallet.example.com/1")
            tiles = await world.many(
                "activities",
                ada,
                {"type": "LOYALTY_COUPON_REDEEMED", "subjectId": coupon["_id"]},
                {"type": "EMAIL_SENT", "emailId": email["_id"]},
                {"type": "PASS_ADDED", "subjectId": pass_["_id"]},
            )
            bearer = token(
                role,
                customer_id=ada["_id"] if role == Role.CUSTOMER else None,
                affiliate_id="aff-1" if role == Role.AFFILIATE else None,
            )
            query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Activity { availableActions } } }"
            shown = await ask(query, token=bearer, ids=[tile["_id"] for tile in tiles])
            data: dict[str, Any] = shown.get("data") or {"nodes": []}  # a customer who is not active reads nothing
            offered = {action for node in data["nodes"] if node for action in node["availableActions"]}
            asked: dict[str, tuple[str, dict[str, Any]]] = {
                "REDEEM_COUPON": (REDEEM, {"customerId": ada["_id"], "couponIds": [coupon["_id"]]}),
                "RESEND_EMAIL": (RESEND, {"emailId": email["_id"]}),
                "EMAIL_PASS": (EMAIL_PASS, {"passId": pass_["_id"]}),
                "PUSH_PASS": (PUSH_PASS, {"passId": pass_["_id"]}),
            }
            accepted: set[str] = set()
            for action, (mutation, given) in asked.items():
                answer = await ask(mutation, token=bearer, input={**given, "idempotencyKey": action})
                done: dict[str, Any] = answer.get("data") or {}
                if any(payload and payload["userErrors"] == [] for payload in done.values()):
                    accepted.add(action)
            assert offered == accepted, (role, status, ready)
