"""Who may see what: every field of every type, for every role, on one's own and on others' customers.

What is stored is a canary in every text: see tests/support/accounts.py.
"""

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
)
from structlog.testing import capture_logs

from app import access_table
from app.catalogue import CATALOGUE
from app.domain.access import GRANTS, Masked, Role
from app.domain.details import DETAILS
from app.domain.kinds import BY_PREFIX
from app.graph import RULES, masks_for
from app.settings import Limits
from app.store import previews
from app.store.driver import Document, Store
from tests.support.accounts import (
    MAY_LEARN,
    OTHERS,
    SETS_OF_ROLES,
    STRANGERS,
    Account,
    account_of,
    allowed_of,
    canary,
    learnt,
    token_of,
)
from tests.support.entities import representation_of
from tests.support.gateway import Ask
from tests.support.schema_walk import schema
from tests.support.thoroughness import part_of
from tests.support.tokens import token
from tests.support.world import World


@pytest.fixture
def limits() -> Limits:
    """Sets the widest limits: some tests here ask for all there is at once."""
    return Limits(
        max_tokens=100_000,
        max_document_characters=10**6,
        max_aliases=50_000,
        max_fields=50_000,
        max_cost=10**9,
        cost_per_minute=10**12,
        cached_bytes=10**9,
    )


@pytest.fixture
async def accounts(world: World) -> tuple[Account, Account]:
    """Stores an account of one's own and another, each referred by an affiliate."""
    return await account_of(world, "own", affiliateId="aff-1"), await account_of(world, "other", affiliateId="aff-2")


@cache
def _selection(type_name: str, depth: int, *above: str, first: int = 0, step: int = 1) -> str:
    """Every field of a type, or each ``step``-th, and of the types below it, but for those on the way."""
    type_ = schema().get_type(type_name)
    if isinstance(type_, GraphQLInterfaceType):
        inline = (f"... on {name} {_selection(name, depth)}" for name in sorted(_kinds()))
        return "{ __typename id } " if depth < 1 else "{ __typename " + " ".join(inline) + " }"
    assert isinstance(type_, GraphQLObjectType)
    fields: list[str] = []
    for name, field in type_.fields.items():
        inner = cast(GraphQLNamedType, get_named_type(field.type))
        # One name, several types: an alias per type keeps inline fragments from colliding.
        asked = f"{type_name}_{name}: {name}" + ('(name: "toAddress")' if name == "attribute" else "")
        asked += "(filter: {legacy: true})" if (type_name, name) == ("Customer", "activities") else ""
        if is_leaf_type(inner):
            fields.append(asked)
        elif depth and inner.name not in above:
            fields.append(f"{asked} {_selection(inner.name, depth - 1, type_name, *above)}")
    return "{ " + " ".join(fields[first::step] or ["__typename"]) + " }"


def _kinds() -> set[str]:
    node = schema().get_type("Node")
    assert isinstance(node, GraphQLInterfaceType)
    return {type_.name for type_ in schema().get_possible_types(node)}


# ---------------------------------------------------------------- the matrix


@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids="-".join)
async def test_nocanary_appears_where_it_should_not_whatever_the_way_in(
    roles: tuple[Role, ...], ask: Ask, world: World, accounts: tuple[Account, Account]
) -> None:
    """Roles add up: with two of them, each account shows what those roles show that reach it, and no more."""
    own, other = accounts
    accounts_ = own, await account_of(world, "referred", affiliateId="aff-1"), other
    bearer = token_of(roles[0], own, *roles[1:])
    # All at once have more fields than a document may. How deep a field lies changes nothing of how roles add up, nor
    # whether a row is asked for as a node or as an entity.
    depth = 3 if len(roles) < 2 else 2
    entities = part_of(sorted(_kinds()), 1 if len(roles) < 2 else 5, turn=SETS_OF_ROLES.index(roles))
    whole = [_selection("Customer", depth, first=first, step=2) for first in (0, 1)]
    ids = [each["_id"] for account in accounts_ for each in (*account.documents.values(), *account.activities)]

    def ids_of(name: str) -> list[str]:
        return [each for each in ids if BY_PREFIX[each.partition("_")[0]].type == name]

    queries: list[tuple[str, dict[str, Any]]] = [
        *(
            (
                f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {name} {_selection(name, 2)} }} }}",
                {"ids": ids_of(name)},
            )
            for name in sorted(_kinds())
        ),
        *(
            (f"query($id: ID!) {{ node(id: $id) {_selection('Node', 1)} }}", {"id": each})
            for each in ids * (len(roles) < 2)
        ),
        *(
            (
                f"query($r: [_Any!]!) {{ _entities(representations: $r) {{ ... on {name} {_selection(name, 1)} }} }}",
                {"r": [*map(representation_of, ids_of(name))]},
            )
            for name in entities
        ),
        (f"{{ customers {{ totalCount nodes {_selection('Customer', 2)} }} }}", {}),
        (
            '{ customerServiceReport(filter: {occurredAt: {from: "2000-01-01T00:00:00Z"}}) { total '
            "actions { title } customFields { username name value } "
            f"details {{ nodes {_selection('Activity', 1)} }} }} }}",
            {},
        ),
        ("{ reportOptions(dimension: USER) { values } }", {}),
        ("{ customerTags { values } }", {}),
        ("{ pointsAdjustments { totalCount nodes " + _selection("PointsAdjustment", 1) + " } }", {}),
        ("{ blocklist { totalCount nodes " + _selection("BlocklistEntry", 1) + " } }", {}),
        (
            "query($into: ID!, $ids: [ID!]!) { previewMerge(intoId: $into, ids: $ids) "
            + _selection("MergePreview", 2)
            + " }",
            {"into": own.customer["_id"], "ids": [other.customer["_id"]]},
        ),
        (
            "query($id: ID!) { previewAnonymise(customerId: $id) " + _selection("AnonymisePreview", 2) + " }",
            {"id": own.customer["_id"]},
        ),
        ("{ segments { totalCount nodes " + _selection("Segment", 1) + " } }", {}),
        ("{ auditLog { totalCount nodes " + _selection("AuditEntry", 1) + " } }", {}),
        ("{ imports { totalCount nodes " + _selection("Import", 2) + " } }", {}),
        ("{ looks { totalCount nodes " + _selection("Look", 1) + " } }", {}),
        ("{ webhookEndpoints { totalCount nodes " + _selection("WebhookEndpoint", 1) + " } }", {}),
        *(("{ viewer { subject customer " + part + " } activityTypes { code } }", {}) for part in whole),
    ]
    for account in accounts_:
        ways: list[dict[str, Any]] = [
            {"id": account.customer["_id"]},
            {"number": account.customer["number"]},
            {"email": account.customer["email"]},
            {"identity": account.customer["identities"][0]},
        ]
        asked = ways if len(roles) < 2 else ways[:1]
        queries += [
            (f"query($by: CustomerBy!) {{ customer(by: $by) {part} }}", {"by": by}) for by in asked for part in whole
        ]
    seen: set[tuple[str, str]] = set()
    with capture_logs() as logs:
        for query, variables in queries:
            answer = await ask(query, token=bearer, **variables)
            refused = {each["extensions"]["code"] for each in answer.get("errors", ())}
            assert refused <= {"FORBIDDEN", "AMBIGUOUS"}, answer["errors"]
            assert not learnt(json.dumps(answer.get("errors", [])))
            seen |= learnt(json.dumps(answer.get("data")))
    assert seen == allowed_of(roles)  # no more, and no less
    assert not learnt(json.dumps(logs, default=str))


NOT_FOR_AFFILIATES = """
Customer.email Customer.emails Customer.phones Customer.billingAddress Customer.website Customer.dateOfBirth
Customer.identities Customer.taxIds Activity.message Activity.email Activity.attribute Coupon.code PointsEntry.reason
StatusChange.reason Activity.changes Customer.paymentInstruments Customer.orders Customer.invoices Customer.quotes
Customer.creditMemos Customer.creditBalances Customer.amountDue Customer.nextRenewalAt Activity.sourceId Coupon.sourceId
Pass.sourceId PointsEntry.sourceId StatusChange.sourceId Transaction.sourceId
"""
FORBIDDEN: Mapping[str, set[Role]] = {
    **{field: {Role.AFFILIATE} for field in NOT_FOR_AFFILIATES.split()},
    "Activity.note": {Role.AFFILIATE, Role.API_USER, Role.CUSTOMER},
    "Customer.notes": {Role.AFFILIATE, Role.API_USER, Role.CUSTOMER},
    "Customer.pinnedNotes": {Role.AFFILIATE, Role.API_USER, Role.CUSTOMER},
    "Customer.emailHistory": {Role.AFFILIATE},
    "Customer.possibleDuplicates": {Role.AFFILIATE, Role.CUSTOMER},
    "Customer.leadSource": {Role.AFFILIATE, Role.CUSTOMER},
    "Customer.dueDiligence": set(Role) - {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "Customer.kycRequests": {Role.SALES_REP, Role.AFFILIATE, Role.CUSTOMER},
    "Customer.kycDocuments": {Role.SALES_REP, Role.AFFILIATE, Role.CUSTOMER},
    "Customer.amlChecks": set(Role) - {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "Customer.mergedFrom": {Role.AFFILIATE, Role.CUSTOMER},
    "Customer.mergeInProgress": {Role.AFFILIATE, Role.CUSTOMER},
    "Customer.requests": {Role.AFFILIATE, Role.CUSTOMER},
    "Transaction.refundable": {Role.AFFILIATE, Role.CUSTOMER},
    "PointsEntry.adjustment": {Role.AFFILIATE, Role.CUSTOMER, Role.SALES_REP},
}
"""Null without an error; the response says that it is masked."""

HIDDEN: Mapping[str, set[Role]] = {
    "AuditEntry": set(Role) - {Role.ADMIN},
    "BlocklistEntry": {Role.AFFILIATE, Role.CUSTOMER},
    "DueDiligenceSearch": set(Role) - {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "Request": {Role.AFFILIATE, Role.CUSTOMER},
    "PaymentInstrument": {Role.AFFILIATE},
    "Order": {Role.AFFILIATE},
    "Invoice": {Role.AFFILIATE},
    "Quote": {Role.AFFILIATE},
    "CreditMemo": {Role.AFFILIATE},
    "KycRequest": {Role.SALES_REP, Role.AFFILIATE, Role.CUSTOMER},
    "KycDocument": {Role.SALES_REP, Role.AFFILIATE, Role.CUSTOMER},
    "AmlCheck": set(Role) - {Role.ADMIN, Role.CS_ADMIN, Role.FINANCE},
    "Email": {Role.AFFILIATE},
    "Erasure": {Role.AFFILIATE, Role.CUSTOMER},
    "EmailDelivery": {Role.AFFILIATE},
    "Export": set(Role) - {Role.ADMIN, Role.CS_ADMIN, Role.SALES_REP, Role.FINANCE},
    "Import": set(Role) - {Role.ADMIN},
    "Look": set(Role) - {Role.ADMIN},
    "Merge": {Role.AFFILIATE, Role.CUSTOMER},
    "Note": {Role.AFFILIATE, Role.API_USER, Role.CUSTOMER},
    "PointsAdjustment": {Role.AFFILIATE, Role.CUSTOMER, Role.SALES_REP},
    "Segment": {Role.AFFILIATE, Role.CUSTOMER},
    "Upload": {Role.AFFILIATE, Role.API_USER, Role.CUSTOMER},
    "WebhookDelivery": set(Role) - {Role.ADMIN},
    "WebhookEndpoint": set(Role) - {Role.ADMIN},
}
"""Not there at all."""


@pytest.mark.parametrize("role", Role)
async def test_each_field_is_there_or_masked_for_own_and_for_other_customers(
    role: Role, ask: Ask, accounts: tuple[Account, Account]
) -> None:
    own, _ = accounts
    cells = 0
    for account in accounts:
        for type_name, document in account.documents.items():
            query = f"query($id: ID!) {{ node(id: $id) {{ ... on {type_name} {_selection(type_name, 1)} }} }}"
            answer = await ask(query, token=token_of(role, own), id=document["_id"])
            assert "errors" not in answer
            masked = answer.get("extensions", {}).get("masked", [])
            there = role not in HIDDEN.get(type_name, set()) and (account is own or OTHERS[role])
            assert (answer["data"]["node"] is not None) is there, (role, account.whose, type_name)
            for name in schema().get_type(type_name).fields:  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType] # an object type
                cells += 1
                forbidden = there and role in FORBIDDEN.get(f"{type_name}.{name}", set())
                assert (f"{type_name}.{name}" in masked) is forbidden, (role, account.whose, name)
                if forbidden:
                    assert answer["data"]["node"][f"{type_name}_{name}"] is None
    assert cells == 2 * sum(1 for (type_name, _) in RULES if type_name in _kinds())


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("detail", DETAILS)
def test_who_may_not_read_a_detail_reads_no_change_of_it_either(role: Role, detail: str) -> None:
    roles = frozenset({role})
    redact = RULES["Activity", "changes"].for_(roles)
    changes = [{"field": detail, "from": "a", "to": "b"}]
    shown = redact(changes) if redact else changes
    if RULES["Customer", detail].hides_from(roles):
        assert isinstance(shown, Masked) or shown == []
    elif not isinstance(shown, Masked):
        assert shown == changes


def test_every_field_of_the_schema_has_a_rule() -> None:
    declared = {
        (name, field)
        for name, type_ in schema().type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        for field in type_.fields
    }
    assert declared == RULES.keys()


# ---------------------------------------------------------------- what rows are counted, found and pointed at


COUNTS = """query($by: CustomerBy!, $filter: ActivityFilter) { customer(by: $by) {
  activities(filter: $filter) { totalCount nodes { id type } }
  activityFacets { type count } activityGroups { group count } } }"""


@pytest.mark.parametrize("role", Role)
async def test_lists_counts_facets_and_groups_agree_on_the_rows_that_a_role_sees(
    role: Role, ask: Ask, accounts: tuple[Account, Account]
) -> None:
    own, _ = accounts
    visible = [
        each
        for each in own.activities
        if (role not in STRANGERS or each["audience"] != "STAFF")
        and (role != Role.AFFILIATE or each["audience"] != "OWNER")
        and ("note" in MAY_LEARN[role] or not each["isNote"])
    ]
    known = [each for each in visible if not each["legacy"]]
    groups, sources = ["NOTE", "COMPLIANCE", "SUBSCRIPTION", "EMAIL"], ["esuite", "platform"]
    holds: list[tuple[dict[str, Any] | None, Callable[[Document], bool]]] = [
        ({"legacy": True}, lambda row: True),
        ({"notes": "EXCLUDE"}, lambda row: not row["isNote"]),
        ({"hideSystem": True}, lambda row: row["actor"]["kind"] == "AGENT"),
        ({"groups": groups}, lambda row: row["group"] in groups),
        ({"sources": sources}, lambda row: row["source"] in sources),
        ({"actorKinds": ["AGENT", "SYSTEM"]}, lambda row: True),
        (None, lambda row: True),
    ]
    customer: dict[str, Any] = {}
    for given, holding in holds:
        rows = {each["_id"] for each in (visible if given == {"legacy": True} else known) if holding(each)}
        answer = await ask(COUNTS, token=token_of(role, own), by={"number": own.customer["number"]}, filter=given)
        customer = answer["data"]["customer"]
        assert {node["id"] for node in customer["activities"]["nodes"]} == rows, (role, given)
        assert customer["activities"]["totalCount"] == len(rows), (role, given)
    facets = {each["type"]: each["count"] for each in customer["activityFacets"]}
    assert facets == {each["type"]: 1 for each in known}
    assert sum(each["count"] for each in customer["activityGroups"]) == len(known)


async def test_a_customer_cannot_ask_for_types_or_notes_that_are_not_for_them(
    ask: Ask, accounts: tuple[Account, Account]
) -> None:
    own, _ = accounts
    for given, code in (({"types": ["FRAUD_RESULT"]}, "BAD_USER_INPUT"), ({"notes": "ONLY"}, "FORBIDDEN")):
        answer = await ask(COUNTS, token=token_of(Role.CUSTOMER, own), by={"id": own.customer["_id"]}, filter=given)
        assert answer["errors"][0]["extensions"]["code"] == code
        assert answer["data"]["customer"]["activities"] is None
    unknown = await ask(
        COUNTS, token=token_of(Role.CUSTOMER, own), by={"id": own.customer["_id"]}, filter={"types": ["X"]}
    )
    assert "FRAUD" not in json.dumps(unknown)


async def test_the_catalogue_shows_a_customer_what_is_for_customers(
    ask: Ask, accounts: tuple[Account, Account]
) -> None:
    answer = await ask("{ activityTypes { code } }", token=token_of(Role.CUSTOMER, accounts[0]))
    codes = {each["code"] for each in answer["data"]["activityTypes"]}
    assert codes == {code for code, row in CATALOGUE.items() if row.audience != "STAFF"}
    assert 100 < len(codes) < len(CATALOGUE)


async def test_a_cursor_that_staff_got_opens_nothing_to_a_customer(ask: Ask, accounts: tuple[Account, Account]) -> None:
    own, _ = accounts
    query = """query($id: ID!, $after: String) { customer(by: {id: $id}) {
      activities(first: 1, after: $after) { edges { cursor node { id } } } } }"""
    staff = await ask(query, id=own.customer["_id"])
    cursor = staff["data"]["customer"]["activities"]["edges"][0]["cursor"]
    answer = await ask(query, token=token_of(Role.CUSTOMER, own), id=own.customer["_id"], after=cursor)
    assert answer["errors"][0]["extensions"]["code"] == "BAD_CURSOR"


async def test_an_affiliate_finds_nobody_by_what_they_may_not_read(ask: Ask, accounts: tuple[Account, Account]) -> None:
    own, _ = accounts
    for by in ({"email": own.customer["email"]}, {"identity": own.customer["identities"][0]}):
        query = "query($by: CustomerBy!) { customer(by: $by) { id } }"
        answer = await ask(query, token=token_of(Role.AFFILIATE, own), by=by)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert answer["data"]["customer"] is None


async def test_a_shared_address_tells_a_customer_nothing_about_who_else_has_it(ask: Ask, world: World) -> None:
    own = await world.customer(email="both@example.com")
    await world.customer(email="both@example.com")
    query = '{ customer(by: {email: "both@example.com"}) { id } }'
    assert (await ask(query, token=token(Role.CUSTOMER, customer_id=own["_id"])))["data"]["customer"] == {
        "id": own["_id"]
    }
    assert (await ask(query))["errors"][0]["extensions"]["code"] == "AMBIGUOUS"


async def test_a_customer_reads_support_where_an_agent_acted(ask: Ask, accounts: tuple[Account, Account]) -> None:
    own, _ = accounts
    query = "query($id: ID!) { node(id: $id) { ... on Activity { message actor { userId name kind accessLevel } } } }"
    answer = await ask(query, token=token_of(Role.CUSTOMER, own), id=own.documents["Activity"]["_id"])
    support = {"userId": None, "name": "Support", "kind": "AGENT", "accessLevel": None}
    assert answer == {"data": {"node": {"message": None, "actor": support}}}


# ---------------------------------------------------------------- who may come in at all


async def test_without_a_token_there_is_401_and_nothing(
    client: httpx2.AsyncClient, accounts: tuple[Account, Account]
) -> None:
    response = await client.post("/graphql", json={"query": "{ __typename }"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
    assert "data" not in response.json()


@pytest.mark.parametrize("status", ["BLOCKED", "DEACTIVATED", "ANONYMISED", "MERGED"])
async def test_the_token_of_a_customer_who_is_not_active_reads_nothing(status: str, ask: Ask, world: World) -> None:
    customer = await world.customer(status=status)
    answer = await ask("{ __typename }", token=token(Role.CUSTOMER, customer_id=customer["_id"]))
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "data" not in answer


async def test_a_token_without_a_role_reads_nothing(client: httpx2.AsyncClient) -> None:
    bearer = token(Role.CUSTOMER)  # of nobody: so it is no role
    response = await client.post(
        "/graphql", json={"query": "{ __typename }"}, headers={"Authorization": f"Bearer {bearer}"}
    )
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}


async def test_the_audit_log_is_for_administrators_in_any_selection(
    ask: Ask, accounts: tuple[Account, Account]
) -> None:
    own, other = accounts
    query = "query($filter: AuditFilter) { auditLog(filter: $filter) { totalCount nodes { customer { id } wrote } } }"
    for given, expected in (
        (None, [other, own]),
        ({"customerId": own.customer["_id"]}, [own]),
        ({"subject": canary("other", "audit")}, [other]),
        ({"at": {"to": "2020-01-01T00:00:00Z"}}, []),
    ):
        log = (await ask(query, filter=given))["data"]["auditLog"]
        assert log["totalCount"] == len(expected)
        assert {node["customer"]["id"] for node in log["nodes"]} == {each.customer["_id"] for each in expected}
    refused = await ask(query, token=token(Role.CS_ADMIN))
    assert refused["data"] == {"auditLog": None}
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_viewer_is_told_who_they_are_and_what_they_may_do(ask: Ask) -> None:
    query = "{ viewer { subject name roles permissions adjustPointsLimit customer { id } } }"
    viewer = (await ask(query, token=token(Role.CUSTOMER_SERVICE_AGENT)))["data"]["viewer"]
    assert viewer == {
        "subject": "tess",
        "name": "Tess Tester",
        "roles": ["CUSTOMER_SERVICE_AGENT"],
        "permissions": [
            "SEARCH_BY_CONTACT",
            "SEARCH_BY_LABEL",
            "READ_NOTES",
            "CREATE_CUSTOMER",
            "UPDATE_CUSTOMER",
            "ADD_NOTE",
            "TAG_CUSTOMER",
            "ADJUST_POINTS",
            "REDEEM_COUPON",
            "RESEND_EMAIL",
            "SEND_PASS",
            "CHANGE_STATUS",
            "RECORD_ACTIVITY",
            "READ_BLOCKLIST",
            "USE_SEGMENTS",
            "READ_REQUESTS",
            "REQUEST_REFUND",
            "REQUEST_PAYMENT",
            "REQUEST_ORDER",
            "REQUEST_LINK",
            "REQUEST_DOCUMENTS",
            "REQUEST_OTHER",
            "COMPLETE_REQUEST",
            "READ_BILLING",
            "READ_KYC",
        ],
        "adjustPointsLimit": 1000,
        "customer": None,
    }


async def test_roles_add_up(ask: Ask, accounts: tuple[Account, Account]) -> None:
    _, other = accounts
    both = token(Role.AFFILIATE, Role.FINANCE, affiliate_id="aff-1")
    answer = await ask("query($id: ID!) { customer(by: {id: $id}) { email } }", token=both, id=other.customer["_id"])
    assert answer == {"data": {"customer": {"email": other.customer["email"]}}}


async def test_staff_pay_no_command_for_the_checks(
    ask: Ask, store: Store, accounts: tuple[Account, Account], commands: Any
) -> None:
    own, _ = accounts
    await previews.refresh_stale(store)
    query = "query($id: ID!) { customer(by: {id: $id}) { name activities { nodes { title } } } }"
    for role, sent in ((Role.ADMIN, 1), (Role.CUSTOMER, 2), (Role.AFFILIATE, 2)):
        commands.clear()
        await ask(query, token=token_of(role, own), id=own.customer["_id"])
        assert len(commands.sent) == sent, (role, commands.names)


@pytest.mark.parametrize("roles", SETS_OF_ROLES, ids="-".join)
async def test_nobody_sorts_by_what_is_masked_from_them(
    roles: tuple[Role, ...], ask: Ask, accounts: tuple[Account, Account]
) -> None:
    """Where a row stands, and what a cursor finds, would tell to the millisecond what the row hides."""
    own, _ = accounts
    query = "query($by: CustomerOrderField!) { customers(orderBy: {field: $by}) { edges { cursor } } }"
    orders = cast(GraphQLEnumType, schema().get_type("CustomerOrderField"))
    for field in orders.values:
        answer = await ask(query, token=token_of(roles[0], own, *roles[1:]), by=field)
        masked = field == "LAST_ACTIVITY_AT" and Role.CUSTOMER in roles and set(roles) <= STRANGERS
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ["FORBIDDEN"] * masked, (roles, field)
        page: dict[str, list[dict[str, str]]] = answer["data"]["customers"] or {"edges": []}
        for edge in page["edges"]:
            text = base64.urlsafe_b64decode(edge["cursor"] + "==")
            assert not any(own.customer[key].encode() in text for key in ("name", "number", "_id"))


async def test_a_cursor_that_was_made_up_finds_nothing(ask: Ask, accounts: tuple[Account, Account]) -> None:
    query = "query($after: String) { customers(after: $after) { edges { cursor } } }"
    cursor = (await ask(query))["data"]["customers"]["edges"][0]["cursor"]
    assert (await ask(query))["data"]["customers"]["edges"][0]["cursor"] == cursor  # may be compared
    for made_up in (
        cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"),
        base64.urlsafe_b64encode(b'["x",1]').decode(),
    ):
        answer = await ask(query, after=made_up)
        assert answer["errors"][0]["extensions"]["code"] == "BAD_CURSOR"


def test_the_page_about_access_has_the_table_of_grants() -> None:
    assert access_table.markdown() in Path("docs/access.md").read_text()


def test_who_has_a_staff_role_gets_nothing_from_a_referral() -> None:
    """It need not be looked up, then, whether they referred a customer."""
    for role in set(Role) - STRANGERS:
        assert masks_for(frozenset({role, Role.AFFILIATE})) == masks_for(frozenset({role}))
    assert not {grant.permission for grant in GRANTS if grant.role is Role.AFFILIATE}
