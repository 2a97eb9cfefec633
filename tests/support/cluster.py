"""A replica set, two gateways and clients, what is done to them, and what is left of it."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from app.domain import points
from app.domain.access import Role
from app.http.tokens import issue
from app.store import indexes
from app.store.driver import Driver, Store
from tests.support.processes import Gateway, Process, ReplicaSet, gateways, initiate, replica_set
from tests.support.senders import REQUEST_TIMEOUT_SECONDS, Clients, Verdict, clients, verdict
from tests.support.world import World

DATABASE: Final = "faults"
AUTHORITY: Final[dict[str, Any]] = {"issuer": "https://issuer.example", "audience": "faults"}
SECRET: Final = "a secret of the fault tests, 32 bytes or more"
BALANCE: Final = 100_000


@dataclass
class Cluster:
    """Three servers and two gateways, all of which may be killed and frozen."""

    servers: ReplicaSet
    gateways: Sequence[Gateway]
    driver: Driver
    environment: Mapping[str, str]

    @asynccontextmanager
    async def store(self) -> AsyncGenerator[Store]:
        """Opens the database itself, past every gateway."""
        async with Store.open(self.servers.uri, DATABASE, driver=self.driver, timeout_seconds=30) as store:
            yield store

    @asynccontextmanager
    async def clients(self) -> AsyncGenerator[Clients]:
        """Opens clients of both gateways, with an administrator's token."""
        bearer = issue(
            SECRET, roles=[Role.ADMIN], subject="tess", name="Tess Tester", lifetime=timedelta(hours=12), **AUTHORITY
        )
        async with clients(self.gateways, bearer) as asking:
            yield asking

    async def restore(self) -> None:
        """Revives all that is dead or frozen, and waits until everything takes part."""
        for process in (*self.servers.nodes, *self.gateways):
            process.revive()  # not in a thread: on Linux a child ends with the thread that began it
        await asyncio.to_thread(self.servers.wait_until_well)
        for gateway in self.gateways:
            await asyncio.to_thread(gateway.wait_until_well)


@contextmanager
def cluster(folder: Path, driver: Driver, **settings: str) -> Generator[Cluster]:
    """Starts a cluster, whose parts need not be well yet: see ``Cluster.restore``."""
    with replica_set(folder) as servers:
        environment = {
            "MONGODB_URI": servers.uri,
            "MONGODB_DATABASE": DATABASE,
            "MONGODB_DRIVER": driver,
            "JWT_SECRET": SECRET,
            "JWT_ISSUER": AUTHORITY["issuer"],
            "JWT_AUDIENCE": AUTHORITY["audience"],
            "CHANGES_PER_MINUTE": "1000000",
            "COST_PER_MINUTE": "1000000000",
            "MAX_AT_ONCE": "1000",  # what waits without a primary is what is looked at here
            "JWKS_URL": "",
            "REQUEST_TIMEOUT_SECONDS": str(REQUEST_TIMEOUT_SECONDS),
            **settings,
        }
        with gateways(2, folder, environment) as started:
            initiate(servers.nodes)
            servers.wait_for_primary()
            asyncio.run(_prepare(servers.uri, driver))
            yield Cluster(servers, started, driver, environment)  # whoever uses it waits until all of it is well


async def _prepare(uri: str, driver: Driver) -> None:
    async with Store.open(uri, DATABASE, driver=driver, timeout_seconds=30) as store:
        await indexes.apply(store)


async def rich_customers(store: Store, count: int, *, balance: int = BALANCE) -> list[str]:
    """Stores customers with that many points each, and returns their ids."""
    world, made = World(store), list[str]()
    for _ in range(count):
        customer = await world.customer(number=f"F-{random.getrandbits(64):x}")
        await world.ledger(customer, points.earn(points.empty(), balance, now=datetime.now(UTC)))
        made.append(customer["_id"])
    return made


# ---------------------------------------------------------------- faults


async def kill_primary(cluster: Cluster) -> None:
    """Kills the primary."""
    await _kill(await asyncio.to_thread(cluster.servers.wait_for_primary))


async def freeze_primary(cluster: Cluster) -> None:
    """Freezes the primary for three seconds."""
    primary = await asyncio.to_thread(cluster.servers.wait_for_primary)
    primary.freeze()
    await asyncio.sleep(3)


async def kill_gateway(cluster: Cluster) -> None:
    """Kills one of the gateways."""
    await _kill(random.choice(cluster.gateways))


async def _kill(process: Process) -> None:
    process.kill()
    await asyncio.sleep(random.uniform(0, 2))


Fault = Callable[[Cluster], Coroutine[Any, Any, None]]
FAULTS: Final[Mapping[str, Fault]] = {
    "primary killed": kill_primary,
    "primary frozen": freeze_primary,
    "gateway killed": kill_gateway,
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to a cluster, and what the database says afterwards."""

    faults: Sequence[str]
    senders: int
    verdict: Verdict
    retries: int
    longest_gap_seconds: float
    seconds: float


async def run(
    cluster: Cluster,
    faults: Sequence[str],
    *,
    customers: int,
    keys_each: int,
    at_most_seconds: float,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Does one fault after another while everybody adjusts points, then reads the database. Ends early if it must."""
    start = time.monotonic()
    done, over = list[str](), asyncio.Event()
    await cluster.restore()
    async with cluster.store() as store, cluster.clients() as asking:
        customer_ids = await rich_customers(store, customers)
        async with asyncio.TaskGroup() as everybody:
            for customer_id in customer_ids:
                everybody.create_task(asking.keep_adjusting(customer_id, over, at_least=keys_each))
            try:
                for fault in faults:
                    if time.monotonic() - start > at_most_seconds:
                        break
                    await asyncio.sleep(random.uniform(0.5, 1.5))
                    await FAULTS[fault](cluster)
                    await cluster.restore()
                    done.append(fault)
                    tell(
                        f"{len(done)}/{len(faults)} {fault}: {len(asking.acknowledged)} keys, {asking.retries} retries"
                    )
                await asyncio.sleep(0.5)
            finally:
                over.set()
        found = await verdict(store, asking.acknowledged, customer_ids)
        gap = asking.longest_gap_seconds
    return Report(done, customers * 3, found, asking.retries, gap, time.monotonic() - start)
