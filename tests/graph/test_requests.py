"""Requests to other systems that a person does there: what may be asked, what became of it, and who sees it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.access import Role
from app.domain.executors import Executors
from app.domain.external_requests import MOST_OUTCOMES, OPEN
from app.domain.ids import new_id
from app.domain.vocabulary import RequestStatus
from app.services.erase_job import Eraser
from app.services.merge_job import Mover
from app.services.points import SYSTEM
from app.services.request_job import RequestExpiry
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.mutations import MERGE_CUSTOMERS, REQUEST, REQUESTED, SHOWN, request_of
from tests.support.tokens import token
from tests.support.world import NOW, World, ago

REFUNDABLE = "query($id: ID!) { node(id: $id) { ... on Transaction { refundable { amount currency } } } }"
REQUESTS = """query($id: ID!, $filter: RequestFilter) { customer(by: {id: $id}) { requests(filter: $filter) {
  totalCount nodes { id status } } } }"""


def money(amount: str) -> Document:
    return {"amount": Decimal(amount), "currency": "EUR"}


async def make(ask: Ask, mutation: str, key: str = "k", *, as_: str | None = None, **given: Any) -> Document:
    answer = await ask(request_of(mutation), input={"idempotencyKey": key, **given}, **({"token": as_} if as_ else {}))
    assert "errors" not in answer, answer
    return answer["data"][mutation]


def codes(payload: Document) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def sale(world: World, customer: Document, amount: str = "50.00", **given: Any) -> Document:
    return await world.transaction(
        customer, type="SALE", status="ACCEPTED", amount=money(amount), occurredAt=ago(days=3), **given
    )


async def left(ask: Ask, transaction: Document) -> str:
    return (await ask(REFUNDABLE, id=transaction["_id"]))["data"]["node"]["refundable"]["amount"]


# ---------------------------------------------------------------- refunds


async def test_nothing_is_left_of_a_sale_once_a_refund_is_of_another_currency(ask: Ask, world: World) -> None:
    """60 EUR are not 60 of 10,000 JPY; how many nobody knows."""
    ada = await world.customer()
    bought = await world.transaction(
        ada, type="SALE", status="ACCEPTED", amount={"amount": Decimal(10_000), "currency": "JPY"}
    )
    refund = {"type": "REFUND", "status": "ACCEPTED", "amount": money("60"), "refundOfId": bought["_id"]}
    await world.transaction(ada, **refund)
    assert await left(ask, bought) == "0"
    payload = await make(ask, "requestRefund", transactionId=bought["_id"], amount="9940")
    assert codes(payload) == ["NOT_REFUNDABLE"]


async def test_what_can_be_refunded_is_exact_to_the_last_of_its_digits(ask: Ask, world: World) -> None:
    ada = await world.customer()
    bought = await sale(world, ada, f"{10**31 + 7}.25")
    refund = {"type": "REFUND", "status": "ACCEPTED", "amount": money("-0.26"), "refundOfId": bought["_id"]}
    await world.transaction(ada, **refund)
    assert await left(ask, bought) == f"{10**31 + 6}.99"
    payload = await make(ask, "requestRefund", transactionId=bought["_id"], amount=f"{10**31 + 7}.00")
    assert codes(payload) == ["OVER_REFUNDABLE"]


async def test_a_refund_is_asked_for_once_and_said_to_be_done_by_who_did_it(ask: Ask, world: World) -> None:
    ada = await world.customer()
    bought = await sale(world, ada)
    payload = await make(ask, "requestRefund", transactionId=bought["_id"], amount="20.00", reason="Broken")
    request = payload["request"]
    assert (request["status"], request["executor"], request["delivery"]) == ("SENT", "MANUAL", None)
    assert request["amount"] == {"amount": "20.00", "currency": "EUR"}
    assert request["target"] == {"id": bought["_id"]}
    assert (payload["activity"]["title"], payload["activity"]["message"]) == ("Request made", "Broken")
    assert payload["activity"]["subject"] == {"id": request["id"]}
    assert await left(ask, bought) == "30.00"
    again = await make(ask, "requestRefund", transactionId=bought["_id"], amount="20.00", reason="Broken")
    assert again["request"]["id"] == request["id"]
    rival = await make(ask, "requestRefund", "other", transactionId=bought["_id"], amount="5.00")
    assert codes(rival) == ["REQUEST_OPEN"]
    assert request["id"] in rival["userErrors"][0]["message"]
    assert rival["request"]["id"] == request["id"]
    done = await make(ask, "completeRequest", "c", requestId=request["id"], status="SUCCEEDED", reference="RF-1")
    assert (done["request"]["status"], done["request"]["reference"]) == ("SUCCEEDED", "RF-1")
    assert done["activity"]["title"] == "Request succeeded"
    assert await left(ask, bought) == "30.00"
    over = await make(ask, "requestRefund", "third", transactionId=bought["_id"], amount="30.01")
    assert codes(over) == ["OVER_REFUNDABLE"]
    rest = await make(ask, "requestRefund", "third", transactionId=bought["_id"])
    assert rest["request"]["amount"] == {"amount": "30.00", "currency": "EUR"}


async def test_a_refund_that_its_source_reports_is_counted_once(ask: Ask, world: World) -> None:
    ada = await world.customer()
    bought = await sale(world, ada)
    request = (await make(ask, "requestRefund", transactionId=bought["_id"], amount="20.00"))["request"]
    await make(ask, "completeRequest", "c", requestId=request["id"], status="SUCCEEDED", reference="RF-1")
    refund: Document = {"type": "REFUND", "status": "ACCEPTED", "refundOfId": bought["_id"], "occurredAt": ago(days=1)}
    await world.transaction(ada, number="RF-1", amount=money("20.00"), **refund)
    assert await left(ask, bought) == "30.00"
    await world.transaction(ada, number="RF-2", amount=money("4.00"), **refund)
    assert await left(ask, bought) == "26.00"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"type": "REFUND"}, "NOT_REFUNDABLE"),
        ({"status": "VOIDED"}, "NOT_REFUNDABLE"),
        ({"amount": None}, "NOT_REFUNDABLE"),
    ],
)
async def test_what_cannot_be_refunded_is_not(ask: Ask, world: World, given: Document, code: str) -> None:
    ada = await world.customer()
    whole = {"type": "SALE", "status": "ACCEPTED", "amount": money("5.00"), "occurredAt": ago(days=3)} | given
    odd = await world.transaction(ada, **{key: value for key, value in whole.items() if value is not None})
    assert codes(await make(ask, "requestRefund", transactionId=odd["_id"])) == [code]


async def test_several_refunds_are_asked_for_together_or_not_at_all(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    sales = [await sale(world, ada, f"{n}.00") for n in (10, 20, 30)]
    ids = [each["_id"] for each in sales]
    text = f"""mutation($input: RequestRefundsInput!) {{ requestRefunds(input: $input) {{
      requests {{ id target {{ id }} amount {{ amount }} }} {SHOWN} }} }}"""

    async def refunds(key: str, *ids: str) -> Document:
        answer = await ask(text, input={"transactionIds": ids, "idempotencyKey": key})
        assert "errors" not in answer, answer
        return answer["data"]["requestRefunds"]

    await make(ask, "requestRefund", "one", transactionId=ids[2])
    assert codes(await refunds("a", *ids)) == ["REQUEST_OPEN"]
    assert len(await store.find("requests", {})) == 1
    made = (await refunds("b", *ids[:2]))["requests"]
    assert [(each["target"]["id"], each["amount"]["amount"]) for each in made] == [(ids[0], "10.00"), (ids[1], "20.00")]
    assert len(await store.find("activities", {"type": "REQUEST_MADE"})) == 3
    assert codes(await refunds("c", ids[0], ids[0])) == ["INVALID"]


# ---------------------------------------------------------------- what became of it


async def test_outcomes_are_appended_and_the_newest_decides(ask: Ask, world: World) -> None:
    ada = await world.customer()
    bought = await sale(world, ada)
    request = (await make(ask, "requestRefund", transactionId=bought["_id"]))["request"]["id"]

    async def say(status: str, minutes: int) -> str:
        at = (NOW + timedelta(minutes=minutes - 100)).isoformat()
        key = f"{status}{minutes}"
        return (await make(ask, "completeRequest", key, requestId=request, status=status, at=at))["request"]["status"]

    assert await say("SUCCEEDED", 2) == "SUCCEEDED"
    assert await say("ACTION_REQUIRED", 1) == "SUCCEEDED"  # it is older
    assert await say("SUCCEEDED", 3) == "SUCCEEDED"  # once more
    assert await say("ACTION_REQUIRED", 5) == "SUCCEEDED"  # which cannot be so, and keeps nothing from deciding
    assert await say("FAILED", 4) == "REVERSED"
    assert await left(ask, bought) == "50.00"
    text = "query($id: ID!) { node(id: $id) { ... on Request { outcomes { status decided } } } }"
    outcomes = (await ask(text, id=request))["data"]["node"]["outcomes"]
    assert [(each["status"], each["decided"]) for each in outcomes] == [
        ("SUCCEEDED", True),
        ("ACTION_REQUIRED", False),
        ("SUCCEEDED", False),
        ("ACTION_REQUIRED", False),
        ("FAILED", True),
    ]


async def test_a_link_is_for_who_asked_and_until_it_ends(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    me, other = token(subject="me"), token(subject="other")
    request = (await make(ask, "requestPortalLink", as_=me, customerId=ada["_id"], portalId="main"))["request"]["id"]
    attributes = [{"name": "url", "value": "https://portal.example.com/key"}]
    say: Document = {"requestId": request, "status": "ACTION_REQUIRED", "attributes": attributes}
    await make(ask, "completeRequest", "c", **say)
    read = (
        f"query($id: ID!) {{ node(id: $id) {{ ... on Request {{ {REQUEST.partition('{')[2].rpartition('}')[0]} }} }} }}"
    )
    mine = (await ask(read, id=request, token=me))["data"]["node"]
    assert mine["link"]["url"] == "https://portal.example.com/key"
    assert (await ask(read, id=request, token=other))["data"]["node"]["link"] is None
    assert "portal.example.com" not in str(await store.find("requests", {}))
    assert "portal.example.com" not in str(await store.find("idempotency", {}))


async def test_a_request_of_a_person_can_be_called_off(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given: Document = {"customerId": ada["_id"], "amount": {"amount": "5.00", "currency": "EUR"}, "way": "INSTRUMENT"}
    request = (await make(ask, "requestPayment", **given))["request"]["id"]
    assert codes(await make(ask, "requestPayment", "two", **given)) == ["REQUEST_OPEN"]
    assert codes(await make(ask, "retryRequest", "r", requestId=request)) == ["WRONG_STATE"]
    payload = await make(ask, "cancelRequest", "c", requestId=request, reason="A mistake")
    assert (payload["request"]["status"], payload["activity"]["title"]) == ("CANCELLED", "Request cancelled")
    assert codes(await make(ask, "completeRequest", "d", requestId=request, status="SUCCEEDED")) == ["WRONG_STATE"]
    assert codes(await make(ask, "requestPayment", "three", **given)) == []


async def test_what_has_as_many_outcomes_as_are_kept_still_ends(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    waits = {"status": "ACTION_REQUIRED", "at": ago(days=1), "recordedAt": ago(days=1), "by": SYSTEM, "decided": True}
    keys: Document = {"status": "ACTION_REQUIRED", "outcomes": [waits] * MOST_OUTCOMES, "expiresAt": ago(days=1)}
    called_off, expired = [await world.request(ada, **keys) for _ in range(2)]
    payload = await make(ask, "cancelRequest", requestId=called_off["_id"], reason="A mistake")
    assert payload["request"]["status"] == "CANCELLED"
    await RequestExpiry(store, Executors()).once()
    (found,) = await store.find("requests", {"_id": expired["_id"]})
    assert (found["status"], found["open"], "expiresAt" in found) == ("EXPIRED", False, False)
    for ended in (await store.find("requests", {}))[:2]:
        assert ended["outcomes"][-1]["decided"]
    more = await make(ask, "completeRequest", "more", requestId=expired["_id"], status="SUCCEEDED")
    assert codes(more) == ["WRONG_STATE"]


async def test_what_is_open_and_should_be_done_by_now_is_overdue_and_no_failure(ask: Ask, world: World) -> None:
    ada = await world.customer()
    text = "query($id: ID!) { node(id: $id) { ... on Request { status open overdue } } }"
    for status in RequestStatus:
        is_open = status in OPEN
        for due, is_late in ((datetime(2020, 1, 1, tzinfo=UTC), True), (datetime(2100, 1, 1, tzinfo=UTC), False)):
            request = await world.request(ada, status=status.value, open=is_open, overdueAt=due)
            shown = (await ask(text, id=request["_id"]))["data"]["node"]
            assert shown == {"status": status.value, "open": is_open, "overdue": is_open and is_late}


@pytest.mark.parametrize(
    ("mutation", "given", "field"),
    [
        ("requestOrder", {"delinquencyPeriod": "a week"}, ["delinquencyPeriod"]),
        ("requestOrder", {"invoiceIssueShift": "P"}, ["invoiceIssueShift"]),
        ("requestOrder", {"invoiceDueShift": "P1DT"}, ["invoiceDueShift"]),
        ("requestOrder", {"items": []}, ["items"]),
        ("requestKycDocuments", {"ui": "3"}, ["ui"]),
        ("requestKycDocuments", {"level": 4}, ["level"]),
        ("requestDeposit", {"strategyId": "s", "amounts": ["5.00"]}, ["amounts"]),
        ("requestDeposit", {"customAmount": {"policy": "DENY", "min": "1"}}, ["customAmount", "min"]),
        ("requestDeposit", {"customAmount": {"policy": "ALLOW", "multipleOf": "0"}}, ["customAmount", "multipleOf"]),
        ("requestDeposit", {"customAmount": {"policy": "ALLOW", "min": "9", "max": "1"}}, ["customAmount", "max"]),
    ],
)
async def test_what_contradicts_itself_is_not_asked_for(
    ask: Ask, world: World, mutation: str, given: Document, field: list[str]
) -> None:
    ada = await world.customer()
    payload = await make(ask, mutation, customerId=ada["_id"], **{**REQUESTED[mutation], **given})
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("INVALID", field)]


async def test_what_is_whole_is_asked_for(ask: Ask, world: World) -> None:
    ada = await world.customer()
    durations = {"delinquencyPeriod": "P7D", "invoiceIssueShift": "PT12H", "invoiceDueShift": "P1M2DT3H4M5S"}
    custom = {"policy": "ALLOW", "min": "1", "max": "1", "multipleOf": "0.5"}
    whole: dict[str, Document] = {"requestOrder": durations, "requestDeposit": {"customAmount": custom}}
    for mutation, given in whole.items():
        payload = await make(ask, mutation, mutation, customerId=ada["_id"], **REQUESTED[mutation], **given)
        assert codes(payload) == []


async def test_a_payout_is_confirmed_and_limited(ask: Ask, world: World) -> None:
    ada = await world.customer()
    finance = token(Role.FINANCE)

    async def pay(key: str, amount: str, confirmed: str) -> list[str]:
        given = {"customerId": ada["_id"], "amount": {"amount": amount, "currency": "EUR"}, "confirmAmount": confirmed}
        payload = await make(ask, "requestPayout", key, as_=finance, **given)
        if payload["request"]:
            await make(ask, "completeRequest", f"{key}c", requestId=payload["request"]["id"], status="SUCCEEDED")
        return codes(payload)

    assert await pay("a", "100.00", "10.00") == ["INVALID"]
    assert await pay("a", "9000.00", "9000.00") == []
    assert await pay("b", "1000.01", "1000.01") == ["LIMIT_EXCEEDED"]
    assert await pay("b", "1000.00", "1000") == []


async def test_a_payment_made_elsewhere_is_a_transaction_at_once(ask: Ask, world: World) -> None:
    ada = await world.customer()
    text = f"""mutation($input: RecordOutsidePaymentInput!) {{ recordOutsidePayment(input: $input) {{
      {REQUEST} transaction {{ id type amount {{ amount }} refundable {{ amount }} }} {SHOWN} }} }}"""
    given = {"customerId": ada["_id"], "amount": {"amount": "12.50", "currency": "EUR"}, "idempotencyKey": "k"}
    answer = await ask(text, input={**given, "processedAt": ago(days=1).isoformat(), "description": "In cash"})
    payload = answer["data"]["recordOutsidePayment"]
    assert (payload["request"]["status"], payload["request"]["open"]) == ("SUCCEEDED", False)
    assert payload["transaction"]["refundable"] == {"amount": "12.50"}
    assert payload["request"]["outcomes"][0]["results"] == [{"id": payload["transaction"]["id"]}]


async def test_a_token_is_handed_on_and_read_by_nobody(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    payload = await make(ask, "requestPaymentInstrument", customerId=ada["_id"], token="tok_canary", setDefault=True)
    assert payload["request"]["attributes"] == [{"name": "setDefault", "value": "true"}]
    for name in ("requests", "idempotency", "activities", "audit"):
        assert "tok_canary" not in str(await store.find(name, {}))


async def test_requests_are_listed_and_filtered(ask: Ask, world: World) -> None:
    ada = await world.customer()
    one = (await make(ask, "requestPortalLink", "a", customerId=ada["_id"], portalId="main"))["request"]["id"]
    two = (await make(ask, "requestKycUploadLink", "b", customerId=ada["_id"]))["request"]["id"]
    await make(ask, "completeRequest", "c", requestId=one, status="FAILED")

    async def found(**filter: Any) -> list[str]:
        answer = await ask(REQUESTS, id=ada["_id"], filter=filter)
        return [each["id"] for each in answer["data"]["customer"]["requests"]["nodes"]]

    assert await found() == [two, one]
    assert await found(open=True) == [two]
    assert await found(statuses=["FAILED"]) == [one]
    assert await found(kinds=["KYC_UPLOAD_LINK"]) == [two]
    customer = token(Role.CUSTOMER, customer_id=ada["_id"])
    answer = await ask(REQUESTS, id=ada["_id"], token=customer)
    assert answer["data"]["customer"]["requests"] is None


# ---------------------------------------------------------------- merged, erased, told


ANONYMISED = f"""mutation($input: AnonymiseCustomerInput!) {{ anonymiseCustomer(input: $input) {{
  customer {{ status requests {{ nodes {{ kind status attributes {{ name value }} }} }} }} {SHOWN} }} }}"""


async def erase(ask: Ask, customer: Document, key: str = "erase") -> Document:
    given = {
        "customerId": customer["_id"],
        "confirmNumber": customer["number"],
        "reason": "Asked",
        "idempotencyKey": key,
    }
    return (await ask(ANONYMISED, input=given))["data"]["anonymiseCustomer"]


async def test_an_erased_customer_is_asked_for_at_each_source(ask: Ask, world: World, store: Store) -> None:
    identities = [{"source": "biller", "id": "canary-77"}, {"source": "crm", "id": "canary-78"}]
    ada = await world.customer(identities=identities)
    given: Document = {"customerId": ada["_id"], "amount": {"amount": "5.00", "currency": "EUR"}, "way": "INSTRUMENT"}
    request = (await make(ask, "requestPayment", description="canary", **given))["request"]["id"]
    assert codes(await erase(ask, ada)) == ["REQUEST_OPEN"]  # money is on its way
    await make(ask, "completeRequest", "c", requestId=request, status="SUCCEEDED", message="canary")
    payload = await erase(ask, ada)
    assert codes(payload) == []
    await Eraser(store).once()
    found = await store.find("requests", {"customerId": ada["_id"]}, sort={"requestedAt": 1})
    assert [each["kind"] for each in found] == ["PAYMENT", "ERASE_AT_SOURCE", "ERASE_AT_SOURCE"]
    assert found[0]["attributes"] == {"amount": money("5.00"), "way": "INSTRUMENT"}
    assert [each["attributes"] for each in found[1:]] == [{"source": "biller"}, {"source": "crm"}]
    assert all("sealed" in each for each in found[1:])  # who is to be erased there, until that is done
    for name in ("requests", "activities", "idempotency"):
        assert "canary" not in str(await store.find(name, {"customerId": ada["_id"]}))
    await make(ask, "completeRequest", "d", requestId=found[1]["_id"], status="SUCCEEDED")
    (done,) = await store.find("requests", {"_id": found[1]["_id"]})
    assert "sealed" not in done


async def test_requests_follow_a_merge(ask: Ask, world: World, store: Store) -> None:
    ada, bob = await world.customer(), await world.customer()
    given: Document = {"amount": {"amount": "5.00", "currency": "EUR"}, "way": "INSTRUMENT"}
    request = (await make(ask, "requestPayment", customerId=bob["_id"], **given))["request"]["id"]
    merge = {"intoId": ada["_id"], "ids": [bob["_id"]], "reason": "Same", "idempotencyKey": "m"}
    answer = await ask(MERGE_CUSTOMERS, input=merge)
    assert answer["data"]["mergeCustomers"]["userErrors"] == []
    for _ in range(2):  # while its rows move, and after
        nodes = (await ask(REQUESTS, id=ada["_id"]))["data"]["customer"]["requests"]["nodes"]
        assert [each["id"] for each in nodes] == [request]
        rival = await make(ask, "requestPayment", f"k{_}", customerId=ada["_id"], **given)
        assert codes(rival) == ["REQUEST_OPEN"]
        await Mover(store).once()
    done = await make(ask, "completeRequest", "c", requestId=request, status="SUCCEEDED")
    assert done["request"]["status"] == "SUCCEEDED"


async def test_a_review_of_a_check_is_for_those_who_may_read_checks(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    check = await world.mirror("amlChecks", ada, status="PENDING_REVIEW", sourceStatus="pending-review")
    made = await make(ask, "requestAmlReview", checkId=check["_id"], verdict="FALSE_POSITIVE")
    agent = token(Role.CUSTOMER_SERVICE_AGENT)
    assert made["request"]["title"] == "Review of a check"
    assert (await ask(REQUESTS, id=ada["_id"], token=agent))["data"]["customer"]["requests"]["totalCount"] == 0
    assert (await ask(REQUESTS, id=ada["_id"]))["data"]["customer"]["requests"]["totalCount"] == 1
    assert (await ask("query($id: ID!) { node(id: $id) { id } }", id=made["request"]["id"], token=agent))["data"] == {
        "node": None
    }
    text = (
        "query($id: ID!) { customer(by: {id: $id}) { activities { nodes { attributes { value } subject { id } } } } }"
    )
    seen = (await ask(text, id=ada["_id"], token=agent))["data"]["customer"]["activities"]["nodes"]
    assert seen == [{"attributes": [], "subject": None}]
    again = await make(ask, "requestAmlReview", "b", checkId=check["_id"], verdict="NO_MATCH")
    assert codes(again) == ["REQUEST_OPEN"]


async def test_a_result_that_is_not_known_yet_is_shown_once_it_is(ask: Ask, world: World) -> None:
    ada = await world.customer()
    request, refund_id = await world.request(ada), new_id("transactions")
    done = await make(ask, "completeRequest", requestId=request["_id"], status="SUCCEEDED", results=[refund_id])
    assert (done["userErrors"], done["request"]["outcomes"][0]["results"]) == ([], [None])
    await world.transaction(ada, _id=refund_id, type="REFUND")
    text = "query($id: ID!) { node(id: $id) { ... on Request { outcomes { results { id } } } } }"
    shown = (await ask(text, id=request["_id"]))["data"]["node"]
    assert shown == {"outcomes": [{"results": [{"id": refund_id}]}]}


async def test_a_malformed_result_is_refused_and_changes_nothing(ask: Ask, world: World, store: Store) -> None:
    request = await world.request(await world.customer())
    given = {"requestId": request["_id"], "status": "SUCCEEDED", "results": ["nonsense"], "idempotencyKey": "k"}
    answer = await ask(request_of("completeRequest"), input=given)
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_USER_INPUT", ["results"])
    assert await store.find("activities", {}) == []
