"""Who looked: reads of customers' records by staff are on record, and administrators read them."""

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from app.domain.access import Delegate, Role, Viewer
from app.domain.looks import quarter_of
from app.domain.vocabulary import ReadGroup
from app.execution import Choice, Execution
from app.execution.looks import CUSTOMER
from app.graph import executable
from app.http.tokens import verifier
from app.main import build_app, routes, written
from app.operations import pipeline
from app.operations.looks import Looks
from app.schema.customers import Customer
from app.store.driver import Document, Store
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

AT = datetime(2026, 5, 4, 9, 7, 30, tzinfo=UTC)
AGENT = Viewer("grace", "Grace Hopper", frozenset({Role.CUSTOMER_SERVICE_AGENT}))
WHO = "query($by: CustomerBy!) { customer(by: $by) { id name } }"
LOOKS = """query($filter: LookFilter, $first: Int, $after: String) {
  looks(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor }
    nodes { id at groups viewer { userId name roles delegate { userId name } } customer { id } } } }"""


class Desk:
    """One process: an application with looks that are flushed by hand, and a clock that is set by hand."""

    def __init__(self, store: Store, choice: Choice, looks: Looks) -> None:
        self.store, self.looks = store, looks
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        made = routes(store.database, authenticate, timeout_seconds=60, execution=Execution(choice), looks=looks)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(build_app(made)), base_url="http://gateway")

    async def ask(self, query: str, *roles: Role, bearer: str | None = None, **variables: Any) -> Any:
        headers = {"Authorization": f"Bearer {bearer or token(*roles)}", "Content-Type": "application/json"}
        content = json.dumps({"query": query, "variables": variables})
        answer = (await self.client.post("/graphql", content=content, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def written(self) -> list[Document]:
        await self.looks.flush(self.store)
        return await self.store.find("looks", {}, sort={"_id": 1})

    async def groups(self) -> dict[str, list[str]]:
        return {row["customerId"]: sorted(row["groups"]) for row in await self.written()}


@pytest.fixture(params=["compiled", "graphql-core"])
async def desk(request: pytest.FixtureRequest, store: Store) -> AsyncGenerator[Desk]:
    """Runs a process with each executor."""
    desk = Desk(store, request.param, Looks(store.database))
    async with desk.client:
        yield desk


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, datetime]:
    """Sets the time of requests."""
    now = {"is": AT}

    class Clock:
        @staticmethod
        def time_ns() -> int:
            return round(now["is"].timestamp() * 1_000) * 1_000_000

    monkeypatch.setattr(pipeline, "time", Clock)
    return now


def lost() -> float:
    return REGISTRY.get_sample_value("gateway_looks_lost_total") or 0


# ---------------------------------------------------------------- what counts as a look


def test_every_field_of_a_customer_but_the_id_is_in_one_group() -> None:
    listed = [name for names in Customer.read_groups.values() for name in names.split()]
    assert len(listed) == len({*listed})
    definition: Any = vars(Customer)["__strawberry_definition__"]
    assert {*listed} == {field.python_name for field in definition.fields} - {"id"}
    assert Customer.read_groups.keys() == {*ReadGroup}
    assert CUSTOMER in executable.type_map


async def test_a_quarter_of_an_hour_is_one_look_with_all_groups_united(
    desk: Desk, world: World, clock: dict[str, datetime]
) -> None:
    ada = await world.customer()
    by = {"id": ada["_id"]}
    for minutes, fields in ((0, "name"), (1, "number"), (2, "email points { spendable }"), (7, "status")):
        clock["is"] = AT + timedelta(minutes=minutes)
        await desk.ask(f"query($by: CustomerBy!) {{ customer(by: $by) {{ {fields} }} }}", by=by)
        if minutes == 1:
            await desk.written()
    (look,) = await desk.written()
    assert look["at"] == AT
    assert sorted(look["groups"]) == ["CONTACT", "IDENTITY", "POINTS"]
    assert look["viewer"] == {"id": "tess", "name": "Tess Tester", "roles": ["ADMIN"]}
    assert look["expiresAt"] == datetime(2027, 5, 4, 9, tzinfo=UTC)
    clock["is"] = datetime(2026, 5, 4, 9, 15, tzinfo=UTC)
    await desk.ask(WHO, by=by)
    assert len(await desk.written()) == 2


WAYS = {
    "by number": ("query($number: String!) { it: customer(by: {number: $number}) { F } }", True),
    "by e-mail": ("query($email: String!) { it: customer(by: {email: $email}) { F } }", True),
    "a node": ("query($id: ID!) { it: node(id: $id) { ... on Customer { F } } }", True),
    "nodes": ("query($id: ID!) { it: nodes(ids: [$id]) { ... on Customer { F } } }", True),
    "an entity": ("query($them: [_Any!]!) { it: _entities(representations: $them) { ... on Customer { F } } }", True),
    "a search": ("query($number: String!) { it: search(text: $number) { customer { F } } }", True),
    "a link of a coupon": ("query($coupon: ID!) { it: node(id: $coupon) { ... on Coupon { customer { F } } } }", True),
    "a page": ("{ it: customers { nodes { F } } }", False),
    "edges": ("{ it: customers { edges { node { F } } } }", False),
    "a link of a row": (
        "{ it: customers(first: 5) { nodes { coupons(first: 5) { nodes { customer { F } } } } } }",
        None,
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_name_is_a_look_unless_it_is_in_a_page_and_more_than_a_name_always_is(
    way: str, desk: Desk, world: World
) -> None:
    query, counts = WAYS[way]
    ada = await world.customer(email="ada@example.com")
    coupon = await world.coupon(ada)
    given: dict[str, Any] = {
        "id": ada["_id"],
        "number": ada["number"],
        "email": "ada@example.com",
        "coupon": coupon["_id"],
        "them": [{"__typename": "Customer", "id": ada["_id"]}],
    }
    variables = {name: value for name, value in given.items() if f"${name}:" in query}
    by_row = ["COUPONS"] if counts is None else []
    await desk.ask(query.replace("F", "id __typename"), **variables)
    assert await desk.groups() == ({ada["_id"]: by_row} if by_row else {})
    await desk.ask(query.replace("F", "id name"), **variables)
    names = sorted(by_row + ["IDENTITY"] * bool(counts))
    assert await desk.groups() == ({ada["_id"]: names} if names else {})
    await desk.ask(query.replace("F", "name phones { value } activities { nodes { title } }"), **variables)
    assert await desk.groups() == {ada["_id"]: sorted([*by_row, "CONTACT", "HISTORY", "IDENTITY"])}


async def test_directives_and_fragments_decide_what_was_read(desk: Desk, world: World) -> None:
    ada = await world.customer()
    query = """query($id: ID!, $mail: Boolean!) { node(id: $id) { ...A @include(if: $mail) ... on Customer { name } } }
      fragment A on Customer { address: email emailHistory { totalCount } }"""
    await desk.ask(query, id=ada["_id"], mail=False)
    assert await desk.groups() == {ada["_id"]: ["IDENTITY"]}
    await desk.ask(query, id=ada["_id"], mail=True)
    assert await desk.groups() == {ada["_id"]: ["CONTACT", "IDENTITY", "MAIL"]}


async def test_a_masked_field_was_not_read(desk: Desk, world: World) -> None:
    ada = await world.customer()
    query = "query($id: ID!) { node(id: $id) { ... on Customer { name notes { totalCount } } } }"
    await desk.ask(query, Role.API_USER, id=ada["_id"])
    assert await desk.groups() == {ada["_id"]: ["IDENTITY"]}
    await desk.ask(query, Role.SALES_REP, id=ada["_id"])
    (look,) = await desk.written()
    assert sorted(look["groups"]) == ["IDENTITY", "NOTES"]
    assert sorted(look["viewer"]["roles"]) == ["API_USER", "SALES_REP"]


async def test_what_affiliates_and_customers_read_is_not_recorded(desk: Desk, world: World) -> None:
    ada = await world.customer(affiliateId="partner")
    for bearer in (
        token(Role.AFFILIATE, affiliate_id="partner"),
        token(Role.CUSTOMER, customer_id=ada["_id"]),
    ):
        assert (await desk.ask(WHO, bearer=bearer, by={"id": ada["_id"]}))["customer"]
    assert await desk.written() == []
    bearer = token(Role.CUSTOMER, Role.FINANCE, customer_id=ada["_id"])
    await desk.ask(WHO, bearer=bearer, by={"id": ada["_id"]})
    assert await desk.groups() == {ada["_id"]: ["IDENTITY"]}


async def test_what_a_change_returns_was_read(desk: Desk, world: World) -> None:
    ada = await world.customer()
    change = """mutation($input: AddNoteInput!) { addNote(input: $input) { customer { email } userErrors { code } } }"""
    given = {"customerId": ada["_id"], "message": "Called.", "idempotencyKey": "k"}
    await desk.ask(change, input=given)
    assert await desk.groups() == {ada["_id"]: ["CONTACT"]}


async def test_nobody_is_read_where_there_is_nobody(desk: Desk, world: World) -> None:
    assert await desk.ask(WHO, by={"id": "cus_nobody"}) == {"customer": None}
    assert await desk.written() == []


# ---------------------------------------------------------------- writing


async def test_the_same_look_is_written_once_and_what_is_new_in_it_again(store: Store) -> None:
    looks, written = Looks(store.database), list[int]()

    class Counting(Store):
        async def write(self, collection: str, operations: Sequence[Any], **options: Any) -> Any:
            written.append(len(operations))
            return await super().write(collection, operations, **options)

    async def reads(at: datetime, *groups: ReadGroup) -> list[int]:
        looks.add(AGENT, at, {"cus_1": frozenset(groups)})
        await looks.flush(Counting(store.database, store.deadline))
        return written

    assert await reads(AT, ReadGroup.IDENTITY) == [1]
    assert await reads(AT + timedelta(seconds=1), ReadGroup.IDENTITY) == [1]
    assert await reads(AT, ReadGroup.IDENTITY, ReadGroup.POINTS) == [1, 1]
    assert await reads(AT, ReadGroup.POINTS) == [1, 1]
    assert await reads(AT - timedelta(seconds=1), ReadGroup.POINTS) == [1, 1, 1]
    assert await reads(AT + timedelta(minutes=15), ReadGroup.POINTS) == [1, 1, 1, 1]
    first, second = await store.find("looks", {}, sort={"at": 1})
    assert (first["at"], sorted(first["groups"])) == (AT - timedelta(seconds=1), ["IDENTITY", "POINTS"])
    assert second["at"] == AT + timedelta(minutes=15)


async def test_what_is_remembered_of_many_looks_is_no_more_for_many_groups(store: Store) -> None:
    class Forgetful(Store):  # what records commands for the tests would be counted, too
        async def write(self, *_: Any, **__: Any) -> Any: ...

    async def remembered(*groups: ReadGroup) -> int:
        """The bytes that a process holds of a thousand looks once they are written."""
        looks = Looks(store.database)
        tracemalloc.start()
        for number in range(1_000):
            looks.add(AGENT, AT, {f"cus_{number}": frozenset(groups)})
        await looks.flush(Forgetful(store.database, store.deadline))
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held

    await remembered()  # once, for what is made only once
    assert await remembered(*ReadGroup) < 1.2 * await remembered(ReadGroup.POINTS)


async def test_several_processes_make_one_row(store: Store, world: World) -> None:
    ada = await world.customer()
    one, other = Looks(store.database), Looks(store.database)
    one.add(AGENT, AT + timedelta(minutes=2), {ada["_id"]: frozenset({ReadGroup.NOTES})})
    other.add(AGENT, AT, {ada["_id"]: frozenset({ReadGroup.MAIL})})
    await one.flush(store)
    await other.flush(store)
    (look,) = await store.find("looks", {})
    assert (look["at"], look["groups"]) == (AT, ["NOTES", "MAIL"])


async def test_several_processes_that_write_in_the_same_moment_lose_none(store: Store) -> None:
    before, groups = lost(), (ReadGroup.NOTES, ReadGroup.MAIL, ReadGroup.POINTS)
    for turn in range(5):
        processes = [Looks(store.database) for _ in groups]
        for process, group in zip(processes, groups, strict=True):
            for number in range(300):
                process.add(AGENT, AT, {f"cus_{turn}_{number}": frozenset({group})})
        await asyncio.gather(*(process.flush(store) for process in processes))
    looks = await store.find("looks", {})
    assert (lost(), len(looks)) == (before, 5 * 300)
    assert {frozenset(look["groups"]) for look in looks} == {frozenset(groups)}


async def test_who_acts_for_somebody_is_another_viewer(store: Store, world: World) -> None:
    ada, looks = await world.customer(), Looks(store.database)
    acting = Viewer(AGENT.subject, AGENT.name, AGENT.roles, delegate=Delegate("bot", "Robot"))
    for viewer in (AGENT, acting):
        looks.add(viewer, AT, {ada["_id"]: frozenset({ReadGroup.MAIL})})
    await looks.flush(store)
    rows = await store.find("looks", {}, sort={"viewer.delegate": 1})
    assert [row["viewer"].get("delegate") for row in rows] == [None, {"id": "bot", "name": "Robot"}]


class Away:
    """A store whose writes fail."""

    def __init__(self, fault: BaseException) -> None:
        self.fault, self.tried = fault, 0

    async def write(self, *_: Any, **__: Any) -> None:
        self.tried += 1
        raise self.fault


@pytest.mark.parametrize("fault", [AutoReconnect("gone"), KeyboardInterrupt()])
async def test_looks_are_kept_while_the_database_is_away(fault: BaseException, store: Store, world: World) -> None:
    ada, looks, before = await world.customer(), Looks(store.database), lost()
    looks.add(AGENT, AT, {ada["_id"]: frozenset({ReadGroup.MAIL})})
    away: Any = Away(fault)
    with pytest.raises(type(fault)):
        await looks.flush(away)
    looks.add(AGENT, AT, {ada["_id"]: frozenset({ReadGroup.NOTES})})
    await looks.flush(store)
    (look,) = await store.find("looks", {})
    assert (look["groups"], lost()) == (["MAIL", "NOTES"], before)


async def test_what_is_lost_is_counted_and_logged_once(store: Store, world: World) -> None:
    looks, before = Looks(store.database, most_unwritten=2), lost()
    with capture_logs() as logs:
        for number in range(5):
            looks.add(AGENT, AT, {f"cus_{number}": frozenset({ReadGroup.MAIL})})
        await looks.flush(store)
    assert lost() == before + 3
    assert [log["event"] for log in logs] == ["looks are lost"]
    assert [row["customerId"] for row in await store.find("looks", {}, sort={"customerId": 1})] == ["cus_0", "cus_1"]
    looks.add(AGENT, AT, {"nobody": frozenset({ReadGroup.MAIL}), "cus_9": frozenset({ReadGroup.MAIL})})
    with capture_logs() as logs:
        await looks.flush(store)  # the first is refused, and would be for ever
    assert (lost(), [log["event"] for log in logs]) == (before + 4, ["looks are lost"])
    assert len(await store.find("looks", {})) == 3


async def test_a_process_that_ends_writes_what_is_left(store: Store, world: World) -> None:
    ada, looks = await world.customer(), Looks(store.database)
    async with written(looks):
        looks.add(AGENT, AT, {ada["_id"]: frozenset({ReadGroup.MAIL})})
    assert [row["customerId"] for row in await store.find("looks", {})] == [ada["_id"]]


async def test_a_process_that_ends_while_the_database_is_away_says_what_is_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, before = Looks(store.database), lost()
    looks.add(AGENT, AT, {"cus_1": frozenset({ReadGroup.MAIL})})
    away = Away(AutoReconnect("gone"))

    def within(*_: object) -> Away:
        return away

    monkeypatch.setattr(type(store.database), "within", within)
    with capture_logs() as logs:
        await looks.flush_last()
    assert (lost(), away.tried, [log["fault"] for log in logs]) == (before + 1, 1, ["AutoReconnect"])


async def test_much_is_written_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, rows = Looks(store.database, most_unwritten=4), list[Document]()
    monkeypatch.setattr("app.operations.looks._MOST_NOTED", 1)
    for number in range(3):
        looks.add(AGENT, AT, {f"cus_{number}": frozenset({ReadGroup.MAIL})})
    monkeypatch.setattr("app.operations.looks._FLUSH_SECONDS", 3_600)  # nothing but the number wakes it
    async with written(looks):
        while len(rows) < 3:
            rows = await store.find("looks", {})


async def test_nothing_is_recorded_where_nothing_is_kept(store: Store, world: World) -> None:
    ada, desk = await world.customer(), Desk(store, "compiled", Looks(store.database, kept_days=0))
    async with desk.client:
        await desk.ask(WHO, by={"id": ada["_id"]})
        assert await desk.written() == []


async def test_the_database_deletes_looks_when_their_time_is_over(store: Store) -> None:
    (index,) = [each for each in await store.indexes_of("looks") if "expireAfterSeconds" in each]
    assert (dict(index["key"]), index["expireAfterSeconds"]) == ({"expiresAt": 1}, 0)
    looks = Looks(store.database, kept_days=30)
    looks.add(AGENT, AT, {"cus_1": frozenset({ReadGroup.MAIL})})
    await looks.flush(store)
    (look,) = await store.find("looks", {})
    assert look["expiresAt"] == quarter_of(AT) + timedelta(days=30)


# ---------------------------------------------------------------- reading


async def test_administrators_read_looks_newest_first_and_by_each_condition(desk: Desk, world: World) -> None:
    ada, bob = await world.customer(), await world.customer()
    other = {"id": "grace", "name": "Grace Hopper", "roles": ["FINANCE"], "delegate": {"id": "bot", "name": "Robot"}}
    old = await world.look(ada, groups=["NOTES", "CONTACT"])
    new = await world.look(bob, at=AT, viewer=other)
    answer = (await desk.ask(LOOKS))["looks"]
    assert answer["totalCount"] == 2
    assert answer["nodes"][0] == {
        "id": new["_id"],
        "at": "2026-05-04T09:07:30.000Z",
        "groups": ["IDENTITY"],
        "viewer": {
            "userId": "grace",
            "name": "Grace Hopper",
            "roles": ["FINANCE"],
            "delegate": {"userId": "bot", "name": "Robot"},
        },
        "customer": {"id": bob["_id"]},
    }
    assert answer["nodes"][1]["groups"] == ["CONTACT", "NOTES"]
    conditions: list[tuple[dict[str, Any], list[Document]]] = [
        ({"customerId": ada["_id"]}, [old]),
        ({"viewer": "grace"}, [new]),
        ({"at": {"from": "2026-05-04T09:07:30Z"}}, [new]),
        ({"at": {"to": "2026-05-04T09:07:30Z"}}, [old]),
        ({"groups": ["NOTES", "IDENTITY"]}, [new, old]),
        ({"groups": ["CONTACT"]}, [old]),
        ({"groups": []}, []),
        ({"groups": ["CONTACT"], "viewer": "grace"}, []),
    ]
    for filter_, expected in conditions:
        found = (await desk.ask(LOOKS, filter=filter_))["looks"]
        assert [node["id"] for node in found["nodes"]] == [look["_id"] for look in expected], filter_
        assert found["totalCount"] == len(expected)
    first = (await desk.ask(LOOKS, first=1))["looks"]
    rest = (await desk.ask(LOOKS, first=1, after=first["pageInfo"]["endCursor"]))["looks"]
    assert [node["id"] for node in (*first["nodes"], *rest["nodes"])] == [new["_id"], old["_id"]]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_nobody_else_reads_looks(role: Role, desk: Desk, world: World) -> None:
    ada = await world.customer()
    look = await world.look(ada)
    bearer = token(role, customer_id=ada["_id"], affiliate_id="partner")
    asked = {"query": "query($id: ID!) { node(id: $id) { id } looks { totalCount } }", "variables": {"id": look["_id"]}}
    answer = (await desk.client.post("/graphql", json=asked, headers={"Authorization": f"Bearer {bearer}"})).json()
    assert answer["data"] == {"node": None, "looks": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
