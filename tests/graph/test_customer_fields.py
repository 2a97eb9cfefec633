"""Fields that a company's own catalogue adds to customers: imported, read, filtered by, masked, erased, handed out."""

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zipfile import ZipFile

import pytest

from app.domain.access import Role
from app.graph import masks_for
from app.services.export_job import Exporter
from app.services.importing import DEFAULTS, ImportOptions, Reject, Warned, import_lines
from app.store.driver import Document, Store
from app.store.files import EXPORTED
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, NOW, Line, Run, ada, customer
from tests.support.mutations import ANONYMISE, MERGE_CUSTOMERS, REQUEST_DATA_EXPORT
from tests.support.query_plans import documents_read, explained
from tests.support.tokens import token
from tests.support.world import World

FIELDS = """query($number: String!, $names: [String!]) { customer(by: {number: $number}) {
  fields(names: $names) { definition { name label kind filterable } value number boolean time } } }"""
LIST = "query($f: CustomerFilter) { customers(filter: $f, first: 50) { nodes { number } } }"
GIVEN: Mapping[str, Any] = {"loyaltyTier": "GOLD", "creditLimit": "1250.50", "shoeSize": 38}
BILLING: Mapping[str, Any] = {"source": "billing", "id": "B-1", "identities": [{"source": "esuite", "id": "E1001"}]}


async def bring(store: Store, *lines: Line, options: ImportOptions = DEFAULTS) -> Run:
    rejects: list[Reject] = []
    warned: list[Warned] = []
    raw = [json.dumps(line).encode() for line in lines]
    summary = await import_lines(store, raw, now=NOW, reject=rejects.append, warn=warned.append, options=options)
    return Run(summary, rejects, warned)


async def stored(store: Store) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in (await ada(store)).get("fields", [])}


async def shown(ask: Ask, who: str | None = None, names: list[str] | None = None) -> dict[str, str]:
    answer = await ask(FIELDS, number="1001", names=names, **({"token": who} if who else {}))
    assert "errors" not in answer, answer
    return {each["definition"]["name"]: each["value"] for each in answer["data"]["customer"]["fields"]}


async def found(ask: Ask, *conditions: Document, **who: Any) -> list[str]:
    answer = await ask(LIST, f={"fields": [*conditions]}, **who)
    assert "errors" not in answer, answer
    return sorted(node["number"] for node in answer["data"]["customers"]["nodes"])


# ---------------------------------------------------------------- brought in, and shown


async def test_fields_are_imported_exactly_and_shown_in_the_order_of_the_catalogue(ask: Ask, store: Store) -> None:
    assert (await bring(store, customer(fields=GIVEN))).rejects == []
    assert await stored(store) == {"loyaltyTier": "GOLD", "creditLimit": Decimal("1250.50"), "shoeSize": 38}
    answer = await ask(FIELDS, number="1001")
    assert "errors" not in answer, answer
    tier, limit, shoe = answer["data"]["customer"]["fields"]
    assert tier == {
        "definition": {"name": "loyaltyTier", "label": "Tier", "kind": "TEXT", "filterable": True},
        "value": "GOLD",
        "number": None,
        "boolean": None,
        "time": None,
    }
    assert (limit["value"], limit["number"], shoe["value"], shoe["number"]) == ("1250.50", 1250.5, "38", 38)
    assert [*await shown(ask, names=["shoeSize"])] == ["shoeSize"]
    listed = await ask("{ customerFields { name kind values filterable translations { language text } } }")
    assert "errors" not in listed, listed
    assert listed["data"]["customerFields"][0] == {
        "name": "loyaltyTier",
        "kind": "TEXT",
        "values": ["BRONZE", "SILVER", "GOLD"],
        "filterable": True,
        "translations": [{"language": "de", "text": "Stufe"}],
    }
    assert (await bring(store, customer(fields=GIVEN))).totals == {"UNCHANGED": 1}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"loyaltyTeir": "GOLD"}, "fields.loyaltyTeir is unknown; did you mean loyaltyTier?"),
        (
            {"loyaltyTier": "GOLDEN"},
            "fields.loyaltyTier must be one of BRONZE, SILVER, GOLD; did you mean GOLD?",
        ),
        ({"creditLimit": "much"}, "fields.creditLimit must be a decimal number of at most 34 digits, such as 12.5."),
        ({"shoeSize": 38.5}, "fields.shoeSize must be a whole number within 64 bits, such as 12."),
        (["GOLD"], "fields must be an object of names and values."),
    ],
)
async def test_a_bad_value_costs_its_field_or_if_strict_its_line(store: Store, fields: Any, sentence: str) -> None:
    good: dict[str, Any] = {"creditLimit": 5} if "creditLimit" not in fields and fields != ["GOLD"] else {}
    given: Any = fields if fields == ["GOLD"] else {**good, **fields}
    run = await bring(store, customer(fields=given))
    assert (run.reasons, [*run.warnings.values()]) == ({}, [sentence])
    assert await stored(store) == good
    strict = await bring(store, customer(fields=given), options=ImportOptions(strict=True))
    assert strict.reasons == {1: sentence}


async def test_each_source_has_its_own_say_and_null_takes_away_what_it_gave(store: Store) -> None:
    """The rule of a customer's other values: what a source repeats undoes nothing, and null clears its own alone."""
    billing = {"kind": "customer", **BILLING}
    await bring(store, customer(fields=GIVEN))
    await bring(store, {**billing, "fields": {"loyaltyTier": "SILVER"}})
    await bring(store, customer(fields=GIVEN))
    assert (await stored(store))["loyaltyTier"] == "SILVER"
    await bring(store, customer(fields={"loyaltyTier": None, "shoeSize": None}))
    assert await stored(store) == {"loyaltyTier": "SILVER", "creditLimit": Decimal("1250.50")}
    await bring(store, {**billing, "fields": {"loyaltyTier": ""}})
    assert (await stored(store))["loyaltyTier"] == "SILVER"
    await bring(store, {**billing, "fields": None}, customer(fields=None))
    assert await stored(store) == {}
    assert "fields" not in await ada(store)


# ---------------------------------------------------------------- found by


async def test_customers_are_found_by_fields_that_are_filterable(ask: Ask, store: Store) -> None:
    limits = ["10", "99.99", "100", "100.01", "2000"]
    lines = [
        customer(str(at), fields={"creditLimit": limit, "loyaltyTier": "GOLD" if at % 2 else "SILVER"})
        for at, limit in enumerate(limits)
    ]
    await bring(store, *lines, customer("9"))
    assert await found(ask, {"name": "loyaltyTier", "values": ["GOLD"]}) == ["1", "3"]
    assert await found(ask, {"name": "loyaltyTier", "values": ["GOLD", "SILVER"]}) == ["0", "1", "2", "3", "4"]
    assert await found(ask, {"name": "loyaltyTier", "values": []}) == []
    assert await found(ask, {"name": "creditLimit"}) == ["0", "1", "2", "3", "4"]
    assert await found(ask, {"name": "creditLimit", "values": ["100.00"]}) == ["2"]
    assert await found(ask, {"name": "creditLimit", "from": "99.99", "to": "100.01"}) == ["1", "2"]
    gold = {"name": "loyaltyTier", "values": ["GOLD"]}
    assert await found(ask, gold, {"name": "creditLimit", "from": "100"}) == ["3"]
    assert await found(ask) == ["0", "1", "2", "3", "4", "9"]


@pytest.mark.parametrize(
    ("condition", "way_out"),
    [
        ({"name": "shoeSize"}, "Those that can be filtered by: loyaltyTier, creditLimit."),
        ({"name": "creditLimt"}, 'Did you mean "creditLimit"?'),
        ({"name": "loyaltyTier", "values": ["gold"]}, "values must be one of BRONZE, SILVER, GOLD; did you mean GOLD?"),
        ({"name": "creditLimit", "from": "much"}, "creditLimit: from must be a decimal number"),
        ({"name": "creditLimit", "from": "2", "to": "1"}, "from must be less than to."),
        ({"name": "creditLimit", "from": "2", "values": ["1"]}, "give either values, or from and to."),
        ({"name": "loyaltyTier", "values": ["\u200b"]}, "values must be one of BRONZE, SILVER, GOLD."),
        ({"name": "loyaltyTier", "from": "GOLD"}, "loyaltyTier has no order: give values"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused_with_a_way_out(ask: Ask, condition: Document, way_out: str) -> None:
    (error,) = (await ask(LIST, f={"fields": [condition]}))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert way_out in error["message"]


async def test_a_filter_reads_no_document_that_it_does_not_return(ask: Ask, store: Store, commands: Commands) -> None:
    """One index serves the fields of all names."""
    lines = [
        customer(str(at), fields={"creditLimit": at, "loyaltyTier": "GOLD" if at % 100 == 7 else "SILVER"})
        for at in range(600)
    ]
    await bring(store, *lines)
    for condition, many in (
        ({"name": "loyaltyTier", "values": ["GOLD"]}, 6),
        ({"name": "creditLimit", "from": "590"}, 10),
        ({"name": "creditLimit", "values": ["17", "18"]}, 2),
    ):
        commands.clear()
        assert len(await found(ask, condition)) == many
        ((_, command),) = commands.sent
        assert documents_read(await explained(store, command)) == many


async def test_a_saved_segment_and_an_export_keep_conditions_on_fields(ask: Ask, store: Store) -> None:
    await bring(store, customer("1", fields={"loyaltyTier": "GOLD", "creditLimit": 5}), customer("2"))
    both = [{"name": "loyaltyTier", "values": ["GOLD"]}, {"name": "creditLimit", "from": "4.5"}]
    create = (
        """mutation($i: CreateSegmentInput!) { createSegment(input: $i) { segment { id } userErrors { message } } }"""
    )
    made = await ask(create, i={"name": "Gold", "idempotencyKey": "k", "filter": {"fields": both}})
    segment_id = made["data"]["createSegment"]["segment"]["id"]
    answer = await ask("query($s: ID!) { customers(segmentId: $s) { nodes { number } } }", s=segment_id)
    assert answer["data"]["customers"]["nodes"] == [{"number": "1"}]
    request = "mutation($i: ExportCustomersInput!) { exportCustomers(input: $i) { export { id } } }"
    asked = {"format": "NDJSON", "idempotencyKey": "e", "columns": ["number"]}
    made = await ask(request, i={**asked, "segmentId": segment_id})
    await Exporter(store, masks_for).once()
    export_id = made["data"]["exportCustomers"]["export"]["id"]
    content = b"".join([piece async for piece in EXPORTED.read(store.database, export_id)])
    assert [json.loads(line) for line in content.splitlines()] == [{"number": "1"}]


# ---------------------------------------------------------------- for whom


async def test_each_role_reads_and_finds_by_what_is_meant_for_it(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields=GIVEN, affiliateId="aff"))
    own = token(Role.CUSTOMER, customer_id=ADA)
    referrer = token(Role.AFFILIATE, affiliate_id="aff")
    assert [*await shown(ask, token(Role.SALES_REP))] == ["loyaltyTier", "creditLimit", "shoeSize"]
    assert [*await shown(ask, own)] == ["loyaltyTier", "shoeSize"]
    assert [*await shown(ask, referrer)] == ["loyaltyTier"]  # a shoe size is personal
    assert await found(ask, {"name": "loyaltyTier", "values": ["GOLD"]}, token=referrer) == ["1001"]
    for who, known in ((own, ["loyaltyTier", "shoeSize", "agreedAt"]), (referrer, ["loyaltyTier"])):
        answer = await ask("{ customerFields { name } }", token=who)
        assert [each["name"] for each in answer["data"]["customerFields"]] == known
        (error,) = (await ask(LIST, f={"fields": [{"name": "creditLimit"}]}, token=who))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        (error,) = (await ask(FIELDS, number="1001", names=["creditLimit"], token=who))["errors"]
        assert (error["extensions"]["code"], "creditLimit" in error["message"]) == ("BAD_USER_INPUT", True)


async def test_an_erasure_leaves_what_is_not_personal_and_the_data_export_has_all(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields=GIVEN))
    request = await ask(REQUEST_DATA_EXPORT, input={"customerId": ADA, "idempotencyKey": "x"})
    await Exporter(store, masks_for).once()
    export_id = request["data"]["requestDataExport"]["export"]["id"]
    content = b"".join([piece async for piece in EXPORTED.read(store.database, export_id)])
    data = json.loads(ZipFile(io.BytesIO(content)).read("data.json"))
    assert {each["name"]: str(each["value"]) for each in data["customer"]["fields"]} == {
        "loyaltyTier": "GOLD",
        "creditLimit": "1250.50",
        "shoeSize": "38",
    }
    given = {"customerId": ADA, "confirmNumber": "1001", "reason": "Article 17", "idempotencyKey": "k"}
    erased = await ask(ANONYMISE, input=given)
    assert erased["data"]["anonymiseCustomer"]["userErrors"] == []
    assert await stored(store) == {"loyaltyTier": "GOLD"}
    assert "1250.50" not in json.dumps(await ada(store), default=str)


async def test_of_two_who_become_one_the_survivor_has_the_say(ask: Ask, store: Store, world: World) -> None:
    await bring(store, customer(fields={"loyaltyTier": "GOLD"}))
    await bring(store, customer("1002", fields={"loyaltyTier": "SILVER", "shoeSize": 41}))
    [other] = await store.find("customers", {"number": "1002"})
    given = {"intoId": ADA, "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    merged = await ask(MERGE_CUSTOMERS, input=given)
    assert merged["data"]["mergeCustomers"]["userErrors"] == [], merged
    assert await stored(store) == {"loyaltyTier": "GOLD", "shoeSize": 41}
