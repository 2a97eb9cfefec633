"""Enhanced due diligence: what people require and score, what searches say, who reads it, and merges."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from app.domain import due_diligence as rules
from app.domain.access import PERMITTED, STAFF, Permission, Role
from app.domain.vocabulary import DueDiligenceFactor, DueDiligenceScore
from app.services.merge_job import Mover
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.mutations import (
    DUE_DILIGENCE,
    MERGE_CUSTOMERS,
    REQUIRE_DUE_DILIGENCE,
    SET_DUE_DILIGENCE_SCORES,
    UNMERGE,
)
from tests.support.tokens import token
from tests.support.world import AGENT, NOW, World, ago

READ = f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ {DUE_DILIGENCE} }} }}"
READERS = {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE}
SCORES = [each.value for each in DueDiligenceScore]


async def _require(ask: Ask, customer: Document, *, required: bool = True, key: str = "r", **given: Any) -> Document:
    asked = {"customerId": customer["_id"], "required": required, "reason": "Large sums", **given}
    answer = await ask(REQUIRE_DUE_DILIGENCE, input={"idempotencyKey": key, **asked})
    assert "errors" not in answer, answer
    return answer["data"]["requireDueDiligence"]


async def _score(
    ask: Ask, customer: Document, *scores: tuple[str, str | None], key: str = "s", **given: Any
) -> Document:
    listed = [{"factor": factor, "score": score} for factor, score in scores]
    asked = {"customerId": customer["_id"], "scores": listed, "reason": "I looked", "idempotencyKey": key, **given}
    answer = await ask(SET_DUE_DILIGENCE_SCORES, input=asked)
    assert "errors" not in answer, answer
    return answer["data"]["setDueDiligenceScores"]


async def _read(ask: Ask, customer: Document) -> Document:
    return (await ask(READ, id=customer["_id"]))["data"]["customer"]["dueDiligence"]


def _factors(state: Document) -> dict[str, Document]:
    return {each["factor"]: each for each in state["factors"]}


def _codes(payload: Document) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


# ---------------------------------------------------------------- what is required, and scores by hand


async def test_of_a_customer_of_whom_nothing_is_known_there_are_four_factors_without_scores(
    ask: Ask, world: World
) -> None:
    state = await _read(ask, await world.customer())
    assert (state["required"], state["nextSearchAt"], state["searches"]["nodes"]) == (False, None, [])
    assert [each["factor"] for each in state["factors"]] == ["OCCUPATION", "ARREST", "BANKRUPTCY", "FRAUD"]
    assert {value for each in state["factors"] for key, value in each.items() if key != "factor"} == {None}


async def test_it_is_required_and_lifted_each_with_one_activity_for_staff(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    assert (await _require(ask, ada))["customer"]["dueDiligence"]["required"] is True
    again = await _require(ask, ada, key="again")
    assert (again["userErrors"], again["activity"]) == ([], None)
    assert (await _require(ask, ada))["activity"], "the same key: what it wrote then"
    assert (await _require(ask, ada, required=False, key="l"))["customer"]["dueDiligence"]["required"] is False
    activities = await store.find("activities", {"customerId": ada["_id"]}, sort={"order": 1})
    assert [(each["type"], each["message"], each["audience"]) for each in activities] == [
        ("DUE_DILIGENCE_REQUIRED", "Large sums", "STAFF"),
        ("DUE_DILIGENCE_LIFTED", "Large sums", "STAFF"),
    ]
    log = await store.find("audit", {"customerId": ada["_id"]})
    assert [each["outcome"] for each in log] == ["ACCEPTED"] * 3  # the repeated key wrote nothing, and no row


async def test_a_manual_score_stands_until_it_is_cleared(ask: Ask, world: World) -> None:
    ada = await world.customer()
    payload = await _score(ask, ada, ("FRAUD", "PROBABLE"), ("ARREST", "NOT_FOUND"))
    fraud = _factors(payload["customer"]["dueDiligence"])["FRAUD"]
    assert (fraud["manual"], fraud["effective"], fraud["manualBy"]) == ("PROBABLE", "PROBABLE", {"userId": "tess"})
    assert fraud["manualAt"]
    assert fraud["automatic"] is None
    cleared = _factors((await _score(ask, ada, ("FRAUD", None), key="c"))["customer"]["dueDiligence"])
    assert {value for key, value in cleared["FRAUD"].items() if key != "factor"} == {None}
    assert cleared["ARREST"]["effective"] == "NOT_FOUND"


async def test_the_timeline_tells_which_factors_were_scored_and_no_score(ask: Ask, world: World, store: Store) -> None:
    ada = await world.customer()
    await _score(ask, ada, ("FRAUD", "PROBABLE"), ("ARREST", "UNCLEAR"))
    await _score(ask, ada, ("FRAUD", "PROBABLE"), ("ARREST", "CONFIRMED"), key="b")
    nothing = await _score(ask, ada, ("FRAUD", "PROBABLE"), ("OCCUPATION", None), key="c")
    assert (nothing["userErrors"], nothing["activity"]) == ([], None)
    activities = await store.find("activities", {"customerId": ada["_id"]}, sort={"order": 1})
    assert [(each["type"], each["attributes"]["factors"]) for each in activities] == [
        ("DUE_DILIGENCE_SCORED", ["FRAUD", "ARREST"]),
        ("DUE_DILIGENCE_SCORED", ["ARREST"]),
    ]
    assert not any(score in str(activities) for score in SCORES)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"scores": []}, ("scores",)),
        ({"scores": [{"factor": "FRAUD"}]}, ("scores", "0", "score")),
        ({"scores": [{"factor": "FRAUD", "score": None}] * 2}, ("scores", "1", "factor")),
        ({"scores": [{"factor": "FRAUD", "score": "UNCLEAR"}] * 5}, ("scores",)),
        ({"reason": " "}, ("reason",)),
    ],
)  # fmt: skip
async def test_what_cannot_be_scored_is_refused_with_nothing_written(
    given: Document, field: tuple[str, ...], ask: Ask, world: World, store: Store
) -> None:
    ada = await world.customer()
    assert _codes(await _score(ask, ada, ("FRAUD", "UNCLEAR"), **given)) == [("INVALID", field)]
    assert "dueDiligence" not in (await store.find("customers", {"_id": ada["_id"]}))[0]
    assert await store.find("activities", {}) == []


async def test_both_need_a_reason_and_an_account_that_is_open(ask: Ask, world: World) -> None:
    ada, gone = await world.customer(), await world.customer(status="ANONYMISED")
    assert _codes(await _require(ask, ada, reason="")) == [("INVALID", ("reason",))]
    assert _codes(await _require(ask, gone)) == [("CUSTOMER_CLOSED", ("customerId",))]
    assert _codes(await _score(ask, gone, ("FRAUD", "UNCLEAR"))) == [("CUSTOMER_CLOSED", ("customerId",))]


async def test_scores_that_two_people_set_at_once_are_both_there(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await asyncio.gather(*(_score(ask, ada, (each.value, "UNCLEAR"), key=each) for each in DueDiligenceFactor))
    assert {each["manual"] for each in (await _read(ask, ada))["factors"]} == {"UNCLEAR"}


# ---------------------------------------------------------------- searches


async def test_searches_are_read_newest_first_by_pages_and_by_their_ids(ask: Ask, world: World) -> None:
    ada, other = await world.customer(), await world.customer()
    await world.search(other)
    found = {"url": "https://courts.example.com/17", "details": "A verdict."}
    times = [{"searchedAt": ago(days=days), "order": 0} for days in (3, 1, 2)]
    stored = await world.many("searches", ada, *({**each, "results": [found]} for each in times))
    query = """query($id: ID!, $after: String) { customer(by: {id: $id}) { dueDiligence {
      searches(first: 2, after: $after) { totalCount nodes { id results { url details } customer { id } }
      pageInfo { hasNextPage endCursor } } } } }"""
    pages: list[Document] = []
    after = None
    for _ in range(2):
        answer = await ask(query, id=ada["_id"], after=after)
        pages.append(answer["data"]["customer"]["dueDiligence"]["searches"])
        after = pages[-1]["pageInfo"]["endCursor"]
    assert [page["totalCount"] for page in pages] == [3, 3]
    assert [page["pageInfo"]["hasNextPage"] for page in pages] == [True, False]
    nodes = [node for page in pages for node in page["nodes"]]
    assert [node["id"] for node in nodes] == [stored[place]["_id"] for place in (1, 2, 0)]
    assert all((node["results"], node["customer"]) == ([found], {"id": ada["_id"]}) for node in nodes)
    by_id = "query($id: ID!) { node(id: $id) { ... on DueDiligenceSearch { factor score searchedAt } } }"
    node = (await ask(by_id, id=stored[1]["_id"]))["data"]["node"]
    assert node == {"factor": "FRAUD", "score": "UNCLEAR", "searchedAt": "2026-01-30T12:00:00.000Z"}


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("role", Role)
async def test_only_those_who_answer_for_it_read_it(role: Role, ask: Ask, world: World) -> None:
    assert PERMITTED[Permission.READ_DUE_DILIGENCE] == PERMITTED[Permission.MANAGE_DUE_DILIGENCE] == READERS
    ada = await world.customer(affiliateId="aff-1")
    search = await world.search(ada)
    bearer = token(
        role,
        customer_id=ada["_id"] if role is Role.CUSTOMER else None,
        affiliate_id="aff-1" if role is Role.AFFILIATE else None,
    )
    read = await ask(READ, token=bearer, id=ada["_id"])
    assert "errors" not in read
    assert (read["data"]["customer"]["dueDiligence"] is not None) is (role in READERS)
    node = await ask("query($id: ID!) { node(id: $id) { id } }", token=bearer, id=search["_id"])
    assert (node["data"]["node"] is not None) is (role in READERS)


async def test_staff_who_may_not_read_it_learn_from_the_timeline_that_it_is_required(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await _require(ask, ada)
    query = "query($id: ID!) { customer(by: {id: $id}) { activities { nodes { message } } } }"
    for role in Role:
        bearer = token(role, customer_id=ada["_id"] if role is Role.CUSTOMER else None, affiliate_id="aff-1")
        customer = (await ask(query, token=bearer, id=ada["_id"]))["data"]["customer"]
        assert bool(customer and customer["activities"]["nodes"]) is (role in STAFF)


# ---------------------------------------------------------------- merging


def _stored(factor: str = "FRAUD", *, required: bool = False, days: int = 1, **scores: Any) -> Document:
    given: Document = {"factor": factor, **scores}
    if "manual" in scores:
        given |= {"manualBy": AGENT, "manualAt": ago(days=days)}
    if "automatic" in scores:
        given |= {"searchedAt": ago(days=days), "order": 0, "nextSearchAt": NOW + timedelta(days=days)}
    return {"required": required, "factors": [given]}


_POSSIBLE: list[dict[str, Any]] = [
    {key: score for key, score in (("manual", manual), ("automatic", automatic)) if score}
    for manual, automatic in product([None, *SCORES], repeat=2)
    if manual or automatic
]


def test_the_worst_effective_score_wins_whichever_of_the_two_has_it() -> None:
    def place(factor: Mapping[str, Any]) -> int:
        return SCORES.index(rules.effective(factor) or "")

    for one, two in product(_POSSIBLE, repeat=2):
        together = rules.merged([_stored(**one, days=1), _stored(**two, days=2)])
        assert together
        [factor] = together["factors"]
        assert place(factor) == max(place(one), place(two)), (one, two)
        # Once it is cleared, a search counts if there was one.
        assert ("automatic" in factor) is ("automatic" in one or "automatic" in two) or "manual" not in factor
        if "automatic" in one and "automatic" in two:
            assert (factor["searchedAt"], factor["nextSearchAt"]) == (ago(days=1), NOW + timedelta(days=1))


def test_what_one_alone_has_stays_as_it_is() -> None:
    own = _stored("ARREST", required=True, manual="UNCLEAR", automatic="CONFIRMED")
    assert rules.merged([own, None]) == rules.merged([None, own]) == own
    assert rules.merged([None, None]) is None
    both = rules.merged([own, _stored("FRAUD", automatic="UNLIKELY")])
    assert both
    assert both["required"] is True
    assert [each["factor"] for each in both["factors"]] == ["ARREST", "FRAUD"]


async def test_a_merge_moves_searches_and_takes_the_strictest_and_unmerging_gives_each_their_own(
    ask: Ask, world: World, store: Store
) -> None:
    before = _stored(automatic="UNLIKELY")
    into = await world.customer(dueDiligence=before)
    other = await world.customer(dueDiligence=_stored(required=True, manual="PROBABLE", automatic="NOT_FOUND"))
    search = await world.search(other)
    preview = await ask(
        "query($into: ID!, $ids: [ID!]!) { previewMerge(intoId: $into, ids: $ids) { warnings } }",
        into=into["_id"],
        ids=[other["_id"]],
    )
    assert preview["data"]["previewMerge"]["warnings"] == ["DUE_DILIGENCE_REQUIRED"]
    asked = {"intoId": into["_id"], "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    merged = (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]
    assert merged["userErrors"] == []
    for moved in (False, True):
        state = await _read(ask, into)
        fraud = _factors(state)["FRAUD"]
        assert (state["required"], fraud["manual"], fraud["effective"]) == (True, "PROBABLE", "PROBABLE"), moved
        assert [each["id"] for each in state["searches"]["nodes"]] == [search["_id"]], moved
        await Mover(store).once()
    undoing = {"mergeId": merged["merge"]["id"], "reason": "Two persons", "idempotencyKey": "u"}
    assert (await ask(UNMERGE, input=undoing))["data"]["unmerge"]["userErrors"] == []
    await Mover(store).once()
    assert (await store.find("customers", {"_id": into["_id"]}))[0]["dueDiligence"] == before
    assert (await _read(ask, into))["searches"]["nodes"] == []
    state = await _read(ask, other)
    assert (state["required"], _factors(state)["FRAUD"]["manual"]) == (True, "PROBABLE")
    assert [each["id"] for each in state["searches"]["nodes"]] == [search["_id"]]
