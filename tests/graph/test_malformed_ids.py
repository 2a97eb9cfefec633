"""A malformed id is the same wherever one is given: BAD_USER_INPUT in `errors`, with its place.

Generated from the schema: every argument and every input field that takes an ID.
"""

import re
from typing import Any

import pytest

from app.domain.kinds import BY_COLLECTION
from app.store.driver import Document
from tests.support.battery import Hole, holes
from tests.support.gateway import Ask
from tests.support.world import World

BESIDE_A_REQUEST = "Mutation.completeRequest(input.results[])"
"""Beside it a request must be named: test_requests."""
IDS = {hole.name: hole for hole in holes() if "$it: ID!" in hole.query and hole.name != BESIDE_A_REQUEST}
ANY_KIND = {"Query.node(id)", "Query.nodes(ids[])", "Mutation.addNote(input.links[])"}
MALFORMED = (
    "nonsense",
    "",
    " ",
    "_",
    "cus",
    "cus_",
    "CUS_x",
    "8812",
    "\0",
    "nobody_x",
    '{"$ne": 1}',
    "cus_" + "x" * 10_000,
)


def kind_of(hole: Hole) -> str:
    """Returns the prefix of the ids that belong in the place."""
    field = re.split(r"[.(]", hole.name)[-1].rstrip(")")
    names = {
        "couponIds[]": "coupons",
        "emailId": "emails",
        "passId": "passes",
        "adjustmentId": "adjustments",
        "entryId": "blocklist",
        "mergeId": "merges",
        "noteId": "notes",
        "segmentId": "segments",
        "endpointId": "webhookEndpoints",
        "uploadId[]": "uploads",
        "transactionId": "transactions",
        "transactionIds[]": "transactions",
        "requestId": "requests",
        "orderId": "orders",
        "quoteId": "quotes",
        "instrumentId": "paymentInstruments",
        "documentId": "kycDocuments",
        "checkId": "amlChecks",
    }
    return BY_COLLECTION[names.get(field, "exports" if field == "exportId" else "customers")].prefix


def test_the_places_are_found() -> None:
    assert len(IDS) >= 20
    assert ANY_KIND < IDS.keys()
    assert {"Query.auditLog(filter.customerId)", "Mutation.redeemCoupon(input.couponIds[])"} < IDS.keys()


async def given(ask: Ask, hole: Hole, customer: Document, value: str) -> dict[str, Any]:
    """Asks with this id in the place; another that must be given beside it is the customer's."""
    variables = {"it": value} | ({"id": customer["_id"]} if hole.needs_customer else {})
    return await ask(hole.query.replace('"cus_x"', f'"{customer["_id"]}"'), **variables)


@pytest.mark.parametrize("name", IDS)
async def test_a_malformed_id_is_one_code_in_one_place(name: str, ask: Ask, world: World) -> None:
    hole, ada = IDS[name], await world.customer()
    others = () if name in ANY_KIND else ["act_x" if kind_of(hole) != "act" else "cus_x", "fil_x"]
    for value in (*MALFORMED, *others):
        answer = await given(ask, hole, ada, value)
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", value
        assert "is not an id" in error["message"]
        field = error["extensions"]["field"][-1]
        assert hole.name.rstrip(")").rpartition("(")[2].rpartition(".")[2].removesuffix("[]") == field
        assert error["path"][0] == hole.name.partition("(")[0].partition(".")[2]
    for collection in ("activities", "notes", "idempotency"):
        assert await world.store.find(collection, {}) == []
    if name.startswith("Mutation."):
        log = await world.store.find("audit", {})
        assert {(row["outcome"], row["code"]) for row in log} == {("REFUSED", "BAD_USER_INPUT")}
        assert len(log) == len((*MALFORMED, *others))


@pytest.mark.parametrize("name", IDS)
async def test_an_id_of_nothing_is_not_malformed(name: str, ask: Ask, world: World) -> None:
    hole, ada = IDS[name], await world.customer()
    answer = await given(ask, hole, ada, f"{kind_of(hole)}_nobody")
    assert "BAD_USER_INPUT" not in str(answer.get("errors", "")), answer
    if name.startswith("Mutation."):
        query = hole.query.replace("__typename", "userErrors { code field }")
        answer = await given(ask, Hole(name, query, needs_customer=False), ada, f"{kind_of(hole)}_nobody")
        (payload,) = answer["data"].values()
        code = "UPLOAD_MISSING" if kind_of(hole) == "upl" else "NOT_FOUND"
        assert [each["code"] for each in payload["userErrors"]] == [code]
