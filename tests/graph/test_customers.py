"""Customers as a list: who is found by what, in which order, by whom, and what that costs; and their labels."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from app.domain import points
from app.domain.access import Role
from app.domain.customers import DENORMALISED_FIELDS, copies
from app.services.expiry import expire_due
from app.services.importing import import_lines
from app.store import previews
from app.store.driver import Document, Store, UpdateMany
from app.store.indexes import refresh_customers, wrong_copies
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.query_plans import documents_read, explained
from tests.support.schema_walk import fields_of, values_of
from tests.support.tokens import token
from tests.support.world import NOW, World, ago

LIST = """query($f: CustomerFilter, $o: CustomerOrder, $first: Int, $after: String, $last: Int, $before: String) {
  customers(filter: $f, orderBy: $o, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { number } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }"""


async def found(ask: Ask, given: Mapping[str, Any], **who: Any) -> list[str]:
    """The numbers of all who are found, and as many as are counted."""
    answer = await ask(LIST, f=given, first=100, **who)
    assert "errors" not in answer, answer
    numbers = [node["number"] for node in answer["data"]["customers"]["nodes"]]
    assert answer["data"]["customers"]["totalCount"] == len(numbers)
    return numbers


async def code(ask: Ask, given: Mapping[str, Any], **who: Any) -> str:
    answer = await ask(LIST, f=given, **who)
    (error,) = answer["errors"]
    assert answer["data"] == {"customers": None}
    assert len(error["message"]) < 300
    return error["extensions"]["code"]


# ---------------------------------------------------------------- who is found

STATUSES = ["ACTIVE", "ACTIVE", "BLOCKED", "MERGED"]
TIERS = ["GOLD", "SILVER"]
NAMES = ["Zoë Müller", "ZOE MULLER", "zoe mullen", "Ada Lovelace", "ada lovelace", "Åsa Öberg", "佐藤 健", "O'Brien"]


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Stores eighty customers with every value of every filter, and returns them as they are stored."""
    random = Random(5)
    for number in range(80):
        more: Document = {"country": random.choice(("DE", "SE"))} if random.random() < 0.6 else {}
        if random.random() < 0.5:
            more["billingAddress"] = {"country": random.choice(("DE", "FR"))}
        if number % 3:
            more["fields"] = [{"name": "loyaltyTier", "value": TIERS[number % 2]}]
        customer = await world.customer(
            name=random.choice(NAMES),
            email=f"zoe{number % 7}@example.com",
            emails=[{"value": f"work{number % 9}@example.com", "primary": False}],
            tags=random.sample(["vip", "b2b", "Ärger"], random.randint(0, 2)),
            status=random.choice(STATUSES),
            paymentCount=random.choice((0, 0, 1, 5, 40)),
            registeredAt=ago(days=random.randrange(20)),
            affiliateId=random.choice(("aff-1", "aff-2")),
            **more,
        )
        for _ in range(random.randrange(3)):
            moment = {"occurredAt": ago(days=random.randrange(20))}
            campaign = {"campaign": random.choice(("Radio", "TV"))} if random.random() < 0.5 else {}
            await world.activity(customer, random.choice(("BIRTHDAY", "NOTE_ADDED", "OLD")), **moment, **campaign)
        if random.random() < 0.5:
            await world.ledger(customer, points.earn(points.empty(), random.randint(1, 5), now=NOW))
    return await world.store.find("customers", {})


SINCE = ago(days=8)


def country_of(row: Document) -> str | None:
    return row.get("country") or row.get("billingAddress", {}).get("country")


CONDITIONS: list[tuple[str, Any, Callable[[Document], bool]]] = [
    ("segment", "LEADS", lambda row: row["paymentCount"] == 0),
    ("segment", "CUSTOMERS", lambda row: row["paymentCount"] >= 1),
    ("statuses", ["BLOCKED", "MERGED"], lambda row: row["status"] != "ACTIVE"),
    ("tags", ["VIP", "arger"], lambda row: bool({"vip", "Ärger"} & {*row["tags"]})),
    ("tags", [], lambda row: False),
    ("countries", ["DE"], lambda row: country_of(row) == "DE"),
    ("countries", ["FR", "SE"], lambda row: country_of(row) in ("FR", "SE")),
    (
        "registeredAt",
        {"from": SINCE.isoformat(), "to": ago(days=2).isoformat()},
        lambda row: SINCE <= row["registeredAt"] < ago(days=2),
    ),
    ("payments", {"min": 1, "max": 5}, lambda row: 1 <= row["paymentCount"] <= 5),
    ("payments", {"max": 0}, lambda row: row["paymentCount"] == 0),
    ("campaigns", ["Radio"], lambda row: "Radio" in row.get("campaigns", ())),
    ("hasActivity", {"type": "BIRTHDAY"}, lambda row: "BIRTHDAY" in row.get("lastByType", {})),
    (
        "hasActivity",
        {"type": "NOTE_ADDED", "since": SINCE.isoformat()},
        lambda row: row.get("lastByType", {}).get("NOTE_ADDED", ago(days=99)) >= SINCE,
    ),
    ("spendablePoints", {"min": 3}, lambda row: row["spendable"] >= 3),
    ("spendablePoints", {"min": 0, "max": 2}, lambda row: row["spendable"] <= 2),
    ("number", "c-7", lambda row: row["number"] == "C-7"),
    ("name", "zoe MÜL", lambda row: row["name"] in NAMES[:3]),
    ("name", "zoë müller", lambda row: row["name"] in NAMES[:2]),
    ("name", "asa o", lambda row: row["name"] == "Åsa Öberg"),
    ("name", "佐藤", lambda row: row["name"] == "佐藤 健"),
    ("name", "o'b", lambda row: row["name"] == "O'Brien"),
    ("email", "ZOE3@example.com", lambda row: row["email"] == "zoe3@example.com"),
    ("email", "work3@example.com", lambda row: row["emails"][0]["value"] == "work3@example.com"),
    ("emailPrefix", "Zoe", lambda row: True),
    ("emailPrefix", "work3", lambda row: row["emails"][0]["value"] == "work3@example.com"),
    (
        "fields",
        [{"name": "loyaltyTier", "values": ["GOLD"]}],
        lambda row: {"name": "loyaltyTier", "value": "GOLD"} in row.get("fields", ()),
    ),
]  # fmt: skip


async def test_each_condition_finds_whom_it_says(ask: Ask, crowd: list[Document]) -> None:
    assert {name for name, _, _ in CONDITIONS} | {"lastName"} == fields_of("CustomerFilter").keys()
    for name, value, holds in CONDITIONS:
        expected = {row["number"] for row in crowd if holds(row)}
        assert set(await found(ask, {name: value})) == expected, (name, value)
        assert len(expected) < 80 or name == "emailPrefix"


async def test_conditions_together_find_whom_all_of_them_find_in_any_order_and_page_by_page(
    ask: Ask, crowd: list[Document]
) -> None:
    random = Random(17)
    for _ in range(40):
        chosen = {name: (value, holds) for name, value, holds in random.sample(CONDITIONS, random.randint(0, 3))}
        given = {name: value for name, (value, _) in chosen.items()}
        order = {"field": random.choice(values_of("CustomerOrderField")), "direction": random.choice(("ASC", "DESC"))}
        expected = {row["number"] for row in crowd if all(holds(row) for _, holds in chosen.values())}
        forwards, backwards = await paged(ask, given, order)
        assert forwards == backwards, (given, order)
        assert sorted(forwards) == sorted(expected), (given, order)


async def paged(ask: Ask, given: Document, order: Document) -> tuple[list[str], list[str]]:
    forwards: list[str] = []
    backwards: list[str] = []
    where: Document = {}
    while True:
        page = (await ask(LIST, f=given, o=order, first=7, **where))["data"]["customers"]
        forwards += [node["number"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        where = {"after": page["pageInfo"]["endCursor"]}
    where = {}
    while True:
        page = (await ask(LIST, f=given, o=order, last=9, **where))["data"]["customers"]
        backwards = [*(node["number"] for node in page["nodes"]), *backwards]
        if not page["pageInfo"]["hasPreviousPage"]:
            return forwards, backwards
        where = {"before": page["pageInfo"]["startCursor"]}


async def test_orders_are_what_they_say_and_who_lacks_the_value_comes_last(ask: Ask, crowd: list[Document]) -> None:
    by_number = {row["number"]: row for row in crowd}
    keys = {"REGISTERED_AT": "registeredAt", "LAST_ACTIVITY_AT": "lastActivityAt", "SPENDABLE_POINTS": "spendable"}
    for field, key in keys.items():
        for direction in ("ASC", "DESC"):
            numbers, _ = await paged(ask, {}, {"field": field, "direction": direction})
            values = [by_number[number].get(key) for number in numbers]
            there = [value for value in values if value is not None]
            assert there == sorted(there, reverse=direction == "DESC")
            assert values[: len(there)] == there
            assert None in values or key != "lastActivityAt"
    names, _ = await paged(ask, {}, {"field": "NAME", "direction": "ASC"})
    folded = [by_number[number]["name"].replace("ë", "e").replace("ü", "u").casefold() for number in names]
    assert folded.index("ada lovelace") < folded.index("åsa öberg") < folded.index("o'brien")  # Å is an A
    assert folded.index("zoe mullen") < folded.index("zoe muller") < folded.index("佐藤 健")


async def test_a_search_term_is_text(ask: Ask, world: World) -> None:
    await world.customer(name="Ada (the first)", lastName="von Ämt", email="ada+shop@example.com")
    for name in ("A.*", "^Ada", "Ada (the f.rst", ".", "$ne", "Ada\\", "%", "Ada_", "[A]da"):
        assert await found(ask, {"name": name}) == []
        assert await found(ask, {"emailPrefix": name}) == []
    assert await found(ask, {"name": " ada (THE "}) == await found(ask, {"emailPrefix": "ada+"}) == ["C-1"]
    assert await found(ask, {"lastName": "von amt"}) == ["C-1"]


async def test_input_that_cannot_be_is_refused(ask: Ask) -> None:
    since = {"from": NOW.isoformat(), "to": ago(days=1).isoformat()}
    refused: list[Document] = [
        {"payments": {"min": 5, "max": 4}},
        {"spendablePoints": {"min": 1, "max": 0}},
        {"registeredAt": since},
        {"tags": ["x" * 1_000]},
        {"tags": ["x"] * 101},
        {"hasActivity": {"type": "x" * 1_000}},
        {"hasActivity": {"type": "BIRTDAY"}},
        {"name": "  "},
        {"name": "x" * 1_001},
        {"email": ""},
    ]
    for given in refused:
        assert await code(ask, given) == "BAD_USER_INPUT", given
    assert await found(ask, {"payments": {"max": 2**31 - 1}, "segment": "LEADS"}) == []


async def test_a_cursor_of_another_search_is_refused(ask: Ask, crowd: list[Document]) -> None:
    page = (await ask(LIST, f={"segment": "LEADS"}, first=2))["data"]["customers"]
    answer = await ask(LIST, f={"segment": "CUSTOMERS"}, first=2, after=page["pageInfo"]["endCursor"])
    assert answer["errors"][0]["extensions"]["code"] == "BAD_CURSOR"


# ---------------------------------------------------------------- by whom


async def test_an_affiliate_finds_whom_they_referred_and_by_nothing_that_they_may_not_read(
    ask: Ask, world: World
) -> None:
    await world.customer(affiliateId="aff-1", tags=["vip"], email="a@example.com")
    await world.customer(affiliateId="AFF-1")  # another affiliate, though the list takes A for a
    await world.customer(affiliateId="äff-1")
    await world.customer(billingAddress={"country": "DE"}, affiliateId="aff-1")
    who = {"token": token(Role.AFFILIATE, affiliate_id="aff-1")}
    assert await found(ask, {}, **who) == ["C-1", "C-4"]
    assert await found(ask, {"countries": ["DE"]}, **who) == []  # an address says so
    assert await found(ask, {"countries": ["DE"]}) == ["C-4"]
    for given in ({"tags": ["vip"]}, {"email": "a@example.com"}, {"emailPrefix": "a"}, {"campaigns": ["TV"]}):
        assert await code(ask, given, **who) == "FORBIDDEN"
    for role in (Role.AFFILIATE, Role.API_USER):  # who may not read notes may not ask for them either
        asked = token(role, affiliate_id="aff-1")
        assert await code(ask, {"hasActivity": {"type": "NOTE_ADDED"}}, token=asked) == "BAD_USER_INPUT"


async def test_a_customer_finds_themselves_alone(ask: Ask, world: World) -> None:
    ada = await world.customer(number="C-a", email="a@example.com", tags=["vip"])
    await world.customer(number="C-A", email="a@example.com")
    who = {"token": token(Role.CUSTOMER, customer_id=ada["_id"])}
    assert await found(ask, {}, **who) == ["C-a"]
    assert await found(ask, {"email": "A@example.com"}, **who) == ["C-a"]
    assert await code(ask, {"tags": ["vip"]}, **who) == "FORBIDDEN"
    assert await code(ask, {"hasActivity": {"type": "FRAUD_RESULT"}}, **who) == "BAD_USER_INPUT"


# ---------------------------------------------------------------- copies, kept up by every writer


async def test_every_writer_keeps_up_what_customers_are_listed_by(ask: Ask, world: World) -> None:
    store, now = world.store, datetime.now(UTC)
    ada = await world.customer(identities=[{"source": "esuite", "id": "E1"}])
    due = points.earn(points.empty(), 5, now=NOW, expires_at=NOW + timedelta(days=2))
    await world.ledger(ada, due)
    lines = [
        b'{"kind": "activity", "source": "esuite", "id": "A1", "customer": {"source": "esuite", "id": "E1"},'
        b' "type": "BIRTHDAY", "occurredAt": "2026-01-30T09:00:00Z", "campaign": "TV"}',
        b'{"kind": "activity", "source": "esuite", "id": "A2", "customer": {"source": "esuite", "id": "E1"},'
        b' "type": "OLD.TYPE", "title": "Old", "occurredAt": "2026-01-31T09:00:00Z"}',
        b'{"kind": "points", "source": "esuite", "id": "P1", "customer": {"source": "esuite", "id": "E1"},'
        b' "pointsKind": "EARNED", "points": 7, "occurredAt": "2026-01-31T09:00:00Z"}',
        b'{"kind": "customer", "source": "loyalty", "id": "L", "number": "C-9", "name": "New",'
        b' "registeredAt": "2026-01-01T00:00:00Z"}',
    ]
    mutations = [
        ("addNote", {"message": "Hello"}),
        ("adjustPoints", {"points": -3, "reason": "Oops"}),
        ("recordActivity", {"type": "BIRTHDAY", "occurredAt": "2026-01-15T00:00:00Z"}),
        ("recordActivity", {"type": "BIRTHDAY", "points": 2}),
        ("tagCustomer", {"tag": "vip"}),
        ("changeCustomerStatus", {"status": "BLOCKED", "reason": "Asked"}),
    ]

    def mutate(name: str, given: Document) -> Callable[[], Any]:
        query = (
            f"mutation($i: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $i) {{ userErrors {{ message }} }} }}"
        )
        whole = {"customerId": ada["_id"], "idempotencyKey": f"{name} {given}", **given}

        async def mutated() -> None:
            assert (await ask(query, i=whole))["data"] == {name: {"userErrors": []}}

        return mutated

    writers: list[Callable[[], Any]] = [
        lambda: import_lines(store, lines, now=now, reject=lambda rejected: pytest.fail(rejected.reason)),
        lambda: expire_due(store, now),
        *(mutate(name, given) for name, given in mutations),
    ]
    for write in writers:
        before = await store.find("activities", {})
        await write()
        activities = await store.find("activities", {})
        assert len(activities) > len(before)
        await assert_copies(store)
        assert (await previews.refresh_stale(store), await previews.differences(store)) == (0, [])
    (kept,) = await store.find("customers", {"_id": ada["_id"]})
    assert (kept["spendable"], kept["campaigns"]) == (6, ["TV"])
    assert set(kept["lastByType"]) > {"NOTE_ADDED", "BIRTHDAY", "POINTS_EXPIRED", "CUSTOMER_TAGGED"}
    assert kept["lastActivityAt"] == max(at for type_, at in kept["lastByType"].items() if type_ != "NOTE_ADDED")


async def test_old_databases_get_the_copies_and_wrong_ones_are_mended(world: World, crowd: list[Document]) -> None:
    gone = {"$unset": dict.fromkeys(("spendable", "lastActivityAt", "lastByType", "campaigns"), "")}
    await world.store.write("customers", [UpdateMany({}, gone)])
    assert await refresh_customers(world.store) == (80, set())
    assert [in_order(each) for each in await world.store.find("customers", {})] == [in_order(each) for each in crowd]
    assert await refresh_customers(world.store) == (0, set())
    await world.store.write("customers", [UpdateMany({}, {"$set": {"spendable": 99, "lastActivityAt": NOW}})])
    assert await refresh_customers(world.store, all_of_them=True) == (80, set())
    await assert_copies(world.store)


async def assert_copies(store: Store) -> None:
    for customer in await store.find("customers", {}):
        activities = await store.find("activities", {"customerId": customer["_id"]})
        kept = {key: value for key, value in customer.items() if key in DENORMALISED_FIELDS}
        wanted = copies(customer, activities)
        assert in_order(kept) == in_order(wanted)


def in_order(customer: Document) -> Document:
    """Campaigns are a set."""
    return {**customer, "campaigns": sorted(customer.get("campaigns", ()))}


# ---------------------------------------------------------------- labels

TAG = """mutation($i: TagCustomerInput!) { tagCustomer(input: $i) {
  activity { type title source attribute(name: "tag") } customer { tags } userErrors { code field message } } }"""
UNTAG = TAG.replace("tagCustomer", "untagCustomer")


async def test_a_label_is_put_on_and_taken_off_each_with_its_activity(ask: Ask, world: World) -> None:
    ada = await world.customer(tags=["b2b"])
    on = {"customerId": ada["_id"], "tag": " vip ", "idempotencyKey": "1"}
    first = (await ask(TAG, i=on))["data"]["tagCustomer"]
    assert first == {
        "activity": {"type": "CUSTOMER_TAGGED", "title": "Customer tagged", "source": "platform", "attribute": "vip"},
        "customer": {"tags": ["b2b", "vip"]},
        "userErrors": [],
    }
    assert (await ask(TAG, i=on))["data"]["tagCustomer"] == first  # the same key: it is the same change
    assert await found(ask, {"tags": ["vip"]}) == [ada["number"]]
    off = {"customerId": ada["_id"], "tag": "VIP", "idempotencyKey": "2"}
    second = (await ask(UNTAG, i=off))["data"]["untagCustomer"]
    assert (second["activity"]["type"], second["customer"]["tags"]) == ("CUSTOMER_UNTAGGED", ["b2b"])
    assert len(await world.store.find("activities", {})) == 2
    assert len(await world.store.find("audit", {"outcome": "ACCEPTED"})) == 2
    last = {"customerId": ada["_id"], "tag": "b2b", "idempotencyKey": "3"}
    assert (await ask(UNTAG, i=last))["data"]["untagCustomer"]["customer"] == {"tags": []}
    assert await wrong_copies(world.store) == []


async def test_labels_that_cannot_be_are_refused_and_nothing_is_written(ask: Ask, world: World) -> None:
    ada, full = await world.customer(tags=["vip"]), await world.customer(tags=[str(n) for n in range(100)])
    closed = await world.customer(status="MERGED")
    refused = [
        (TAG, ada, "x" * 1_000, "INVALID"),
        (TAG, ada, " ", "INVALID"),
        (TAG, ada, "a\tb\0", "INVALID"),
        (TAG, ada, "Vip", "INVALID"),
        (UNTAG, ada, "b2b", "INVALID"),
        (TAG, full, "one more", "LIMIT_EXCEEDED"),
        (TAG, closed, "vip", "CUSTOMER_CLOSED"),
    ]
    for mutation, customer, tag, expected in refused:
        given = {"customerId": customer["_id"], "tag": tag, "idempotencyKey": "k"}
        (payload,) = (await ask(mutation, i=given))["data"].values()
        assert [error["code"] for error in payload["userErrors"]] == [expected], tag[:20]
    assert await world.store.find("activities", {}) == []


async def test_labels_put_on_at_once_are_all_there(ask: Ask, world: World) -> None:
    ada = await world.customer()
    given = [{"customerId": ada["_id"], "tag": str(n), "idempotencyKey": str(n)} for n in range(12)]
    await asyncio.gather(*(ask(TAG, i=each) for each in given))
    (kept,) = await world.store.find("customers", {})
    assert sorted(kept["tags"], key=int) == [str(n) for n in range(12)]


@pytest.mark.parametrize("role", [Role.API_USER, Role.AFFILIATE, Role.CUSTOMER])
async def test_only_who_writes_notes_labels_customers(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(affiliateId="aff")
    who = token(role, customer_id=ada["_id"] if role == Role.CUSTOMER else None, affiliate_id="aff")
    for mutation in (TAG, UNTAG):
        answer = await ask(mutation, i={"customerId": ada["_id"], "tag": "vip", "idempotencyKey": "k"}, token=who)
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


# ---------------------------------------------------------------- what it costs


async def test_a_list_costs_one_command_and_reads_what_it_returns(
    ask: Ask, world: World, store: Store, commands: Commands
) -> None:
    """Unfiltered in any order, and searched: with conditions the database tries, and reads what matches at most."""
    for number in range(300):
        customer = await world.customer(
            name=f"Name {number:03}", email=f"m{number}@example.com", status="BLOCKED" if number % 50 == 0 else "ACTIVE"
        )
        if number % 3:
            await world.activity(customer, occurredAt=ago(hours=number))
            await world.ledger(customer, points.earn(points.empty(), number, now=NOW))
    query = LIST.replace("totalCount ", "")
    wasteful: list[object] = []
    orders = [{"field": f, "direction": d} for f in values_of("CustomerOrderField") for d in ("ASC", "DESC")]
    lists: list[tuple[Document, Document | None, int]] = [
        *(({}, order, 11) for order in orders),
        ({"number": "c-7"}, None, 1),
        ({"name": "name 12"}, None, 11),
        ({"email": "m7@example.com"}, None, 1),
        ({"emailPrefix": "m12"}, None, 11),
        ({"statuses": ["BLOCKED"]}, None, 6),
        ({"spendablePoints": {"min": 290}}, None, 7),
        ({"hasActivity": {"type": "SUBSCRIPTION_RENEWED", "since": ago(hours=9).isoformat()}}, None, 8),
    ]
    for given, order, bound in lists:
        after: Document = {}
        for _ in range(2):
            commands.clear()
            answer = await ask(query, f=given, o=order, first=10, **after)
            assert "errors" not in answer, answer
            page = answer["data"]["customers"]
            ((name, command),) = commands.sent
            documents = documents_read(await explained(store, command))
            if documents > bound * (2 if after else 1):
                wasteful.append((given, order, bool(after), name, documents, len(page["nodes"])))
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = {"after": page["pageInfo"]["endCursor"]}
    assert wasteful == []


async def test_everybody_is_counted_without_a_document_and_only_when_asked(
    ask: Ask, world: World, store: Store, commands: Commands
) -> None:
    for _ in range(30):
        await world.customer()
    commands.clear()
    await ask("{ customers(first: 0) { totalCount } }")
    counting = commands.sent[-1][1]
    assert {"$limit": 100_000} in counting["pipeline"]
    assert documents_read(await explained(store, counting)) == 0


async def test_a_list_of_many_and_what_hangs_on_them_costs_one_command_more(
    ask: Ask, world: World, commands: Commands
) -> None:
    for _ in range(5):
        await world.everything()
    await previews.refresh_stale(world.store)
    commands.clear()
    answer = await ask("{ customers { nodes { name activities { nodes { title } } coupons { nodes { code } } } } }")
    assert len(answer["data"]["customers"]["nodes"]) == 10
    assert len(commands.sent) == 2


# ---------------------------------------------------------------- the menu of labels

TAGS = "query ($startsWith: String) { customerTags(startsWith: $startsWith) { values hasMore } }"


async def test_the_menu_of_labels_has_each_once_and_narrows_by_a_beginning(
    ask: Ask, world: World, commands: Commands
) -> None:
    for tags in (["vip", "Ärzte"], ["vip", "b2b"], [], ["arbeit"]):
        await world.customer(tags=tags)
    commands.clear()
    assert (await ask(TAGS))["data"]["customerTags"] == {"values": ["arbeit", "b2b", "vip", "Ärzte"], "hasMore": False}
    assert commands.names == ["distinct"]
    assert (await ask(TAGS, startsWith="AR"))["data"]["customerTags"]["values"] == ["arbeit", "Ärzte"]
    assert (await ask(TAGS, startsWith="\u200b"))["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_the_menu_of_labels_is_an_index_walked_and_not_every_customer(world: World) -> None:
    for number in range(60):
        await world.customer(tags=["vip", f"tag {number % 3}"])
    command: Document = {"distinct": "customers", "key": "tags", "query": {}}
    plan = await world.store.command({"explain": command, "verbosity": "executionStats"})
    assert "DISTINCT_SCAN" in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalDocsExamined"] == 0
    assert plan["executionStats"]["totalKeysExamined"] <= 10


@pytest.mark.parametrize("role", [Role.AFFILIATE, Role.CUSTOMER])
async def test_the_menu_of_labels_is_for_staff(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(tags=["vip"])
    ids = {"customer_id": ada["_id"]} if role is Role.CUSTOMER else {"affiliate_id": "aff-1"}
    answer = await ask(TAGS, token=token(role, **ids))
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    assert "vip" not in str(answer)
