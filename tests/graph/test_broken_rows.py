"""Rows that are broken: what is worked out of them costs their own customer only, beside others in one request."""

from typing import Any

import pytest

from app.store.driver import Store
from tests.support.gateway import Ask
from tests.support.world import World, spoil

CANARY = "canary-7f3a"


@pytest.fixture
def store(database_to_spoil: Store) -> Store:
    """Replaces the database that others use, too."""
    return database_to_spoil


@pytest.mark.parametrize(
    ("collection", "key", "broken", "field"),
    [
        ("activities", "type", [CANARY], "activityFacets { count }"),
        ("transactions", "amount", {"amount": CANARY}, "transactions { nodes { refundable { amount } } }"),
        ("creditMemos", "unused", {"amount": CANARY, "currency": "EUR"}, "creditBalances { amount }"),
        ("invoices", "amountDue", {"amount": 1.5, "currency": "EUR"}, "amountDue { amount }"),
        ("creditMemos", "unused", {"amount": 1, "currency": [CANARY]}, "creditBalances { amount }"),
        ("invoices", "amountDue", {"amount": 1, "currency": {CANARY: CANARY}}, "amountDue { amount }"),
        ("points", "kind", CANARY, "points { audit { ok } }"),
    ],
)
async def test_what_is_worked_out_of_broken_rows_costs_their_own_customer_only(
    ask: Ask, world: World, store: Store, collection: str, key: str, broken: Any, field: str
) -> None:
    sick, well = await world.everything(), await world.everything()
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {field} }} }} }}"
    ids = [sick["_id"], well["_id"]]
    before = await ask(query, ids=ids)
    assert "errors" not in before
    (row, *_) = await store.find(collection, {"customerId": sick["_id"], key: {"$exists": True}}, limit=1)
    await spoil(store, collection, row["_id"], **{key: broken})
    answer = await ask(query, ids=ids)
    assert answer["data"]["nodes"][0] != before["data"]["nodes"][0]
    assert answer["data"]["nodes"][1] == before["data"]["nodes"][1]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL"}


@pytest.mark.parametrize("key", ["searchEmails", "searchPhones", "searchName", "dateOfBirth", "status"])
async def test_what_customers_resemble_each_other_by_costs_no_other_customer_where_it_is_broken(
    ask: Ask, world: World, store: Store, key: str
) -> None:
    shared = {"phones": [{"value": "+44 20 7946 0000", "primary": True}]}
    ada, bob, eve = [await world.customer(email="a@example.com", dateOfBirth="1990-01-31", **shared) for _ in range(3)]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { possibleDuplicates { customer { id } } } } }"
    for odd in (None, 5, CANARY, {CANARY: CANARY}, [5, CANARY], [{CANARY: CANARY}]):
        await spoil(store, "customers", ada["_id"], **{key: odd})
        answer = await ask(query, ids=[ada["_id"], bob["_id"]])
        assert "errors" not in answer
        of_ada, of_bob = [
            [each["customer"]["id"] for each in of["possibleDuplicates"]] for of in answer["data"]["nodes"]
        ]
        assert {*of_ada} == {bob["_id"], eve["_id"]}, odd
        assert {*of_bob} == {ada["_id"], eve["_id"]}, odd
