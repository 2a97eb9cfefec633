"""Edits here against nightly files: nothing that was corrected comes back by itself, and nothing new is lost."""

from random import Random
from typing import Any

import pytest

from app.services.importing import LineOutcome
from app.store.driver import Document, Store, UpdateMany
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, Bring, activity, ada, customer, thing
from tests.support.mutations import CREATE_CUSTOMER, EDIT_NOTE, PIN_NOTE, UPDATE_CUSTOMER

WORDS = ("one", "two", "three")
SOURCES = ("esuite", "billing")
FIELDS = ("firstName", "organization", "phones", "emails", "billingAddress")


def _value(field: str, word: str) -> Any:
    match field:
        case "phones":
            return [{"value": f"+47 91 23 45 6{WORDS.index(word)}", "primary": True}]
        case "emails":
            return [{"value": f"{word}@example.com", "primary": True}]
        case "billingAddress":
            return {"city": word}
        case _:
            return word


def _line(source: str, said: dict[str, str | None]) -> dict[str, Any]:
    """One nightly line: all that the source says, and what it takes away."""
    removed = ["email" if field == "emails" else field for field, word in said.items() if word is None]
    values = {field: _value(field, word) for field, word in said.items() if word is not None}
    other = [{"source": "esuite", "id": "E1001"}] if source == "billing" else []
    own = {"source": source, "id": "E1001" if source == "esuite" else "B1"}
    return {**customer(identities=other, firstName=None, organization=None, email=None, phones=None), **own} | {
        **values,
        "remove": removed,
    }


async def _edit(ask: Ask, key: str, **given: Any) -> dict[str, Any]:
    answer = await ask(UPDATE_CUSTOMER, input={"customerId": ADA, "idempotencyKey": key, **given})
    payload = answer["data"]["updateCustomer"]
    assert payload["userErrors"] == [], payload
    return payload


@pytest.mark.parametrize("seed", range(12))
async def test_random_edits_and_nightly_files_leave_what_was_said_for_the_first_time_last(
    seed: int, store: Store, ask: Ask, bring: Bring
) -> None:
    random = Random(seed)
    await bring(_line("esuite", {}), _line("billing", {}))
    now = dict[str, str | None]()
    last: dict[str, dict[str, str | None]] = {source: {} for source in SOURCES}
    edited, overruled = set[str](), 0
    for step in range(25):
        if random.random() < 0.3:
            field, word = random.choice(FIELDS), random.choice((*WORDS, None))
            await _edit(ask, f"{step}", **{field: word and _value(field, word)})
            if now.get(field) != word:
                edited.add(field)
            now[field] = word
        else:
            nights: list[dict[str, Any]] = []
            for source in random.sample(SOURCES, k=random.choice((1, 2))):
                said = {field: random.choice((*WORDS, None)) for field in FIELDS if random.random() < 0.3}
                said = {**last[source], **said}
                for field, word in said.items():
                    if last[source].get(field, "nothing yet") == word:
                        continue
                    overruled += field in edited and now.get(field) != word
                    edited.discard(field)
                    now[field] = last[source][field] = word
                nights.append(_line(source, said))
            run = await bring(*nights, lines_per_chunk=random.choice((1, 10)))
            assert run.rejects == []
        stored = await ada(store)
        expected = {field: _value(field, word) for field, word in now.items() if word is not None}
        assert {field: stored[field] for field in FIELDS if field in stored} == expected, step
        assert {mark["field"] for mark in stored.get("edited", ())} == edited
    told = await store.find("activities", {"type": "CUSTOMER_UPDATED", "source": {"$ne": "platform"}})
    assert sum(len(each["changes"]) for each in told) == overruled


async def test_the_timeline_tells_when_a_source_overrules_an_edit(store: Store, ask: Ask, bring: Bring) -> None:
    await bring(customer(firstName="Ada", jobTitle="Clerk"))
    await _edit(ask, "k", firstName="Augusta")
    repeated = await bring(customer(firstName="Ada", jobTitle="Clerk"))
    assert repeated.totals == {LineOutcome.UNCHANGED: 1}
    assert (await ada(store))["firstName"] == "Augusta"
    await bring(customer(firstName="Adeline", jobTitle="Countess"))
    assert (await ada(store))["firstName"] == "Adeline"
    answer = await ask(
        'query ($id: ID!) { customer(by: {id: $id}) { activities(filter: {types: ["CUSTOMER_UPDATED"]}) { nodes '
        '{ source actor { kind } changes { field from to } attribute(name: "changedFields") } } } }',
        id=ADA,
    )
    told = {each["source"]: each for each in answer["data"]["customer"]["activities"]["nodes"]}
    assert told["esuite"] == {
        "source": "esuite",
        "actor": {"kind": "IMPORT"},
        "changes": [{"field": "firstName", "from": "Augusta", "to": "Adeline"}],
        "attribute": "firstName",
    }
    assert told["platform"]["changes"] == [{"field": "firstName", "from": "Ada", "to": "Augusta"}]


async def test_a_database_of_an_earlier_version_keeps_its_edits_too(store: Store, ask: Ask, bring: Bring) -> None:
    line = customer(firstName="Ada", email="ada@example.com")
    await bring(line)
    await store.write("customers", [UpdateMany({}, {"$unset": {"sourceValues": "", "detailsRevision": ""}})])
    await _edit(ask, "k", firstName="Augusta", emails=[{"value": "augusta@example.com"}])
    assert (await bring(line)).totals == {LineOutcome.UNCHANGED: 1}
    customer_ = await ada(store)
    assert (customer_["firstName"], customer_["email"]) == ("Augusta", "augusta@example.com")


async def test_two_nightly_systems_do_not_flip_a_value(store: Store, bring: Bring) -> None:
    lines = [_line("esuite", {"organization": "one"}), _line("billing", {"organization": "two"})]
    await bring(*lines)
    revision = (await ada(store))["revision"]
    for _ in range(2):
        assert (await bring(*lines)).totals == {LineOutcome.UNCHANGED: 2}
    assert (await ada(store))["organization"] == "two"
    assert (await ada(store))["revision"] == revision


async def test_a_label_that_was_taken_off_stays_off_until_the_source_gives_it_anew(
    store: Store, ask: Ask, bring: Bring
) -> None:
    async def tags() -> Document:
        return (await ada(store))["tags"]

    await bring(customer(tags=["vip", "press"]))
    untag = "mutation ($input: TagCustomerInput!) { untagCustomer(input: $input) { userErrors { message } } }"
    await ask(untag, input={"customerId": ADA, "tag": "VIP", "idempotencyKey": "k"})
    await bring(customer(tags=["vip", "press"]))
    assert await tags() == ["press"]
    await bring(customer(tags=["vip", "press", "new"]))
    assert await tags() == ["press", "new"]
    await bring(customer(tags=["press"]))
    await bring(customer(tags=["press", "vip"]))
    assert await tags() == ["press", "vip"]


async def test_what_a_source_reports_lands_on_the_customer_who_was_created_for_its_identity(
    store: Store, ask: Ask, bring: Bring
) -> None:
    await bring(activity("a1"))  # it waits for its customer
    given = {"lastName": "King", "firstName": "Ada", "identity": {"source": "esuite", "id": "E1001"}}
    created = (await ask(CREATE_CUSTOMER, input={**given, "idempotencyKey": "k"}))["data"]["createCustomer"]["customer"]
    await bring(customer(firstName="Augusta"))
    [stored] = await store.find("customers", {})
    assert (stored["_id"], stored["firstName"], stored["lastName"]) == (created["id"], "Augusta", "King")
    assert {each["customerId"] for each in await store.find("activities", {})} == {created["id"]}


async def test_an_imported_note_that_was_edited_here_is_the_same_note_tomorrow(
    ask: Ask, store: Store, bring: Bring
) -> None:
    line = thing("note", "n1", message="Moved house.", createdAt="2024-01-01T00:00:00Z")
    await bring(customer(), line)
    [note] = await store.find("notes", {})
    await ask(EDIT_NOTE, input={"noteId": note["_id"], "message": "Moved to Oslo.", "idempotencyKey": "e"})
    await ask(PIN_NOTE, input={"noteId": note["_id"], "pinnedFor": "ALL", "idempotencyKey": "p"})
    run = await bring(line)
    assert (run.totals, run.rejects) == ({LineOutcome.UNCHANGED: 1}, [])
    assert (await store.find("notes", {}))[0]["message"] == "Moved to Oslo."
