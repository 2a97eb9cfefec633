"""What each kind of line leaves in the database; points through their rules."""

import base64
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.domain.ids import derived_id
from app.domain.moments import order_of
from app.domain.points import audit
from app.services.expiry import expire_due
from app.services.importing import LineOutcome
from app.store.driver import Store
from tests.support.import_lines import (
    ADA,
    AGENT,
    NOW,
    SYSTEM,
    Bring,
    Line,
    activity,
    ada,
    coupon,
    customer,
    fingerprint,
    only,
    points,
    status,
    thing,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


# ---------------------------------------------------------------- each kind comes in


async def test_a_customer_comes_in_with_contact_points_identities_and_defaults(store: Store, bring: Bring) -> None:
    run = await bring(
        customer(
            email="Ada@EXAMPLE.com",
            emails=[{"value": "old@example.com", "label": "old"}, {"value": "Ada@example.com"}],
            phones=[{"value": "1"}, {"value": "2", "primary": True}],
            billingAddress={"line1": "Storgata 1", "country": "NO"},
            dateOfBirth="1990-02-28",
            identities=[{"source": "billing", "id": "B7"}],
            registeredAt="2023-01-01T01:00:00.1239+01:00",
        )
    )
    assert run.totals == {LineOutcome.IMPORTED: 1}
    stored = await ada(store)
    [said] = stored.pop("sourceValues")
    assert (said["source"], said["id"]) == ("esuite", "E1001")
    assert {key: said["values"][key] for key in ("number", "dateOfBirth", "emails")} == {
        key: stored[key] for key in ("number", "dateOfBirth", "emails")
    }
    assert stored == {
        "_id": ADA,
        "revision": 1,
        "detailsRevision": 1,
        "number": "1001",
        "name": "Customer 1001",
        "email": "Ada@example.com",
        "emails": [
            {"value": "Ada@example.com", "primary": True},
            {"value": "old@example.com", "primary": False, "label": "old"},
        ],
        "phones": [{"value": "2", "primary": True}, {"value": "1", "primary": False}],
        "billingAddress": {"line1": "Storgata 1", "country": "NO"},
        "dateOfBirth": "1990-02-28",
        "identities": [{"source": "billing", "id": "B7"}, {"source": "esuite", "id": "E1001"}],
        "registeredAt": utc("2023-01-01T00:00:00.123Z"),
        "paymentCount": 0,
        "tags": [],
        "status": "ACTIVE",
        "hasStatusDetails": False,
        "spendable": 0,
        "searchName": "customer 1001",
        "searchNumber": "1001",
        "searchEmails": ["ada@example.com", "old@example.com"],
        "searchWords": ["1001", "customer", "customer1001"],
    }


async def test_an_activity_takes_attributes_from_the_catalogue_and_keeps_those_that_only_its_source_knows(
    store: Store, bring: Bring
) -> None:
    given = {"billDayFrom": "1", "billDayTo": 15, "channel": "app", "score": 1.5, "vip": True, "seen": ["a", "b"]}
    await bring(
        customer(),
        activity(
            "a1",
            type="BILLING_DATE_CHANGED",
            title="never shown",
            attributes=given,
            actor=AGENT,
            message="Moved.\nAs asked.",
            email={"source": "esuite", "id": "m1"},
            subject={"kind": "coupon", "source": "loyalty", "id": "c1"},
            points=-5,
            campaign="Winter",
            orderCustomFields=[{"name": "Gift", "value": "no"}],
        ),
    )
    stored = await only(store, "activities")
    assert stored == {
        "_id": derived_id("activities", source="loyalty", source_id="a1"),
        "customerId": ADA,
        "type": "BILLING_DATE_CHANGED",
        "source": "loyalty",
        "sourceId": "a1",
        "occurredAt": utc("2024-01-01T00:00:00Z"),
        "recordedAt": NOW,
        "order": order_of(NOW, 2),
        "actor": AGENT,
        "group": "BILLING",
        "isNote": False,
        "audience": "CUSTOMER",
        "legacy": False,
        "attributes": {**given, "billDayFrom": 1, "score": Decimal("1.5")},
        "message": "Moved.\nAs asked.",
        "emailId": derived_id("emails", source="esuite", source_id="m1"),
        "subjectId": derived_id("coupons", source="loyalty", source_id="c1"),
        "points": -5,
        "campaign": "Winter",
        "orderCustomFields": [{"name": "Gift", "value": "no"}],
    }
    assert "points" not in await ada(store), "an activity that mentions points moves no ledger"


async def test_an_activity_of_a_type_outside_the_catalogue_is_legacy_with_its_own_title(
    store: Store, bring: Bring
) -> None:
    await bring(customer(), activity("a1", type="PAPER_INVOICE", title="Paper invoice", attributes={"pages": 2}))
    stored = await only(store, "activities")
    assert (stored["legacy"], stored["group"], stored["isNote"]) == (True, "OTHER", False)
    assert (stored["title"], stored["attributes"]) == ("Paper invoice", {"pages": 2})


@pytest.mark.parametrize(
    ("source", "actor", "shown"),
    [
        ("loyalty", None, "System"),
        ("loyalty", {"kind": "SYSTEM", "name": "cron"}, "System"),
        ("esuite", {"kind": "API", "name": "web shop"}, "System"),
        ("esuite", {"kind": "CUSTOMER", "name": "Ada"}, "System"),
        ("loyalty", {"kind": "API", "name": "web shop"}, "web shop"),
        ("loyalty", {"kind": "CUSTOMER"}, "Customer 1001"),
        ("esuite", {"kind": "AGENT", "id": "mira"}, "mira"),
    ],
)
async def test_people_are_shown_the_actor_that_the_source_would_show(
    store: Store, bring: Bring, source: str, actor: Line | None, shown: str
) -> None:
    await bring(customer(), {**activity("a1"), "source": source, **({"actor": actor} if actor else {})})
    stored = await only(store, "activities")
    assert stored["actor"] == {**(actor or SYSTEM), "name": shown}


async def test_coupons_transactions_passes_emails_and_notes_come_in_with_their_defaults(
    store: Store, bring: Bring
) -> None:
    sale = {"number": "71", "type": "SALE", "occurredAt": "2024-01-01T00:00:00Z"}
    run = await bring(
        customer(),
        coupon("c1", redeemedAt="2024-02-01T00:00:00Z", redeemedBy={"kind": "CUSTOMER"}),
        thing("transaction", "t1", **sale, amount={"amount": "12.50", "currency": "EUR"}),
        thing("transaction", "t2", **{**sale, "type": "REFUND"}, refundOf={"source": "loyalty", "id": "t1"}),
        thing("pass", "w1", serialNumber="s", type="APPLE", createdAt="2024-01-01T00:00:00Z"),
        thing("email", "m1", subject="Hello", to="ada@example.com", html="<p>Hello</p>"),
        thing(
            "note",
            "n1",
            message="Call back.",
            createdAt="2024-01-01T00:00:00Z",
            links=[{"kind": "pass", "source": "loyalty", "id": "w1"}],
        ),
    )
    assert run.totals == {LineOutcome.IMPORTED: 7}
    stored_coupon = await only(store, "coupons")
    assert stored_coupon["redeemed"] is True
    assert stored_coupon["redeemedBy"] == {"kind": "CUSTOMER", "name": "Customer 1001"}
    refund, first = await store.find("transactions", {}, sort={"type": 1})
    assert (first["status"], first["pointsAwarded"]) == ("ACCEPTED", 0)
    assert first["amount"] == {"amount": Decimal("12.50"), "currency": "EUR"}
    assert refund["refundOfId"] == first["_id"]
    stored_pass = await only(store, "passes")
    assert stored_pass["updatedAt"] == stored_pass["createdAt"]
    note = await only(store, "notes")
    assert (note["author"], note["mentions"], note["linkIds"]) == (SYSTEM, [], [stored_pass["_id"]])
    assert {
        document["customerId"]
        for name in ("coupons", "passes", "emails", "notes")
        for document in await store.find(name, {})
    } == {ADA}


async def test_a_pass_brings_its_file_and_its_address(store: Store, bring: Bring) -> None:
    given = {"serialNumber": "s", "type": "APPLE", "createdAt": "2024-01-01T00:00:00Z"}
    content = b"PK\x03\x04 and so on"
    line = thing("pass", "w1", **given, downloadUrl="https://w.example/1", file=base64.b64encode(content).decode())
    await bring(customer(), line)
    stored, file = await only(store, "passes"), await only(store, "files")
    assert (stored["fileId"], stored["downloadUrl"]) == (file["_id"], "https://w.example/1")
    assert (file["name"], file["mediaType"]) == ("s.pkpass", "application/vnd.apple.pkpass")
    assert file["content"] == content
    assert "file" not in stored
    assert (await bring(line)).totals == {LineOutcome.UNCHANGED: 1}
    another = base64.b64encode(content + b"!").decode()
    assert (await bring({**line, "file": another})).totals == {LineOutcome.UPDATED: 1}
    assert len(await store.find("files", {})) == 2  # what was mailed can be mailed again


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "no base64"},
        {"file": base64.b64encode(b"no archive").decode()},
        {"file": base64.b64encode(b"PK\x03\x04" + bytes(512 * 1024)).decode()},
        {"downloadUrl": "http://w.example/1"},
        {"downloadUrl": "javascript:alert(1)"},
        {"downloadUrl": "https://w.example/ 1"},
    ],
)
async def test_what_is_no_pass_file_or_address_is_rejected(wrong: Line, store: Store, bring: Bring) -> None:
    given = {"serialNumber": "s", "type": "APPLE", "createdAt": "2024-01-01T00:00:00Z"}
    run = await bring(customer(), thing("pass", "w1", **given, **wrong))
    (name,) = wrong
    assert run.reasons[2].startswith(f"{name} must be ")
    assert await store.find("files", {}) == []


async def test_the_newest_status_change_decides_in_whatever_order_they_come(store: Store, bring: Bring) -> None:
    await bring(
        customer(status="DEACTIVATED"),
        status("s2", "ACTIVE", "2024-03-01T00:00:00Z", **{"from": "BLOCKED"}, reason="Paid.", actor=AGENT),
        status("s1", "BLOCKED", "2024-02-01T00:00:00Z"),
    )
    stored = await ada(store)
    assert (stored["status"], stored["hasStatusDetails"]) == ("ACTIVE", True)
    await bring(status("s0", "DEACTIVATED", "2024-01-01T00:00:00Z"), customer(status="BLOCKED"))
    assert (await ada(store))["status"] == "ACTIVE"
    await bring(status("s3", "BLOCKED", "2024-04-01T00:00:00Z"))
    assert (await ada(store))["status"] == "BLOCKED"


# ---------------------------------------------------------------- points


async def test_points_go_through_the_rules_in_the_order_of_their_lines(store: Store, bring: Bring) -> None:
    run = await bring(
        customer(),
        points("p1", "EARNED", 100, expiresAt="2024-02-01T00:00:00Z"),
        points("p2", "EARNED", 50),
        points("p3", "SPENT", -120),
        points("p4", "SPENT", -31),
        points("p5", "REFUNDED", 20, refundOf={"source": "loyalty", "id": "p3"}),
        points("p6", "SPENT", -40, occurredAt="2024-03-01T00:00:00Z"),
        points("p7", "EARNED", -1),
        points("p8", "ADJUSTED", 7, reason="Goodwill", actor=AGENT),
    )
    assert run.reasons == {
        5: "31 points were asked for; 30 are spendable.",
        8: "EARNED cannot have -1 points: the sign is wrong.",
    }
    entries = await store.find("points", {}, sort={"seq": 1})
    assert [(entry["seq"], entry["kind"], entry["points"], entry["balanceAfter"]) for entry in entries] == [
        (1, "EARNED", 100, 100),
        (2, "EARNED", 50, 150),
        (3, "SPENT", -120, 30),
        (4, "REFUNDED", 20, 50),
        (5, "SPENT", -40, 10),
        (6, "ADJUSTED", 7, 17),
    ]
    assert entries[3]["refundOf"] == 3
    state = (await ada(store))["points"]
    assert audit(state, entries) == {"ok": True, "entries": 6, "drift": 0}  # pyright: ignore[reportArgumentType] # documents are entries


async def test_points_that_fall_due_are_expired_by_the_worker_and_a_second_run_adds_none(
    store: Store, bring: Bring
) -> None:
    lines = [
        customer(),
        points("p1", "EARNED", 100, expiresAt="2024-02-01T00:00:00Z"),
        points("p2", "EARNED", 50),
        points("p3", "SPENT", -10, occurredAt="2024-03-01T00:00:00Z"),
    ]
    await bring(*lines)
    await expire_due(store, NOW)
    before = await fingerprint(store)
    spent, expired = await store.find("points", {"seq": {"$gt": 2}}, sort={"seq": 1})
    assert (expired["kind"], expired["points"], expired["occurredAt"]) == ("EXPIRED", -100, utc("2024-02-01T00:00:00Z"))
    assert (expired["source"], expired["actor"]) == ("platform", {"kind": "SYSTEM", "name": "System"})
    assert (spent["balanceAfter"], expired["balanceAfter"]) == (140, 40)
    assert (await bring(*lines)).totals == {LineOutcome.UNCHANGED: 4}
    assert await fingerprint(store) == before


async def test_an_entry_cannot_undo_points_that_are_not_here_or_are_another_customers(
    store: Store, bring: Bring
) -> None:
    run = await bring(
        customer(),
        customer("1002"),
        points("p1", "EARNED", 10, of="esuite/E1002"),
        points("p2", "EARNED", 10),
        points("p3", "REFUNDED", -10, refundOf={"source": "loyalty", "id": "p1"}),
        points("p4", "REFUNDED", -10, refundOf={"source": "loyalty", "id": "p9"}),
    )
    assert set(run.reasons) == {5, 6}
    assert set(run.reasons.values()) == {"refundOf names no points of this customer that came in before."}


async def test_a_claw_back_that_finds_too_little_is_the_same_line_when_it_comes_again(
    store: Store, bring: Bring
) -> None:
    lines = [
        customer(),
        points("p1", "EARNED", 10),
        points("p2", "SPENT", -8),
        points("p3", "REFUNDED", -10, refundOf={"source": "loyalty", "id": "p1"}),
    ]
    await bring(*lines)
    [undone] = await store.find("points", {"seq": 3})
    assert (undone["points"], undone["shortfall"]) == (-10, 8)
    assert (await bring(*lines)).totals == {LineOutcome.UNCHANGED: 4}


# ---------------------------------------------------------------- what a line refers to


def of_loyalty(source_id: str, **more: str) -> Line:
    return {"source": "loyalty", "id": source_id, **more}


def sale(source_id: str, *, of: str = "esuite/E1001", **content: object) -> Line:
    given = {"number": "71", "type": "SALE", "occurredAt": "2024-01-01T00:00:00Z"}
    return thing("transaction", source_id, of=of, **{**given, **content})


BOB = "esuite/E1002"
REFERRING: dict[str, tuple[Line, Line]] = {
    "an activity's subject": (coupon("c1", of=BOB), activity("a1", subject=of_loyalty("c1", kind="coupon"))),
    "an activity's mail": (
        thing("email", "e1", of=BOB, subject="Hello", to="a@example.com"),
        activity("a1", email=of_loyalty("e1")),
    ),
    "an activity's note": (
        thing("note", "n1", of=BOB, message="Hm", createdAt="2024-01-01T00:00:00Z", author=AGENT),
        activity("a1", note=of_loyalty("n1")),
    ),
    "points' transaction": (sale("t1", of=BOB), points("p1", "EARNED", 5, transaction=of_loyalty("t1"))),
    "a refund": (sale("t1", of=BOB), sale("t2", type="REFUND", refundOf=of_loyalty("t1"))),
    "refunded points": (
        points("p1", "EARNED", 5, of=BOB),
        points("p2", "REFUNDED", -5, refundOf=of_loyalty("p1")),
    ),
}


@pytest.mark.parametrize("at_once", [True, False], ids=["in one file", "in two"])
@pytest.mark.parametrize("name", REFERRING)
async def test_what_a_line_refers_to_is_not_another_customers(name: str, at_once: bool, bring: Bring) -> None:
    theirs, ours = REFERRING[name]
    everybody = [customer("1001"), customer("1002"), theirs]
    if at_once:
        run = await bring(*everybody, ours)
    else:
        assert (await bring(*everybody)).rejects == []
        run = await bring(ours)
    (reject,) = run.rejects
    assert "another customer" in reject.reason or "this customer" in reject.reason
