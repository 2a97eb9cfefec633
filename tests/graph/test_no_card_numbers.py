"""No mutation takes a card number: wherever it stands in the input, nothing is stored and nothing repeats it.

Generated from the schema: every text of every mutation.
"""

import json
import re

import pytest

from app.store.driver import Store
from app.store.schema import COLLECTIONS
from tests.support.battery import Hole, holes
from tests.support.gateway import Ask
from tests.support.mutations import ADD_NOTE
from tests.support.world import World

CARD = "4111 1111 1111 1111"
TEXTS = [hole for hole in holes() if hole.name.startswith("Mutation.") and "$it: String!" in hole.query]


async def named(world: World) -> dict[str, str]:
    """Returns what mutations are about, by the input's field that names it."""
    ada = await world.customer()
    email = await world.email(ada)
    return {
        "customerId": ada["_id"],
        "intoId": ada["_id"],
        "noteId": (await world.note(ada))["_id"],
        "adjustmentId": (await world.adjustment(ada))["_id"],
        "emailId": email["_id"],
        "passId": (await world.pass_(ada))["_id"],
        "entryId": (await world.blocklist_entry(ada))["_id"],
        "mergeId": (await world.undoable_merge(await world.customer()))["_id"],
        "segmentId": (await world.segment())["_id"],
        "endpointId": (await world.webhook_endpoint())["_id"],
        "exportId": (await world.export())["_id"],
        "uploadId": (await world.upload())["_id"],
        "requestId": (await world.request(ada))["_id"],
        "transactionId": (await world.transaction(ada))["_id"],
        "orderId": (await world.mirror("orders", ada))["_id"],
        "quoteId": (await world.mirror("quotes", ada))["_id"],
        "instrumentId": (await world.mirror("paymentInstruments", ada))["_id"],
        "documentId": (await world.mirror("kycDocuments", ada))["_id"],
        "checkId": (await world.mirror("amlChecks", ada))["_id"],
    }


def of(hole: Hole, ids: dict[str, str]) -> str:
    query = re.sub(r'(\w+): "cus_x"', lambda found: f'{found[1]}: "{ids[found[1]]}"', hole.query)
    query = query.replace("transactionIds: []", f'transactionIds: ["{ids["transactionId"]}"]')
    return query.replace("__typename", "userErrors { code field message }")


async def everything(store: Store) -> str:
    """Returns all that is stored, but for the log of changes and how many were asked for in this minute."""
    stored = {each: await store.find(each, {}) for each in sorted(COLLECTIONS) if each not in ("audit", "counters")}
    return json.dumps(stored, default=str)


def test_every_mutation_is_here() -> None:
    assert len({hole.name.partition("(")[0] for hole in TEXTS}) > 35
    assert len(TEXTS) > 150


@pytest.mark.parametrize("card", [CARD, f"Paid with {CARD}, 12/30", "30569309025904", "３７８２８２２４６３１０００５"])
async def test_a_card_number_is_refused_wherever_a_text_is_taken(
    card: str, ask: Ask, world: World, store: Store
) -> None:
    ids = await named(world)
    before = await everything(store)
    for hole in TEXTS:
        answer = await ask(of(hole, ids), it=card)
        assert "errors" not in answer, hole.name
        ((mutation, payload),) = answer["data"].items()
        (error,) = payload["userErrors"]
        assert error["code"] == "CARD_NUMBER", hole.name
        path = [each for each in error["field"] if not each.isdecimal()]
        assert f"Mutation.{mutation}(input.{'.'.join(path)})" == hole.name.replace("[]", "")
        assert card not in json.dumps(answer, ensure_ascii=False)
    log = await store.find("audit", {})
    assert {(row["outcome"], row["code"]) for row in log} == {("REFUSED", "CARD_NUMBER")}
    assert len(log) == len(TEXTS)
    assert await everything(store) == before


async def test_all_card_numbers_of_an_input_are_named_at_once_also_in_literals(ask: Ask, world: World) -> None:
    ada = await world.customer()
    query = f"""mutation {{ addNote(input: {{customerId: "{ada["_id"]}", message: "{CARD}", mentions: ["x", "{CARD}"],
      idempotencyKey: "k"}}) {{ customer {{ id }} userErrors {{ code field message }} }} }}"""
    payload = (await ask(query))["data"]["addNote"]
    assert payload["customer"] == {"id": ada["_id"]}
    assert [(each["code"], each["field"], each["message"].split()[0]) for each in payload["userErrors"]] == [
        ("CARD_NUMBER", ["message"], "message"),
        ("CARD_NUMBER", ["mentions", "1"], "mentions"),
    ]


async def test_a_masked_number_is_taken_and_so_is_a_key_that_is_a_uuid(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = {"customerId": ada["_id"], "message": "Paid with 411111******1111, see +49 1512 3456787."}
    payload = (await ask(ADD_NOTE, input={**given, "idempotencyKey": "550e8400-4111-4111-8111-111111111111"}))["data"]
    assert payload["addNote"]["userErrors"] == []
    assert payload["addNote"]["note"]["message"] == given["message"]
