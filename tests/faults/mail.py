"""Resends through a mail server that misbehaves, while everything that relays is killed: `python -m tests.faults.mail`.

One gateway and two workers, processes of their own, any of which dies as `kill -9` does it and comes back. What was
acknowledged over HTTP is afterwards looked for at the mail server, which runs here.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx2

from app.domain.access import Role
from app.http.tokens import issue
from app.store import indexes
from app.store.driver import Document, Driver, Store, UpdateOne
from app.store.mongod import embedded_mongod
from tests.support.cluster import AUTHORITY, DATABASE, SECRET
from tests.support.processes import ABANDONED_SECONDS, Gateway, Process, gateways
from tests.support.smtp_server import REFUSES, Does, Peer, mail_server
from tests.support.world import World

WORKERS: Final = 2
SENDERS: Final = 8
PATIENCE_SECONDS: Final = 300
"""How long one resend may take to be acknowledged, faults and all."""
TIMEOUT_SECONDS: Final = 2
LEASE_SECONDS: Final = 2 * TIMEOUT_SECONDS
DOMAIN: Final = "gateway.example.com"
REFUSED_SHARE: Final = 0.05
MISBEHAVIOUR: Final = {
    Does.TAKES_IT: 60,
    Does.SAYS_451: 10,
    Does.STALLS: 6,
    Does.DROPS_IT: 12,
    Does.KEEPS_IT_AND_DROPS: 12,
}
RESEND: Final = """mutation($input: ResendEmailInput!) { resendEmail(input: $input) {
  delivery { id status } userErrors { code } } }"""


@dataclass(frozen=True, slots=True)
class Report:
    """Ids of deliveries, but where a number is enough."""

    kills: int
    acknowledged: int
    handed_over: int
    """Distinct ones."""
    refused: int
    waiting: int
    """Neither sent nor lost: time was over."""
    lost: list[str]
    doubled: int
    unrecognisable: list[str]
    retried_after_550: list[str]
    wrong_status: list[str]
    attempts: int
    http_retries: int
    seconds: float

    @property
    def faults(self) -> dict[str, list[str]]:
        names = ("lost", "unrecognisable", "retried_after_550", "wrong_status")
        return {name: found for name in names if (found := getattr(self, name))}


def misbehaving(chance: random.Random) -> Callable[[str], Does]:
    """Some addresses are refused for good, always; what becomes of any other mail is chance."""
    refused: dict[str, Does | None] = {}

    def does(to: str) -> Does:
        if to not in refused:
            refused[to] = chance.choice(sorted(REFUSES)) if chance.random() < REFUSED_SHARE else None
        return refused[to] or chance.choices(list(MISBEHAVIOUR), weights=list(MISBEHAVIOUR.values()))[0]

    return does


@dataclass
class Clicks:
    """Clients who press *resend*, and the delivery that each e-mail was acknowledged with."""

    gateway: Gateway
    http: httpx2.AsyncClient
    delivery_ids: dict[str, str] = field(default_factory=dict[str, str])
    news: asyncio.Queue[None] = field(default_factory=asyncio.Queue[None])
    """One for each that was acknowledged."""
    retries: int = 0

    async def resend(self, email_id: str) -> None:
        """Asks until it is acknowledged: a lost connection is no answer."""
        given = {"emailId": email_id, "idempotencyKey": f"click-{email_id}"}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while email_id not in self.delivery_ids:
                try:
                    answer = await self.http.post(
                        f"{self.gateway.url}/graphql", json={"query": RESEND, "variables": {"input": given}}
                    )
                    payload: Any = answer.json()["data"]["resendEmail"]
                except (httpx2.HTTPError, ValueError, TypeError):  # none, or half of one, or UNAVAILABLE
                    payload = None
                if payload:
                    assert payload["userErrors"] == [], payload
                    self.delivery_ids[email_id] = payload["delivery"]["id"]
                    self.news.put_nowait(None)
                else:
                    self.retries += 1
                    await asyncio.sleep(random.uniform(0.05, 0.2))


async def soak(
    folder: Path,
    uri: str,
    *,
    mails: int,
    kills: int,
    at_most_seconds: float,
    driver: Driver = "motor",
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """All resends, all kills, then patience until nothing waits any more, or time is over.

    Long pauses are cut short then: how they grow is no question of this test.
    """
    start, killed = time.monotonic(), 0
    async with mail_server() as peer, Store.open(uri, DATABASE, driver=driver, timeout_seconds=30) as store:
        peer.does = misbehaving(random.Random(random.getrandbits(64)))
        # A killed gateway's open transactions keep their customers for so long.
        await store.command({"setParameter": 1, "transactionLifetimeLimitSeconds": ABANDONED_SECONDS}, on_admin=True)
        await indexes.apply(store)
        email_ids = await _emails(store, mails)
        with _relays(folder, uri, peer, driver) as (gateway, workers):
            await asyncio.to_thread(gateway.wait_until_well)
            bearer = issue(SECRET, roles=[Role.ADMIN], subject="t", name="T", lifetime=timedelta(hours=12), **AUTHORITY)
            headers = {"Authorization": f"Bearer {bearer}"}
            async with httpx2.AsyncClient(timeout=10, trust_env=False, headers=headers) as http:
                clicks = Clicks(gateway, http)
                queue = iter(email_ids)

                async def clicking() -> None:
                    for email_id in queue:
                        await clicks.resend(email_id)

                async with asyncio.TaskGroup() as everybody:
                    for _ in range(SENDERS):
                        everybody.create_task(clicking())
                    moments = set(random.sample(range(mails), kills))
                    for number in range(mails):
                        await clicks.news.get()
                        if number not in moments or time.monotonic() - start > at_most_seconds:
                            continue
                        victim = random.choice([gateway, *workers])
                        victim.kill()
                        await asyncio.sleep(random.uniform(0, 1))
                        victim.start()
                        killed += 1
                        await asyncio.to_thread(gateway.wait_until_well)  # who dies while starting delays us, no more
                        tell(
                            f"{killed}/{kills} killed: {len(clicks.delivery_ids)} acknowledged, {len(peer.mails)} taken"
                        )
            while time.monotonic() - start < at_most_seconds:
                waiting = await store.find("deliveries", {"dueAt": {"$exists": True}}, fields={"_id": 1})
                if not waiting:
                    break
                tell(f"{len(waiting)} wait, {len(peer.mails)} taken")
                await _cut_pauses(store, waiting)
                await asyncio.sleep(1)
        deliveries = await store.find("deliveries", {})
        seconds = time.monotonic() - start
        return _report(deliveries, clicks, peer, kills=killed, seconds=seconds)


async def _emails(store: Store, count: int) -> list[str]:
    """Stores ``count`` e-mails, each to an address of its own, by which the mail server knows what it refuses."""
    world, made = World(store), list[str]()
    for number in range(count):
        customer = await world.customer(email=f"ada-{number}@example.com")
        email = await world.email(customer, text=f"Number {number}\n", html=f"<p>Number {number}</p>")
        made.append(email["_id"])
    return made


async def _cut_pauses(store: Store, waiting: list[Document]) -> None:
    """What is due later than any lease ends is not under way."""
    now = datetime.now(UTC)
    pausing = {"$gt": now + timedelta(seconds=LEASE_SECONDS)}
    due = {"$set": {"dueAt": now}}
    await store.write("deliveries", [UpdateOne({"_id": each["_id"], "dueAt": pausing}, due) for each in waiting])


@contextmanager
def _relays(folder: Path, uri: str, peer: Peer, driver: Driver) -> Generator[tuple[Gateway, Sequence[Process]]]:
    environment = {
        "MAX_SENDS_OF_A_MAIL": "1000000",
        "MAX_MAILS_PER_DAY": "1000000",
        "MONGODB_URI": uri,
        "MONGODB_DATABASE": DATABASE,
        "MONGODB_DRIVER": driver,
        "JWT_SECRET": SECRET,
        "JWT_ISSUER": AUTHORITY["issuer"],
        "JWT_AUDIENCE": AUTHORITY["audience"],
        "CHANGES_PER_MINUTE": "1000000",
        "JWKS_URL": "",
        "SMTP_URL": peer.url,
        "MAIL_FROM": f"Customer service <service@{DOMAIN}>",
        "DELIVERY_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        "DELIVERY_GIVE_UP_HOURS": "24",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "app", "worker"]
    workers = [Process(command, folder / f"worker{index}.log", environment) for index in range(WORKERS)]
    with gateways(1, folder, environment) as (gateway,):
        try:
            for worker in workers:
                worker.start()
            yield gateway, workers
        finally:
            for worker in workers:
                worker.kill()


def _report(deliveries: list[Document], clicks: Clicks, peer: Peer, *, kills: int, seconds: float) -> Report:
    taken = Counter(mail.id for mail in peer.mails)
    contents: dict[str, set[bytes]] = defaultdict(set)
    for mail in peer.mails:
        contents[mail.id].add(mail.content)
    refused: dict[str, list[float]] = defaultdict(list)
    for to, does, at in peer.offered:
        if does in REFUSES:
            refused[to].append(at)
    by_id = {delivery["_id"]: delivery for delivery in deliveries}
    acknowledged = set(clicks.delivery_ids.values())
    waiting = {delivery["_id"] for delivery in deliveries if "dueAt" in delivery}

    def came(delivery_id: str) -> bool:
        return f"<{delivery_id}@{DOMAIN}>" in taken or by_id[delivery_id]["to"] in refused

    def right(delivery: Document) -> bool:
        if delivery["to"] in refused:
            return delivery["status"] == "FAILED" and "550" in delivery["error"]
        return delivery["status"] == "SENT" and "error" not in delivery

    # Refused again before a lease could end: the process that saw it tried again. Later, it had died of it.
    again = {
        to
        for to, times in refused.items()
        if any(later - earlier < LEASE_SECONDS * 0.75 for earlier, later in pairwise(times))
    }
    ours = {f"<{delivery_id}@{DOMAIN}>" for delivery_id in acknowledged}
    return Report(
        kills=kills,
        acknowledged=len(acknowledged),
        handed_over=len(taken),
        refused=len(refused),
        waiting=len(waiting),
        lost=sorted(each for each in acknowledged - waiting if each not in by_id or not came(each)),
        doubled=sum(taken.values()) - len(taken),
        unrecognisable=sorted(id_ for id_ in taken if id_ not in ours or len(contents[id_]) > 1),
        retried_after_550=sorted(each["_id"] for each in deliveries if each["to"] in again),
        wrong_status=sorted(
            delivery_id
            for delivery_id, delivery in by_id.items()
            if delivery_id not in waiting and not (delivery_id in acknowledged and right(delivery))
        ),
        attempts=sum(each["attempts"] for each in deliveries),
        http_retries=clicks.retries,
        seconds=seconds,
    )


def table(report: Report) -> str:
    columns: dict[str, Any] = {
        "acknowledged": report.acknowledged,
        "kills": report.kills,
        "handed over": report.handed_over,
        "refused": report.refused,
        "waiting": report.waiting,
        "lost": len(report.lost),
        "doubles": report.doubled,
        "unrecognisable": len(report.unrecognisable),
        "tried after 550": len(report.retried_after_550),
        "wrong status": len(report.wrong_status),
    }
    head = "| " + " | ".join(columns) + " |"
    rule = "|" + "|".join("-" * (len(name) + 2) for name in columns) + "|"
    row = "| " + " | ".join(str(value).rjust(len(name)) for name, value in columns.items()) + " |"
    totals = f"{report.attempts} attempts, {report.http_retries} repeated requests in {report.seconds:.0f} s."
    return f"{head}\n{rule}\n{row}\n\n{totals}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=1_000)
    options.add_argument("--kills", type=int, default=12)
    options.add_argument("--minutes", type=float, default=8, help="no new kill, and no more patience, after so long")
    options.add_argument("--driver", choices=["motor", "pymongo"], default="motor")
    options.add_argument("--seed", type=int, default=None)
    given = options.parse_args()
    random.seed(given.seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, embedded_mongod(Path(folder, "mongodb")) as uri:
        soaked = soak(
            Path(folder),
            uri,
            mails=given.mails,
            kills=given.kills,
            at_most_seconds=given.minutes * 60,
            driver=given.driver,
            tell=lambda line: print(line, file=sys.stderr, flush=True),
        )
        report = asyncio.run(soaked)
    print(table(report))
    for name, found in report.faults.items():
        print(f"{name}: {' '.join(found)}")
    short = report.waiting or report.acknowledged < given.mails or report.kills < given.kills
    sys.exit(bool(report.faults or short))


if __name__ == "__main__":
    main()
