"""The customer-service report: two tables and the rows behind them, which always agree; and what they cost."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from app.catalogue import CATALOGUE, NOTE_TYPES
from app.domain import points
from app.domain.access import PERMITTED, Permission, Role
from app.domain.report import OPTION_KEYS
from app.services import daily_counts, importing
from app.services.erase_job import Eraser
from app.services.expiry import expire_due
from app.services.importing import ImportOptions, import_lines
from app.store import indexes
from app.store.driver import Document, Store, UpdateOne
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.mutations import ANONYMISE
from tests.support.query_plans import documents_read, entries_read, explained, sorts
from tests.support.relays import until
from tests.support.tokens import token
from tests.support.world import NOW, World, ago

REPORT = """query($f: ReportFilter!) { customerServiceReport(filter: $f) {
  total actions { type title total } customFields { username userId name value total } details { totalCount } } }"""


DAYS = "query($f: ReportFilter!) { customerServiceReport(filter: $f) { total days { day total } } }"


def day_of(row: Document) -> str:
    return f"{row['occurredAt']:%Y-%m-%d}"


def window(begin: datetime, end: datetime = NOW) -> Document:
    """Returns the only condition that a report must have."""
    return {"occurredAt": {"from": begin.isoformat(), "to": end.isoformat()}}


WINDOW = window(ago(days=30))
NOBODY_WRITES = timedelta()
PEOPLE: list[Document] = [
    {"kind": "AGENT", "id": "ines", "name": "Ines", "accessLevel": "SALES_REP"},
    {"kind": "AGENT", "id": "otto", "name": "Otto", "accessLevel": "CS_ADMIN"},
    {"kind": "AGENT", "id": "ines-2", "name": "Ines", "accessLevel": "ADMIN"},
    {"kind": "API", "id": "shop", "name": "Shop", "accessLevel": "API_USER"},
    {"kind": "API", "id": "shop", "name": "System", "accessLevel": "API_USER"},
    {"kind": "CUSTOMER", "id": "cus", "name": "Otto", "accessLevel": "CUSTOMER"},
    {"kind": "SYSTEM", "name": "System"},
    {"kind": "IMPORT", "name": "System"},
]
VALUES: dict[str, list[str]] = {
    "campaign": ["Radio", "TV"],
    "campaignCategory": ["Air", "Print"],
    "product": ["Set", "Single"],
    "callCenter": ["Leipzig", "Cardiff"],
    "currency": ["EUR", "GBP"],
    "country": ["DE", "GB"],
}
PLURAL = {
    "campaign": "campaigns",
    "campaignCategory": "campaignCategories",
    "product": "products",
    "callCenter": "callCenters",
    "currency": "currencies",
    "country": "countries",
}
TYPES = ["REFUNDED", "AGENT_NOTE", "NOTE_ADDED", "NEW_SALE_SUCCESS", "BIRTHDAY", "POINTS_EXPIRED", "FRAUD_RESULT"]
FIELDS = [{"name": name, "value": value} for name in ("Size", "Gift") for value in ("S", "M")]


def drawn(random: Random) -> Document:
    """An activity of the last 40 days: in part at midnight, to the millisecond."""
    moment = ago(days=random.randrange(40)) if random.random() < 0.8 else ago(days=random.randrange(40), hours=12)
    more: Document = {key: random.choice(values) for key, values in VALUES.items() if random.random() < 0.4}
    for key in ("orderCustomFields", "customFieldsSet"):
        if random.random() < 0.4:
            more[key] = random.sample(FIELDS, random.randint(1, 2))
    milliseconds = timedelta(milliseconds=random.choice((0, 0, 1, -1)))
    type_ = random.choice([*TYPES, "LEGACY.TYPE"])
    return {"type": type_, "occurredAt": moment + milliseconds, "actor": random.choice(PEOPLE), **more}


def asked(random: Random) -> Document:
    """A filter without contradictions."""
    begin = ago(days=random.randint(1, 42), hours=random.choice((0, 12)))
    end = begin + timedelta(days=random.randint(1, 42), minutes=random.choice((0, 0, 1)))
    given = window(begin, end)
    for key, values in VALUES.items():
        if random.random() < 0.12:
            given[PLURAL[key]] = random.sample([*values, "Nowhere"], random.randint(0, 2))
    if random.random() < 0.25:
        given["users"] = random.sample(["Ines", "Otto", "System", "Shop", "Nobody"], random.randint(1, 3))
    if random.random() < 0.25:
        given["accessLevels"] = random.sample(["SALES_REP", "CS_ADMIN", "CUSTOMER", "FINANCE"], 2)
    if random.random() < 0.15:
        given["customFields"] = random.sample([*FIELDS, {"name": "Size", "value": "XXL"}], random.randint(1, 2))
    if random.random() < 0.3:
        given["hideSystem"] = True
    given["notes"] = random.choice(("INCLUDE", "INCLUDE", "EXCLUDE", "ONLY"))
    if random.random() < 0.4:
        fitting = {"INCLUDE": TYPES, "EXCLUDE": sorted({*TYPES} - NOTE_TYPES), "ONLY": sorted(NOTE_TYPES)}
        given["types"] = random.sample(fitting[given["notes"]], random.randint(1, 3))
    return given


def matches(row: Document, given: Mapping[str, Any]) -> bool:
    """The report's promise, one row at a time."""
    actor = row["actor"]
    notes = {"INCLUDE": (True, False), "EXCLUDE": (False,), "ONLY": (True,)}[given.get("notes", "INCLUDE")]
    return (
        row["type"] in CATALOGUE
        and _holds(given["occurredAt"], row["occurredAt"])
        and all(row.get(key) in given[name] for key, name in PLURAL.items() if name in given)
        and actor["name"] in given.get("users", [actor["name"]])
        and ("accessLevels" not in given or actor.get("accessLevel") in given["accessLevels"])
        and ("types" not in given or row["type"] in given["types"])
        and ((row["type"] in NOTE_TYPES) in notes)
        and not (given.get("hideSystem") and actor["kind"] in ("SYSTEM", "API", "IMPORT"))
        and (
            "customFields" not in given
            or any(each in given["customFields"] for each in row.get("orderCustomFields", []))
        )
    )


def _holds(window: Mapping[str, str], moment: datetime) -> bool:
    begin, end = (datetime.fromisoformat(window[name]) if name in window else None for name in ("from", "to"))
    return (begin is None or begin <= moment) and (end is None or moment < end)


def tables(rows: list[Document]) -> tuple[Counter[str], Counter[tuple[str, str | None, str, str]]]:
    fields = (
        (row["actor"]["name"], row["actor"].get("id"), each["name"], each["value"])
        for row in rows
        for each in row.get("customFieldsSet", ())
    )
    return Counter(row["type"] for row in rows), Counter(fields)


async def reported(ask: Ask, given: Mapping[str, Any], **who: Any) -> Document:
    answer = await ask(REPORT, f=given, **who)
    assert "errors" not in answer, answer
    return answer["data"]["customerServiceReport"]


@pytest.fixture
async def history(world: World) -> list[Document]:
    """Stores 600 activities of forty days. Half of the days are counted already, some counted and stale again."""
    random, ada = Random(7), await world.customer()
    rows = await world.many("activities", ada, *(drawn(random) for _ in range(500)))
    await daily_counts.count_days(world.store, ago(days=10), grace=NOBODY_WRITES)
    late = await world.many("activities", ada, *(drawn(random) for _ in range(100)))
    since = [row for row in late if row["occurredAt"].day % 2]  # nothing said that the other days changed: this does
    await world.store.write("tallies", daily_counts.days_made_stale(since, now=NOW))
    others = [row for row in late if row not in since]
    await world.store.write("tallies", daily_counts.days_made_stale(others, now=NOW))
    await daily_counts.count_days(world.store, ago(days=20), grace=timedelta(days=-1))
    await world.store.write("tallies", daily_counts.days_made_stale(late[:5], now=NOW))
    return [*rows, *late]


AGREEMENTS = 200


async def test_total_actions_and_details_agree_with_a_plain_count_whatever_is_asked(
    ask: Ask, history: list[Document]
) -> None:
    random, empty = Random(11), 0
    for _ in range(AGREEMENTS):
        given = asked(random)
        rows = [row for row in history if matches(row, given)]
        actions, fields = tables(rows)
        report = await reported(ask, given)
        assert report["total"] == report["details"]["totalCount"] == len(rows), given
        assert {each["type"]: each["total"] for each in report["actions"]} == actions, given
        assert [each["total"] for each in report["actions"]] == sorted(actions.values(), reverse=True)
        days = (await ask(DAYS, f=given))["data"]["customerServiceReport"]["days"]
        expected = Counter(day_of(row) for row in rows)
        assert days == [{"day": day, "total": expected[day]} for day in sorted(expected)], given
        set_ = {
            (each["username"], each["userId"], each["name"], each["value"]): each["total"]
            for each in report["customFields"]
        }
        assert set_ == fields, given
        empty += not rows
    assert empty < AGREEMENTS / 2


DETAILS = """query($f: ReportFilter!, $t: [String!], $after: String, $before: String, $first: Int, $last: Int) {
  customerServiceReport(filter: $f) { details(first: $first, after: $after, last: $last, before: $before, types: $t) {
    totalCount nodes { id } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } } }"""


async def test_a_total_opens_exactly_its_rows_page_by_page_in_both_directions(
    ask: Ask, history: list[Document]
) -> None:
    random = Random(13)
    for _ in range(12):
        given = asked(random)
        rows = sorted((row for row in history if matches(row, given)), key=lambda row: (row["occurredAt"], row["_id"]))
        for type_ in (None, *Counter(row["type"] for row in rows)):
            wanted = [row["_id"] for row in reversed(rows) if type_ in (None, row["type"])]
            for size, cursor, end, more in (
                ("first", "after", "endCursor", "hasNextPage"),
                ("last", "before", "startCursor", "hasPreviousPage"),
            ):
                found: list[str] = []
                where: Document = {}
                while True:
                    answer = await ask(DETAILS, f=given, t=[type_] if type_ else None, **{size: 41}, **where)
                    page = answer["data"]["customerServiceReport"]["details"]
                    ids = [node["id"] for node in page["nodes"]]
                    found = [*found, *ids] if size == "first" else [*ids, *found]
                    assert page["totalCount"] == len(wanted)
                    if not page["pageInfo"][more]:
                        break
                    where = {cursor: page["pageInfo"][end]}
                assert found == wanted, (given, type_)


async def test_contradictions_and_impossible_input_are_refused(ask: Ask) -> None:
    refused: list[tuple[Document, str]] = [
        ({"notes": "EXCLUDE", "types": ["REFUNDED", "AGENT_NOTE"]}, "AGENT_NOTE is a note"),
        ({"notes": "EXCLUDE", "types": ["NOTE_ADDED"]}, "NOTE_ADDED is a note"),
        ({"notes": "ONLY", "types": ["AGENT_NOTE", "REFUNDED"]}, "REFUNDED is no note"),
        ({"hideSystem": True, "accessLevels": ["ADMIN", "API_USER"]}, "API calls count as system"),
        (window(NOW), "from must be earlier"),
        (window(NOW, ago(days=1)), "from must be earlier"),
        ({"types": ["REFUNDD"]}, 'Did you mean "REFUNDED"?'),
        ({"types": ["X" * 1_000]}, 'There is no activity type "XXX'),
        ({"users": ["X"] * 101}, "At most 100 users"),
        ({"customFields": FIELDS * 26}, "At most 100 customFields"),
    ]
    for given, says in refused:
        answer = await ask(REPORT, f={**WINDOW, **given})
        (error,) = answer["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["customerServiceReport"]), given
        assert says in error["message"]
        assert len(error["message"]) < 300
        assert answer["data"] == {"customerServiceReport": None}
    for field in ("customFields(first: 101) { total }", 'details(types: ["REFUNDD"]) { totalCount }'):
        answer = await ask(
            f"query($f: ReportFilter!) {{ customerServiceReport(filter: $f) {{ total x: {field} }} }}", f=WINDOW
        )
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert answer["data"]["customerServiceReport"] == {"total": 0, "x": None}


async def test_ten_years_and_open_ends_are_allowed_and_what_looks_like_an_expression_is_text(
    ask: Ask, history: list[Document]
) -> None:
    ten_years = window(ago(days=3_650))
    report = await reported(ask, ten_years)
    assert report["total"] == sum(matches(row, ten_years) for row in history)
    for ends in ({}, {"from": ago(days=20).isoformat()}, {"to": ago(days=20).isoformat()}):
        report = await reported(ask, {"occurredAt": ends})
        open_ = sum(matches(row, {"occurredAt": ends}) for row in history)
        assert report["total"] == report["details"]["totalCount"] == open_ > 0
    for given in ({"users": [".*"]}, {"campaigns": ["^Radio", "R.dio"]}, {"products": ["$ne"]}):
        assert (await reported(ask, {**ten_years, **given}))["total"] == 0


async def test_a_sales_representative_sees_their_own_actions_whatever_they_ask(
    ask: Ask, history: list[Document]
) -> None:
    ines = token(Role.SALES_REP, subject="ines", name="Ines")
    own = [row for row in history if row["actor"].get("id") == "ines"]
    for given in ({}, {"users": ["Ines"]}, {"users": ["Otto", "System"]}, {"hideSystem": True}, {"notes": "ONLY"}):
        asked_for = {**WINDOW, **given}
        rows = [row for row in own if matches(row, asked_for)]
        report = await reported(ask, asked_for, token=ines)
        assert report["total"] == report["details"]["totalCount"] == len(rows), given
        assert {each["username"] for each in report["customFields"]} <= {"Ines"}
    everything = await reported(ask, WINDOW, token=token(Role.SALES_REP, Role.FINANCE, subject="ines"))
    assert everything["total"] == sum(matches(row, WINDOW) for row in history)


@pytest.mark.parametrize("role", sorted(set(Role) - PERMITTED[Permission.REPORT]))
async def test_nobody_else_runs_it(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(affiliateId="aff")
    who = token(role, customer_id=ada["_id"] if role == Role.CUSTOMER else None, affiliate_id="aff")
    answer = await ask(REPORT, f=WINDOW, token=who)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["data"] == {"customerServiceReport": None}
    answer = await ask(OPTIONS, dimension="CAMPAIGN", token=who)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert answer["data"] == {"reportOptions": None}


# ---------------------------------------------------------------- menus

OPTIONS = """query($dimension: ReportDimension!, $occurredAt: TimeRange, $startsWith: String) {
  reportOptions(dimension: $dimension, occurredAt: $occurredAt, startsWith: $startsWith) { values hasMore } }"""


async def options(ask: Ask, dimension: str, **given: Any) -> Document:
    answer = await ask(OPTIONS, dimension=dimension, **given)
    assert "errors" not in answer, answer
    return answer["data"]["reportOptions"]


@pytest.mark.parametrize("own", [False, True], ids=["everybody's", "one's own"])
async def test_a_menu_has_the_values_of_the_actions_that_are_reported(
    own: bool, ask: Ask, history: list[Document]
) -> None:
    who = {"token": token(Role.SALES_REP, subject="ines", name="Ines")} if own else {}
    few_days = window(ago(days=20), ago(days=18))["occurredAt"]
    found = 0
    for dimension, key in OPTION_KEYS.items():
        for days, prefix in product((None, few_days, {"to": ago(days=39).isoformat()}), (None, "T", "t", "S")):
            values = {
                row["actor"]["name"] if key == "actor.name" else row.get(key)
                for row in history
                if matches(row, {"occurredAt": days or {}})
                and (row["actor"].get("id") == "ines" or not own)
                and (row["actor"]["kind"] == "AGENT" or key != "actor.name")
            }
            expected = sorted(value for value in values if value and value.startswith(prefix or ""))
            menu = await options(ask, dimension, occurredAt=days, startsWith=prefix, **who)
            assert menu == {"values": expected, "hasMore": False}, (dimension, days, prefix)
            found += len(expected)
    assert found > 20


async def test_a_menu_reads_three_entries_at_most_for_each_value_however_many_actions_have_it(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    for dimension, days in product(OPTION_KEYS, ({}, WINDOW)):
        commands.clear()
        values = (await options(ask, dimension, **days))["values"]
        ((_, command),) = commands.sent
        plan = await explained(store, command)
        assert (documents_read(plan), entries_read(plan) <= 3 * len(values)) == (0, True), (dimension, days)
        assert not sorts(plan)


async def test_a_menu_that_is_too_long_says_so_and_is_narrowed_by_a_beginning(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("activities", ada, *({"campaign": f"{number:04}"} for number in range(1_001)))
    menu = await options(ask, "CAMPAIGN")
    assert (menu["hasMore"], menu["values"]) == (True, [f"{number:04}" for number in range(1_000)])
    menu = await options(ask, "CAMPAIGN", startsWith="100")
    assert menu == {"values": ["1000"], "hasMore": False}
    refused: list[tuple[Document, str]] = [({"startsWith": " "}, "startsWith"), (window(NOW), "from must be")]
    for given, says in refused:
        (error,) = (await ask(OPTIONS, dimension="CAMPAIGN", **given))["errors"]
        assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["reportOptions"])
        assert says in error["message"]


# ---------------------------------------------------------------- days that are counted


async def everything_counted(store: Store, now: datetime | None = None) -> None:
    await daily_counts.count_days(store, now or datetime.now(UTC), grace=NOBODY_WRITES)
    assert await store.find("tallies", {"counts": {"$exists": False}}) == []


RECORD = "mutation($i: RecordActivityInput!) { recordActivity(input: $i) { activity { id } userErrors { code } } }"


async def test_every_writer_keeps_counted_days_true(ask: Ask, world: World) -> None:
    """A day that somebody else counted wrongly would be noticed: see the last lines."""
    store, now = world.store, datetime.now(UTC)
    ada = await world.customer(identities=[{"source": "esuite", "id": "E1"}])
    await world.activity(ada, occurredAt=ago(days=3))
    due = points.earn(points.empty(), 5, now=NOW, expires_at=NOW + timedelta(days=2))
    await world.ledger(ada, due)
    await everything_counted(store)
    total = len(await store.find("activities", {}))

    writers: list[Callable[[], Any]] = [
        lambda: ask(
            RECORD,
            i={
                "customerId": ada["_id"],
                "type": "BIRTHDAY",
                "idempotencyKey": "k",
                "occurredAt": ago(days=2).isoformat(),
            },
        ),
        lambda: expire_due(store, now),
        lambda: import_lines(
            store,
            [
                b'{"kind": "activity", "source": "esuite", "id": "A1", "customer": {"source": "esuite", "id": "E1"},'
                b' "type": "BIRTHDAY", "occurredAt": "2026-01-30T09:00:00Z"}'
            ],
            now=now,
            reject=lambda rejected: pytest.fail(rejected.reason),
        ),
    ]
    whole = window(ago(days=400), now + timedelta(days=1))
    for write in writers:
        await write()
        total += 1
        assert (await reported(ask, whole))["total"] == total == len(await store.find("activities", {}))
        assert await daily_counts.differences(store) == []
        await everything_counted(store)
        assert (await reported(ask, whole))["total"] == total
        assert await daily_counts.differences(store) == []

    (tally,) = await store.find("tallies", {"_id": datetime(2026, 1, 30, tzinfo=UTC)})
    tally["counts"][0]["types"]["BIRTHDAY"] += 1
    await store.write("tallies", [UpdateOne({"_id": tally["_id"]}, {"$set": {"counts": tally["counts"]}})])
    assert await daily_counts.differences(store) == [tally["_id"]]
    await indexes.forget_days(store)
    await everything_counted(store)
    assert await daily_counts.differences(store) == []


@pytest.mark.parametrize("seed", range(4))
async def test_days_and_customers_follow_what_a_correction_or_an_erasure_makes_of_activities(
    seed: int, ask: Ask, store: Store
) -> None:
    """Another type, time, actor or campaign, legacy or not; customers of esuite who are called System until then."""
    random, now = Random(seed), datetime.now(UTC)
    own = {"source": "esuite", "customer": {"source": "esuite", "id": "E1"}}

    def lines() -> list[bytes]:
        told: list[Document] = [
            {
                "kind": "activity",
                "id": f"A{number}",
                **own,
                "type": random.choice(["BIRTHDAY", "OPT_IN", "BIRTDAY"]),
                "occurredAt": (NOW - timedelta(days=random.randrange(9))).isoformat(),
                "actor": random.choice([{"kind": "CUSTOMER"}, {"kind": "AGENT", "name": "Otto"}, {"kind": "SYSTEM"}]),
                **random.choice([{}, {"campaign": "Radio"}, {"campaign": "TV"}]),
            }
            for number in range(12)
        ]
        ada = {"kind": "customer", "source": "esuite", "id": "E1", "number": "1", "name": "Ada"}
        return [json.dumps(line).encode() for line in ({**ada, "registeredAt": "2023-01-01T00:00:00Z"}, *told)]

    async def agree() -> None:
        assert await daily_counts.differences(store) == []
        assert await indexes.wrong_copies(store) == []
        for more in ({}, {"users": ["System"]}, {"hideSystem": True}):
            shown = await reported(ask, {**window(ago(days=30), now), **more})
            assert shown["total"] == shown["details"]["totalCount"] == sum(row["total"] for row in shown["actions"])

    for _ in range(3):
        options = ImportOptions(corrects=True)
        await import_lines(store, lines(), now=now, reject=lambda bad: pytest.fail(bad.reason), options=options)
        await agree()
        await everything_counted(store)
        await agree()
    [ada] = await store.find("customers", {})
    erased = {"customerId": ada["_id"], "confirmNumber": "1", "reason": "Article 17", "idempotencyKey": "k"}
    assert (await ask(ANONYMISE, input=erased))["data"]["anonymiseCustomer"]["userErrors"] == []
    await Eraser(store, batch=5).once()
    await agree()


async def test_days_that_a_clock_ahead_took_for_over_are_counted_when_they_are(ask: Ask, world: World) -> None:
    store, ada = world.store, await world.customer()
    at = datetime.now(UTC)
    for days in range(5):
        await world.activity(ada, occurredAt=at - timedelta(days=days))
    await everything_counted(store, at + timedelta(days=3))
    record = {"customerId": ada["_id"], "type": "BIRTHDAY"}
    for days in range(5):
        given = {**record, "idempotencyKey": str(days), "occurredAt": (at - timedelta(days=days)).isoformat()}
        assert (await ask(RECORD, i=given))["data"]["recordActivity"]["userErrors"] == []
    for now in (at, at, at + timedelta(days=3)):
        await everything_counted(store, now)
        assert await daily_counts.differences(store) == []
        assert (await reported(ask, window(at - timedelta(days=9), at + timedelta(days=1))))["total"] == 10


async def test_an_import_whose_lines_come_for_days_knows_which_days_are_over_and_what_is_past(
    ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first day is over and counted once its last lines come."""
    times = [NOW]
    monkeypatch.setattr(importing, "clock", lambda: times[-1])
    ada = {"kind": "customer", "source": "esuite", "id": "E1", "number": "1", "name": "Ada"}

    def birthday(name: str, at: datetime) -> Document:
        own = {"source": "esuite", "id": name, "customer": {"source": "esuite", "id": "E1"}}
        return {"kind": "activity", **own, "type": "BIRTHDAY", "occurredAt": at.isoformat()}

    async def lines() -> AsyncGenerator[bytes]:
        for line in ({**ada, "registeredAt": "2023-01-01T00:00:00Z"}, birthday("A1", NOW)):
            yield json.dumps(line).encode()
        await until(lambda: store.find("activities", {}))
        times.append(NOW + timedelta(days=3))
        await everything_counted(store, times[-1])
        for line in (birthday("A2", NOW), birthday("A3", NOW + timedelta(days=2))):
            yield json.dumps(line).encode()

    await import_lines(store, lines(), now=NOW, reject=lambda bad: pytest.fail(bad.reason), lines_per_chunk=1)
    assert await daily_counts.differences(store) == []
    assert (await reported(ask, window(ago(days=9), NOW + timedelta(days=9))))["total"] == 3


async def test_late_changes_while_days_are_being_counted_are_all_there(ask: Ask, world: World) -> None:
    customers = [await world.customer() for _ in range(8)]
    for days in range(1, 7):
        await world.activity(customers[0], occurredAt=ago(days=days))

    async def write(number: int) -> None:
        given = {"customerId": customers[number % 8]["_id"], "type": "BIRTHDAY", "idempotencyKey": str(number)}
        answer = await ask(RECORD, i={**given, "occurredAt": ago(days=1 + number % 5).isoformat()})
        assert answer["data"]["recordActivity"]["userErrors"] == []

    now = datetime.now(UTC)
    for wave in range(6):
        # What is opened in one wave is counted in the next, when whoever wrote meanwhile has ended: as minutes later.
        later = now + timedelta(minutes=3 * wave)
        counters = (daily_counts.count_days(world.store, later) for _ in range(2))
        await asyncio.gather(*counters, *(write(number) for number in range(8 * wave, 8 * wave + 8)))
        assert await daily_counts.differences(world.store) == []
    await everything_counted(world.store, now + timedelta(minutes=3 * 6))  # or what was opened last is of the future
    await write(48)
    counted = await world.store.find("tallies", {"counts": {"$exists": True}})
    assert {tally["stale"] for tally in counted} == {True, False}
    assert await daily_counts.differences(world.store) == []
    assert (await reported(ask, WINDOW))["total"] == 55


async def test_a_change_of_today_writes_nothing_about_days(ask: Ask, world: World, commands: Commands) -> None:
    ada = await world.customer()
    for when, sent in ((datetime.now(UTC), 0), (ago(days=1), 1)):
        commands.clear()
        given = {"customerId": ada["_id"], "type": "BIRTHDAY", "idempotencyKey": str(when)}
        await ask(RECORD, i={**given, "occurredAt": when.isoformat()})
        assert sum(body.get("update") == "tallies" for name, body in commands.sent if name == "update") == sent


# ---------------------------------------------------------------- what it costs


@pytest.fixture
async def crowd(world: World) -> list[Document]:
    """Stores sixty days of fifty activities each, all counted."""
    random = Random(3)
    ada = await world.customer()
    rows = [{**drawn(random), "occurredAt": ago(days=n % 60, minutes=n // 60)} for n in range(3_000)]
    await world.many("activities", ada, *rows)
    await everything_counted(world.store)
    return [row for row in rows if row["type"] in CATALOGUE]


async def cost(ask: Ask, store: Store, commands: Commands, query: str, **given: Any) -> tuple[int, int]:
    """How many commands, and how many documents they examined together."""
    commands.clear()
    answer = await ask(query, **given)
    assert "errors" not in answer, answer
    sent = [body for name, body in commands.sent if name in ("find", "aggregate")]
    return len(sent), sum([documents_read(await explained(store, each)) for each in sent])


SUMMARY = "query($f: ReportFilter!) { customerServiceReport(filter: $f) { total actions { total } } }"
SINGLE: list[Document] = [
    *({name: [VALUES[key][0]]} for key, name in PLURAL.items()),
    {"users": ["Ines"]},
    {"users": ["System", "Ines"]},
    {"accessLevels": ["CS_ADMIN"]},
    {"types": ["REFUNDED", "BIRTHDAY"]},
    {"customFields": FIELDS[:1]},
    {"notes": "ONLY"},
    {"notes": "EXCLUDE"},
    {"hideSystem": True},
    {},
]


async def test_a_summary_reads_a_document_for_each_counted_day_and_none_for_an_activity(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    """But for custom fields of orders, which are lists: there it is the activities that are counted."""
    wasteful: list[object] = []
    for begin, counted in ((ago(days=7), 6), (ago(days=40), 39)):
        for given in SINGLE:
            number, documents = await cost(ask, store, commands, SUMMARY, f={**window(begin), **given})
            raw = not {"notes", "hideSystem", "types", "accessLevels"} >= given.keys()
            bound = 0 if raw and "System" not in given.get("users", ()) else counted
            if documents > bound or number > (3 if "users" in given else 2):
                wasteful.append((given, number, documents, bound))
    assert wasteful == []


async def test_a_page_of_details_reads_what_it_returns(
    ask: Ask, store: Store, commands: Commands, crowd: list[Document]
) -> None:
    wasteful: list[object] = []
    since = window(ago(days=40))
    for given in SINGLE:
        query = """query($f: ReportFilter!, $after: String, $types: [String!]) { customerServiceReport(filter: $f) {
          details(first: 10, after: $after, types: $types) { nodes { id } pageInfo { endCursor } } } }"""
        answer = await ask(query, f={**since, **given})
        page = answer["data"]["customerServiceReport"]["details"]
        assert len(page["nodes"]) == 10
        for where in ({}, {"after": page["pageInfo"]["endCursor"]}):
            number, documents = await cost(ask, store, commands, query, f={**since, **given}, **where)
            if (number, documents) > (1, 12 * len(given.get("users", [0]))):
                wasteful.append((given, where, number, documents))
    assert wasteful == []
