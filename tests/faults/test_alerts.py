"""Each alert fires once, under its real condition: what real gateways say then is what Prometheus' own judge is given.

A scrape stands for a minute, and what lasts is scraped once and given for as long as the rule asks. Where a rule asks
for more minutes than a test should wait, the moment since when something waits is put back in the database: said there.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import httpx2
import pytest
import yaml  # pyright: ignore[reportMissingModuleSource] # of the development tools' own dependencies
from pymongo import MongoClient

from app.domain.access import Role
from app.domain.webhooks import PAUSES
from app.http.metrics_endpoint import FRESH_SECONDS
from app.http.tokens import issue
from app.store.driver import DeleteMany, Document, Driver, Store, UpdateMany
from tests.support.cluster import AUTHORITY, DATABASE, SECRET, Cluster, cluster
from tests.support.mutations import ADD_NOTE, CREATE_WEBHOOK_ENDPOINT, RESEND
from tests.support.processes import free_ports
from tests.support.promtool import Scrape, fired, promtool, series_of
from tests.support.relays import until
from tests.support.smtp_server import Does, mail_server
from tests.support.world import World

MONITORING: Final = Path(__file__).parents[2] / "deploy" / "monitoring"
RULES: Final = MONITORING / "rules.yaml"
MINUTES: Final = 8
"""Scrapes while a condition is made again and again: more than any rate is taken over."""
LAG_SECONDS: Final = 33
NEVER: Final = "never@example.com"


class Watched:
    """A cluster, those who ask it, and what Prometheus would have seen of it."""

    def __init__(self, cluster: Cluster, http: httpx2.AsyncClient, store: Store, folder: Path) -> None:
        self.cluster, self.http, self.store, self.folder = cluster, http, store, folder

    async def ask(self, query: str = "{ viewer { name } }", role: Role = Role.ADMIN, **given: Any) -> Any:
        bearer = issue(SECRET, roles=[role], subject=role, name="Tess", lifetime=timedelta(hours=1), **AUTHORITY)
        sent = {"query": query, "variables": given}
        answer = await self.http.post(
            f"{self.cluster.gateways[0].url}/graphql", json=sent, headers={"Authorization": f"Bearer {bearer}"}
        )
        return answer.json()

    async def change(self, mutation: str, **given: Any) -> dict[str, Any]:
        answer = await self.ask(mutation, input={"idempotencyKey": os.urandom(8).hex(), **given})
        assert "errors" not in answer, answer
        (payload,) = answer["data"].values()
        assert payload["userErrors"] == []
        return payload

    async def scrape(self) -> Scrape:
        found: dict[str, float] = {}
        for gateway in self.cluster.gateways:
            if gateway.well:
                text = (await self.http.get(f"{gateway.url}/metrics")).text
                found |= series_of(text, instance=str(gateway.port))
        return found or None

    async def scrape_anew(self) -> Scrape:
        """Gives figures that were read from the database after now."""
        await asyncio.sleep(FRESH_SECONDS + 0.5)
        return await self.scrape()

    async def during(self, condition: Callable[[], Awaitable[object]]) -> set[str]:
        """Returns the alerts that fire while the condition is made in every minute."""
        scrapes = [await self.scrape()]
        for _ in range(MINUTES):
            await condition()
            scrapes.append(await self.scrape())
        return self.fired(scrapes)

    def fired(self, scrapes: list[Scrape]) -> set[str]:
        return fired(RULES, scrapes, self.folder)


async def stored(watched: Watched, **given: Any) -> Document:
    """Stores a customer whose number nobody else has."""
    return await World(watched.store).customer(number=f"A-{os.urandom(8).hex()}", **given)


@pytest.fixture(scope="module")
def smtp_port() -> int:
    """Finds a port for the mail server, which the gateways know from the start."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, smtp_port: int) -> Generator[Cluster]:
    """Starts a replica set and two gateways, once for all tests here."""
    driver = cast(Driver, os.environ.get("MONGODB_DRIVER", "motor"))
    settings = {
        "SMTP_URL": f"smtp://127.0.0.1:{smtp_port}",
        "MAIL_FROM": "service@gateway.example.com",
        "COST_PER_MINUTE": f"1000000000 {Role.CUSTOMER_SERVICE_AGENT}=1",
        "REQUEST_TIMEOUT_SECONDS": "2",
    }
    with cluster(tmp_path_factory.mktemp("alerts"), driver, **settings) as started:
        yield started


@pytest.fixture
async def watched(theirs: Cluster, tmp_path: Path) -> Any:
    """Gives the cluster with everything running."""
    await theirs.restore()
    async with theirs.store() as store, httpx2.AsyncClient(timeout=30, trust_env=False) as http:
        yield Watched(theirs, http, store, tmp_path)


async def test_nothing_fires_while_all_is_well(watched: Watched) -> None:
    assert await watched.during(watched.ask) == set()
    assert watched.fired([await watched.scrape_anew()] * 30) == set()


async def test_requests_that_are_refused(watched: Watched) -> None:
    async def refused() -> None:
        answers = [await watched.ask(role=Role.CUSTOMER_SERVICE_AGENT) for _ in range(5)]
        assert answers[-1]["errors"][0]["extensions"]["code"] == "RATE_LIMITED"

    assert await watched.during(refused) == {"GatewayRefuses"}


async def test_mails_that_wait_and_mails_that_are_given_up(watched: Watched, smtp_port: int) -> None:
    before = await watched.scrape()
    async with mail_server(port=smtp_port) as peer:
        peer.does = lambda to: Does.SAYS_550_TO_THE_ADDRESS if to == NEVER else Does.SAYS_451
        world = World(watched.store)
        for to in (NEVER, "late@example.com"):
            email = await world.email(await stored(watched, email=to), to=to)
            await watched.change(RESEND, emailId=email["_id"])

        async def given_up() -> bool:
            return bool(await watched.store.find("deliveries", {"to": NEVER, "status": "FAILED"}))

        await until(given_up)
        # It waits as it would after twenty minutes.
        asked = datetime.now(UTC) - timedelta(minutes=20)
        waiting = {"dueAt": {"$exists": True}}
        await watched.store.write("deliveries", [UpdateMany(waiting, {"$set": {"requestedAt": asked}})])
        after = await watched.scrape_anew()
    assert watched.fired([before, *[after] * 8]) == {"GatewayOutboxWaits", "GatewayOutboxGivesUp"}
    await watched.store.write("deliveries", [DeleteMany({})])


async def test_a_webhook_endpoint_that_is_disabled(watched: Watched) -> None:
    before = await watched.scrape()
    await watched.change(CREATE_WEBHOOK_ENDPOINT, name="CRM", url="https://example.com/hooks")
    # Nobody outside is asked: an address of this machine is refused before anything is sent.
    here = UpdateMany({}, {"$set": {"url": "https://127.0.0.1:1/hooks"}})
    await watched.store.write("webhookEndpoints", [here])
    customer = await stored(watched)
    await watched.change(ADD_NOTE, customerId=customer["_id"], message="Hello")

    async def tried() -> bool:
        return bool(await watched.store.find("webhookDeliveries", {"attempts": 1}))

    await until(tried)
    # As after 75 hours: the next attempt is the last.
    last = {"$set": {"attempts": len(PAUSES), "dueAt": datetime.now(UTC)}}
    await watched.store.write("webhookDeliveries", [UpdateMany({}, last)])

    async def disabled() -> bool:
        return bool(await watched.store.find("webhookEndpoints", {"status": "DISABLED"}))

    await until(disabled)
    after = await watched.scrape_anew()
    assert watched.fired([before, after, after]) == {"GatewayWebhookEndpointDisabled", "GatewayOutboxGivesUp"}


async def test_a_secondary_that_falls_behind_and_a_feed_that_stands_still(watched: Watched) -> None:
    before = await watched.scrape()
    primary = watched.cluster.servers.wait_for_primary()
    secondary = next(node for node in watched.cluster.servers.nodes if node is not primary)
    # Nobody can count on from there.
    with MongoClient[Any](watched.cluster.servers.uri) as client:
        sequences = client[DATABASE].get_collection("sequences")
        (kept,) = sequences.find({"_id": "feed"})
        client[DATABASE].command(
            {
                "update": "sequences",
                "updates": [{"q": {"_id": "feed"}, "u": {"$set": {"last": "x"}}}],
                "bypassDocumentValidation": True,
            }
        )
        secondary.client.admin.command("fsync", lock=True)
        try:
            customer = await stored(watched)
            await watched.change(ADD_NOTE, customerId=customer["_id"], message="Hello")
            await asyncio.sleep(2)
            meanwhile = await watched.scrape()
            await asyncio.sleep(LAG_SECONDS)
            await watched.change(ADD_NOTE, customerId=customer["_id"], message="Again")
            after = await watched.scrape_anew()
        finally:
            secondary.client.admin.command("fsyncUnlock")
            sequences.update_one({"_id": "feed"}, {"$set": {"last": kept["last"]}})
    expected = {"GatewayReplicationLags", "GatewayFeedStandsStill", "GatewayJobsFail"}
    assert watched.fired([before, meanwhile, *[after] * 5]) == expected


async def test_customers_without_previews(watched: Watched) -> None:
    for number in range(21):
        customer = await stored(watched)
        await watched.change(ADD_NOTE, customerId=customer["_id"], message=f"Number {number}")

    async def numbered() -> bool:
        return not await watched.store.find("feed", {"isUnnumbered": True})

    await until(numbered)
    await watched.store.write("heads", [DeleteMany({})])
    await asyncio.sleep(10)  # so long one may take
    after = await watched.scrape_anew()
    assert watched.fired([after] * 20) == {"GatewayPreviewsStale"}


async def test_a_database_that_is_away(watched: Watched) -> None:
    async def unavailable() -> None:
        answer = await watched.ask('{ node(id: "cus_nobody") { id } }')
        assert answer["errors"][0]["extensions"]["code"] in ("UNAVAILABLE", "DEADLINE_EXCEEDED")

    for _ in range(3):
        await watched.ask()
    for node in watched.cluster.servers.nodes:
        node.freeze()
    found = await watched.during(unavailable)
    assert found >= {"GatewayFails", "GatewaySlow"}
    assert found <= {"GatewayFails", "GatewaySlow", "GatewayJobsFail"}


async def test_gateways_that_are_gone(watched: Watched) -> None:
    before = await watched.scrape()
    for gateway in watched.cluster.gateways:
        gateway.kill()
    assert watched.fired([before, *[await watched.scrape()] * 10]) == {"GatewayGone"}


# ---------------------------------------------------------------- names


def expressions() -> list[str]:
    """Returns what rules and dashboard ask for."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    targets = [target["expr"] for panel in panels for target in panel["targets"]]
    return [*(rule["expr"] for rule in rules), *(each.replace("$__rate_interval", "5m") for each in targets)]


def test_rules_and_dashboard_are_promql(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    recorded = [{"record": f"panel:{at}", "expr": each} for at, each in enumerate(expressions())]
    made = tmp_path / "dashboard.json"
    made.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", made)


async def test_each_metric_and_label_that_they_name_is_there(watched: Watched) -> None:
    await watched.ask('{ node(id: "cus_nobody") { id } }')
    there = {"instance"}
    for series in await watched.scrape() or {}:
        there |= {series.partition("{")[0], *re.findall(r'[{,](\w+)="', series)}
    asked = set[str]()
    for each in expressions():
        asked |= {*re.findall(r"gateway_\w+", each), *re.findall(r"[{,](\w+)[=!]", each)}
        asked |= {name for by in re.findall(r"by \(([^)]*)\)", each) for name in by.replace(" ", "").split(",")}
    assert len(asked) > 20
    # No job has failed here; the label is in the alert that fired.
    assert asked - there <= {"task", "gateway_job_failures_total"}
