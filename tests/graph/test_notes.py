"""Notes that are edited, with what they were before, and notes that are pinned, for everybody or for one."""

from typing import Any

import pytest

from app.domain.access import Role
from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.mutations import ADD_NOTE, EDIT_NOTE, PIN_NOTE
from tests.support.tokens import token
from tests.support.world import World, ago

PINNED = "query ($id: ID!) { customer(by: {id: $id}) { pinnedNotes { id pinnedFor } } }"


async def _change(ask: Ask, mutation: str, as_: str = "", **given: Any) -> dict[str, Any]:
    answer = await (ask(mutation, input=given, token=as_) if as_ else ask(mutation, input=given))
    assert "errors" not in answer, answer
    (payload,) = answer["data"].values()
    return payload


async def _pinned(ask: Ask, owner: Document, as_: str) -> list[tuple[str, str]]:
    answer = await ask(PINNED, id=owner["_id"], token=as_)
    return [(note["id"], note["pinnedFor"]) for note in answer["data"]["customer"]["pinnedNotes"]]


async def test_an_edit_appends_a_version_and_the_timeline_keeps_both_texts(ask: Ask, world: World) -> None:
    ada = await world.customer()
    grace = token(Role.CUSTOMER_SERVICE_AGENT, subject="grace", name="Grace")
    given = {"customerId": ada["_id"], "message": "Calls back.", "idempotencyKey": "k"}
    note = (await _change(ask, ADD_NOTE, grace, **given))["note"]
    edit = {"noteId": note["id"], "message": "Calls back on Monday.", "idempotencyKey": "e"}
    payload = await _change(ask, EDIT_NOTE, grace, **edit)
    assert payload["note"]["message"] == "Calls back on Monday."
    assert [each["message"] for each in payload["note"]["versions"]] == ["Calls back.", "Calls back on Monday."]
    assert (payload["activity"]["type"], payload["activity"]["message"]) == ("NOTE_EDITED", "Calls back on Monday.")
    by_lead = await _change(ask, EDIT_NOTE, **{**edit, "message": "Calls back.", "idempotencyKey": "l"})
    assert [each["author"]["userId"] for each in by_lead["note"]["versions"]] == ["grace", "grace", "tess"]
    same = await _change(ask, EDIT_NOTE, **{**edit, "message": "Calls back.", "idempotencyKey": "m"})
    assert (same["userErrors"], same["activity"]) == ([], None)
    told = await world.store.find("activities", {}, sort={"occurredAt": 1})
    assert [each["message"] for each in told] == ["Calls back.", "Calls back on Monday.", "Calls back."]


async def test_only_its_author_and_supervisors_edit_a_note(ask: Ask, world: World) -> None:
    note = await world.note(await world.customer())
    edit = {"noteId": note["_id"], "message": "Other", "idempotencyKey": "e"}
    for role in Role:
        answer = await ask(EDIT_NOTE, input=edit, token=token(role, subject="else"))
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ([] if role in (Role.ADMIN, Role.CS_ADMIN) else ["FORBIDDEN"]), role


@pytest.mark.parametrize("message", ["", "\u200b", "x" * 10_001])
async def test_a_note_keeps_its_text_where_the_new_one_is_none(message: str, ask: Ask, world: World) -> None:
    note = await world.note(await world.customer())
    payload = await _change(ask, EDIT_NOTE, noteId=note["_id"], message=message, idempotencyKey="e")
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [("INVALID", ["message"])]
    assert await world.store.find("notes", {}) == [note]


async def test_a_note_with_a_hundred_versions_takes_no_more(ask: Ask, world: World) -> None:
    versions = [{"message": str(at), "author": {"kind": "AGENT", "name": "G"}, "at": at_} for at, at_ in _moments(100)]
    note = await world.note(await world.customer(), versions=versions)
    payload = await _change(ask, EDIT_NOTE, noteId=note["_id"], message="One more", idempotencyKey="e")
    assert [error["code"] for error in payload["userErrors"]] == ["LIMIT_EXCEEDED"]


def _moments(count: int) -> list[tuple[int, Any]]:
    return [(at, ago(hours=at)) for at in range(count)]


async def test_a_pin_for_all_is_everybodys_and_on_the_timeline_and_one_for_me_is_mine(ask: Ask, world: World) -> None:
    ada = await world.customer()
    one, two = await world.note(ada), await world.note(ada)
    grace, alan = (token(Role.CUSTOMER_SERVICE_AGENT, subject=name) for name in ("grace", "alan"))
    mine = await _change(ask, PIN_NOTE, grace, noteId=one["_id"], pinnedFor="ME", idempotencyKey="1")
    assert (mine["note"]["pinnedFor"], mine["activity"]) == ("ME", None)
    assert (await _pinned(ask, ada, grace), await _pinned(ask, ada, alan)) == ([(one["_id"], "ME")], [])
    ours = await _change(ask, PIN_NOTE, grace, noteId=two["_id"], pinnedFor="ALL", idempotencyKey="2")
    assert ours["activity"]["type"] == "NOTE_PINNED"
    assert await _pinned(ask, ada, alan) == [(two["_id"], "ALL")]
    again = await _change(ask, PIN_NOTE, alan, noteId=two["_id"], pinnedFor="ALL", idempotencyKey="3")
    assert again["activity"] is None
    gone = await _change(ask, PIN_NOTE, alan, noteId=two["_id"], pinnedFor=None, idempotencyKey="4")
    assert (gone["note"]["pinnedFor"], gone["activity"]["type"]) == (None, "NOTE_UNPINNED")
    assert await _pinned(ask, ada, grace) == [(one["_id"], "ME")]


async def test_pins_of_many_customers_are_one_command(ask: Ask, world: World, commands: Any) -> None:
    customers = [await world.customer() for _ in range(5)]
    for each in customers:
        await world.note(each, pins=["\tall"])
    commands.clear()
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { pinnedNotes(first: 5) { id } } } }"
    answer = await ask(query, ids=[each["_id"] for each in customers])
    assert [len(node["pinnedNotes"]) for node in answer["data"]["nodes"]] == [1] * 5
    assert len(commands.sent) == 2
