"""What other systems own, on a customer: filters, orders, phases, credit, who reads it, merges and erasures."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any

import pytest

from app.domain.access import PERMITTED, Permission, Role
from app.domain.orders import phase_of
from app.domain.vocabulary import OrderPhase, OrderStatus
from app.services.erase_job import Eraser
from app.services.merge_job import Mover
from app.store.driver import Document, Store
from app.store.mirrors import MIRRORS
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.mutations import ANONYMISE, MERGE_CUSTOMERS, UNMERGE, complete_all
from tests.support.tokens import token
from tests.support.world import LATER, NOW, World, ago, euros

LISTS = " ".join(f"{name} {{ totalCount nodes {{ id }} }}" for name in MIRRORS)
SUMS = "creditBalances { amount currency } amountDue { amount currency } nextRenewalAt"
READ = f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ {LISTS} {SUMS} }} }}"
STRANGER_TO: Mapping[str, set[Role]] = {
    **{
        name: set(Role) - PERMITTED[Permission.READ_BILLING]
        for name in (
            "paymentInstruments",
            "orders",
            "invoices",
            "quotes",
            "creditMemos",
            "creditBalances",
            "amountDue",
            "nextRenewalAt",
        )
    },
    **{name: set(Role) - PERMITTED[Permission.READ_KYC] for name in ("kycRequests", "kycDocuments")},
    "amlChecks": set(Role) - PERMITTED[Permission.READ_AML],
}


async def listed(ask: Ask, customer: Document, name: str, arguments: str = "") -> list[str]:
    """Returns the ids of a list, and asserts that its count agrees."""
    how = f"({arguments})" if arguments else ""
    query = f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ {name}{how} {{ totalCount nodes {{ id }} }} }} }}"
    answer = await ask(query, id=customer["_id"])
    assert "errors" not in answer, answer
    page = answer["data"]["customer"][name]
    assert page["totalCount"] == len(page["nodes"])
    return [node["id"] for node in page["nodes"]]


# ---------------------------------------------------------------- filters and orders


FILTERS = [
    ("paymentInstruments", {"method": "paypal"}, 'methods: ["paypal"]'),
    ("paymentInstruments", {"status": "EXPIRED", "sourceStatus": "expired"}, "statuses: [EXPIRED]"),
    ("orders", {"kind": "ONE_TIME"}, "kinds: [ONE_TIME]"),
    ("orders", {"status": "OTHER", "sourceStatus": "delinquent"}, "statuses: [OTHER]"),
    ("orders", {"status": "PAUSED"}, "statuses: [PAUSED, ACTIVE], phases: [ACTIVE], kinds: [SUBSCRIPTION], "
     'createdAt: {to: "2026-01-31T12:00:00.001Z"}'),
    ("invoices", {"type": "RENEWAL"}, "types: [RENEWAL]"),
    ("invoices", {"status": "PAST_DUE"}, "statuses: [PAST_DUE]"),
    ("invoices", {"dueAt": ago(days=1)}, f'dueAt: {{to: "{NOW.isoformat()}"}}'),
    ("quotes", {"type": "CHANGE"}, "types: [CHANGE]"),
    ("quotes", {"status": "ACCEPTED"}, "statuses: [ACCEPTED]"),
    ("creditMemos", {"reason": "RETURN"}, "reasons: [RETURN]"),
    ("creditMemos", {"status": "VOIDED"}, "statuses: [VOIDED]"),
    ("kycRequests", {"status": "FAILED"}, "statuses: [FAILED]"),
    ("kycDocuments", {"type": "FUNDS_PROOF"}, "types: [FUNDS_PROOF]"),
    ("kycDocuments", {"status": "REJECTED"}, "statuses: [REJECTED]"),
    ("amlChecks", {"priority": "P0"}, "priorities: [P0]"),
    ("amlChecks", {"status": "IN_REVIEW"}, "statuses: [IN_REVIEW]"),
    ("amlChecks", {"startedAt": ago(days=9)}, f'startedAt: {{to: "{ago(days=8).isoformat()}"}}'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "condition"), FILTERS, ids=lambda each: each if isinstance(each, str) else ""
)
async def test_a_filter_finds_what_it_says_and_nothing_else(
    name: str, given: Document, condition: str, ask: Ask, world: World
) -> None:
    ada, eve = await world.customer(), await world.customer()
    await world.mirror(name, eve, **given)
    apart = {"status": "ACTIVE", "startAt": LATER} if "phases" in condition else {}
    other = await world.mirror(name, ada, **apart)
    found = await world.mirror(name, ada, **given)
    assert await listed(ask, ada, name, f"filter: {{{condition}}}") == [found["_id"]]
    assert {*await listed(ask, ada, name)} == {other["_id"], found["_id"]}
    key = condition.partition(":")[0]
    if key in ("statuses", "types", "kinds", "reasons", "methods", "priorities"):
        assert await listed(ask, ada, name, f"filter: {{{key}: []}}") == []


ORDERS = [
    ("paymentInstruments", "createdAt", "lastPaymentAt"),
    ("orders", "createdAt", "renewsAt"),
    ("invoices", "createdAt", "dueAt"),
    ("quotes", "createdAt", "expiresAt"),
    ("creditMemos", "createdAt", "issuedAt"),
    ("kycRequests", "createdAt", "expiresAt"),
    ("kycDocuments", "createdAt", "reviewedAt"),
    ("amlChecks", "startedAt", "reviewedAt"),
]


@pytest.mark.parametrize(("name", "time", "also_by"), ORDERS)
async def test_newest_come_first_and_another_time_may_say_the_order(
    name: str, time: str, also_by: str, ask: Ask, world: World
) -> None:
    ada = await world.customer()
    old, new, middle = [
        (await world.mirror(name, ada, **{time: ago(days=days)}, **more))["_id"]
        for days, more in ((9, {also_by: ago(days=1)}), (1, {also_by: ago(days=2)}), (5, {}))
    ]
    field = "".join(f"_{each}" if each.isupper() else each for each in also_by).upper()
    assert await listed(ask, ada, name) == [new, middle, old]
    assert await listed(ask, ada, name, f"orderBy: {{field: {field}}}") == [old, new, middle]
    assert await listed(ask, ada, name, f"orderBy: {{field: {field}, direction: ASC}}") == [middle, new, old]
    first = f"query($id: ID!, $after: String) {{ customer(by: {{id: $id}}) {{ {name}(first: 2, after: $after, "
    query = f"{first} orderBy: {{field: {field}}}) {{ nodes {{ id }} pageInfo {{ endCursor hasNextPage }} }} }} }}"
    page = (await ask(query, id=ada["_id"]))["data"]["customer"][name]
    assert ([each["id"] for each in page["nodes"]], page["pageInfo"]["hasNextPage"]) == ([old, new], True)
    rest = (await ask(query, id=ada["_id"], after=page["pageInfo"]["endCursor"]))["data"]["customer"][name]
    assert ([each["id"] for each in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == ([middle], False)


async def test_what_is_due_in_a_window_comes_by_when_it_is_due(ask: Ask, world: World) -> None:
    ada = await world.customer()
    soon, late = [
        (await world.mirror("invoices", ada, createdAt=ago(days=days), dueAt=ago(days=-days)))["_id"] for days in (1, 2)
    ]
    await world.mirror("invoices", ada)
    assert await listed(ask, ada, "invoices", f'filter: {{dueAt: {{from: "{NOW.isoformat()}"}}}}') == [late, soon]


# ---------------------------------------------------------------- phases


async def test_the_phase_that_is_shown_is_the_phase_that_is_found(ask: Ask, world: World) -> None:
    """Each status with each time, by the clock of this machine: none of them is near to now."""
    ada, past = await world.customer(), ago(days=1)
    now = datetime.now(UTC)
    assert past < now < LATER - timedelta(days=1)
    times = [(key, time) for key in ("startAt", "churnAt") for time in (past, LATER)]
    choices = [*combinations(times, 2), *((each,) for each in times), ()]
    rows = [{"status": status.value, **dict(chosen)} for status, chosen in product(OrderStatus, choices)]
    stored = await world.many("orders", ada, *rows)
    expected = {row["_id"]: phase_of(row, now) for row in stored}
    query = """query($id: ID!, $filter: OrderFilter, $after: String) { customer(by: {id: $id}) {
      orders(first: 100, filter: $filter, after: $after) { totalCount nodes { id phase }
        pageInfo { endCursor hasNextPage } } } }"""

    async def found(filter: Document | None) -> dict[str, str | None]:
        phases: dict[str, str | None] = {}
        after: str | None = None
        while True:
            page = (await ask(query, id=ada["_id"], filter=filter, after=after))["data"]["customer"]["orders"]
            phases |= {each["id"]: each["phase"] for each in page["nodes"]}
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(phases)
                return phases
            after = page["pageInfo"]["endCursor"]

    assert await found(None) == expected
    for size in range(len(OrderPhase) + 1):
        for phases in combinations(OrderPhase, size):
            wanted = {key: phase for key, phase in expected.items() if phase in phases}
            assert await found({"phases": [*phases]}) == wanted, phases
            active = {row["_id"] for row in stored if row["status"] == "ACTIVE"}
            both = {key: phase for key, phase in wanted.items() if key in active}
            assert await found({"phases": [*phases], "statuses": ["ACTIVE"]}) == both, phases


async def test_a_phase_of_several_customers_comes_with_them_in_one_command(
    ask: Ask, world: World, commands: Commands
) -> None:
    customers = [await world.customer() for _ in range(3)]
    for customer in customers:
        await world.mirror("orders", customer, startAt=LATER)
        await world.mirror("orders", customer, startAt=ago(days=1))
    query = """query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer {
      orders(filter: {phases: [UPCOMING]}) { nodes { phase } } } } }"""
    commands.clear()
    nodes = (await ask(query, ids=[each["_id"] for each in customers]))["data"]["nodes"]
    assert nodes == [{"orders": {"nodes": [{"phase": "UPCOMING"}]}}] * 3
    assert len(commands.sent) == 1


# ---------------------------------------------------------------- credit


async def test_credit_is_what_sources_say_is_left_by_currency(ask: Ask, world: World, commands: Commands) -> None:
    ada, eve = await world.customer(), await world.customer()

    async def memo(status: str, unused: Document) -> None:
        await world.mirror("creditMemos", ada, status=status, unused=unused)

    for status, unused in (
        ("ISSUED", euros("0.10")),
        ("PARTIALLY_APPLIED", euros("0.20")),
        ("APPLIED", euros("0")),
        ("ISSUED", {**euros("7.5"), "currency": "CHF"}),
        ("APPLIED", {**euros("0.00"), "currency": "USD"}),
        ("VOIDED", euros("100")),
        ("DRAFT", euros("100")),
        ("QUOTATION", euros("100")),
        ("OTHER", euros("100")),
    ):
        await memo(status, unused)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { creditBalances { amount currency } } } }"
    commands.clear()
    nodes = (await ask(query, ids=[ada["_id"], eve["_id"]]))["data"]["nodes"]
    assert nodes == [
        {"creditBalances": [{"amount": "7.5", "currency": "CHF"}, {"amount": "0.30", "currency": "EUR"}]},
        {"creditBalances": []},
    ]
    assert len(commands.sent) == 2


async def test_what_is_due_is_what_sources_say_of_open_invoices(ask: Ask, world: World, commands: Commands) -> None:
    ada, eve = await world.customer(), await world.customer()
    for status, given in (
        ("UNPAID", {"amountDue": euros("10.10")}),
        ("PARTIALLY_PAID", {"amountDue": euros("0.20")}),
        ("PAST_DUE", {"amount": {**euros("7.5"), "currency": "CHF"}}),
        ("UNPAID", {"amountDue": {**euros("0.00"), "currency": "USD"}}),
        *((status, {"amountDue": euros("100")}) for status in ("DRAFT", "PAID", "VOIDED", "DISPUTED", "REFUNDED")),
    ):
        await world.mirror("invoices", ada, status=status, **given)
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { amountDue { amount currency } } } }"
    commands.clear()
    nodes = (await ask(query, ids=[ada["_id"], eve["_id"]]))["data"]["nodes"]
    assert nodes == [
        {"amountDue": [{"amount": "7.5", "currency": "CHF"}, {"amount": "10.30", "currency": "EUR"}]},
        {"amountDue": []},
    ]
    assert len(commands.sent) == 2


async def test_sums_have_all_digits_of_what_they_are_made_of(ask: Ask, world: World) -> None:
    ada = await world.customer()
    amount = f"{10**31 + 7}.25"  # the 34 digits that an amount may have
    await world.mirror("invoices", ada, status="UNPAID", amountDue=euros(amount))
    await world.mirror("creditMemos", ada, status="ISSUED", total=euros(amount), unused=euros(amount))
    query = "query($id: ID!) { node(id: $id) { ... on Customer { amountDue { amount } creditBalances { amount } } } }"
    answer = await ask(query, id=ada["_id"])
    assert answer["data"]["node"] == {"amountDue": [{"amount": amount}], "creditBalances": [{"amount": amount}]}


async def test_the_next_renewal_is_the_first_ahead_of_active_orders(ask: Ask, world: World, commands: Commands) -> None:
    ada, eve = await world.customer(), await world.customer()
    now = datetime.now(UTC).replace(microsecond=0)
    for status, days in (("ACTIVE", 30), ("ACTIVE", 3), ("ACTIVE", -3), ("PAUSED", 1), ("CANCELLED", 1)):
        await world.mirror("orders", ada, status=status, renewsAt=now + timedelta(days=days))
    await world.mirror("orders", eve, status="CHURNED", renewsAt=now + timedelta(days=1))
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { nextRenewalAt } } }"
    commands.clear()
    nodes = (await ask(query, ids=[ada["_id"], eve["_id"]]))["data"]["nodes"]
    assert [each["nextRenewalAt"] and datetime.fromisoformat(each["nextRenewalAt"]) for each in nodes] == [
        now + timedelta(days=3),
        None,
    ]
    assert len(commands.sent) == 2


# ---------------------------------------------------------------- who reads it


@pytest.mark.parametrize("role", Role)
async def test_who_may_not_read_a_list_gets_null_and_is_told_that_it_is_masked(
    role: Role, ask: Ask, world: World
) -> None:
    ada = await world.customer(affiliateId="aff-1")
    rows = {name: await world.mirror(name, ada) for name in MIRRORS if name != "orders"}
    rows["orders"] = await world.mirror("orders", ada, status="ACTIVE", renewsAt=datetime.now(UTC) + timedelta(days=1))
    given = {"affiliate_id": "aff-1"} if role is Role.AFFILIATE else {}
    given |= {"customer_id": ada["_id"]} if role is Role.CUSTOMER else {}
    bearer = token(role, **given)
    answer = await ask(READ, token=bearer, id=ada["_id"])
    assert "errors" not in answer
    hidden = {name for name, strangers in STRANGER_TO.items() if role in strangers}
    assert {name for name, value in answer["data"]["customer"].items() if value is None} == hidden
    assert {*answer.get("extensions", {}).get("masked", [])} == {f"Customer.{name}" for name in hidden}
    for name, row in rows.items():
        if name not in hidden:
            assert answer["data"]["customer"][name]["nodes"] == [{"id": row["_id"]}]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    nodes = (await ask(query, token=bearer, ids=[row["_id"] for row in rows.values()]))["data"]["nodes"]
    assert nodes == [None if name in hidden else {"id": row["_id"]} for name, row in rows.items()]


async def test_an_activity_about_what_a_viewer_may_not_read_has_no_subject(ask: Ask, world: World) -> None:
    ada = await world.customer()
    check = await world.mirror("amlChecks", ada)
    await world.activity(ada, "AML_CHECK_COMPLETED", subjectId=check["_id"])
    query = "query($id: ID!) { customer(by: {id: $id}) { activities { nodes { type subject { id } } } } }"
    for role, subject in ((Role.FINANCE, {"id": check["_id"]}), (Role.CUSTOMER_SERVICE_AGENT, None)):
        answer = await ask(query, token=token(role), id=ada["_id"])
        assert answer["data"]["customer"]["activities"]["nodes"] == [
            {"type": "AML_CHECK_COMPLETED", "subject": subject}
        ]


async def test_a_link_to_what_is_another_customers_leads_nowhere(ask: Ask, world: World) -> None:
    ada, eve = await world.customer(), await world.customer()
    theirs = await world.mirror("orders", eve)
    await world.mirror("invoices", ada, orderId=theirs["_id"])
    query = "query($id: ID!) { customer(by: {id: $id}) { invoices { nodes { order { id } } } } }"
    answer = await ask(query, id=ada["_id"])
    assert answer["data"]["customer"]["invoices"]["nodes"] == [{"order": None}]


# ---------------------------------------------------------------- merged and erased


async def test_a_merge_moves_all_of_it_and_undoing_it_gives_each_their_own(
    ask: Ask, world: World, store: Store
) -> None:
    into, other = await world.customer(), await world.customer()
    due = {"invoices": {"status": "UNPAID"}}
    own = {name: (await world.mirror(name, into, **due.get(name, {})))["_id"] for name in MIRRORS}
    brought = {name: (await world.mirror(name, other, **due.get(name, {})))["_id"] for name in MIRRORS}

    async def seen(customer: Document) -> Mapping[str, set[str]]:
        lists: dict[str, Any] = (await ask(READ, id=customer["_id"]))["data"]["customer"]
        balances = {each["amount"] for each in lists.pop("creditBalances")}
        assert {each["amount"] for each in lists.pop("amountDue")} == balances  # of one invoice and one memo each
        assert lists.pop("nextRenewalAt") is None
        ids = {name: {node["id"] for node in page["nodes"]} for name, page in lists.items()}
        assert all(page["totalCount"] == len(page["nodes"]) for page in lists.values())
        return {**ids, "creditBalances": balances}

    asked = {"intoId": into["_id"], "ids": [other["_id"]], "reason": "The same", "idempotencyKey": "m"}
    merged = (await ask(MERGE_CUSTOMERS, input=asked))["data"]["mergeCustomers"]
    assert merged["userErrors"] == []
    for _ in range(2):  # while the rows are on their way, and when they are there
        assert await seen(into) == {
            **{name: {own[name], brought[name]} for name in MIRRORS},
            "creditBalances": {"25.00"},
        }
        assert await seen(other) == {key: set[str]() for key in (*MIRRORS, "creditBalances")}
        await Mover(store).once()
    undoing = {"mergeId": merged["merge"]["id"], "reason": "Two persons", "idempotencyKey": "u"}
    assert (await ask(UNMERGE, input=undoing))["data"]["unmerge"]["userErrors"] == []
    await Mover(store).once()
    for customer, rows in ((into, own), (other, brought)):
        assert await seen(customer) == {**{name: {rows[name]} for name in MIRRORS}, "creditBalances": {"12.50"}}


async def test_an_erasure_leaves_what_was_owed_and_takes_who_owed_it(ask: Ask, world: World, store: Store) -> None:
    ada = await world.everything()
    await complete_all(ask, store, ada)
    before = {name: await store.find(name, {"customerId": ada["_id"]}) for name in MIRRORS}
    given = {"customerId": ada["_id"], "confirmNumber": ada["number"], "reason": "Article 17", "idempotencyKey": "k"}
    payload = (await ask(ANONYMISE, input=given))["data"]["anonymiseCustomer"]
    assert payload["userErrors"] == []
    await Eraser(store).once()
    gone = {
        "paymentInstruments": {"last4", "holder", "fingerprint", "bankName"},
        "kycRequests": {"reason"},
        "amlChecks": {"noMatchReason"},
    }
    for name, rows in before.items():
        for row in rows:
            [left] = await store.find(name, {"_id": row["_id"]})
            assert row.keys() - left.keys() == (gone.get(name, set()) | {"sourceId"}) & row.keys(), name
            kept = {key for key in left if left[key] == row[key]}
            changed = {"paymentInstruments": {"billingAddress"}, "kycDocuments": {"tags", "rejection"}}
            changed["amlChecks"] = {"hits"} if row.get("hits") else set()
            assert left.keys() - kept == changed.get(name, set()), name
