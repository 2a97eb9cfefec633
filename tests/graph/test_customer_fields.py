"""Fields that a company's own catalogue adds to customers: imported, read, filtered by, masked, erased, handed out."""

import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zipfile import ZipFile

import pytest

from app.catalogue import CUSTOMER_FIELDS
from app.domain import customer_fields, details
from app.domain.access import Role
from app.domain.exports import choose_columns
from app.domain.refusals import BadUserInput, Refusals
from app.domain.vocabulary import ExportTable
from app.graph import masks_for
from app.services.erase_job import Eraser
from app.services.export_job import Exporter
from app.services.importing import DEFAULTS, ImportOptions, Reject, Warned, import_lines
from app.services.merge_job import Mover
from app.store.driver import Document, Store
from app.store.files import EXPORTED
from app.store.schema import COLLECTIONS
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, NOW, Line, Run, ada, customer
from tests.support.mutations import (
    ANONYMISE,
    CREATE_CUSTOMER,
    MERGE_CUSTOMERS,
    REQUEST_DATA_EXPORT,
    UNMERGE,
    UPDATE_CUSTOMER,
)
from tests.support.query_plans import documents_read, explained
from tests.support.tokens import token

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


# ---------------------------------------------------------------- edited by hand


async def edit(ask: Ask, key: str = "u", **values: str | None) -> Document:
    fields = [{"name": name, "value": value} for name, value in values.items()]
    return await edit_with(ask, key, fields)


async def edit_with(ask: Ask, key: str, fields: list[Document], **given: Any) -> Document:
    answer = await ask(UPDATE_CUSTOMER, input={"customerId": ADA, "idempotencyKey": key, "fields": fields, **given})
    assert "errors" not in answer, answer
    return answer["data"]["updateCustomer"]


def values_in(payload: Document) -> dict[str, str]:
    return {each["definition"]["name"]: each["value"] for each in payload["customer"]["fields"]}


async def test_people_edit_fields_of_every_kind_and_the_timeline_tells_what_they_were(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields=GIVEN))
    revision = (await ada(store))["revision"]
    given: Document = {"loyaltyTier": "SILVER", "creditLimit": "-3.20", "shoeSize": None, "isWholesale": "false"}
    payload = await edit(ask, **given, agreedAt="2026-01-31T13:00:00+01:00")
    assert payload["userErrors"] == []
    assert payload["customer"]["revision"] == revision + 1
    shown_ = {"loyaltyTier": "SILVER", "creditLimit": "-3.20", "isWholesale": "false"}
    assert values_in(payload) == {**shown_, "agreedAt": "2026-01-31T12:00:00.000Z"}
    assert (await stored(store))["creditLimit"] == Decimal("-3.20")
    assert payload["activity"]["changes"] == [
        {"field": "fields.loyaltyTier", "from": "GOLD", "to": "SILVER"},
        {"field": "fields.creditLimit", "from": "1250.50", "to": "-3.20"},
        {"field": "fields.shoeSize", "from": "38", "to": None},
        {"field": "fields.isWholesale", "from": None, "to": "false"},
        {"field": "fields.agreedAt", "from": None, "to": "2026-01-31T12:00:00.000Z"},
    ]
    [activity] = await store.find("activities", {"type": "CUSTOMER_UPDATED"})
    assert activity["attributes"] == {"changedFields": ["fields"]}
    [row] = await store.find("audit", {})
    assert (row["action"], row["outcome"], row["customerId"]) == ("updateCustomer", "ACCEPTED", ADA)
    assert await found(ask, {"name": "creditLimit", "to": "0"}) == ["1001"]


async def test_a_change_says_what_people_call_its_field_also_one_that_the_catalogue_no_longer_has(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(store, customer(fields=GIVEN))
    await edit_with(ask, "key", [{"name": "loyaltyTier", "value": "SILVER"}], jobTitle="Baker")
    asked = '{ customer(by: {number: "1001"}) { activities(first: 1) { nodes { changes { field label } } } } }'

    [told] = (await ask(asked))["data"]["customer"]["activities"]["nodes"]
    assert [each["label"] for each in told["changes"]] == ["Job title", "Tier"]
    left = {name: field for name, field in CUSTOMER_FIELDS.items() if name != "loyaltyTier"}
    monkeypatch.setattr(customer_fields, "CUSTOMER_FIELDS", left)
    assert customer_fields.label_of("fields.loyaltyTier") == "Loyalty tier"


async def test_what_is_there_already_is_no_change_and_a_key_makes_one(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields=GIVEN))
    before = await ada(store)
    same = await edit(ask, "same", creditLimit="1250.500", loyaltyTier="GOLD", isWholesale=None)
    assert (same["userErrors"], same["activity"]) == ([], None)
    after = await ada(store)
    assert (after["detailsRevision"], after["fields"]) == (before["detailsRevision"], before["fields"])
    first = await edit(ask, loyaltyTier="SILVER")
    assert await edit(ask, loyaltyTier="SILVER") == first
    conflict = await edit(ask, loyaltyTier="BRONZE")
    assert [error["code"] for error in conflict["userErrors"]] == ["IDEMPOTENCY_CONFLICT"]
    stale = await edit_with(ask, "s", [{"name": "shoeSize", "value": "40"}], expectedRevision=before["revision"])
    assert [error["code"] for error in stale["userErrors"]] == ["STALE"]
    assert len(await store.find("activities", {"type": "CUSTOMER_UPDATED"})) == 1
    nothing: list[Any] = [[], None]
    for fields in nothing:
        answer = await ask(UPDATE_CUSTOMER, input={"customerId": ADA, "idempotencyKey": "e", "fields": fields})
        (error,) = answer["data"]["updateCustomer"]["userErrors"]
        assert error["message"] == "Give at least one detail to change."


async def test_a_customer_is_created_with_fields(ask: Ask, store: Store) -> None:
    fields = [{"name": "loyaltyTier", "value": "GOLD"}, {"name": "shoeSize", "value": "38"}, {"name": "creditLimit"}]
    answer = await ask(CREATE_CUSTOMER, input={"name": "Ada", "idempotencyKey": "c", "fields": fields})
    assert values_in(answer["data"]["createCustomer"]) == {"loyaltyTier": "GOLD", "shoeSize": "38"}
    [document] = await store.find("customers", {})
    assert document["fields"] == [{"name": "loyaltyTier", "value": "GOLD"}, {"name": "shoeSize", "value": 38}]
    fields = [{"name": "loyaltyTier", "value": "PLATINUM"}]
    answer = await ask(CREATE_CUSTOMER, input={"name": "Bea", "idempotencyKey": "d", "fields": fields})
    (error,) = answer["data"]["createCustomer"]["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["fields", "0", "value"])


WRONG: Mapping[str, tuple[list[Document], str, list[str]]] = {
    "an unknown name": (
        [{"name": "shoeSize", "value": "38"}, {"name": "loyaltyTeir", "value": "GOLD"}],
        "fields.loyaltyTeir is unknown; did you mean loyaltyTier?",
        ["fields", "1", "name"],
    ),
    "an unknown name to clear": ([{"name": "moon"}], "fields.moon is unknown.", ["fields", "0", "name"]),
    "another value": (
        [{"name": "loyaltyTier", "value": "GOLDEN"}],
        "fields.loyaltyTier must be one of BRONZE, SILVER, GOLD; did you mean GOLD?",
        ["fields", "0", "value"],
    ),
    "no number": (
        [{"name": "creditLimit", "value": "1e9"}],
        "fields.creditLimit must be a decimal number of at most 34 digits, such as 12.5.",
        ["fields", "0", "value"],
    ),
    "a fraction": (
        [{"name": "shoeSize", "value": "38.5"}],
        "fields.shoeSize must be a whole number within 64 bits, such as 12.",
        ["fields", "0", "value"],
    ),
    "neither true nor false": (
        [{"name": "isWholesale", "value": "yes"}],
        "fields.isWholesale must be true or false.",
        ["fields", "0", "value"],
    ),
    "a time of no zone": (
        [{"name": "agreedAt", "value": "2026-01-31T12:00"}],
        "fields.agreedAt must be a time with its UTC offset, such as 2024-02-29T12:30:00Z.",
        ["fields", "0", "value"],
    ),
    "an empty value": (
        [{"name": "loyaltyTier", "value": ""}],
        "fields.loyaltyTier must be one of BRONZE, SILVER, GOLD.",
        ["fields", "0", "value"],
    ),
    "a name twice": (
        [{"name": "shoeSize", "value": "38"}, {"name": "shoeSize", "value": "38"}],
        "fields.shoeSize is given twice.",
        ["fields", "1", "name"],
    ),
    "101 fields": (
        [{"name": "shoeSize"}] * 101,
        "At most 100 fields may be given; these are 101.",
        ["fields"],
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_value_that_no_import_takes_no_person_gives(wrong: str, ask: Ask, store: Store) -> None:
    fields, sentence, path = WRONG[wrong]
    await bring(store, customer(fields={"shoeSize": 37}))
    before = await ada(store)
    (error,) = (await edit_with(ask, "w", fields))["userErrors"]
    assert error == {"code": "INVALID", "message": sentence, "field": path}
    assert await ada(store) == before


async def test_all_that_is_wrong_is_told_at_once(ask: Ask, store: Store) -> None:
    await bring(store, customer())
    fields = [{"name": "moon", "value": "1"}, {"name": "shoeSize", "value": "x"}]
    errors = (await edit_with(ask, "w", fields, firstName=""))["userErrors"]
    assert [error["field"] for error in errors] == [["firstName"], ["fields", "0", "name"], ["fields", "1", "value"]]


async def test_a_source_that_repeats_itself_undoes_no_edit_and_one_that_says_something_new_does(
    ask: Ask, store: Store
) -> None:
    """An edit of a field is treated as one of any other detail is."""
    await bring(store, customer(fields=GIVEN))
    await edit(ask, loyaltyTier="SILVER", shoeSize=None, creditLimit="7")
    assert (await bring(store, customer(fields=GIVEN))).totals == {"UNCHANGED": 1}
    await bring(store, customer(fields={"creditLimit": None, "loyaltyTier": "GOLD"}))
    assert await stored(store) == {"loyaltyTier": "SILVER", "creditLimit": 7}
    assert {mark["field"] for mark in (await ada(store))["edited"]} == {
        "fields.loyaltyTier",
        "fields.shoeSize",
        "fields.creditLimit",
    }
    await bring(store, customer(fields={"loyaltyTier": "BRONZE", "shoeSize": 38}))
    assert await stored(store) == {"loyaltyTier": "BRONZE", "creditLimit": 7}
    assert {mark["field"] for mark in (await ada(store))["edited"]} == {"fields.shoeSize", "fields.creditLimit"}
    [told] = await store.find("activities", {"type": "CUSTOMER_UPDATED", "source": "esuite"})
    assert told["changes"] == [{"field": "fields.loyaltyTier", "from": "SILVER", "to": "BRONZE"}]
    assert told["attributes"] == {"changedFields": ["fields"]}


async def test_who_may_not_edit_details_edits_no_field_and_who_may_not_read_one_sees_no_change_of_it(
    ask: Ask, store: Store
) -> None:
    await bring(store, customer(fields=GIVEN, affiliateId="aff"))
    own = token(Role.CUSTOMER, customer_id=ADA)
    given = {"customerId": ADA, "idempotencyKey": "k", "fields": [{"name": "shoeSize", "value": "40"}]}
    for who in (own, token(Role.FINANCE), token(Role.AFFILIATE, affiliate_id="aff")):
        (error,) = (await ask(UPDATE_CUSTOMER, input=given, token=who))["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
    await edit(ask, creditLimit="1", shoeSize="40")
    read = """query($id: ID!) { customer(by: {id: $id}) { activities(filter: {types: ["CUSTOMER_UPDATED"]}) { nodes {
      changes { field } attribute(name: "changedFields") } } } }"""
    for who, fields in (
        (token(Role.FINANCE), ["fields.creditLimit", "fields.shoeSize"]),
        (own, ["fields.shoeSize"]),
        (token(Role.AFFILIATE, affiliate_id="aff"), None),
    ):
        answer = await ask(read, id=ADA, token=who)
        [node] = answer["data"]["customer"]["activities"]["nodes"]
        assert node["changes"] == (fields and [{"field": field} for field in fields])
        assert node["attribute"] == "fields"


def test_what_a_role_may_not_read_it_cannot_write() -> None:
    """Whoever may edit reads all of them today; to anybody else a field that they may not read is no field."""
    given = [{"name": name, "value": "1"} for name in ("creditLimit", "creditLimt", "shoeSize")]
    roles = frozenset({Role.CUSTOMER})
    with pytest.raises(Refusals) as caught:
        details.read({"fields": given}, now=NOW, roles=roles)
    assert [(str(each), each.field) for each in caught.value.refusals] == [
        ("fields.creditLimit is unknown.", ("fields", "0", "name")),
        ("fields.creditLimt is unknown.", ("fields", "1", "name")),
    ]
    assert details.read({"fields": given[2:]}, now=NOW, roles=roles) == {"fields.shoeSize": 1}


async def test_an_undone_merge_gives_back_field_by_field_what_nobody_has_changed_since(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields={"loyaltyTier": "SILVER", "creditLimit": 1}))
    await bring(store, customer("1002", fields={"loyaltyTier": "GOLD", "shoeSize": 41, "isWholesale": True}))
    [other] = await store.find("customers", {"number": "1002"})
    given = {"intoId": ADA, "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    merged = await ask(MERGE_CUSTOMERS, input=given)
    assert merged["data"]["mergeCustomers"]["userErrors"] == [], merged
    await Mover(store).once()
    [told] = await store.find("activities", {"type": "CUSTOMERS_MERGED"})
    assert {"field": "fields.shoeSize", "to": "41"} in told["changes"]
    assert (await edit(ask, loyaltyTier="GOLD", shoeSize="42"))["userErrors"] == []
    [merge] = await store.find("merges", {})
    undone = await ask(UNMERGE, input={"mergeId": merge["_id"], "reason": "Two", "idempotencyKey": "n"})
    assert undone["data"]["unmerge"]["userErrors"] == [], undone
    assert await stored(store) == {"loyaltyTier": "GOLD", "creditLimit": 1, "shoeSize": 42}


# ---------------------------------------------------------------- exported


async def exported(ask: Ask, store: Store, **given: Any) -> str:
    request = """mutation($i: ExportCustomersInput!) { exportCustomers(input: $i) {
      export { id columns } userErrors { message } } }"""
    answer = await ask(request, i={"idempotencyKey": str(len(json.dumps(given))), **given})
    assert "errors" not in answer, answer
    await Exporter(store, masks_for).once()
    export_id = answer["data"]["exportCustomers"]["export"]["id"]
    return b"".join([piece async for piece in EXPORTED.read(store.database, export_id)]).decode()


async def test_an_export_has_fields_as_columns(ask: Ask, store: Store) -> None:
    await bring(store, customer(fields={**GIVEN, "isWholesale": False, "agreedAt": NOW.isoformat()}))
    names = [each.name for each in CUSTOMER_FIELDS.values()]
    rows = await exported(ask, store, format="NDJSON", columns=["number", *(f"fields.{name}" for name in names)])
    values = await shown(ask)
    assert json.loads(rows) == {
        "number": "1001",
        "fields.loyaltyTier": "GOLD",
        "fields.creditLimit": "1250.50",
        "fields.shoeSize": 38,
        "fields.isWholesale": False,
        "fields.agreedAt": values["agreedAt"],
    }
    whole = await exported(ask, store, format="CSV", columns=["fields.creditLimit", "fields.agreedAt"])
    assert whole == f"Credit limit,Agreed to the terms\r\n1250.50,{values['agreedAt']}\r\n"
    head = (await exported(ask, store, format="CSV")).splitlines()[0]
    assert head.endswith("Identities,Tier,Credit limit,Shoe size,Wholesale,Agreed to the terms")


async def test_a_column_of_an_unknown_field_is_refused_with_the_nearest(ask: Ask) -> None:
    request = "mutation($i: ExportCustomersInput!) { exportCustomers(input: $i) { export { id } } }"
    given = {"format": "CSV", "idempotencyKey": "e", "columns": ["fields.shoeSise"]}
    (error,) = (await ask(request, i=given))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert 'There is no column "fields.shoeSise". Did you mean "fields.shoeSize"?' in error["message"]


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (Role.FINANCE, ["loyaltyTier", "creditLimit", "shoeSize", "isWholesale", "agreedAt"]),
        (Role.CUSTOMER, ["loyaltyTier", "shoeSize", "agreedAt"]),
        (Role.AFFILIATE, ["loyaltyTier"]),
    ],
)
def test_the_columns_of_a_role_are_the_fields_that_it_may_read(role: Role, names: list[str]) -> None:
    """Whoever may export reads all of them today; the rule of reading holds whoever that will be."""
    masks = masks_for(frozenset({role}))
    columns = choose_columns(ExportTable.CUSTOMERS, None, masks)
    assert [each.name.removeprefix("fields.") for each in columns if each.field == "fields"] == names
    for name in {*CUSTOMER_FIELDS} - {*names}:
        with pytest.raises(BadUserInput, match="There is no column"):
            choose_columns(ExportTable.CUSTOMERS, [f"fields.{name}"], masks)


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
    await bring(store, customer(fields={**GIVEN, "creditLimit": "77.77", "loyaltyTier": "SILVER"}))
    await edit(ask, creditLimit="1250.50", loyaltyTier="GOLD", shoeSize="38")
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
    [told] = [each for each in data["activities"] if each["type"] == "CUSTOMER_UPDATED"]
    assert {"field": "fields.creditLimit", "from": "77.77", "to": "1250.50"} in told["changes"]
    given = {"customerId": ADA, "confirmNumber": "1001", "reason": "Article 17", "idempotencyKey": "k"}
    erased = await ask(ANONYMISE, input=given)
    assert erased["data"]["anonymiseCustomer"]["userErrors"] == []
    assert await stored(store) == {"loyaltyTier": "GOLD"}
    await Eraser(store).once()
    left = {name: await store.find(name, {}) for name in COLLECTIONS}
    assert {value for value in ("1250.50", "77.77") if value in json.dumps(left, default=str)} == set()


@pytest.mark.parametrize("keeps_other", [False, True])
async def test_of_two_who_become_one_the_survivor_has_the_say_unless_keep_says_otherwise(
    keeps_other: bool, ask: Ask, store: Store
) -> None:
    await bring(store, customer(fields={"loyaltyTier": "GOLD"}))
    await bring(store, customer("1002", fields={"loyaltyTier": "SILVER", "shoeSize": 41}))
    [other] = await store.find("customers", {"number": "1002"})
    given: Document = {"intoId": ADA, "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    keep = [{"field": "FIELDS", "fromId": other["_id"]}] if keeps_other else None
    preview = """query($into: ID!, $ids: [ID!]!, $keep: [MergeKeepInput!]) {
      previewMerge(intoId: $into, ids: $ids, keep: $keep) { fields { field kept fromId dropped } } }"""
    shown_ = await ask(preview, into=ADA, ids=[other["_id"]], keep=keep)
    merged = await ask(MERGE_CUSTOMERS, input={**given, "keep": keep})
    assert merged["data"]["mergeCustomers"]["userErrors"] == [], merged
    kept, lost = ("SILVER", "GOLD") if keeps_other else ("GOLD", "SILVER")
    assert await stored(store) == {"loyaltyTier": kept, "shoeSize": 41}
    assert shown_["data"]["previewMerge"]["fields"][-1] == {
        "field": "FIELDS",
        "kept": f"Tier: {kept}, Shoe size: 41",
        "fromId": other["_id"] if keeps_other else ADA,
        "dropped": [f"Tier: {lost}"],
    }
