"""Pages of every list: against a plain sorted list, and while rows arrive on top."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.store.driver import Document
from tests.support.gateway import Ask
from tests.support.world import LATER, World, ago

# ---------------------------------------------------------------- what a list is, said once more and differently

TYPES = [
    "SUBSCRIPTION_RENEWED",
    "PAUSE_ACTIVATED",
    "NEW_PURCHASE",
    "NOTE_ADDED",
    "POINTS_ADJUSTED",
    "COUPON_REDEEMED",
]
LEGACY_TYPES = ["OLD_IMPORT", "ZZ_TOP"]
MOMENTS = [ago(days=day) for day in range(6)]
HISTORY = ["EARNED", "SPENT", "ADJUSTED", "EXPIRED", "REFUNDED"]


def _is_during(key: str, row: Document, window: Document) -> bool:
    return key in row and window.get("from", row[key]) <= row[key] < window.get("to", LATER)


HOLDS: Mapping[str, Callable[[Document, Any], bool]] = {
    **{key: partial(_is_during, key) for key in ("occurredAt", "addedAt", "expiresAt")},
    "types": lambda row, types: row["type"] in types,
    "groups": lambda row, groups: row["group"] in groups,
    "actorKinds": lambda row, kinds: row["actor"]["kind"] in kinds,
    "actorIds": lambda row, ids: row["actor"].get("id") in ids,
    "sources": lambda row, sources: row["source"] in sources,
    "notes": lambda row, notes: notes == "INCLUDE" or row["isNote"] == (notes == "ONLY"),
    "hideSystem": lambda row, hide: not hide or row["actor"]["kind"] in ("AGENT", "CUSTOMER"),
    "legacy": lambda row, legacy: legacy or not row["legacy"],
    "kinds": lambda row, kinds: row["kind"] in kinds,
    "redeemed": lambda row, redeemed: row["redeemed"] == redeemed,
    "origins": lambda row, origins: row["origin"] in origins,
    "statuses": lambda row, statuses: row["status"] in statuses,
}
WINDOWS = [
    *({"from": moment} for moment in MOMENTS),
    *({"to": moment} for moment in (*MOMENTS[:3], *(each - timedelta(milliseconds=1) for each in MOMENTS[:3]))),
    *({"from": earlier, "to": later} for later, earlier in pairwise(MOMENTS)),
]
VALUES: Mapping[str, Sequence[Any]] = {
    **dict.fromkeys(("occurredAt", "addedAt", "expiresAt"), WINDOWS),
    "types": TYPES,
    "groups": ["SUBSCRIPTION", "ORDER", "NOTE", "POINTS", "COUPON"],
    "actorKinds": ["AGENT", "CUSTOMER", "SYSTEM", "API", "IMPORT"],
    "actorIds": ["mira", "jonas", "nobody"],
    "sources": ["esuite", "platform", "callcenter", "overview"],
    "notes": ["INCLUDE", "EXCLUDE", "ONLY"],
    "hideSystem": [True, False],
    "legacy": [True, False],
    "kinds": HISTORY,
    "redeemed": [True, False],
    "origins": ["REWARD", "RULE", "MANUAL"],
    "statuses": ["ACCEPTED", "PENDING", "REJECTED"],
}


@dataclass(frozen=True)
class Listed:
    """A list of the schema. ``orders``: the sort keys of each order, the default one first."""

    name: str
    collection: str
    orders: Mapping[str, tuple[str, ...]]
    filters: tuple[str, ...] = ()
    always: Callable[[Document], bool] = lambda row: True
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])
    types: Sequence[str] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    nulls_lowest: bool = False

    @property
    def query(self) -> str:
        given = {"first": "Int", "after": "String", "last": "Int", "before": "String", **self.arguments}
        declared = ", ".join(f"${name}: {type_}" for name, type_ in given.items())
        passed = ", ".join(f"{name}: ${name}" for name in given)
        page = "totalCount nodes { id } edges { cursor node { id } } "
        page += "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
        asked = f"page: {self.name}({passed}) {{ {page} }}"
        return f"query($id: ID!, {declared}) {{ customer(by: {{id: $id}}) {{ {asked} }} }}"

    def plain(self, rows: Sequence[Document], given: Mapping[str, Any], order: str, direction: str) -> list[str]:
        """The ids of the whole list, in order."""
        holds = {**self.defaults, **given}.items()
        kept = [row for row in rows if self.always(row) and all(HOLDS[name](row, value) for name, value in holds)]
        first, *ties = self.orders[order]
        there = [row for row in kept if row.get(first) is not None]
        absent = [row for row in kept if row.get(first) is None]
        there.sort(key=lambda row: [place_of(row, key) for key in (first, *ties)], reverse=direction == "DESC")
        absent.sort(key=lambda row: [place_of(row, key) for key in ties], reverse=direction == "DESC")
        in_order = absent + there if self.nulls_lowest and direction == "ASC" else there + absent
        return [row["_id"] for row in in_order]


def place_of(row: Document, key: str) -> Any:
    """Rows of earlier versions have no ``order``, and come first."""
    return row.get(key, -1) if key == "order" else row[key]


ACTIVITIES = Listed(
    "activities",
    "activities",
    {
        "OCCURRED_AT": ("occurredAt", "order", "_id"),
        "TYPE": ("type", "occurredAt", "order", "_id"),
        "POINTS": ("points", "occurredAt", "order", "_id"),
    },
    ("occurredAt", "types", "groups", "actorKinds", "actorIds", "sources", "notes", "hideSystem", "legacy"),
    arguments={"filter": "ActivityFilter", "orderBy": "ActivityOrder"},
    defaults={"legacy": False},
)
POINTS = Listed(
    "pointsHistory",
    "points",
    {"SEQ": ("seq",), "OCCURRED_AT": ("occurredAt", "seq"), "POINTS": ("points", "occurredAt", "seq")},
    ("occurredAt", "kinds"),
    always=lambda row: row["kind"] in HISTORY,
    arguments={"filter": "PointsFilter", "orderBy": "PointsOrder"},
)
COUPONS = Listed(
    "coupons",
    "coupons",
    {
        "ADDED_AT": ("addedAt", "order", "_id"),
        "EXPIRES_AT": ("expiresAt", "order", "_id"),
        "REDEEMED_AT": ("redeemedAt", "order", "_id"),
    },
    ("redeemed", "origins", "types", "addedAt", "expiresAt"),
    arguments={"filter": "CouponFilter", "orderBy": "CouponOrder"},
    types=["gift", "discount", "points"],
    nulls_lowest=True,
)
TRANSACTIONS = Listed(
    "transactions",
    "transactions",
    {"": ("occurredAt", "order", "_id")},
    ("occurredAt", "types", "statuses"),
    arguments={"filter": "TransactionFilter"},
    types=["SALE", "REFUND", "VOID"],
)
PASSES = Listed("passes", "passes", {"": ("createdAt", "order", "_id")})
STATUSES = Listed("statusHistory", "statuses", {"": ("changedAt", "order", "_id")})
NOTES = Listed("notes", "notes", {"": ("createdAt", "order", "_id")})
EMAILS = Listed("emailHistory", "emails", {"": ("sentAt", "order", "_id")})
OTHERS = [POINTS, COUPONS, TRANSACTIONS, PASSES, STATUSES, NOTES, EMAILS]


# ---------------------------------------------------------------- the rows


def row_of(collection: str, random: Random, number: int) -> Document:
    """Few distinct values each, so that ties are everywhere."""
    moment = random.choice(MOMENTS)
    match collection:
        case "activities":
            points = random.choice([None, None, -5, 0, 5])
            return {
                "type": random.choice(TYPES + LEGACY_TYPES),
                "occurredAt": moment,
                "actor": {
                    "kind": random.choice(VALUES["actorKinds"]),
                    "name": "Somebody",
                    **random.choice(({}, {"id": "mira"}, {"id": "jonas"})),
                },
                **({"source": random.choice(["esuite", "platform"])} if random.random() < 0.3 else {}),
                **({} if points is None else {"points": points}),
            }
        case "points":
            kind = random.choice([*HISTORY, "RESERVED", "RELEASED", "PENDING"])
            return {"seq": number, "kind": kind, "points": random.choice([-5, 5, 10]), "occurredAt": moment}
        case "coupons":
            return {
                "addedAt": moment,
                "redeemed": random.random() < 0.5,
                "origin": random.choice(VALUES["origins"]),
                "type": random.choice(COUPONS.types),
                **{key: random.choice(MOMENTS) for key in ("expiresAt", "redeemedAt") if random.random() < 0.7},
            }
        case "transactions":
            status = random.choice(VALUES["statuses"])
            return {"occurredAt": moment, "type": random.choice(TRANSACTIONS.types), "status": status}
        case "passes" | "notes":
            return {"createdAt": moment}
        case "emails":
            return random.choice(({}, {"sentAt": moment}))
        case _:
            return {"changedAt": moment}


def ordered(row: Document, random: Random) -> Document:
    """As an earlier version wrote it, or with one of few places among the rows of its moment."""
    order = random.choice([None, 0, 1, 2**62])
    return row if order is None else {**row, "order": order}


class Crowd:
    """No dataclass: hypothesis would print all of it beside each failure."""

    def __init__(self, customer: Document, rows: Mapping[str, list[Document]]) -> None:
        self.customer, self.rows = customer, rows


@pytest.fixture
async def crowd(world: World) -> Crowd:
    """Stores a customer with 90 rows of every kind, and another one with as many, which nobody should see."""
    ada, eve = await world.customer(), await world.customer()
    random = Random(7)
    rows: dict[str, list[Document]] = {}
    for listed in (ACTIVITIES, *OTHERS):
        for customer in (eve, ada):
            drawn = [ordered(row_of(listed.collection, random, number), random) for number in range(1, 91)]
            rows[listed.collection] = await world.many(listed.collection, customer, *drawn)
    return Crowd(ada, rows)


# ---------------------------------------------------------------- against a plain sorted list


@dataclass(frozen=True)
class Asked:
    """A page of ``size`` rows from the row at ``position`` on, or from the list's end where that is None."""

    listed: Listed
    given: Mapping[str, Any]
    order: str
    direction: str
    backwards: bool
    size: int
    position: int | None

    @property
    def whole(self) -> Document:
        variables: Document = {"first": 100, "filter": {name: as_input(value) for name, value in self.given.items()}}
        return variables | ({"orderBy": {"field": self.order, "direction": self.direction}} if self.order else {})

    def part(self, cursors: Sequence[str]) -> Document:
        size, cursor = ("last", "before") if self.backwards else ("first", "after")
        return {**self.whole, "first": None, size: self.size, cursor: self._at(cursors)}

    def plain(self, ids: Sequence[str], cursors: Sequence[str]) -> Document:
        at = ids.index(found) if (found := self._at(ids)) else None
        if self.backwards:
            end = len(ids) if at is None else at
            start = max(0, end - self.size)
            more = {"hasPreviousPage": start > 0, "hasNextPage": at is not None}
        else:
            start = 0 if at is None else at + 1
            end = start + self.size
            more = {"hasNextPage": end < len(ids), "hasPreviousPage": at is not None}
        return page_of(ids[start:end], cursors[start:end], total=len(ids), **more)

    def _at(self, values: Sequence[str]) -> str | None:
        return values[self.position % len(values)] if values and self.position is not None else None


def page_of(ids: Sequence[str], cursors: Sequence[str], *, total: int, **more: bool) -> Document:
    """A page as the schema shows it."""
    return {
        "totalCount": total,
        "nodes": [{"id": each} for each in ids],
        "edges": [{"cursor": cursor, "node": {"id": each}} for each, cursor in zip(ids, cursors, strict=True)],
        "pageInfo": {**more, "startCursor": next(iter(cursors), None), "endCursor": next(reversed(cursors), None)},
    }


def filters(listed: Listed) -> st.SearchStrategy[dict[str, Any]]:
    """None, one or two conditions: with more of them hardly a row would be left."""

    def values(name: str) -> st.SearchStrategy[Any]:
        choices = (listed.types or VALUES[name]) if name == "types" else VALUES[name]
        if name in ("occurredAt", "addedAt", "expiresAt", "notes", "hideSystem", "legacy", "redeemed"):
            return st.sampled_from(choices)
        return st.lists(st.sampled_from(choices), max_size=3)

    def may_be_asked(given: Mapping[str, Any]) -> bool:
        return not (given.get("legacy") and given.keys() & {"occurredAt", "types", "groups"})

    names = st.lists(st.sampled_from(listed.filters), max_size=2, unique=True) if listed.filters else st.just([])
    return names.flatmap(lambda names: st.fixed_dictionaries({name: values(name) for name in names})).filter(
        may_be_asked
    )


def parts(listed: Listed) -> st.SearchStrategy[Asked]:
    return st.builds(
        Asked,
        listed=st.just(listed),
        given=filters(listed),
        order=st.sampled_from(list(listed.orders)),
        direction=st.sampled_from(["DESC", "ASC"]) if "orderBy" in listed.arguments else st.just("DESC"),
        backwards=st.booleans(),
        size=st.sampled_from([0, 1, 2, 7, 30, 100]),
        position=st.none() | st.integers(0, 89),
    ).filter(lambda asked: not (asked.given.get("legacy") and asked.order == "TYPE"))


def as_input(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: as_input(inner) for name, inner in cast(Document, value).items()}  # a window
    return value.isoformat() if isinstance(value, datetime) else value


same_every_time = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


async def page(ask: Ask, listed: Listed, customer: Document, **variables: Any) -> Document:
    answer = await ask(listed.query, id=customer["_id"], **variables)
    assert "errors" not in answer, answer
    return answer["data"]["customer"]["page"]


async def assert_any_page_is_a_slice(ask: Ask, crowd: Crowd, asked: Asked) -> None:
    listed = asked.listed
    ids = listed.plain(crowd.rows[listed.collection], asked.given, asked.order, asked.direction)

    whole = await page(ask, listed, crowd.customer, **asked.whole)
    cursors = [edge["cursor"] for edge in whole["edges"]]
    assert [node["id"] for node in whole["nodes"]] == ids
    assert whole == page_of(ids, cursors, total=len(ids), hasNextPage=False, hasPreviousPage=False)

    assert await page(ask, listed, crowd.customer, **asked.part(cursors)) == asked.plain(ids, cursors)


@settings(same_every_time, max_examples=100)
@given(asked=parts(ACTIVITIES))
async def test_any_page_of_activities_is_a_slice_of_a_plain_sorted_list(ask: Ask, crowd: Crowd, asked: Asked) -> None:
    await assert_any_page_is_a_slice(ask, crowd, asked)


@settings(same_every_time, max_examples=60)
@given(asked=st.one_of(*map(parts, OTHERS)))
async def test_any_page_of_any_other_list_is_one_too(ask: Ask, crowd: Crowd, asked: Asked) -> None:
    await assert_any_page_is_a_slice(ask, crowd, asked)


# ---------------------------------------------------------------- from one end to the other


async def walk(ask: Ask, listed: Listed, customer: Document, *, backwards: bool, **given: Any) -> list[Document]:
    """All pages of seven, by the cursors that they give themselves."""
    size, cursor, edge, more = (
        ("last", "before", "startCursor", "hasPreviousPage")
        if backwards
        else ("first", "after", "endCursor", "hasNextPage")
    )
    pages = [await page(ask, listed, customer, **{size: 7}, **given)]
    while pages[-1]["pageInfo"][more]:
        assert len(pages) < 20, "it never ends"
        pages.append(await page(ask, listed, customer, **{size: 7, cursor: pages[-1]["pageInfo"][edge]}, **given))
    return pages


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("order", ACTIVITIES.orders)
async def test_a_walk_over_all_pages_meets_every_activity_once(
    ask: Ask, crowd: Crowd, order: str, backwards: bool
) -> None:
    ids = ACTIVITIES.plain(crowd.rows["activities"], {}, order, "DESC")
    pages = await walk(ask, ACTIVITIES, crowd.customer, backwards=backwards, orderBy={"field": order})
    in_order = reversed(pages) if backwards else pages
    assert [node["id"] for found in in_order for node in found["nodes"]] == ids


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("direction", ["DESC", "ASC"])
async def test_pages_neither_overlap_nor_skip_while_rows_arrive(
    ask: Ask, world: World, direction: str, backwards: bool
) -> None:
    """Between any two pages a row arrives on top, another at the moment of each row that was just seen."""
    ada = await world.customer()
    there = await world.many("activities", ada, *({"occurredAt": ago(days=number // 4)} for number in range(30)))
    ids = ACTIVITIES.plain(there, {}, "OCCURRED_AT", direction)
    size, cursor, edge, more = (
        ("last", "before", "startCursor", "hasPreviousPage")
        if backwards
        else ("first", "after", "endCursor", "hasNextPage")
    )
    asked: Document = {"orderBy": {"direction": direction}, size: 7}
    seen: list[str] = []
    while True:
        found = await page(ask, ACTIVITIES, ada, **asked)
        nodes = [node["id"] for node in found["nodes"]]
        seen = nodes + seen if backwards else seen + nodes
        if not found["pageInfo"][more]:
            break
        asked[cursor] = found["pageInfo"][edge]
        moments = [row["occurredAt"] for row in there if row["_id"] in nodes]
        await world.many("activities", ada, *({"occurredAt": moment} for moment in [ago(days=-1), *moments]))
        assert len(seen) < 500, "it never ends"
    assert [each for each in seen if each in ids] == ids
    assert len(set(seen)) == len(seen)


# ---------------------------------------------------------------- edges


async def test_an_empty_list_is_an_empty_page(ask: Ask, world: World) -> None:
    ada = await world.customer()
    empty = page_of([], [], total=0, hasNextPage=False, hasPreviousPage=False)
    for listed in (ACTIVITIES, *OTHERS):
        assert await page(ask, listed, ada) == empty
        assert await page(ask, listed, ada, last=5) == empty


async def test_a_page_of_none_says_whether_there_are_any(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("passes", ada, {}, {})
    none = page_of([], [], total=2, hasNextPage=True, hasPreviousPage=False)
    assert await page(ask, PASSES, ada, first=0) == none
    none = page_of([], [], total=2, hasNextPage=False, hasPreviousPage=True)
    assert await page(ask, PASSES, ada, last=0) == none


async def test_the_last_of_pages_that_come_out_even_is_full_and_has_no_next(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("passes", ada, *({"createdAt": ago(days=day)} for day in range(14)))
    for backwards, more in ((False, "hasNextPage"), (True, "hasPreviousPage")):
        pages = await walk(ask, PASSES, ada, backwards=backwards)
        assert [(len(found["nodes"]), found["pageInfo"][more]) for found in pages] == [(7, True), (7, False)]


async def test_a_page_has_twenty_rows_unless_told(ask: Ask, world: World) -> None:
    ada = await world.customer()
    await world.many("passes", ada, *({"createdAt": ago(days=day)} for day in range(21)))
    assert len((await page(ask, PASSES, ada))["nodes"]) == 20
    before = (await page(ask, PASSES, ada, last=1))["pageInfo"]["startCursor"]
    assert len((await page(ask, PASSES, ada, before=before))["nodes"]) == 20


# ---------------------------------------------------------------- windows that are finer than a row's time

AT = datetime(2026, 1, 31, 9, 30, 0, 123_000, UTC)
FINE = ("09:30:00.122999999Z", "09:30:00.123Z", "09:30:00.1230000001Z", "09:30:00.1234Z", "09:30:00.124Z")
"""Moments around rows at .123 and .124: before both, at the first, just behind it, between them, at the second."""
WINDOWED = {
    "activities": ("activities", "occurredAt"),
    "pointsHistory": ("points", "occurredAt"),
    "transactions": ("transactions", "occurredAt"),
}


@pytest.mark.parametrize("field", WINDOWED)
async def test_adjoining_windows_share_no_row_and_lose_none_however_fine(ask: Ask, world: World, field: str) -> None:
    collection, key = WINDOWED[field]
    ada = await world.customer()
    await world.many(collection, ada, {key: AT, "seq": 1}, {key: AT + timedelta(milliseconds=1), "seq": 2})
    query = f"""query($id: ID!, $from: DateTime, $to: DateTime) {{ customer(by: {{id: $id}}) {{
      {field}(filter: {{occurredAt: {{from: $from, to: $to}}}}) {{ totalCount nodes {{ {key} }} }} }} }}"""
    moments = ("2026-01-31T00:00:00Z", *(f"2026-01-31T{time}" for time in FINE), "2026-02-01T00:00:00Z")
    found: list[list[str]] = []
    for begin, end in pairwise(moments):
        answer = await ask(query, id=ada["_id"], **{"from": begin, "to": end})
        rows = answer["data"]["customer"][field]
        assert rows["totalCount"] == len(rows["nodes"])
        found.append([row[key][-5:] for row in rows["nodes"]])
    assert found == [[], [], [".123Z"], [], [], [".124Z"]]


async def test_customers_and_the_report_have_exact_windows_too(ask: Ask, world: World) -> None:
    ada = await world.customer(registeredAt=AT)
    await world.activity(ada, occurredAt=AT)
    asked = """query($from: DateTime!, $to: DateTime!) {
      customers(filter: {registeredAt: {from: $from, to: $to}}) { totalCount }
      customerServiceReport(filter: {occurredAt: {from: $from, to: $to}}) { total }
    }"""
    found: list[tuple[int, int]] = []
    for begin, end in pairwise(FINE):
        data = (await ask(asked, **{"from": f"2026-01-31T{begin}", "to": f"2026-01-31T{end}"}))["data"]
        found.append((data["customers"]["totalCount"], data["customerServiceReport"]["total"]))
    assert found == [(0, 0), (1, 1), (0, 0), (0, 0)]
