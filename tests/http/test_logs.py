"""What may be logged: ids and codes, and nothing that a person or a token said."""

import json
import logging

import httpx2
import pytest
import structlog

from app import logs
from tests.conftest import token
from tests.world import World

CANARY = "canary-that-must-not-sing"


async def test_no_log_line_holds_a_token_a_name_an_address_or_a_variable(
    client: httpx2.AsyncClient,
    world: World,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
) -> None:
    caplog.set_level(logging.DEBUG)
    logs.configure("DEBUG")
    customer = await world.customer(name=CANARY, email=f"{CANARY}@example.com")
    broken = {"_id": "cpn_broken", "customerId": customer["_id"], "code": {"odd": CANARY}, "redeemed": CANARY}
    await world.store.command({"insert": "coupons", "documents": [broken], "bypassDocumentValidation": True})
    bearer = token(subject=CANARY, name=CANARY)
    read = "query($id: ID!) { node(id: $id) { ... on Coupon { code redeemed } } }"
    request.addfinalizer(structlog.reset_defaults)
    for query, variables in (
        (read, {"id": "cpn_broken"}),
        ("query($e: String!) { customer(by: {email: $e}) { name email } }", {"e": f"{CANARY}@example.com"}),
        ("query($c: String) { customer(by: {number: $c}) { activities(after: $c) { totalCount } } }", {"c": CANARY}),
        (f'{{ customer(by: {{number: "{CANARY}"}}) {{ nope }} }}', {}),
        (f"{{ {CANARY}", {}),
    ):
        headers = {"Authorization": f"Bearer {bearer}"}
        await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
    await client.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": f"Bearer {CANARY}"})

    written = capfd.readouterr()
    lines = [json.loads(line) for line in written.err.splitlines() if line.startswith("{")]
    assert [line["document"] for line in lines] == ["cpn_broken", "cpn_broken"]  # both faults are there, by id
    assert all(line["requestId"] for line in lines)
    for said in (written.out, written.err, caplog.text):
        assert CANARY not in said
        assert bearer not in said


async def test_every_answer_names_its_request(client: httpx2.AsyncClient) -> None:
    response = await client.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 401
    assert response.headers["x-request-id"]
