"""One customer, whole."""

from tests.support.gateway import Ask
from tests.support.world import World


async def test_a_customer_is_found_by_number(ask: Ask, world: World) -> None:
    ada = await world.customer(number="C-42", name="Ada Lovelace")
    answer = await ask('{ customer(by: {number: "C-42"}) { id name points { spendable audit { ok entries } } } }')
    points = {"spendable": 0, "audit": {"ok": True, "entries": 0}}
    assert answer == {"data": {"customer": {"id": ada["_id"], "name": "Ada Lovelace", "points": points}}}
