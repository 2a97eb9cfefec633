"""The one search box: what it finds, in which order, for whom, and what that costs."""

from collections.abc import Mapping
from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from app.domain.access import Role
from app.domain.search import search_copies
from app.graph import RULES
from app.store import indexes
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.query_plans import documents_read, explained
from tests.support.schema_walk import schema, values_of
from tests.support.tokens import token
from tests.support.world import AGENT, NOW, World, ago

SEARCH = """query($text: String!, $first: Int) { search(text: $text, first: $first) {
  customer { number name } matches { kind value isExact node { id } } } }"""


async def hits(ask: Ask, text: str, **more: Any) -> list[Document]:
    answer = await ask(SEARCH, text=text, **more)
    assert "errors" not in answer, answer
    return answer["data"]["search"]


async def numbers(ask: Ask, text: str, **more: Any) -> list[str]:
    return [hit["customer"]["number"] for hit in await hits(ask, text, **more)]


@pytest.fixture
async def anna(world: World) -> Document:
    """Stores a customer with one of everything that can be searched, among others who have not."""
    for number in range(20):
        other = await world.customer(name=f"Other {number}", email=f"other{number}@example.com")
        await world.transaction(other, number=f"T-9{number}")
    anna = await world.customer(
        number="K 4711",
        name="Anna Müller",
        firstName="Anna",
        lastName="Müller",
        organization="Nordlicht GmbH",
        email="Anna@münchen.example",
        emails=[{"value": "Anna@münchen.example", "primary": True}, {"value": "amu@example.com", "primary": False}],
        phones=[{"value": "0171 / 234 56 78", "primary": True}],
        country="DE",
        affiliateId="aff-1",
    )
    await world.transaction(anna, number="T-90311")
    await world.coupon(anna, code="FREEMONTH-5531")
    await world.pass_(anna, serialNumber="5531-0001")
    await world.activity(anna, "ORDER_CREATED", attributes={"orderId": "ORD-77"})
    return anna


FOUND: list[tuple[str, str, bool]] = [
    ("k 4711", "CUSTOMER_NUMBER", True),
    (" K  4711 ", "CUSTOMER_NUMBER", True),
    ("K 47", "CUSTOMER_NUMBER", False),
    ("anna@MÜNCHEN.example", "EMAIL", True),
    ("anna@xn--mnchen-3ya.example", "EMAIL", True),
    ("amu@ex", "EMAIL", False),
    ("+49 171 2345678", "PHONE", True),
    ("0049171 234-5678", "PHONE", True),
    ("0171 2345678", "PHONE", False),
    ("t-90311", "TRANSACTION", True),
    ("ord-77", "ORDER", True),
    ("freemonth-5531", "COUPON", True),
    ("5531-0001", "PASS", True),
    ("müller anna", "NAME", True),
    ("MUELLER", "NAME", True),
    ("muell", "NAME", False),
    ("an mul", "NAME", False),
    ("nordlicht", "NAME", True),
]


@pytest.mark.parametrize(("text", "kind", "is_exact"), FOUND)
async def test_a_customer_is_found_by_whatever_the_caller_gives(
    text: str, kind: str, is_exact: bool, ask: Ask, anna: Document
) -> None:
    (hit,) = await hits(ask, text)
    assert hit["customer"] == {"number": anna["number"], "name": anna["name"]}
    assert (kind, is_exact) in [(match["kind"], match["isExact"]) for match in hit["matches"]]
    for match in hit["matches"]:
        has_node = match["kind"] in ("TRANSACTION", "ORDER", "COUPON", "PASS")
        assert (match["node"] is not None) == has_node


@pytest.mark.parametrize("text", ["jose@example.com", "K 4712", "+49 171 2345679", "anna berta", "T-9031", "ORD"])
async def test_what_nobody_has_finds_nobody(text: str, ask: Ask, anna: Document) -> None:
    assert await hits(ask, text) == []


async def test_the_likeliest_come_first(ask: Ask, world: World) -> None:
    named = await world.customer(number="C-x", name="77 Sunset")
    begins = await world.customer(number="771", name="Beginning")
    sold = await world.customer(number="C-y", name="Sold")
    await world.transaction(sold, number="77")
    exact = await world.customer(number="77", name="Exact")
    assert await numbers(ask, "77") == [each["number"] for each in (exact, sold, named, begins)]
    assert await numbers(ask, "77", first=2) == ["77", "C-y"]
    assert await numbers(ask, "77", first=0) == []


async def test_who_is_called_so_comes_before_whose_name_begins_so(ask: Ask, world: World) -> None:
    for name in ("Anna Bauer", "Annabel Aal", "Hanna Anna", "Anna"):
        await world.customer(number=name, name=name)
    assert await numbers(ask, "anna") == ["Anna", "Anna Bauer", "Hanna Anna", "Annabel Aal"]


# ---------------------------------------------------------------- by whom

_RULE_OF = {
    "CUSTOMER_NUMBER": ("Customer", "number"),
    "EMAIL": ("Customer", "emails"),
    "PHONE": ("Customer", "phones"),
    "TRANSACTION": ("Transaction", "number"),
    "ORDER": ("Activity", "attribute"),
    "COUPON": ("Coupon", "code"),
    "PASS": ("Pass", "serialNumber"),
    "NAME": ("Customer", "name"),
}


@pytest.mark.parametrize("role", Role)
async def test_a_role_finds_by_what_it_may_read_and_by_nothing_else(role: Role, ask: Ask, anna: Document) -> None:
    """Every kind of match, for whoever sees this customer and for whoever does not."""
    assert set(_RULE_OF) == set(values_of("SearchMatchKind"))
    insider = token(role, customer_id=anna["_id"], affiliate_id="aff-1")
    for text, kind, _ in FOUND:
        rule = RULES[_RULE_OF[kind]]
        readable = role in rule.readers or (kind == "ORDER" and role is Role.AFFILIATE)  # its attributes' harmless part
        found = [match["kind"] for hit in await hits(ask, text, token=insider) for match in hit["matches"]]
        assert (kind in found) == readable, (text, kind)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AFFILIATE])
async def test_nobody_is_found_by_whom_they_do_not_exist_for(
    role: Role, ask: Ask, anna: Document, world: World
) -> None:
    other = await world.customer(affiliateId="aff-2")
    outsider = token(role, customer_id=other["_id"], affiliate_id="AFF-1")
    for text, _, _ in FOUND:
        assert await hits(ask, text, token=outsider) == [], text


async def test_two_roles_find_each_customer_by_the_rights_that_reach_them(
    ask: Ask, anna: Document, world: World
) -> None:
    own = await world.customer(number="OWN", email="own@example.com", name="Anna Own")
    both = token(Role.CUSTOMER, Role.AFFILIATE, customer_id=own["_id"], affiliate_id="aff-1")
    assert set(await numbers(ask, "anna", token=both)) == {"OWN", anna["number"]}
    assert await numbers(ask, "own@example.com", token=both) == ["OWN"]
    assert await numbers(ask, "amu@example.com", token=both) == []


# ---------------------------------------------------------------- what it costs


async def test_a_search_is_six_commands_and_one_for_what_is_shown_and_reads_by_index_alone(
    ask: Ask, world: World, store: Store, commands: Commands, anna: Document
) -> None:
    for number in range(300):
        await world.customer(name=f"Anton Muster{number}", email=f"am{number}@example.com", affiliateId="aff-1")
    for who in (token(), token(Role.AFFILIATE, affiliate_id="aff-1"), token(Role.CUSTOMER, customer_id=anna["_id"])):
        for text in ("a", "anton m", "anna müller", "am1", "T-90311", "+49 171 2345678", "zzz"):
            commands.clear()
            await hits(ask, text, token=who)
            reads = [(name, body) for name, body in commands.sent if name in ("find", "aggregate")]
            assert len(reads) <= 13  # an affiliate's rows are admitted by one more each; a customer is read first
            for _, command in reads:
                plan = await explained(store, command)
                assert "COLLSCAN" not in str(plan), (text, command)
                assert documents_read(plan) <= 4 * 201 + 100, (text, command)


# ---------------------------------------------------------------- stored and asked text


async def test_stored_and_asked_text_are_compared_in_one_way_in_lists_as_in_the_search(ask: Ask, world: World) -> None:
    await world.customer(number=" C-A ", name="  Zoë   O’Işık", lastName="O’Işık", tags=["Ärger"])
    query = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
    for given in (
        {"number": "c-a"},
        {"name": " zoe o'i"},
        {"name": "ZOE  O'ISIK"},
        {"lastName": "o’is"},
        {"tags": ["arger"]},
        {"tags": [" ÄRGER\u200b"]},
    ):
        assert (await ask(query, f=given))["data"]["customers"]["totalCount"] == 1, given
    for given in ({"number": "c-b"}, {"name": "o'i"}, {"tags": ["arge"]}):
        assert (await ask(query, f=given))["data"]["customers"]["totalCount"] == 0, given


async def test_an_address_is_exact_but_for_case_by_either_way_in(ask: Ask, world: World) -> None:
    await world.customer(email="josé@example.com")
    await world.customer(email="jose@xn--mnchen-3ya.example")
    by = """query($e: String!) {
      customer(by: {email: $e}) { number } customers(filter: {email: $e}) { nodes { number } } }"""
    for asked, found in (
        ("JOSÉ@example.com", "C-1"),
        ("jose\u0301@EXAMPLE.com", "C-1"),
        ("jose@example.com", None),
        ("jose@münchen.example", "C-2"),
        (" Jose@XN--MNCHEN-3YA.example", "C-2"),
        ("josé@münchen.example", None),
    ):
        data = (await ask(by, e=asked))["data"]
        row = found and {"number": found}
        assert data == {"customer": row, "customers": {"nodes": [row] if row else []}}, asked


def text_inputs() -> list[tuple[str, str, bool]]:
    """Every text that a query takes: its argument's or input's name, the field, whether it is one of a list."""
    inputs = [type_ for type_ in schema().type_map.values() if isinstance(type_, GraphQLInputObjectType)]
    filters = [each for each in inputs if each.name.endswith("Filter") or each.name in _NESTED]
    return [
        (each.name, name, "[" in str(field.type))
        for each in filters
        for name, field in each.fields.items()
        if str(field.type).strip("[]!") == "String"
    ]


_NESTED = {"CustomerBy", "CustomerFieldCondition", "IdentityInput", "HasActivity"}
_WINDOW = {"occurredAt": {"from": ago(days=9).isoformat(), "to": NOW.isoformat()}}


def _asked(of: str, given: Document) -> tuple[str, Document]:
    """A query with that filter, and its variables."""
    match of:
        case "CustomerFilter":
            return "query($v: CustomerFilter) { asked: customers(filter: $v) { totalCount } }", given
        case "HasActivity":
            return _asked("CustomerFilter", {"hasActivity": {"type": "BIRTHDAY", **given}})
        case "CustomerFieldCondition":
            return _asked("CustomerFilter", {"fields": [{"name": "loyaltyTier", **given}]})
        case "ActivityFilter":
            of_one = 'customer(by: {number: "C-1"})'
            return f"query($v: ActivityFilter) {{ {of_one} {{ activities(filter: $v) {{ totalCount }} }} }}", given
        case "CouponFilter":
            of_one = 'customer(by: {number: "C-1"})'
            return f"query($v: CouponFilter) {{ {of_one} {{ coupons(filter: $v) {{ totalCount }} }} }}", given
        case "RequestFilter":
            page = 'customer(by: {number: "C-1"}) { requests(filter: $v) { totalCount } }'
            return f"query($v: RequestFilter) {{ {page} }}", given
        case "PaymentInstrumentFilter":
            page = 'customer(by: {number: "C-1"}) { paymentInstruments(filter: $v) { totalCount } }'
            return f"query($v: PaymentInstrumentFilter) {{ {page} }}", given
        case "ReportFilter":
            return "query($v: ReportFilter!) { customerServiceReport(filter: $v) { total } }", {**_WINDOW, **given}
        case "CustomFieldFilter":
            return _asked("ReportFilter", {"customFields": [{"name": "Size", "value": "M", **given}]})
        case "AuditFilter":
            return "query($v: AuditFilter) { asked: auditLog(filter: $v) { totalCount } }", given
        case "LookFilter":
            return "query($v: LookFilter) { asked: looks(filter: $v) { totalCount } }", given
        case "CustomerBy":
            return "query($v: CustomerBy!) { asked: customer(by: $v) { id } }", given
        case "IdentityInput":
            return _asked("CustomerBy", {"identity": {"source": "esuite", "id": "1", **given}})
        case _:
            raise AssertionError(of)


@pytest.mark.parametrize("nothing", ["\u200b", "\u00ad", "\0", "\u0301", "", "  ", "\u3164\ufe0f"], ids=ascii)
async def test_a_text_that_weighs_nothing_is_refused_wherever_one_is_taken(
    nothing: str, ask: Ask, world: World
) -> None:
    await world.customer()
    for of, name, is_list in text_inputs():
        query, given = _asked(of, {name: [nothing] if is_list else nothing})
        answer = await ask(query, v=given)
        assert [error["extensions"]["code"] for error in answer.get("errors", ())] == ["BAD_USER_INPUT"], (of, name)
        if of == "CustomerFilter":
            export = {"filter": given, "format": "CSV", "idempotencyKey": f"{of}{name}"}
            mutation = "mutation($i: ExportCustomersInput!) { exportCustomers(input: $i) { export { id } } }"
            (error,) = (await ask(mutation, i=export))["errors"]
            assert error["extensions"]["code"] == "BAD_USER_INPUT", name
    (error,) = (await ask(SEARCH, text=nothing))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


def test_every_filter_of_a_query_is_known_here() -> None:
    assert {of for of, _, _ in text_inputs()} >= {"CustomerFilter", "ActivityFilter", "ReportFilter", "CustomerBy"}
    for of, _, _ in text_inputs():
        _asked(of, {})


# ---------------------------------------------------------------- copies


async def test_an_older_database_is_not_ready_until_its_customers_can_be_searched(
    ask: Ask, world: World, store: Store
) -> None:
    await world.customer(number="old", name="Zoë")
    copies = search_copies({"name": "x", "number": "x", "tags": ["x"], "email": "x"})
    await store.write("customers", [UpdateMany({}, {"$unset": dict.fromkeys(copies, "")})])
    older = {"$set": {"fingerprint": "another"}, "$unset": {"search": ""}}
    await store.write("versions", [UpdateOne({"_id": "copies"}, older)])
    assert await indexes.missing(store) == ["customers: what they are searched by is of an older version"]
    assert await numbers(ask, "zoe") == []
    await indexes.apply(store)
    assert await indexes.missing(store) == []
    assert await numbers(ask, "zoe") == ["old"]


# ---------------------------------------------------------------- actors


async def test_namesakes_are_told_apart_by_their_id(ask: Ask, world: World) -> None:
    ada = await world.customer()
    fields: list[Mapping[str, Any]] = [{"name": "Size", "value": "M"}]
    for user in ("g1", "g2", "g2"):
        more = {"customFieldsSet": fields, "occurredAt": ago(days=1)}
        await world.activity(ada, "REFUNDED", actor={**AGENT, "id": user}, **more)
    query = """query($f: ReportFilter!) { customerServiceReport(filter: $f) {
      total customFields { username userId total } details { nodes { actor { userId } } } } }"""
    whole = (await ask(query, f=_WINDOW))["data"]["customerServiceReport"]
    name = AGENT["name"]
    assert whole["customFields"] == [
        {"username": name, "userId": "g2", "total": 2},
        {"username": name, "userId": "g1", "total": 1},
    ]
    one = (await ask(query, f={**_WINDOW, "userIds": ["g1"]}))["data"]["customerServiceReport"]
    assert (one["total"], one["details"]["nodes"]) == (1, [{"actor": {"userId": "g1"}}])
