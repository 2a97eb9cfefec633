"""Whoever acts in another one's name: both are on record, the rights are the other's, and both are one person."""

from typing import Any

import pytest

from app.domain.access import Delegate, Role
from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.mutations import ADD_NOTE, APPROVE_POINTS, REDEEM, REQUEST_POINTS
from tests.support.tokens import token
from tests.support.world import World

GRACE = Delegate("grace", "Grace Hopper")
ACTOR = "actor { kind userId name accessLevel onBehalfOf { userId name } }"
TIMELINE = f"query ($id: ID!) {{ customer(by: {{id: $id}}) {{ activities {{ nodes {{ type {ACTOR} }} }} }} }}"


async def _newest(ask: Ask, customer: Document, **as_: Any) -> dict[str, Any]:
    answer = await ask(TIMELINE, id=customer["_id"], **as_)
    assert "errors" not in answer, answer
    return answer["data"]["customer"]["activities"]["nodes"][0]["actor"]


async def test_an_agent_who_acts_for_a_colleague_is_the_actor_with_the_colleagues_rights(
    ask: Ask, world: World
) -> None:
    ada = await world.customer()
    bearer = token(Role.CUSTOMER_SERVICE_AGENT, delegate=GRACE)
    given = {"customerId": ada["_id"], "message": "Called back.", "idempotencyKey": "k"}
    assert (await ask(ADD_NOTE, token=bearer, input=given))["data"]["addNote"]["userErrors"] == []
    assert await _newest(ask, ada) == {
        "kind": "AGENT",
        "userId": "grace",
        "name": "Grace Hopper",
        "accessLevel": "CUSTOMER_SERVICE_AGENT",
        "onBehalfOf": {"userId": "tess", "name": "Tess Tester"},
    }
    log = "{ auditLog { nodes { actor { subject name delegate { userId name } } } } }"
    [row] = (await ask(log))["data"]["auditLog"]["nodes"]
    assert row["actor"] == {
        "subject": "tess",
        "name": "Tess Tester",
        "delegate": {"userId": "grace", "name": "Grace Hopper"},
    }
    viewer = await ask("{ viewer { subject delegate { userId name } } }", token=bearer)
    assert viewer["data"]["viewer"] == {"subject": "tess", "delegate": {"userId": "grace", "name": "Grace Hopper"}}


async def test_whoever_acts_as_a_customer_is_an_agent_and_the_customer_reads_support(ask: Ask, world: World) -> None:
    ada = await world.customer()
    own = {"customer_id": ada["_id"], "subject": "ada", "name": "Ada Lovelace"}
    coupon = await world.coupon(ada)
    given = {"customerId": ada["_id"], "couponIds": [coupon["_id"]], "idempotencyKey": "k"}
    await ask(REDEEM, token=token(Role.CUSTOMER, **own, delegate=GRACE), input=given)
    actor = await _newest(ask, ada)
    assert (actor["kind"], actor["userId"], actor["onBehalfOf"]) == (
        "AGENT",
        "grace",
        {"userId": "ada", "name": "Ada Lovelace"},
    )
    shown = await _newest(ask, ada, token=token(Role.CUSTOMER, **own))
    assert shown == {"kind": "AGENT", "userId": None, "name": "Support", "accessLevel": None, "onBehalfOf": None}


@pytest.mark.parametrize(
    ("asker", "approver", "accepted"),
    [
        ({"subject": "tess", "delegate": GRACE}, {"subject": "grace"}, False),
        ({"subject": "tess", "delegate": GRACE}, {"subject": "tess"}, False),
        ({"subject": "grace"}, {"subject": "tess", "delegate": GRACE}, False),
        ({"subject": "tess", "delegate": GRACE}, {"subject": "alan"}, True),
        ({"subject": "tess", "delegate": GRACE}, {"subject": "alan", "delegate": GRACE}, False),
    ],
)
async def test_what_takes_two_people_takes_two_whoever_acts_for_whom(
    asker: dict[str, Any], approver: dict[str, Any], accepted: bool, ask: Ask, world: World
) -> None:
    ada = await world.customer()
    given = {"customerId": ada["_id"], "points": 5_000, "reason": "Goodwill", "idempotencyKey": "k"}
    asked = await ask(REQUEST_POINTS, token=token(Role.CS_ADMIN, **asker), input=given)
    adjustment = asked["data"]["requestPointsAdjustment"]["adjustment"]["id"]
    answer = await ask(
        APPROVE_POINTS,
        token=token(Role.CS_ADMIN, **approver),
        input={"adjustmentId": adjustment, "idempotencyKey": "a"},
    )
    codes = [error["code"] for error in answer["data"]["approvePointsAdjustment"]["userErrors"]]
    assert codes == ([] if accepted else ["SAME_PERSON"])
