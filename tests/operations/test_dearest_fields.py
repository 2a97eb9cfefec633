"""An operation that is too dear is refused with its dearest fields, and with what each of them costs by itself."""

import random

import httpx2
import pytest
from graphql import parse

from app.graph import executable
from app.operations import cost as prices
from app.operations.cost import REQUEST, FieldCost, TooExpensive, price_of_dearest, price_of_text
from app.operations.errors import MESSAGE_CHARACTERS
from app.settings import Limits
from app.store.driver import Store
from tests.support.commands import Commands
from tests.support.gateway import gateway_app
from tests.support.prices import cost, cost_plans
from tests.support.random_queries import Words, written
from tests.support.tokens import token

WORDS = Words(["cus_x", "act_x"], ["C-1"], ["a@example.com"], ["changedFields"], ["NOTE_ADDED"], ["x"])


def dearest(query: str, *, most: int = 3, **variables: object) -> list[FieldCost]:
    (plan,) = cost_plans(parse(query)).values()
    return [*plan.dearest(variables, most=most)]


@pytest.mark.parametrize("seed", range(200))
def test_what_all_fields_cost_by_themselves_is_what_the_operation_costs(seed: int) -> None:
    document = written(executable, WORDS, random.Random(seed))
    for plan in cost_plans(parse(document.text)).values():
        whole = plan.cost(document.variables)
        costs = plan.dearest(document.variables, most=10_000)
        assert abs(sum(each.cost for each in costs) + REQUEST - whole) <= 1 + len(costs) / 2  # each is rounded
        assert [each.cost for each in costs] == sorted((each.cost for each in costs), reverse=True)
        assert len({each.path for each in costs}) == len(costs)


def test_the_page_that_multiplies_is_named_and_not_the_fields_around_it() -> None:
    query = "{ customers(first: 100) { nodes { name timeline: activities(first: 50) { nodes { title message } } } } }"
    first, second, third = dearest(query)
    assert first == FieldCost(("customers", "nodes", "timeline"), 100 * (5 + 6) + round(100 * 0.3 * 51) + 25 + 6)
    assert second == FieldCost(("customers", "nodes", "timeline", "nodes", "message"), round(5_000 * 0.26))
    assert third == FieldCost(("customers",), round(25 + 3 * 101 + 0.06))


def test_counting_is_the_cost_of_the_field_that_asks_for_it() -> None:
    counted = "... on CustomerConnection { totalCount }"
    query = '{ customers(filter: {emailPrefix: "anna"}, first: 1) { %s nodes { id } } }'
    assert dearest(query % "totalCount")[0] == FieldCost(("customers", "totalCount"), 2_500)
    assert dearest(query % counted)[0] == FieldCost(("customers", "totalCount"), 2_500)
    assert dearest(query % "nodes { name }")[0].path == ("customers",)


def test_fields_of_fragments_are_found_where_they_are_spread() -> None:
    query = """{ customer(by: {id: "x"}) { ...A } }
    fragment A on Customer { ... { ...B } } fragment B on Customer { notes(first: 100, last: null) { nodes { id } } }"""
    assert dearest(query)[0].path == ("customer", "notes")


def test_a_field_that_is_left_out_costs_nothing() -> None:
    query = "query($is: Boolean!) { viewer { name } customers @include(if: $is) { nodes { id } } }"
    assert ("customers",) in {each.path for each in dearest(query, **{"is": True})}
    assert {each.path[0] for each in dearest(query, **{"is": False})} == {"viewer"}


def test_chains_and_doublings_of_fragments_are_walked_in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock: it counts the steps. 256 spreads lead through a chain of 200 fragments to one field each."""
    doublings = "".join(f"fragment D{n} on Viewer {{ ...D{n + 1} ...D{n + 1} }}" for n in range(8))
    chain = "".join(f"fragment C{n} on Viewer {{ ...C{n + 1} }}" for n in range(200))
    query = (
        f"{{ viewer {{ ...D0 }} }} {doublings} fragment D8 on Viewer {{ ...C0 }} {chain} "
        "fragment C200 on Viewer { name }"
    )
    steps = 0
    step_of = prices._FieldCosts._step  # pyright: ignore[reportPrivateUsage]

    def counting(*given: object) -> object:
        nonlocal steps
        steps += 1
        return step_of(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(prices._FieldCosts, "_step", counting)  # pyright: ignore[reportPrivateUsage]
    assert dearest(query)[0] == FieldCost(("viewer", "name"), round(256 * 0.06))
    assert steps <= 2 * 2**8 + 1


async def test_the_refusal_names_three_fields_for_programs_and_people(store: Store, commands: Commands) -> None:
    query = """query($first: Int) { customers(first: 100) { nodes {
        activities(first: $first) { nodes { id title availableActions } } } } }"""
    app = gateway_app(store, Limits())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        body = {"query": query, "variables": {"first": 100}}
        answer = (await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token()}"})).json()
    (error,) = answer["errors"]
    whole = cost(query, first=100)
    first = ["customers", "nodes", "activities", "nodes", "availableActions"]
    assert error["extensions"]["code"] == "COST_LIMIT_EXCEEDED"
    assert [each["path"] for each in error["extensions"]["dearest"]] == [first, first[:3], first[:4]]
    dear = [each["cost"] for each in error["extensions"]["dearest"]]
    assert dear == [70_650, 4_161, 606]
    assert error["message"] == (
        f"The operation may cost {whole}; the limit is 20000. Ask for smaller pages, or for less in each row. Its "
        "dearest fields: customers.nodes.activities.nodes.availableActions (70650), customers.nodes.activities (4161), "
        "customers.nodes.activities.nodes (606)."
    )
    assert commands.sent == []


async def test_finding_the_dearest_fields_is_paid_for_by_who_is_refused(store: Store) -> None:
    """It takes longer than refusing does: a text that is known costs its sender no more than a request, else."""
    query = "{ customers(first: 100) { nodes { %s } } }"
    query %= " ".join("activities(first: 100) { nodes { id } }" for _ in range(60))
    each = REQUEST + price_of_dearest(182)
    app = gateway_app(store, Limits(cost_per_minute=price_of_text(query) + 4 * each))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        headers = {"Authorization": f"Bearer {token()}"}
        answers = [(await client.post("/graphql", json={"query": query}, headers=headers)).json() for _ in range(6)]
    codes = [answer["errors"][0]["extensions"]["code"] for answer in answers]
    assert codes == ["COST_LIMIT_EXCEEDED"] * 4 + ["RATE_LIMITED"] * 2


def test_a_long_path_leaves_room_for_the_sentence() -> None:
    aliases = [f"{letter * 99}{number}" for number, letter in enumerate("abcd")]
    below = " ".join(f"{alias}: activities(first: 100) {{ nodes {{ id }} }}" for alias in aliases)
    (plan,) = cost_plans(parse(f"{{ customers(first: 100) {{ nodes {{ {below} }} }} }}")).values()
    refusal = TooExpensive(cost=2**31 - 1, limit=20_000, dearest=plan.dearest({}))
    assert len(str(refusal)) < MESSAGE_CHARACTERS
    assert str(refusal).endswith(f"…{aliases[2][-80:]} (4161).")
