"""Mails sent again, passes mailed and pushed: what is written, what is queued, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.domain.access import Role
from app.domain.ids import file_id
from app.http.tokens import verifier
from app.main import build_app, routes
from app.store.driver import Document, Store, UpdateMany
from tests.support.gateway import Ask
from tests.support.mutations import EMAIL_PASS, PUSH_PASS, REDEEM, RESEND
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

DELIVERY = (
    "query($id: ID!) { node(id: $id) { ... on EmailDelivery { status attempts to } ... on PassPush { push: status } } }"
)
QUEUES = ("deliveries", "pushes", "activities", "emails", "idempotency")


async def _payload(ask: Ask, mutation: str, *, token: str | None = None, **given: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "k", **given}
    answer = await (ask(mutation, input=given, token=token) if token else ask(mutation, input=given))
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def _refusal(ask: Ask, world: World, mutation: str, **given: Any) -> tuple[str, list[str]]:
    """Code and field; nothing was written."""
    before = [await world.store.find(name, {}) for name in QUEUES]
    (error,) = (await _payload(ask, mutation, **given))["userErrors"]
    assert [await world.store.find(name, {}) for name in QUEUES] == before
    return error["code"], error["field"]


async def test_a_mail_is_resent_to_the_address_that_is_registered_now(ask: Ask, world: World) -> None:
    ada = await world.customer(email="new@example.com")
    email = await world.email(ada, to="old@example.com", subject="Your receipt", html="<p>1</p>")
    payload = await _payload(ask, RESEND, emailId=email["_id"])
    assert payload["email"] == {"id": email["_id"], "subject": "Your receipt"}
    delivery = payload["delivery"]
    assert (delivery["to"], delivery["status"], delivery["attempts"]) == ("new@example.com", "QUEUED", 0)
    assert (delivery["deliveredAt"], delivery["error"]) == (None, None)
    activity = payload["activity"]
    assert (activity["type"], activity["title"]) == ("EMAIL_RESENT", "Email resent")
    assert activity["subject"] == {"id": email["_id"]}
    (stored,) = await world.store.find("deliveries", {})
    assert stored["emailId"] == email["_id"]
    assert stored["dueAt"] == stored["requestedAt"] < stored["giveUpAt"]
    (activity,) = await world.store.find("activities", {})
    assert activity["emailId"] == email["_id"]
    assert activity["attributes"] == {"emailSubject": "Your receipt", "toAddress": "new@example.com"}


async def test_a_delivery_can_be_asked_for_again_as_a_node_and_is_on_the_mail(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    email = await world.email(ada)
    delivery = (await _payload(ask, RESEND, emailId=email["_id"]))["delivery"]
    answer = await ask(DELIVERY, id=delivery["id"])
    assert answer == {"data": {"node": {"status": "QUEUED", "attempts": 0, "to": "ada@example.com"}}}
    query = "query($id: ID!) { node(id: $id) { ... on Email { deliveries { id } } } }"
    assert (await ask(query, id=email["_id"]))["data"]["node"]["deliveries"] == [{"id": delivery["id"]}]


async def test_the_same_key_resends_once(ask: Ask, world: World) -> None:
    email = await world.email(await world.customer(email="ada@example.com"))
    first = await _payload(ask, RESEND, emailId=email["_id"])
    assert await _payload(ask, RESEND, emailId=email["_id"]) == first
    assert len(await world.store.find("deliveries", {})) == 1


@pytest.mark.parametrize(
    "address", [None, "none", "a@b", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com", "@"]
)
@pytest.mark.parametrize("mutation", ["resendEmail", "emailPass", "redeemCoupon"])
async def test_without_an_address_that_is_one_nothing_is_written(
    mutation: str, address: str | None, ask: Ask, world: World
) -> None:
    ada = await world.customer(**({"email": address} if address else {}))
    given: dict[str, Any] = {
        "resendEmail": (RESEND, {"emailId": (await world.email(ada))["_id"]}),
        "emailPass": (EMAIL_PASS, {"passId": (await world.pass_(ada, downloadUrl="https://w.example/1"))["_id"]}),
        "redeemCoupon": (
            REDEEM,
            {"customerId": ada["_id"], "couponIds": [(await world.coupon(ada))["_id"]], "notifyCustomer": True},
        ),
    }
    query, asked = given[mutation]
    assert await _refusal(ask, world, query, **asked) == ("NO_REGISTERED_EMAIL", [])
    assert [coupon["redeemed"] for coupon in await world.store.find("coupons", {})] == [False]


async def _things(world: World, customer: Document) -> dict[str, str]:
    email, pass_ = await world.email(customer), await world.pass_(customer, downloadUrl="https://w.example/1")
    return {"emailId": email["_id"], "passId": pass_["_id"]}


async def test_another_customers_mail_is_not_found(ask: Ask, world: World) -> None:
    ada, bea = await world.customer(email="ada@example.com"), await world.customer(email="bea@example.com")
    things = await _things(world, bea)
    own = token(Role.CUSTOMER, customer_id=ada["_id"])
    refused = await _refusal(ask, world, RESEND, emailId=things["emailId"], token=own)
    assert refused == ("NOT_FOUND", ["emailId"])
    mine = await _things(world, ada)
    assert (await _payload(ask, RESEND, emailId=mine["emailId"], token=own))["delivery"]["to"] == "ada@example.com"


async def test_a_mail_or_a_pass_that_does_not_exist_is_not_found(ask: Ask, world: World) -> None:
    assert await _refusal(ask, world, RESEND, emailId="eml_nowhere") == ("NOT_FOUND", ["emailId"])
    for mutation in (EMAIL_PASS, PUSH_PASS):
        assert await _refusal(ask, world, mutation, passId="pas_\x00") == ("NOT_FOUND", ["passId"])


@pytest.mark.parametrize("status", ["ANONYMISED", "MERGED"])
async def test_nothing_is_sent_to_a_closed_account(status: str, ask: Ask, world: World) -> None:
    things = await _things(world, await world.customer(email="ada@example.com", status=status))
    for mutation, given in ((RESEND, "emailId"), (EMAIL_PASS, "passId"), (PUSH_PASS, "passId")):
        assert (await _refusal(ask, world, mutation, **{given: things[given]}))[0] == "CUSTOMER_CLOSED"


# ---------------------------------------------------------------- passes


async def test_a_pass_is_mailed_by_its_download_link(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com", name="Ada <b>")
    pass_ = await world.pass_(ada, reward="Coffee & cake", downloadUrl="https://wallet.example.com/?a=1&b=2")
    payload = await _payload(ask, EMAIL_PASS, passId=pass_["_id"])
    assert payload["pass"] == {"id": pass_["_id"]}
    assert (payload["email"]["subject"], payload["email"]["to"]) == ("Your pass", "ada@example.com")
    assert payload["email"]["sentAt"] is None
    assert "https://wallet.example.com/?a=1&b=2" in payload["email"]["text"]
    (email,) = await world.store.find("emails", {})
    assert 'href="https://wallet.example.com/?a=1&amp;b=2"' in email["html"]
    assert "Coffee &amp; cake" in email["html"]
    assert "Ada &lt;b&gt;" in email["html"]
    assert "fileIds" not in email
    activity = payload["activity"]
    assert (activity["type"], activity["subject"]) == ("PASS_EMAILED", {"id": pass_["_id"]})
    (delivery,) = await world.store.find("deliveries", {})
    assert delivery["emailId"] == email["_id"]


async def test_a_stored_file_goes_before_the_link(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    content = b"PK\x03\x04"
    file: Document = {"_id": file_id(content), "customerId": ada["_id"], "name": "card.pkpass"}
    await world.store.insert("files", [{**file, "mediaType": "application/vnd.apple.pkpass", "content": content}])
    pass_ = await world.pass_(ada, fileId=file["_id"], downloadUrl="https://wallet.example.com/1")
    payload = await _payload(ask, EMAIL_PASS, passId=pass_["_id"])
    assert "wallet.example.com" not in payload["email"]["text"]
    (email,) = await world.store.find("emails", {})
    assert email["fileIds"] == [file["_id"]]


async def test_a_pass_with_neither_file_nor_link_cannot_be_mailed(ask: Ask, world: World) -> None:
    pass_ = await world.pass_(await world.customer(email="ada@example.com"))
    assert await _refusal(ask, world, EMAIL_PASS, passId=pass_["_id"]) == ("INVALID", ["passId"])


async def test_a_push_is_queued_and_nowhere_called_an_update(ask: Ask, world: World) -> None:
    pass_ = await world.pass_(await world.customer())
    payload = await _payload(ask, PUSH_PASS, passId=pass_["_id"])
    push = payload["push"]
    assert push == {"id": push["id"], "status": "QUEUED", "attempts": 0, "informedAt": None, "error": None}
    assert (payload["activity"]["type"], payload["activity"]["subject"]) == ("PASS_PUSHED", {"id": pass_["_id"]})
    assert (await ask(DELIVERY, id=push["id"]))["data"]["node"] == {"push": "QUEUED"}
    (unchanged,) = await world.store.find("passes", {})
    assert unchanged == pass_


async def test_without_a_wallet_service_passes_list_and_are_not_pushed(store: Store, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    pass_ = await world.pass_(ada)
    activity = await world.activity(ada, "PASS_ADDED", subjectId=pass_["_id"])
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    app = build_app(routes(store.database, authenticate, timeout_seconds=60))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:

        async def asked(query: str, **variables: Any) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token()}"}
            given = {"query": query, "variables": variables}
            return (await client.post("/graphql", json=given, headers=headers)).json()["data"]

        refused = await asked(PUSH_PASS, input={"passId": pass_["_id"], "idempotencyKey": "k"})
        assert refused["pushPass"]["userErrors"][0]["code"] == "WALLET_OFF"
        tile = """query($id: ID!) { node(id: $id) { ... on Activity {
          availableActions customer { passes { nodes { id } } } } } }"""
        shown = (await asked(tile, id=activity["_id"]))["node"]
        assert shown == {"availableActions": [], "customer": {"passes": {"nodes": [{"id": pass_["_id"]}]}}}
    assert await store.find("pushes", {}) == []


# ---------------------------------------------------------------- coupons


async def test_a_customer_is_told_of_a_redeemed_coupon_only_if_asked(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    silent, mailed = await world.coupon(ada, code="A"), await world.coupon(ada, code="B<1>", value="10 %")
    query = REDEEM.replace("coupons {", "delivery { to status } coupons {")
    quiet = await _payload(ask, query, customerId=ada["_id"], couponIds=[silent["_id"]], idempotencyKey="1")
    assert quiet["delivery"] is None
    assert await world.store.find("deliveries", {}) == []
    loud = await _payload(
        ask, query, customerId=ada["_id"], couponIds=[mailed["_id"]], notifyCustomer=True, idempotencyKey="2"
    )
    assert loud["delivery"] == {"to": "ada@example.com", "status": "QUEUED"}
    (email,) = await world.store.find("emails", {})
    assert email["subject"] == "Your coupon was used"
    assert "B&lt;1&gt;" in email["html"]
    assert "B<1>: 10 %" in email["text"]
    (activity,) = await world.store.find("activities", {"emailId": email["_id"]})
    assert activity["subjectId"] == mailed["_id"]
    assert len(await world.store.find("activities", {})) == 2


# ---------------------------------------------------------------- how much of it


async def sent(ask: Ask, mutation: str, number: int, **given: Any) -> list[str]:
    """The codes of a change by a subject of its own."""
    answer = await ask(
        mutation, token=token(subject=f"agent-{number}"), input={**given, "idempotencyKey": f"{mutation[:30]}{number}"}
    )
    (payload,) = answer["data"].values()
    return [error["code"] for error in payload["userErrors"]]


async def test_one_mail_goes_out_five_times_a_day_whoever_asks(ask: Ask, world: World) -> None:
    ada = await world.customer(email="ada@example.com")
    email, other = await world.email(ada), await world.email(ada)
    codes = [await sent(ask, RESEND, number, emailId=email["_id"]) for number in range(7)]
    assert codes == [[]] * 5 + [["LIMIT_EXCEEDED"]] * 2
    assert await sent(ask, RESEND, 8, emailId=other["_id"]) == []
    a_day_ago = {"$set": {"requestedAt": datetime.now(UTC) - timedelta(days=1, seconds=1)}}
    await world.store.write("deliveries", [UpdateMany({"emailId": email["_id"]}, a_day_ago)])
    assert await sent(ask, RESEND, 9, emailId=email["_id"]) == []


@pytest.mark.parametrize("shared", ["customer", "address"])
async def test_one_customer_and_one_address_get_twenty_mails_a_day(shared: str, ask: Ask, world: World) -> None:
    first = await world.customer(email="ada@example.com")
    second = first if shared == "customer" else await world.customer(email="ada@example.com")
    now = datetime.now(UTC)
    for number in range(20):
        email = await world.email(first)
        to = "ada@example.com" if shared == "address" else f"{number}@example.com"
        await world.delivery(email, to=to, requestedAt=now - timedelta(seconds=number))
    email = await world.email(second)
    pass_ = await world.pass_(second, downloadUrl="https://wallet.example.com/1")
    coupon = await world.coupon(second)
    assert await sent(ask, RESEND, 1, emailId=email["_id"]) == ["LIMIT_EXCEEDED"]
    assert await sent(ask, EMAIL_PASS, 1, passId=pass_["_id"]) == ["LIMIT_EXCEEDED"]
    redeemed = {"customerId": second["_id"], "couponIds": [coupon["_id"]]}
    assert await sent(ask, REDEEM, 1, **redeemed, notifyCustomer=True) == ["LIMIT_EXCEEDED"]
    assert await sent(ask, REDEEM, 2, **redeemed) == []
