"""Every text that a change takes: a line break is one, whoever's it is; what is no text is refused with a code."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.mutations import MANY_TEXTS, REQUESTED, about_request
from tests.support.schema_walk import schema
from tests.support.world import World

IN_LINES = {
    "AddNoteInput.message",
    "EditNoteInput.message",
    "RecordActivityInput.message",
    "AdjustPointsInput.reason",
    "ChangeCustomerStatusInput.reason",
    "RequestPointsAdjustmentInput.reason",
    "DeclinePointsAdjustmentInput.reason",
    "AddToBlocklistInput.reason",
    "RemoveFromBlocklistInput.reason",
    "AnonymiseCustomerInput.reason",
    "MergeCustomersInput.reason",
    "UnmergeInput.reason",
    "RequireDueDiligenceInput.reason",
    "SetDueDiligenceScoresInput.reason",
    "CreateSegmentInput.description",
    "UpdateSegmentInput.description",
    "CreateWebhookEndpointInput.description",
    "UpdateWebhookEndpointInput.description",
    *(f"{mutation[0].upper()}{mutation[1:]}Input.reason" for mutation in REQUESTED),
    "CompleteRequestInput.message",
}
"""Texts of several lines. All others are one."""
UNKNOWN = ("UNKNOWN_ACTIVITY_TYPE", "TYPE_NOT_ALLOWED")
"""Codes of what is one of a few words, and not this one."""
GIVEN: dict[str, dict[str, Any]] = {
    "createCustomer": {"name": "Ada"},
    "updateCustomer": {"firstName": "Ada"},
    "addTaxId": {"type": "OTHER", "value": "1"},
    "removeTaxId": {"type": "OTHER", "value": "1"},
    "setDefaultTaxId": {"type": "OTHER", "value": "1"},
    "updateLeadSource": {"medium": "search"},
    "createUpload": {"name": "a.pdf", "mimeType": "application/pdf", "bytes": 1, "sha256": "0" * 64},
    "addNote": {"message": "Hello"},
    "editNote": {"message": "Hello"},
    "adjustPoints": {"points": 1, "reason": "Late"},
    "requestPointsAdjustment": {"points": 1, "reason": "Late"},
    "declinePointsAdjustment": {"reason": "Twice"},
    "changeCustomerStatus": {"status": "BLOCKED", "reason": "Asked"},
    "tagCustomer": {"tag": "vip"},
    "untagCustomer": {"tag": "b2b"},
    "recordActivity": {"type": "ORDER_CREATED"},
    "addToBlocklist": {"type": "FINGERPRINT", "value": "x", "reason": "Fraud"},
    "removeFromBlocklist": {"reason": "A mistake"},
    "anonymiseCustomer": {"reason": "Article 17"},
    "mergeCustomers": {"reason": "The same person"},
    "unmerge": {"reason": "Two persons"},
    "requireDueDiligence": {"required": True, "reason": "Fraud"},
    "setDueDiligenceScores": {"scores": [{"factor": "FRAUD", "score": "PROBABLE"}], "reason": "Fraud"},
    "createSegment": {"name": "VIPs", "filter": {}, "scope": "SHARED", "sharedWith": ["grace"]},
    "updateSegment": {"columns": ["name"]},
    "createWebhookEndpoint": {"name": "CRM", "url": "https://example.com/"},
    "updateWebhookEndpoint": {"name": "ERP"},
    **REQUESTED,
}

LISTS = {"mentions", "sharedWith", "columns", "types", *MANY_TEXTS}
"""Texts that are given several at a time."""

INPUTS = {
    "untagCustomer": "TagCustomerInput",
    **dict.fromkeys(("addTaxId", "removeTaxId", "setDefaultTaxId"), "TaxIdInput"),
}
"""The input types that several mutations share."""


def texts() -> Iterator[tuple[str, str, str]]:
    """Mutation, input type and field of every text of a change of a customer."""
    mutations = schema().type_map["Mutation"]
    for mutation in GIVEN:
        type_ = mutations.fields[mutation].args["input"].type  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
        named: Any = schema().type_map[str(type_).strip("!")]  # pyright: ignore[reportUnknownArgumentType]
        assert isinstance(named, GraphQLInputObjectType)
        for field, each in named.fields.items():
            if str(each.type).strip("[]!") == "String":
                yield mutation, named.name, field


def test_the_mutations_here_are_all_that_take_a_text_of_a_customer() -> None:
    mutations: Any = schema().type_map["Mutation"]
    others = {
        "pinNote",
        "redeemCoupon",
        "resendEmail",
        "emailPass",
        "pushPass",
        "approvePointsAdjustment",
        "exportCustomers",
        "exportReport",
        "cancelExport",
        "requestDataExport",
        "starSegment",
        "deleteSegment",
        "rotateWebhookSecret",
        "deleteWebhookEndpoint",
        "redeliverWebhooks",
        "request",
        "retryRequest",
    }
    # Those have a key alone, what test_search_box asks, or need a system that is connected (test_executors).
    assert {*mutations.fields} == {*GIVEN, *others}


async def about(world: World, customer: Document, mutation: str) -> Document:
    """What the change is of."""
    if mutation in REQUESTED:
        return await about_request(world, customer, mutation)
    if mutation in ("createCustomer", "createSegment", "createUpload", "createWebhookEndpoint"):
        return {}
    if mutation == "updateSegment":
        return {"segmentId": (await world.segment(scope="SHARED", sharedWith=["grace"]))["_id"]}
    if mutation == "updateWebhookEndpoint":
        return {"endpointId": (await world.webhook_endpoint())["_id"]}
    if mutation == "editNote":
        return {"noteId": (await world.note(customer))["_id"]}
    if mutation == "declinePointsAdjustment":
        return {"adjustmentId": (await world.adjustment(customer))["_id"]}
    if mutation == "anonymiseCustomer":
        return {"customerId": customer["_id"], "confirmNumber": customer["number"]}
    if mutation == "mergeCustomers":
        return {"intoId": customer["_id"], "ids": [(await world.customer())["_id"]]}
    if mutation == "unmerge":
        return {"mergeId": (await world.undoable_merge(customer))["_id"]}
    if mutation == "removeFromBlocklist":
        return {"entryId": (await world.blocklist_entry(customer))["_id"]}
    return {"customerId": customer["_id"]}


async def errors(ask: Ask, mutation: str, given: Document) -> list[str]:
    type_ = f"{mutation[0].upper()}{mutation[1:]}Input"
    type_ = INPUTS.get(mutation, type_)
    query = f"mutation($i: {type_}!) {{ {mutation}(input: $i) {{ userErrors {{ code message }} }} }}"
    answer = await ask(query, i=given)
    if "errors" in answer:
        return [error["extensions"]["code"] for error in answer["errors"]]
    return [error["code"] for error in answer["data"][mutation]["userErrors"]]


@pytest.mark.parametrize("bad", ["a\x07b", "a\0b", "\u200b", "\u0301", " ", "a\x85b", "a\u2028b"], ids=ascii)
async def test_what_is_no_text_is_refused_wherever_one_is_taken(bad: str, ask: Ask, world: World) -> None:
    ada = await world.customer(tags=["b2b"])
    for mutation, type_, field in texts():
        value = [bad] if field in LISTS else bad
        given = {**await about(world, ada, mutation), "idempotencyKey": "k", **GIVEN[mutation], field: value}
        found = await errors(ask, mutation, given)
        assert found, (type_, field)
        assert set(found) <= {"INVALID", "BAD_USER_INPUT", *UNKNOWN}, (type_, field)
        assert (found == ["BAD_USER_INPUT"]) is (field == "columns"), (type_, field)  # a name that there is, or none
    assert await world.store.find("activities", {}) == []


@pytest.mark.parametrize("line_break", ["\r\n", "\r", "\n"], ids=ascii)
async def test_a_line_break_is_one_where_there_are_lines_and_refused_where_there_is_one(
    line_break: str, ask: Ask, world: World
) -> None:
    for index, (mutation, type_, field) in enumerate(texts()):
        ada = await world.customer(tags=["b2b"])
        text = f"one{line_break}two"
        value = [text] if field in LISTS else text
        given = {**await about(world, ada, mutation), "idempotencyKey": f"k{index}", **GIVEN[mutation], field: value}
        found = await errors(ask, mutation, given)
        if f"{type_}.{field}" not in IN_LINES:
            assert found in (["INVALID"], ["BAD_USER_INPUT"], *([code] for code in UNKNOWN)), (type_, field)
            continue
        assert found == [], (type_, field)
        if type_.endswith("SegmentInput"):
            assert len(await world.store.find("segments", {field: "one\ntwo"})) == 1 + (mutation == "updateSegment")
            continue
        if type_.endswith("WebhookEndpointInput"):
            stored = await world.store.find("webhookEndpoints", {field: "one\ntwo"})
            assert len(stored) == 1 + (mutation == "updateWebhookEndpoint")
            continue
        if mutation == "anonymiseCustomer":  # which leaves no words on the account
            assert len(await world.store.find("erasures", {"reason": "one\ntwo"})) == 1
            continue
        (activity,) = await world.store.find("activities", {"customerId": ada["_id"]})
        assert activity["message"] == "one\ntwo"


async def test_a_link_to_what_never_existed_is_not_found_and_nothing_is_written(ask: Ask, world: World) -> None:
    ada = await world.customer()
    sale = await world.transaction(ada)
    own = {"customerId": ada["_id"], "message": "See", "idempotencyKey": "k"}
    for links in (["txn_never"], [sale["_id"], "cus_never"]):
        assert await errors(ask, "addNote", {**own, "links": links}) == ["NOT_FOUND"]
    assert await world.store.find("notes", {}) == []
    assert await errors(ask, "addNote", {**own, "links": [sale["_id"], ada["_id"]]}) == []


async def test_a_label_that_differs_by_accent_alone_is_the_same_label_everywhere(ask: Ask, world: World) -> None:
    ada = await world.customer(tags=["Ärger"])
    own = {"customerId": ada["_id"], "idempotencyKey": "k"}
    assert await errors(ask, "tagCustomer", {**own, "tag": "arger"}) == ["INVALID"]
    assert await errors(ask, "untagCustomer", {**own, "tag": "ARGER"}) == []
    assert (await world.store.find("customers", {"_id": ada["_id"]}))[0]["tags"] == []
    query = '{ customers(filter: {tags: ["ärger"]}) { totalCount } }'
    assert (await ask(query))["data"]["customers"]["totalCount"] == 0
