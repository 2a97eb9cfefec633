"""Reports and exports by choice from a secondary that is behind: stale, and never what follows a change or a page."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
import pytest

from app.domain.access import Role
from app.graph import masks_for
from app.http.tokens import verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.export_job import Exporter
from app.settings import Limits
from app.store import indexes
from app.store.driver import Document, Driver, ReadsAside, Store
from tests.support.commands import Servers
from tests.support.processes import ReplicaSet, initiate, replica_set, within
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

DATABASE: Final = "readers"
STALENESS_SECONDS: Final = 90
"""The least that MongoDB allows."""
NOTE: Final = """mutation($id: ID!, $key: String!) {
  addNote(input: {customerId: $id, message: "Called.", idempotencyKey: $key}) {
    customer { activities(filter: {notes: ONLY}) { totalCount } } userErrors { code } } }"""
PAGE: Final = (
    "query($id: ID!) { node(id: $id) { ... on Customer { activities(filter: {notes: ONLY}) { totalCount } } } }"
)
REPORT: Final = """query($f: ReportFilter!) { customerServiceReport(filter: $f) {
  total actions { total } days { total } details(first: 50) { totalCount nodes { type } } } }"""
EXPORT: Final = """mutation($f: ReportFilter!, $key: String!) {
  exportReport(input: {table: DETAILS, filter: $f, format: CSV, idempotencyKey: $key}) {
    export { id } userErrors { code } } }"""
AFTER_CHANGE: Final = """mutation($id: ID!, $key: String!, $f: ReportFilter!) {
  addNote(input: {customerId: $id, message: "Called.", idempotencyKey: $key}) {
    query { customerServiceReport(filter: $f) { total details { totalCount } } } userErrors { code } } }"""
WINDOW: Final = {"occurredAt": {"from": (datetime.now(UTC) - timedelta(days=3)).isoformat()}}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[ReplicaSet]:
    """Starts three servers: the primary, one that clients can see and that stands still, one that they cannot see.

    A majority keeps what is written, and a reader of secondaries has but the one. Clients see no delayed one.
    """
    with replica_set(tmp_path_factory.mktemp("readers")) as started:
        initiate(started.nodes)
        primary = started.wait_until_well()
        asyncio.run(_apply(started))
        late, hidden = (node for node in started.nodes if node is not primary)
        config = primary.says("replSetGetConfig")["config"]
        for member in config["members"]:
            if member["host"] != f"127.0.0.1:{primary.port}":
                member |= {"priority": 0, "hidden": member["host"] == f"127.0.0.1:{hidden.port}"}
        config["version"] += 1
        primary.client.admin.command("replSetReconfig", config)
        within(30, lambda: late.says("hello").get("passives"), "the new order on the one that is to stand still")
        late.client.admin.command("fsync", lock=True)
        yield started
        late.client.admin.command("fsyncUnlock")


async def _apply(servers: ReplicaSet) -> None:
    async with Store.open(servers.uri, DATABASE, timeout_seconds=30) as store:
        await indexes.apply(store)
        await World(store).customer(number="R-1")
    for node in servers.nodes:
        await asyncio.to_thread(within, 30, lambda node=node: _has_customer(node.client), "a customer on each server")


def _has_customer(client: Any) -> bool:
    return bool(client[DATABASE].customers.find_one({"number": "R-1"}))


class Reading:
    """A gateway whose reports read aside, and who was asked."""

    def __init__(self, store: Store, client: httpx2.AsyncClient, asked: Servers) -> None:
        self.store, self.asked, self._client, self._keys = store, asked, client, iter(range(1_000))

    async def ask(self, query: str, **variables: Any) -> Document:
        headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
        body = {"query": query, "variables": variables}
        answer = (await self._client.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def change(self, query: str, **variables: Any) -> Document:
        ((_, payload),) = (await self.ask(query, key=f"{id(self)} {next(self._keys)}", **variables)).items()
        assert payload["userErrors"] == []
        return payload

    async def note(self, customer_id: str) -> int:
        """Adds a note, and returns how many the answer says that there are."""
        return (await self.change(NOTE, id=customer_id))["customer"]["activities"]["totalCount"]

    async def notes(self, customer_id: str) -> int:
        return (await self.ask(PAGE, id=customer_id))["node"]["activities"]["totalCount"]

    async def report(self) -> set[int]:
        """Returns how many there are by each part of the report: the same."""
        report = (await self.ask(REPORT, f=WINDOW))["customerServiceReport"]
        details = report["details"]
        sums = (sum(each["total"] for each in report[part]) for part in ("actions", "days"))
        return {report["total"], details["totalCount"], len(details["nodes"]), *sums}

    async def exported(self) -> int:
        """Returns how many rows a new export of the details has."""
        made = (await self.change(EXPORT, f=WINDOW))["export"]["id"]
        await Exporter(self.store, masks_for).once()
        (export,) = await self.store.find("exports", {"_id": made})
        assert export["status"] == "DONE", export
        return export["rows"]


@asynccontextmanager
async def reading(servers: ReplicaSet, driver: Driver, aside: ReadsAside | None) -> AsyncGenerator[Reading]:
    asked = Servers()
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    options: Document = {"driver": driver, "timeout_seconds": 30, "listeners": [asked], "reports": aside}
    async with Store.open(servers.uri, DATABASE, **options) as store:
        app = build_app(
            routes(
                store.database,
                authenticate,
                timeout_seconds=30,
                outgoing=DeliveryPolicy(),
                limits=Limits(max_cost=100_000),
            )
        )
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            yield Reading(store, client, asked)


ASIDE: Final = ReadsAside("secondaryPreferred", STALENESS_SECONDS)


async def test_reports_and_exports_are_of_a_while_ago_by_choice_and_all_else_is_of_now(
    driver: Driver, servers: ReplicaSet
) -> None:
    primary = servers.wait_for_primary().port
    async with reading(servers, driver, None) as usual:
        customer = await World(usual.store).customer(number="R-now")
        before = await usual.note(customer["_id"])
        assert before == 1
        (there,) = await usual.report()
        assert there >= before
        assert await usual.exported() == there
        assert {port for port, _, _ in usual.asked.asked} == {primary}
    async with reading(servers, driver, ASIDE) as aside:
        assert await aside.note(customer["_id"]) == before + 1
        assert await aside.notes(customer["_id"]) == before + 1
        payload = await aside.change(AFTER_CHANGE, id=customer["_id"], f=WINDOW)
        report = payload["query"]["customerServiceReport"]
        assert report == {"total": there + 2, "details": {"totalCount": there + 2}}
        assert {port for port, _, _ in aside.asked.asked} == {primary}

        assert await aside.report() == {0}
        assert {port for port, _, _ in aside.asked.asked} - {primary}
        assert await aside.exported() == 0
        assert await aside.notes(customer["_id"]) == before + 2


async def test_a_secondary_that_is_too_far_behind_is_not_asked(driver: Driver, servers: ReplicaSet) -> None:
    """It takes as long as MongoDB's least: a primary that writes, and a secondary that does not."""
    primary = servers.wait_for_primary().port
    async with reading(servers, driver, ASIDE) as aside:
        customer = await World(aside.store).customer(number="R-late")
        async with asyncio.timeout(STALENESS_SECONDS + 60):
            while await aside.report() == {0}:
                await aside.note(customer["_id"])
                await asyncio.sleep(5)
        aside.asked.asked.clear()
        (total,) = await aside.report()
        assert total > 0
        assert await aside.exported() == total
        assert {port for port, _, _ in aside.asked.asked} == {primary}
    async with reading(servers, driver, ReadsAside("secondary", 3_000)) as patient:  # who allows more is shown more
        assert await patient.report() == {0}
