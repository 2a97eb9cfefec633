"""Searches of due diligence come in once, and the newest of each factor says its automatic score."""

import json
from itertools import permutations
from typing import Any

import pytest

from app.domain import due_diligence
from app.services.importing import LineOutcome
from app.store.driver import DeleteOne, Document, Store, UpdateOne
from tests.support.import_lines import ADA, Bring, Line, ada, customer, fingerprint, only, thing


def search(source_id: str, score: str = "UNCLEAR", at: str = "2024-01-01T00:00:00Z", **content: Any) -> Line:
    return thing("dueDiligenceSearch", source_id, **{"factor": "FRAUD", "score": score, "searchedAt": at, **content})


async def _fraud(store: Store) -> Document:
    state = due_diligence.state_of((await ada(store))["dueDiligence"])
    return next(each for each in state["factors"] if each["factor"] == "FRAUD")


async def test_a_search_comes_in_whole_and_once(store: Store, bring: Bring) -> None:
    found = {"url": "HTTPS://courts.example.com/17?x=1", "details": "A verdict.\nOf 2019."}
    line = search("1", nextSearchAt="2025-01-01T00:00:00Z", results=[found, {"url": "http://example.com"}])
    await bring(customer(), line)
    stored = await only(store, "searches")
    assert (stored["customerId"], stored["score"], stored["results"]) == (
        ADA, "UNCLEAR", [found, {"url": "http://example.com"}]
    )  # fmt: skip
    state = due_diligence.state_of((await ada(store))["dueDiligence"])
    assert (state["required"], state["nextSearchAt"].year, (await _fraud(store))["automatic"]) == (
        False, 2025, "UNCLEAR"
    )  # fmt: skip
    before = await fingerprint(store)
    assert (await bring(line)).totals == {LineOutcome.UNCHANGED: 1}
    assert await fingerprint(store) == before
    other = await bring({**line, "score": "CONFIRMED"})
    assert "never rewritten" in other.reasons[1]
    assert await fingerprint(store) == before


async def test_the_newest_search_of_a_factor_counts_in_whatever_order_and_chunks_they_come(
    store: Store, bring: Bring
) -> None:
    lines = [
        search("old", "CONFIRMED", "2024-01-01T00:00:00Z", nextSearchAt="2024-06-01T00:00:00Z"),
        search("new", "UNLIKELY", "2024-03-01T00:00:00Z"),
        search("middle", "PROBABLE", "2024-02-01T00:00:00Z", nextSearchAt="2024-07-01T00:00:00Z"),
        search("another", "NOT_FOUND", "2024-02-01T00:00:00Z", factor="ARREST"),
    ]
    await bring(customer())
    for together, order in [(each, order) for each in (1, 1_000) for order in permutations(lines)]:
        await bring(*order, lines_per_chunk=together)
        state = due_diligence.state_of((await ada(store))["dueDiligence"])
        scores = {each["factor"]: each["effective"] for each in state["factors"] if each["effective"]}
        assert (scores, state["nextSearchAt"]) == ({"FRAUD": "UNLIKELY", "ARREST": "NOT_FOUND"}, None)
        listed = await store.find("searches", {"factor": "FRAUD"}, sort={"searchedAt": -1})
        assert [each["score"] for each in listed] == ["UNLIKELY", "PROBABLE", "CONFIRMED"]
        await store.write("customers", [UpdateOne({"_id": ADA}, {"$unset": {"dueDiligence": ""}})])
        for each in await store.find("searches", {}):
            await _delete(store, each)


async def _delete(store: Store, row: Document) -> None:
    await store.write("searches", [DeleteOne({"_id": row["_id"]})])


async def test_of_one_moment_the_search_that_came_last_counts(store: Store, bring: Bring) -> None:
    await bring(customer(), search("1", "CONFIRMED"), search("2", "UNLIKELY"))
    assert (await _fraud(store))["automatic"] == "UNLIKELY"


async def test_a_search_moves_only_the_automatic_score(store: Store, bring: Bring) -> None:
    await bring(customer())
    by = {"kind": "AGENT", "id": "mira", "name": "Mira Sol"}
    stored, _ = due_diligence.with_scores(
        {"required": True, "factors": []}, {"FRAUD": "UNLIKELY"}, by, (await ada(store))["registeredAt"]
    )
    await store.write("customers", [UpdateOne({"_id": ADA}, {"$set": {"dueDiligence": stored}})])
    await bring(search("1", "CONFIRMED"))
    fraud = await _fraud(store)
    assert (fraud["manual"], fraud["automatic"], fraud["effective"]) == ("UNLIKELY", "CONFIRMED", "UNLIKELY")
    assert (await ada(store))["dueDiligence"]["required"] is True
    assert fraud["manualBy"] == by


async def test_searches_of_several_customers_and_parked_ones_come_to_their_own(store: Store, bring: Bring) -> None:
    early = search("p", "PROBABLE", of="esuite/E1002")
    await bring(customer(), early, search("1", "UNLIKELY"))
    assert (await _fraud(store))["automatic"] == "UNLIKELY"
    run = await bring(customer("1002"))
    assert run.totals[LineOutcome.UNPARKED] == 1
    [other] = await store.find("customers", {"number": "1002"})
    assert due_diligence.effective(other["dueDiligence"]["factors"][0]) == "PROBABLE"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"results": [{"url": "javascript:alert(1)"}]}, "results.0.url must be an address"),
        ({"results": [{"url": "example.com"}]}, "results.0.url must be an address"),
        ({"results": [{"url": "https://"}]}, "results.0.url must be an address"),
        ({"results": [{"url": "https://example.com/\u202e"}]}, "results.0.url must be an address"),
        ({"results": [{"url": "https://example.com/" + "x" * 2_000}]}, "results.0.url must be an address"),
        ({"results": [{"details": "Nothing."}]}, "results.0.url is required"),
        ({"results": [{"url": "https://example.com", "details": "4111 1111 1111 1111"}]}, "the number of a card"),
        ({"results": [{"url": "https://example.com", "details": "x" * 1_001}]}, "results.0.details must be text"),
        ({"results": [{"url": "https://example.com"}] * 101}, "results must be a list of at most 100"),
        ({"score": "not-found"}, "score must be one of NOT_FOUND"),
        ({"factor": "HEIGHT"}, "factor must be one of OCCUPATION"),
        ({"searchedAt": "2999-01-01T00:00:00Z"}, "searchedAt lies in the future"),
        ({"deleted": True}, "no line deletes a dueDiligenceSearch"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else None,
)
async def test_what_is_no_search_is_rejected_and_nothing_of_it_is_stored(
    content: dict[str, Any], reason: str, store: Store, bring: Bring
) -> None:
    run = await bring(customer(), search("1", **content))
    assert reason in run.reasons[2]
    assert await store.find("searches", {}) == []
    assert "dueDiligence" not in await ada(store)
