"""The hostile battery: each request is refused with its code before anything is asked of the database, or answered.

How long each takes, and what a bystander notices of it: `python -m bench.hostile`.
"""

import json
from typing import Any

import httpx2
import pytest

from app.domain.access import Role
from app.http.request import JSON, RESPONSE
from app.store.driver import Document
from tests.support.battery import OBJECTS, TEXTS, battery, holes, pages, types
from tests.support.commands import Commands
from tests.support.thoroughness import part_of
from tests.support.tokens import token
from tests.support.world import World

INTERNALS = ("mongo", "bson", "traceback", "exception", ".py", "strawberry", "graphql-core")
REFUSALS = {"BAD_USER_INPUT", "BAD_CURSOR"}
"""What a text may come to, other than an answer."""


async def post(client: httpx2.AsyncClient, body: bytes | str, bearer: str, accept: str = RESPONSE) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {bearer}", "Content-Type": JSON, "Accept": accept}
    return await client.post("/graphql", content=body, headers=headers)


async def test_each_hostile_request_is_refused_with_its_code_before_anything_is_read(
    client: httpx2.AsyncClient, commands: Commands
) -> None:
    bearer, wrong, seen = token(), dict[str, Any](), set[str]()
    for case in battery():
        assert case.name not in seen
        seen.add(case.name)
        commands.clear()
        response = await post(client, case.body, bearer)
        answer = response.json()
        verdict: dict[str, Any] = {
            "status": response.status_code,
            "codes": {error["extensions"]["code"] for error in answer.get("errors", ())},
            "data": "data" in answer,
            "asked": commands.names,
            "short": len(response.content) < 12_000,
            "internals": [word for word in INTERNALS if word in response.text.lower()],
        }
        expected: dict[str, Any] = {
            "status": case.status,
            "codes": {case.code},
            "data": False,
            "asked": [],
            "short": True,
            "internals": [],
        }
        if verdict != expected:
            wrong[case.name] = {key: value for key, value in verdict.items() if value != expected[key]}, answer
    assert wrong == {}, "\n".join(f"{name}: {str(what)[:300]}" for name, what in wrong.items())


def test_the_battery_covers_the_schema() -> None:
    assert len(types()) >= 11
    assert len(pages()) >= 6
    assert len(list(battery())) >= 150
    assert len(list(holes())) >= 57


async def test_an_operator_in_place_of_a_text_is_refused_before_anything_is_read(
    client: httpx2.AsyncClient, commands: Commands
) -> None:
    bearer, wrong = token(), dict[str, Any]()
    for hole in holes():
        for value in OBJECTS:
            commands.clear()
            variables = {"it": value, **({"id": "cus_x"} if hole.needs_customer else {})}
            response = await post(client, json.dumps({"query": hole.query, "variables": variables}), bearer)
            codes = [error["extensions"]["code"] for error in response.json()["errors"]]
            if (response.status_code, codes, commands.sent) != (400, ["BAD_USER_INPUT"], []):
                wrong[f"{hole.name} {value}"] = response.status_code, codes, commands.names, response.text[:300]
    assert wrong == {}, "\n".join(f"{name}: {what}" for name, what in wrong.items())


@pytest.mark.parametrize("role", [Role.ADMIN, Role.CUSTOMER])
async def test_a_text_is_a_text_to_the_database_whatever_it_says(
    client: httpx2.AsyncClient, world: World, commands: Commands, role: Role
) -> None:
    """It is answered or refused, never a fault; and it is never part of a command but as a value."""
    ada = await world.everything()
    bearer = token() if role == Role.ADMIN else token(role, customer_id=ada["_id"])
    allowed = REFUSALS | ({"FORBIDDEN"} if role == Role.CUSTOMER else set[str]())
    wrong: dict[str, Any] = {}
    for number, hole in enumerate(holes()):
        # What a text does is no matter of roles: a customer tries each in turn, at one hole after the other.
        for text in part_of(TEXTS, 4, turn=number) if role == Role.ADMIN else [TEXTS[number % len(TEXTS)]]:
            commands.clear()
            variables = {"it": text, **({"id": ada["_id"]} if hole.needs_customer else {})}
            response = await post(client, json.dumps({"query": hole.query, "variables": variables}), bearer, JSON)
            answer = response.json()
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            keys = {key for _, command in commands.sent for key in keys_of(command)}
            said = [word for word in INTERNALS if word in json.dumps(answer.get("errors", ())).lower()]
            if response.status_code != 200 or not codes <= allowed or (text and text in keys) or said:
                wrong[f"{hole.name} {text[:40]!r}"] = response.status_code, codes, said, response.text[:300]
    assert wrong == {}, "\n".join(f"{name}: {what}" for name, what in wrong.items())


def keys_of(value: Any) -> set[str]:
    """The keys of a command at any depth, without the operators that we write ourselves."""
    match value:
        case {**fields}:
            own = {key for key in fields if not (key.startswith("$") and key not in ("$where", "$bitsAnySet"))}
            return own.union(*map(keys_of, fields.values()))
        case [*items]:
            return set[str]().union(*map(keys_of, items))
        case _:
            return set()


async def test_a_tampered_cursor_costs_its_own_list_everywhere(
    client: httpx2.AsyncClient, world: World, commands: Commands
) -> None:
    ada, eve = await world.everything(), await world.everything()
    for place in pages():
        cursor = await cursor_of(client, eve, place.name)
        for forged in (cursor, cursor[::-1], cursor[:-1], cursor + "A", "é", "\0", "[" * 500, "x" * 40_000):
            for argument in ("after", "before"):
                page = f"page: {place.name}({argument}: $c) {{ totalCount }}"
                query = f"query($id: ID!, $c: String) {{ customer(by: {{id: $id}}) {{ id {page} }} }}"
                body = json.dumps({"query": query, "variables": {"id": ada["_id"], "c": forged}})
                answer = (await post(client, body, token())).json()
                assert answer["data"] == {"customer": {"id": ada["_id"], "page": None}}, (place.name, forged)
                (error,) = answer["errors"]
                assert error["extensions"]["code"] == "BAD_CURSOR"


async def cursor_of(client: httpx2.AsyncClient, customer: Document, field: str) -> str:
    query = (
        f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ page: {field}(first: 1) {{ pageInfo {{ endCursor }} }} }} }}"
    )
    answer = (await post(client, json.dumps({"query": query, "variables": {"id": customer["_id"]}}), token())).json()
    return answer["data"]["customer"]["page"]["pageInfo"]["endCursor"]


async def test_the_biggest_text_that_fits_is_answered(client: httpx2.AsyncClient, world: World) -> None:
    await world.customer()
    query = "query($t: String!) { customer(by: {email: $t}) { id } other: customer(by: {number: $t}) { id } }"
    body = json.dumps({"query": query, "variables": {"t": "(a+)+$" * 170_000}})
    assert (await post(client, body, token())).json()["data"] == {"customer": None, "other": None}
