"""What other systems own: imported, shown as the source has it, replaced by its next line, never a second time."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.domain.ids import derived_id
from app.domain.import_lines import COLLECTION_OF, STATUSES
from app.domain.kinds import BY_COLLECTION
from app.services.importing import LineOutcome
from app.store.driver import Store
from tests.support.gateway import Ask
from tests.support.import_lines import Bring, Line, activity, customer, fingerprint, only, thing

LINES: Mapping[str, dict[str, Any]] = {
    line["kind"]: line
    for line in map(json.loads, Path("examples/import/billing.ndjson").read_text().splitlines())
    if line["kind"] in STATUSES
}
"""The example of each kind."""
NORA = customer("100231", source="billing", id="C-2041")
MONEY = "amount currency"
READ = f"""{{ customer(by: {{number: "100231"}}) {{
  paymentInstruments {{ nodes {{ source method status sourceStatus brand last4 expMonth expYear holder isDefault
    useAsBackup createdAt lastPaymentAt billingAddress {{ city }} digitalWallet }} }}
  orders {{ nodes {{ source number kind status sourceStatus phase currency inTrial createdAt startAt renewsAt churnAt
    items {{ name plan quantity amount {{ {MONEY} }} }} currentPeriod {{ startAt endAt }} cancelledBy }} }}
  invoices {{ nodes {{ source number type status sourceStatus amount {{ {MONEY} }} amountDue {{ {MONEY} }} createdAt
    issuedAt dueAt paidAt order {{ number }} customer {{ number }} }} }}
  quotes {{ nodes {{ source number type status sourceStatus initialAmount {{ {MONEY} }} recurringAmount {{ {MONEY} }}
    acceptance {{ condition fulfilled }} createdAt expiresAt order {{ number }} invoice {{ number }} }} }}
  creditMemos {{ nodes {{ source number status sourceStatus reason total {{ {MONEY} }} unused {{ {MONEY} }} createdAt
    issuedAt items {{ name quantity amount {{ {MONEY} }} }} invoice {{ number }} }} }}
  creditBalances {{ {MONEY} }}
  kycRequests {{ nodes {{ source status sourceStatus documents {{ type subtypes maxAttempts }} reason createdAt
    expiresAt }} }}
  kycDocuments {{ nodes {{ source type subtype status sourceStatus rejection {{ type message }}
    reviewer {{ kind userId name }} createdAt processedAt reviewedAt tags request {{ reason }} }} }}
  amlChecks {{ nodes {{ source status sourceStatus trigger priority startedAt reviewedAt
    hits {{ name listType entityType confidence }} reviewer {{ name }} noMatchReason inheritedFrom {{ id }} }} }}
}} }}"""


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


SHOWN: Mapping[str, dict[str, Any]] = {
    "paymentInstruments": {
        "source": "billing",
        "method": "payment-card",
        "status": "ACTIVE",
        "sourceStatus": "active",
        "brand": "Visa",
        "last4": "4242",
        "expMonth": 8,
        "expYear": 2027,
        "holder": "Nora Lindqvist",
        "isDefault": True,
        "useAsBackup": False,
        "createdAt": "2024-02-28T19:14:00.000Z",
        "lastPaymentAt": "2024-03-01T06:00:00.000Z",
        "billingAddress": None,
        "digitalWallet": None,
    },
    "orders": {
        "source": "billing",
        "number": "512",
        "kind": "SUBSCRIPTION",
        "status": "ACTIVE",
        "sourceStatus": "active",
        "phase": "ACTIVE",
        "currency": "EUR",
        "inTrial": False,
        "createdAt": "2024-02-28T19:15:00.000Z",
        "startAt": "2024-03-01T00:00:00.000Z",
        "renewsAt": "2024-04-01T00:00:00.000Z",
        "churnAt": None,
        "items": [{"name": "Premium", "plan": "premium-monthly", "quantity": 1, "amount": euros("24.90")}],
        "currentPeriod": {"startAt": "2024-03-01T00:00:00.000Z", "endAt": "2024-04-01T00:00:00.000Z"},
        "cancelledBy": None,
    },
    "invoices": {
        "source": "billing",
        "number": "2024-900",
        "type": "INITIAL",
        "status": "PARTIALLY_PAID",
        "sourceStatus": "partially-paid",
        "amount": euros("24.90"),
        "amountDue": euros("4.90"),
        "createdAt": "2024-03-01T05:58:00.000Z",
        "issuedAt": "2024-03-01T06:00:00.000Z",
        "dueAt": "2024-03-15T00:00:00.000Z",
        "paidAt": None,
        "order": {"number": "512"},
        "customer": {"number": "100231"},
    },
    "quotes": {
        "source": "billing",
        "number": "31",
        "type": "CREATION",
        "status": "ACCEPTED",
        "sourceStatus": "accepted",
        "initialAmount": euros("24.90"),
        "recurringAmount": euros("24.90"),
        "acceptance": [{"condition": "CUSTOMER", "fulfilled": True}],
        "createdAt": "2024-02-27T10:00:00.000Z",
        "expiresAt": "2024-03-27T10:00:00.000Z",
        "order": {"number": "512"},
        "invoice": {"number": "2024-900"},
    },
    "creditMemos": {
        "source": "billing",
        "number": "4",
        "status": "PARTIALLY_APPLIED",
        "sourceStatus": "partially-applied",
        "reason": "RETURN",
        "total": euros("15.00"),
        "unused": euros("5.00"),
        "createdAt": "2024-03-02T09:00:00.000Z",
        "issuedAt": "2024-03-02T09:00:00.000Z",
        "items": [{"name": "Mug", "quantity": 1, "amount": euros("15.00")}],
        "invoice": {"number": "2024-900"},
    },
    "kycRequests": {
        "source": "billing",
        "status": "FULFILLED",
        "sourceStatus": "fulfilled",
        "documents": [{"type": "IDENTITY_PROOF", "subtypes": ["passport", "driver-license"], "maxAttempts": 3}],
        "reason": "A deposit of 5,000 EUR",
        "createdAt": "2024-03-03T08:00:00.000Z",
        "expiresAt": "2024-03-03T09:00:00.000Z",
    },
    "kycDocuments": {
        "source": "billing",
        "type": "IDENTITY_PROOF",
        "subtype": "passport",
        "status": "ACCEPTED",
        "sourceStatus": "accepted",
        "rejection": None,
        "reviewer": {"kind": "AGENT", "userId": "mira", "name": "Mira Sol"},
        "createdAt": "2024-03-03T08:20:00.000Z",
        "processedAt": "2024-03-03T08:21:00.000Z",
        "reviewedAt": "2024-03-03T11:02:00.000Z",
        "tags": [],
        "request": {"reason": "A deposit of 5,000 EUR"},
    },
    "amlChecks": {
        "source": "billing",
        "status": "FALSE_POSITIVE",
        "sourceStatus": "false-positive",
        "trigger": "PURCHASE",
        "priority": "P2",
        "startedAt": "2024-03-01T06:00:03.000Z",
        "reviewedAt": "2024-03-01T14:30:00.000Z",
        "hits": [
            {"name": "Nora Lindquist", "listType": "PEP", "entityType": "INDIVIDUAL", "confidence": "MEDIUM"}
        ],
        "reviewer": {"name": "Mira Sol"},
        "noMatchReason": "Born in another year",
        "inheritedFrom": None,
    },
}  # fmt: skip


def id_of(line: Line) -> str:
    return derived_id(COLLECTION_OF[line["kind"]], source="billing", source_id=line["id"])


async def test_the_examples_are_shown_as_they_are_and_the_same_file_changes_nothing(
    ask: Ask, store: Store, bring: Bring
) -> None:
    assert {*LINES} == {*STATUSES}
    lines = [NORA, *LINES.values()]
    assert (await bring(*lines)).totals == {LineOutcome.IMPORTED: 9}
    seen = (await ask(READ))["data"]["customer"]
    assert seen.pop("creditBalances") == [euros("5.00")]
    assert seen == {name: {"nodes": [row]} for name, row in SHOWN.items()}
    before = await fingerprint(store)
    assert (await bring(*lines)).totals == {LineOutcome.UNCHANGED: 9}
    assert await fingerprint(store) == before


@pytest.mark.parametrize("kind", LINES)
async def test_a_later_line_replaces_the_whole_thing_and_a_deletion_takes_it_away(
    kind: str, store: Store, bring: Bring
) -> None:
    line, collection = LINES[kind], COLLECTION_OF[kind]
    await bring(NORA, line)
    stored = await only(store, collection)
    assert (stored["_id"], stored["source"], stored["sourceStatus"]) == (id_of(line), "billing", line["status"])
    run = await bring({**line, "status": "Put aside for now"})
    assert run.totals == {LineOutcome.UPDATED: 1}
    assert await only(store, collection) == {**stored, "status": "OTHER", "sourceStatus": "Put aside for now"}
    times = ("createdAt", "startedAt")
    required = {"kind", "source", "id", "customer", "status", "method", "number", "orderKind", "currency", "type"}
    required |= {*times, "amount", "initialAmount", "total", "unused"}
    await bring({key: value for key, value in line.items() if key in required})
    left = await only(store, collection)
    lists = {"items", "acceptance", "documents", "tags", "hits"}
    ours = {"_id", "customerId", "order", "sourceId", "sourceStatus", "inTrial", "isDefault", "useAsBackup", *lists}
    assert left.keys() - ours <= required
    assert all(left[key] == [] for key in lists & left.keys())
    deletion = {key: line[key] for key in ("kind", "source", "id", "customer")}
    assert (await bring({**deletion, "deleted": True})).totals == {LineOutcome.DELETED: 1}
    assert await store.find(collection, {}) == []


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("order", {"orderKind": "subscription"}, "orderKind must be one of SUBSCRIPTION, ONE_TIME."),
        ("order", {"kind": "order", "phase": "ACTIVE"}, "phase is unknown."),
        ("order", {"currentPeriod": {"startAt": "2024-03-01T00:00:00Z"}}, "currentPeriod.endAt is required."),
        ("paymentInstrument", {"last4": "24242"}, "last4 must be the last characters of the number, at most 4."),
        ("paymentInstrument", {"expMonth": 13}, "expMonth must be a whole number from 1 to 12."),
        ("invoice", {"status": None}, "status is required."),
        (
            "creditMemo",
            {"unused": {"amount": "1.00", "currency": "USD"}},
            "unused must be in the currency of total.",
        ),
        ("kycDocument", {"reviewer": {"kind": "AGENT"}}, "reviewer.name is required for AGENT."),
        ("amlCheck", {"hits": [{"name": "N. L."}]}, "hits.0.listType is required."),
        ("amlCheck", {"priority": "P4"}, "priority must be one of P0, P1, P2, P3."),
    ],
)
async def test_what_is_wrong_with_a_line_is_said(bring: Bring, kind: str, given: Line, reason: str) -> None:
    assert (await bring(NORA, {**LINES[kind], **given})).reasons == {2: reason}


async def test_a_reference_to_what_is_another_customers_is_refused(store: Store, bring: Bring) -> None:
    await bring(NORA, LINES["order"], customer("1002"))
    theirs = {**LINES["invoice"], "customer": {"source": "esuite", "id": "E1002"}}
    run = await bring(theirs)
    assert run.reasons == {1: "order names something of another customer."}
    assert await store.find("invoices", {}) == []


async def test_a_reference_may_come_before_what_it_names(ask: Ask, bring: Bring) -> None:
    await bring(NORA, LINES["invoice"])
    query = '{ customer(by: {number: "100231"}) { invoices { nodes { order { number } } } } }'
    assert (await ask(query))["data"]["customer"]["invoices"]["nodes"] == [{"order": None}]
    await bring(LINES["order"])
    assert (await ask(query))["data"]["customer"]["invoices"]["nodes"] == [{"order": {"number": "512"}}]


@pytest.mark.parametrize("kind", LINES)
async def test_an_activity_may_be_about_it(kind: str, ask: Ask, bring: Bring) -> None:
    line = LINES[kind]
    subject = {"kind": kind, "source": line["source"], "id": line["id"]}
    await bring(NORA, line, activity("a", of="billing/C-2041", subject=subject))
    query = '{ customer(by: {number: "100231"}) { activities { nodes { subject { __typename id } } } } }'
    type_ = BY_COLLECTION[COLLECTION_OF[kind]].type
    answer = await ask(query)
    assert answer["data"]["customer"]["activities"]["nodes"] == [{"subject": {"__typename": type_, "id": id_of(line)}}]


async def test_a_note_may_link_to_it(ask: Ask, bring: Bring) -> None:
    link = {"kind": "invoice", "source": "billing", "id": "I-900"}
    note = thing("note", "n", of="billing/C-2041", message="Called", createdAt="2024-03-02T00:00:00Z", links=[link])
    await bring(NORA, LINES["invoice"], note)
    query = '{ customer(by: {number: "100231"}) { notes { nodes { links { id } } } } }'
    assert (await ask(query))["data"]["customer"]["notes"]["nodes"] == [{"links": [{"id": id_of(LINES["invoice"])}]}]


async def test_a_closed_account_takes_none(bring: Bring) -> None:
    run = await bring({**NORA, "status": "DEACTIVATED"}, LINES["order"])
    assert run.reasons == {}
    merged = await bring(
        customer("1002"), {**NORA, "mergedInto": {"source": "esuite", "id": "E1002"}}, LINES["invoice"]
    )
    assert [reason.startswith("This account is closed for good") for reason in merged.reasons.values()] == [True]
