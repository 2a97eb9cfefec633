"""Streams that are cut while everything dies: `python -m tests.faults.live`.

Two gateways, three database servers, and a proxy before each gateway that cuts and stalls what goes through it.
Followers come back with the cursor of their last event, and in the end have heard what the feed has: all of it, once,
in its order.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from app.store.driver import Driver, Store
from tests.support.cluster import Cluster, cluster, freeze_primary, kill_gateway, kill_primary
from tests.support.proxy import Proxy
from tests.support.senders import Clients
from tests.support.world import World

CUSTOMERS: Final = 6
FOLLOWERS_OF_EACH: Final = 3
TIMEOUT_SECONDS: Final = 2
SILENCE_SECONDS: Final = 30
"""After which a follower takes a stream for dead: longer than between two heartbeats."""
PATIENCE_SECONDS: Final = 120
SETTINGS: Final = {"MAX_SUBSCRIPTIONS_OF_SUBJECT": "200"}
LIVE: Final = """subscription($id: ID!, $after: String) { customerActivity(customerId: $id, after: $after) {
  kind cursor activity { id } } }"""
CHANGES: Final = """query($after: String) { changes(first: 100, after: $after) {
  nodes { customerId revision } endCursor hasNextPage } }"""
NOTE: Final = """mutation($input: AddNoteInput!) { addNote(input: $input) {
  activity { id } userErrors { code message } } }"""


@dataclass
class Follower:
    """A follower hears what is added to one customer, and comes back whenever a stream ends."""

    customer_id: str
    proxies: Sequence[Proxy]
    bearer: str
    heard: list[str] = field(default_factory=list[str])
    cursor: str | None = None
    streams: int = 0
    resets: int = 0

    async def run(self) -> None:
        async with httpx2.AsyncClient(timeout=SILENCE_SECONDS) as client:
            while True:
                with suppress(httpx2.HTTPError, ValueError, KeyError):
                    await self._listen(client)
                await asyncio.sleep(random.uniform(0.05, 0.5))

    async def _listen(self, client: httpx2.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {self.bearer}", "Accept": "text/event-stream"}
        body = {"query": LIVE, "variables": {"id": self.customer_id, "after": self.cursor}}
        url = f"{random.choice(self.proxies).url}/graphql"
        async with client.stream("POST", url, json=body, headers=headers) as response:
            if response.status_code != 200:
                return
            self.streams += 1
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event = json.loads(line.removeprefix("data: "))["data"]["customerActivity"]
                self.cursor = event["cursor"]
                if event["kind"] == "ADDED":
                    self.heard.append(event["activity"]["id"])
                self.resets += event["kind"] == "RESET"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of events, over all followers."""

    written: int
    heard: int
    lost: int
    doubled: int
    out_of_order: int
    """Followers who heard the same in another order."""
    changes: int
    changes_wrong: int
    """Customers of whom `changes` had not each entry once, in its order."""
    resets: int
    streams: int
    faults: Sequence[str]
    seconds: float

    @property
    def found(self) -> Mapping[str, int]:
        names = ("lost", "doubled", "out_of_order", "changes_wrong", "resets")
        return {name: found for name in names if (found := getattr(self, name))}


async def soak(
    started: Cluster,
    *,
    notes: int,
    faults: int,
    at_most_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Writes notes while all faults happen, then waits until all is heard, or patience is over."""
    start, done = time.monotonic(), list[str]()
    await started.restore()
    async with started.store() as store, started.clients() as asking:
        world = World(store)
        customers = [(await world.customer())["_id"] for _ in range(CUSTOMERS)]
        first, second = (Proxy(each.url) for each in started.gateways)
        async with first.running(), second.running(), asyncio.TaskGroup() as everybody:
            proxies = (first, second)
            followers = [Follower(each, proxies, asking.bearer) for each in customers for _ in range(FOLLOWERS_OF_EACH)]
            changes = _Changes(proxies, asking.bearer)
            listening = [everybody.create_task(each.run()) for each in (*followers, changes)]
            await _until(lambda: all(each.cursor for each in followers))

            async def destroy() -> None:
                while len(done) < faults and time.monotonic() - start < at_most_seconds:
                    await asyncio.sleep(random.uniform(0.3, 1.5))
                    name, fault = random.choice(list(_faults(started, proxies).items()))
                    await fault()
                    await started.restore()
                    done.append(name)
                    tell(f"{len(done)}/{faults} {name}: {sum(len(each.heard) for each in followers)} heard")

            queue = iter(range(notes))

            async def write() -> None:
                for number in queue:
                    while len(done) * notes < faults * number and not destroying.done():  # noqa: ASYNC110 # time
                        await asyncio.sleep(0.05)
                    await _write(asking, random.choice(customers), f"{number}")

            destroying = asyncio.create_task(destroy())
            await asyncio.gather(destroying, *(write() for _ in range(4)))
            truth = {each: await _added(store, each) for each in customers}
            with suppress(TimeoutError):
                await _until(
                    lambda: (
                        all({*truth[each.customer_id]} <= {*each.heard} for each in followers)
                        and changes.entries >= sum(map(len, truth.values()))
                    )
                )
            for task in listening:
                task.cancel()
        revisions = {each: await _revisions(store, each) for each in customers}
    return Report(
        written=sum(map(len, truth.values())),
        heard=sum(len(each.heard) for each in followers),
        lost=sum(len({*truth[each.customer_id]} - {*each.heard}) for each in followers),
        doubled=sum(len(each.heard) - len({*each.heard}) for each in followers),
        out_of_order=sum(
            [*dict.fromkeys(each.heard)] != [one for one in truth[each.customer_id] if one in {*each.heard}]
            for each in followers
        ),
        changes=changes.entries,
        changes_wrong=sum(changes.revisions.get(each, []) != revisions[each] for each in customers),
        resets=sum(each.resets for each in followers),
        streams=sum(each.streams for each in followers),
        faults=done,
        seconds=time.monotonic() - start,
    )


@dataclass
class _Changes:
    """Follows `changes` of all customers."""

    proxies: Sequence[Proxy]
    bearer: str
    revisions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    entries: int = 0

    async def run(self) -> None:
        after: str | None = None
        headers = {"Authorization": f"Bearer {self.bearer}"}
        async with httpx2.AsyncClient(timeout=10, headers=headers) as client:
            while True:
                page: Any = None
                with suppress(httpx2.HTTPError, ValueError, KeyError, TypeError):
                    body = {"query": CHANGES, "variables": {"after": after}}
                    answer = await client.post(f"{random.choice(self.proxies).url}/graphql", json=body)
                    page = answer.json()["data"]["changes"]
                for change in page["nodes"] if page else ():
                    self.revisions.setdefault(change["customerId"], []).append(change["revision"])
                    self.entries += 1
                after = (page and page["endCursor"]) or after
                if not (page and page["hasNextPage"]):
                    await asyncio.sleep(0.3)


def _faults(started: Cluster, proxies: Sequence[Proxy]) -> Mapping[str, Callable[[], Awaitable[None]]]:
    async def cut() -> None:
        for proxy in proxies:
            proxy.cut()

    return {
        "primary killed": lambda: kill_primary(started),
        "primary frozen": lambda: freeze_primary(started),
        "gateway killed": lambda: kill_gateway(started),
        "streams cut": cut,
        "streams stalled": lambda: random.choice(proxies).stall(random.uniform(1, 4)),
    }


async def _write(asking: Clients, customer_id: str, key: str) -> None:
    given = {"customerId": customer_id, "message": f"Note {key}", "idempotencyKey": key}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                answer = await asking.http.post(
                    f"{random.choice(asking.gateways).url}/graphql",
                    json={"query": NOTE, "variables": {"input": given}},
                    headers={"Authorization": f"Bearer {asking.bearer}"},
                )
                payload: Any = answer.json()["data"]["addNote"]
            except (httpx2.HTTPError, ValueError, TypeError, KeyError):
                payload = None
            if payload:
                assert not payload["userErrors"], payload
                return
            await asyncio.sleep(random.uniform(0.05, 0.3))


async def _added(store: Store, customer_id: str) -> list[str]:
    entries = await store.find("feed", {"customerId": customer_id}, sort={"customerId": 1, "revision": 1})
    return [each for entry in entries for each in entry["addedIds"]]


async def _revisions(store: Store, customer_id: str) -> list[int]:
    entries = await store.find("feed", {"customerId": customer_id}, sort={"customerId": 1, "revision": 1})
    return [entry["revision"] for entry in entries]


async def _until(holds: Callable[[], bool]) -> None:
    """Raises TimeoutError if it does not hold in time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 # several may change it
            await asyncio.sleep(0.1)


def table(report: Report) -> str:
    """Returns the report as lines of a table."""
    rows = {
        "faults": ", ".join(f"{report.faults.count(name)} {name}" for name in sorted({*report.faults})),
        "notes written": report.written,
        "heard by streams": f"{report.heard} of {report.written * FOLLOWERS_OF_EACH}",
        "lost, doubled, out of order": f"{report.lost}, {report.doubled}, {report.out_of_order}",
        "entries of `changes`": f"{report.changes}, {report.changes_wrong} customers wrong",
        "streams that were opened": report.streams,
        "seconds": f"{report.seconds:.0f}",
    }
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--notes", type=int, default=2_000)
    options.add_argument("--faults", type=int, default=100)
    options.add_argument("--minutes", type=float, default=20, help="no new fault after so long")
    options.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    driver: Driver = given.driver
    random.seed(given.seed)
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), driver, **SETTINGS) as started:
        soaked = soak(
            started,
            notes=given.notes,
            faults=given.faults,
            at_most_seconds=60 * given.minutes,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        report = asyncio.run(soaked)
    print(table(report))
    sys.exit(bool(report.found))


if __name__ == "__main__":
    main()
