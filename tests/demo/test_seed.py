"""The sample data: complete, consistent, the same every time, and accepted by the database's validators."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest

from app.catalogue import CATALOGUE
from app.catalogue.external_requests import REQUEST_KINDS
from app.catalogue.model import ActivityGroup
from app.demo.sample.seed import documents_of, seed
from app.domain import due_diligence, segments
from app.domain.access import Role, Viewer
from app.domain.attributes import parse_all
from app.domain.exports import choose_columns
from app.domain.external_requests import OPEN, is_overdue
from app.domain.orders import phase_of
from app.domain.points import audit, empty
from app.domain.uploads import Intake
from app.domain.vocabulary import ExportTable, OrderPhase, RequestStatus
from app.graph import input_of, masks_for
from app.schema.customer_lists import CustomerFilter, CustomerOrder
from app.store.driver import Document, Store
from app.store.mirrors import MIRRORS
from tests.support.thoroughness import part_of

NOW = datetime(2026, 3, 10, 14, 5, 7, 123_000, tzinfo=UTC)
DAYS = [
    NOW,
    datetime(2026, 11, 26, 17, 45, tzinfo=UTC),
    datetime(2027, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    datetime(2028, 2, 29, 0, 0, tzinfo=UTC),
    datetime(2031, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC),
]
"""A demo is begun on any day: every sentence below is true on each of these."""
CUSTOMERS = 50

World = dict[str, list[Document]]


@pytest.fixture(scope="module", params=part_of(DAYS, 2), ids=lambda now: f"{now:%Y-%m-%d}")
def now(request: pytest.FixtureRequest) -> datetime:
    """Gives days on which a sample is made."""
    return request.param


@pytest.fixture(scope="module")
def world(now: datetime) -> World:
    """Makes the documents of a sample."""
    return documents_of(range(1, CUSTOMERS + 1), now)


def customer(world: World, number: str) -> Document:
    return next(customer for customer in world["customers"] if customer["number"] == number)


def of(world: World, collection: str, number: str) -> list[Document]:
    if collection in ("uploaded.files", "uploaded.chunks"):
        files = {upload["fileId"] for upload in of(world, "uploads", number)}
        return [document for document in world[collection] if document.get("files_id", document["_id"]) in files]
    owner = customer(world, number)["_id"]
    return [document for document in world[collection] if document.get("customerId") == owner]


def values(document: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value anywhere inside, with the nearest key."""
    match document:
        case dict():
            for inner_key, value in document.items():  # pyright: ignore[reportUnknownVariableType] # documents are open
                yield from values(value, str(inner_key))  # pyright: ignore[reportUnknownArgumentType] # as above
        case list():
            for value in document:  # pyright: ignore[reportUnknownVariableType] # as above
                yield from values(value, key)
        case _:
            yield key, document


# ---------------------------------------------------------------- complete


def test_every_type_occurs_with_all_its_attributes(world: World) -> None:
    shown = {(activity["type"], frozenset(activity.get("attributes", ()))) for activity in world["activities"]}
    wanted = {(row.code, frozenset(attribute.name for attribute in row.attributes)) for row in CATALOGUE.values()}
    assert wanted - shown == set()


def test_attributes_are_stored_as_the_catalogue_defines_them(world: World) -> None:
    for activity in world["activities"]:
        if not activity["legacy"]:
            attributes = activity.get("attributes", {})
            assert parse_all(CATALOGUE[activity["type"]].attributes, attributes) == attributes


def test_what_activities_copy_from_the_catalogue_is_true(world: World) -> None:
    for activity in world["activities"]:
        row = CATALOGUE.get(activity["type"])
        expected = (row.group, row.is_note, False) if row else (ActivityGroup.OTHER, False, True)
        assert (activity["group"], activity["isNote"], activity["legacy"]) == expected
        assert ("title" in activity) == activity["legacy"]


def test_ordinary_customers_have_about_sixty_activities(now: datetime) -> None:
    ordinary = documents_of(range(9, 309), now)
    assert 50 < len(ordinary["activities"]) / 300 < 75


# ---------------------------------------------------------------- the same every time


def fingerprint(world: World) -> str:
    return hashlib.sha256(json.dumps(world, default=repr).encode()).hexdigest()


def test_the_same_number_and_moment_make_the_same_documents(world: World, now: datetime) -> None:
    assert fingerprint(documents_of(range(1, CUSTOMERS + 1), now)) == fingerprint(world)


def test_a_customer_does_not_depend_on_the_others(world: World, now: datetime) -> None:
    alone = documents_of([33], now)
    for name in world.keys() - {"customers", "audit"}:
        assert alone[name] == of(world, name, "C-100033")


def test_ids_are_unique(world: World) -> None:
    ids = Counter(document["_id"] for document in chain(*world.values()))
    assert ids.most_common(1)[0][1] == 1


def test_identities_and_numbers_are_unique(world: World) -> None:
    identities = [(i["source"], i["id"]) for c in world["customers"] for i in c.get("identities", [])]
    codes = [coupon["code"] for coupon in world["coupons"]] + [sale["number"] for sale in world["transactions"]]
    for names in (identities, codes, [c["number"] for c in world["customers"]]):
        assert len(names) == len(set(names))


# ---------------------------------------------------------------- consistent


def test_every_ledger_passes_its_audit(world: World, now: datetime) -> None:
    entries = defaultdict[str, list[Any]](list)
    for entry in world["points"]:
        entries[entry["customerId"]].append(entry)
    for owner in world["customers"]:
        state = owner.get("points", empty())
        assert audit(state, entries[owner["_id"]]) == {"ok": True, "entries": state["seq"], "drift": 0}
        recorded = [entry["recordedAt"] for entry in entries[owner["_id"]]]
        assert recorded == sorted(recorded)
        due = [bucket for bucket in state["buckets"] if bucket["expiresAt"] and bucket["expiresAt"] <= now]
        assert all(bucket["remaining"] == bucket.get("reserved") for bucket in due)
    assert {entry["kind"] for entry in world["points"]} == {
        "EARNED", "SPENT", "ADJUSTED", "EXPIRED", "REFUNDED", "RESERVED", "RELEASED", "PENDING"
    }  # fmt: skip


def test_no_reference_dangles(world: World) -> None:
    ids = {document["_id"] for document in chain(*world.values())}
    for document in chain(*world.values()):
        for key, value in document.items():
            references = value if key.endswith("Ids") else [value] if key.endswith("Id") else []
            if key not in ("affiliateId", "taxIds"):  # a user's and an office's, not documents'
                assert set(references) <= ids, (key, document)


def test_refunds_change_the_status_of_what_they_undo(world: World) -> None:
    sales = {sale["_id"]: sale for sale in world["transactions"]}
    undone = {"PARTIALLY_REFUNDED", "REFUNDED", "VOIDED"}
    refunds = [sale for sale in sales.values() if "refundOfId" in sale]
    assert {sales[refund["refundOfId"]]["status"] for refund in refunds} == undone
    assert {refund["refundOfId"] for refund in refunds} == {i for i, sale in sales.items() if sale["status"] in undone}


_PLANNED = {"expiresAt", "pointsExpireAt", "startAt", "renewsAt", "endAt", "churnAt", "dueAt", "overdueAt"}
"""What systems know beforehand."""


def test_nothing_lies_in_the_future_but_expiries_and_schedules(world: World, now: datetime) -> None:
    for document in chain(*world.values()):
        for key, value in values(document):
            if isinstance(value, datetime):
                assert value <= now or key in _PLANNED, (key, document)
                assert value.microsecond % 1000 == 0


def test_activities_are_recorded_when_they_happen_or_later(world: World) -> None:
    lags = [activity["recordedAt"] - activity["occurredAt"] for activity in world["activities"]]
    assert min(lags) == timedelta()
    assert sum(lag >= timedelta(days=1) for lag in lags) > 10


def test_actors_have_the_names_that_people_are_shown(world: World) -> None:
    for document in (*world["activities"], *world["points"]):
        actor, source = document["actor"], document["source"]
        nameless = actor["kind"] in ("SYSTEM", "IMPORT") or (
            actor["kind"] in ("API", "CUSTOMER") and source == "esuite"
        )
        assert (actor["name"] == "System") == nameless
    assert {activity["actor"]["kind"] for activity in world["activities"]} == {
        "AGENT", "CUSTOMER", "SYSTEM", "API", "IMPORT"
    }  # fmt: skip


# ---------------------------------------------------------------- the named


def test_the_messy_customer_has_everything(world: World) -> None:
    messy = customer(world, "C-100001")
    activities = of(world, "activities", "C-100001")
    assert len(activities) == 5_000
    assert len(of(world, "points", "C-100001")) > 2_000
    figures = {name: value for name, value in messy["points"].items() if name != "owed"}
    assert all(figures.values()), "every figure of the balance, and buckets"
    assert len(of(world, "coupons", "C-100001")) > 100
    assert {identity["source"] for identity in messy["identities"]} == {
        "esuite", "overview", "callcenter", "billing", "loyalty"
    }  # fmt: skip
    assert {delivery["status"] for delivery in of(world, "deliveries", "C-100001")} == {"SENT", "FAILED"}
    others = {"customers", "audit", "exports", "imports", "segments", "erasures"}
    others |= {"webhookEndpoints", "webhookDeliveries"}
    for name in world.keys() - others:
        assert of(world, name, "C-100001"), name
    moments = Counter(activity["occurredAt"] for activity in activities)
    assert sum(count > 1 for count in moments.values()) > 10


def test_the_messy_customer_is_known_as_well_as_the_timeline_tells(world: World) -> None:
    state = due_diligence.state_of(customer(world, "C-100001")["dueDiligence"])
    about = sorted(of(world, "activities", "C-100001"), key=lambda each: each["occurredAt"])
    told = [each["type"] for each in about if each["type"].startswith("DUE_DILIGENCE_")]
    assert told == ["DUE_DILIGENCE_REQUIRED", "DUE_DILIGENCE_LIFTED", "DUE_DILIGENCE_REQUIRED", "DUE_DILIGENCE_SCORED"]
    assert state["required"] is True
    assert {each["factor"]: (each.get("manual"), each.get("automatic")) for each in state["factors"]} == {
        "OCCUPATION": (None, "NOT_FOUND"),
        "ARREST": (None, None),
        "BANKRUPTCY": (None, None),
        "FRAUD": ("UNLIKELY", "UNCLEAR"),
    }
    searches = of(world, "searches", "C-100001")
    assert {each["factor"]: each["score"] for each in searches} == {"OCCUPATION": "NOT_FOUND", "FRAUD": "UNCLEAR"}


def test_the_messy_customer_has_a_story_of_all_that_other_systems_own(world: World, now: datetime) -> None:
    rows = {name: of(world, name, "C-100001") for name in MIRRORS}
    assert {phase_of(each, now) for each in rows["orders"]} == {*OrderPhase, None}
    assert {each["status"] for each in rows["orders"] if phase_of(each, now) is None} == {"OTHER"}
    overdue = [each for each in rows["invoices"] if each["status"] == "PAST_DUE"]
    assert [each["dueAt"] < now for each in overdue] == [True]
    cards = [each for each in rows["paymentInstruments"] if each["method"] == "payment-card"]
    assert {each["status"]: each["isDefault"] for each in cards} == {"EXPIRED": False, "ACTIVE": True}
    assert [(each["status"], "invoiceId" in each) for each in rows["quotes"]] == [("ACCEPTED", True)]
    [memo] = rows["creditMemos"]
    assert (memo["status"], 0 < memo["unused"]["amount"] < memo["total"]["amount"]) == ("PARTIALLY_APPLIED", True)
    assert [each["status"] for each in rows["kycRequests"]] == ["FULFILLED"]
    assert [each["status"] for each in rows["kycDocuments"]] == ["REJECTED", "ACCEPTED"]
    assert [(each["status"], "inheritedFromId" in each) for each in rows["amlChecks"]] == [
        ("FALSE_POSITIVE", False),
        ("FALSE_POSITIVE", True),
    ]
    about = {activity.get("subjectId") for activity in of(world, "activities", "C-100001")}
    assert [name for name, of_name in rows.items() if about.isdisjoint({each["_id"] for each in of_name})] == []


def test_the_messy_customer_has_requests_in_several_states_and_none_is_ever_sent(world: World, now: datetime) -> None:
    rows = of(world, "requests", "C-100001")
    assert [(each["kind"], each["executor"], each["status"], is_overdue(each, now)) for each in rows] == [
        ("REFUND", "ENDPOINT", "REVERSED", False),
        ("REFUND", "ENDPOINT", "FAILED", False),
        ("PORTAL_LINK", "ENDPOINT", "EXPIRED", False),
        ("PAYOUT_SELECTION", "ENDPOINT", "EXPIRED", False),
        ("PAYOUT", "ENDPOINT", "SUCCEEDED", False),
        ("PAYMENT", "MANUAL", "CANCELLED", False),
        ("CREDIT_MEMO", "MANUAL", "SENT", True),
    ]
    for each in rows:
        assert each["open"] == ("openFor" in each) == (RequestStatus(each["status"]) in OPEN)
        assert each.keys().isdisjoint({"dueAt", "giveUpAt", "link", "expiresAt", "sealed", "error"})
        assert parse_all(REQUEST_KINDS[each["kind"]].attributes, each["attributes"]) == each["attributes"]
    told = Counter(each["type"] for each in of(world, "activities", "C-100001") if each["type"].startswith("REQUEST_"))
    assert told == {
        "REQUEST_MADE": 7, "REQUEST_SUCCEEDED": 2, "REQUEST_REVERSED": 1, "REQUEST_FAILED": 1, "REQUEST_EXPIRED": 2,
        "REQUEST_WAITS_FOR_CUSTOMER": 2, "REQUEST_NOT_DELIVERED": 1, "REQUEST_SENT_AGAIN": 1, "REQUEST_CANCELLED": 1,
    }  # fmt: skip


def test_there_is_a_segment_for_each_scope_that_its_owner_could_have_saved(world: World) -> None:
    assert [each["scope"] for each in world["segments"]] == ["PRIVATE", "SHARED", "PUBLIC"]
    for segment in world["segments"]:
        owner = Viewer(segment["subject"], segment["owner"]["name"], frozenset({Role(segment["owner"]["accessLevel"])}))
        assert input_of(CustomerFilter, segment["filter"]).where(owner)
        assert input_of(CustomerOrder, segment.get("orderBy", {}))
        assert choose_columns(ExportTable.CUSTOMERS, segment["columns"], masks_for(owner.roles))
        assert {**segments.edit(segment, {})} == segment
    assert any(each["starredBy"] for each in world["segments"])


def test_the_platform_wrote_one_activity_per_change(world: World) -> None:
    about = Counter(activity["type"] for activity in of(world, "activities", "C-100001"))
    by_hand = [entry for entry in of(world, "points", "C-100001") if entry["source"] == "platform"]
    assert about["NOTE_ADDED"] == len(of(world, "notes", "C-100001"))
    assert about["EMAIL_RESENT"] == len(of(world, "deliveries", "C-100001"))
    assert about["POINTS_ADJUSTED"] == len(by_hand)
    assert about["EMAIL_SENT"] == len(of(world, "emails", "C-100001"))


def test_a_note_has_two_files_that_are_what_they_are_said_to_be(world: World) -> None:
    [note] = [note for note in of(world, "notes", "C-100001") if "attachments" in note]
    assert [each["name"] for each in note["attachments"]] == ["parcel.png", "delivery-note.pdf"]
    uploads = {upload["_id"]: upload for upload in of(world, "uploads", "C-100001")}
    contents = {chunk["files_id"]: chunk["data"] for chunk in of(world, "uploaded.chunks", "C-100001")}
    for each in note["attachments"]:
        intake = Intake(each)
        intake.take(contents[uploads[each["uploadId"]]["fileId"]])
        intake.finish()


def test_one_customer_has_nothing_at_all(world: World) -> None:
    assert set(customer(world, "C-100002")) == {
        "_id", "number", "name", "registeredAt", "paymentCount", "tags", "status", "spendable",
        "searchName", "searchNumber", "searchWords",
    }  # fmt: skip
    assert all(of(world, name, "C-100002") == [] for name in world.keys() - {"customers"})


def test_one_customer_was_blocked_twice(world: World) -> None:
    changes = of(world, "statuses", "C-100003")
    assert [(change["from"], change["to"]) for change in changes] == [
        ("ACTIVE", "BLOCKED"),
        ("BLOCKED", "ACTIVE"),
        ("ACTIVE", "BLOCKED"),
    ]
    assert all(change["reason"] for change in changes)
    assert customer(world, "C-100003")["status"] == "BLOCKED"
    assert customer(world, "C-100003")["hasStatusDetails"] is True


def test_two_customers_and_no_others_share_an_email(world: World) -> None:
    owners = defaultdict[str, set[str]](set)
    for owner in world["customers"]:
        for email in (owner.get("email"), *(email["value"] for email in owner.get("emails", []))):
            if email:
                owners[email].add(owner["number"])
    assert [numbers for numbers in owners.values() if len(numbers) > 1] == [{"C-100004", "C-100005"}]


def test_some_accounts_are_closed(world: World) -> None:
    assert customer(world, "C-100006")["status"] == "DEACTIVATED"
    assert customer(world, "C-100007")["status"] == "ANONYMISED"
    assert customer(world, "C-100007").keys().isdisjoint({"firstName", "email", "phones", "identities", "dateOfBirth"})
    assert of(world, "emails", "C-100007") == []
    assert customer(world, "C-100008")["status"] == "MERGED"
    assert customer(world, "C-100008")["mergedIntoId"] == customer(world, "C-100001")["_id"]


# ---------------------------------------------------------------- in the database


async def test_the_validators_accept_everything_and_progress_adds_up(store: Store, world: World, now: datetime) -> None:
    advanced: list[int] = []
    summary = await seed(store, customers=30, now=now, advance=advanced.append)
    assert sum(advanced) == summary["customers"] == 30
    for name in world:
        assert len(await store.find(name, {}, fields={"_id": 1})) == summary[name]
    stored = await store.find("customers", {"number": "C-100001"})
    assert stored == [customer(world, "C-100001")]


async def test_the_named_customers_come_even_when_fewer_are_asked_for(store: Store, now: datetime) -> None:
    assert (await seed(store, customers=1, now=now))["customers"] == 8
