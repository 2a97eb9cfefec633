"""Upgrades and rolls back while both versions serve under load: `python -m tests.faults.upgrade`, in a whole clone.

A gateway of 0.1.0, from the commit that was called so, serves its own sample data. The database is prepared for this
version meanwhile; this version serves beside it, then alone; then 0.1.0 again beside it and alone, and forward again.
Whoever asks meanwhile is to notice nothing: no error, and nothing lost of what was acknowledged.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from app.store import previews
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from bench.workloads import W1
from tests.support.processes import ROOT, START_SECONDS, Gateway, free_ports, within
from tests.support.serving import ISSUER, SECRET, bearer, end

OLD: Final = "ac4a689"
"""The commit whose CHANGELOG has 0.1.0."""
DATABASE: Final = "upgraded"
CUSTOMERS: Final = 100
CLIENTS: Final = 6
ADD_NOTE: Final = """mutation($input: AddNoteInput!) { addNote(input: $input) {
  note { id message } userErrors { code } } }"""
ADJUST: Final = """mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) {
  customer { id } userErrors { code } } }"""


def old_code(folder: Path) -> Path:
    """Lays the code of 0.1.0 into the folder."""
    packed = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True, check=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=packed, check=True)
    return folder


@dataclass
class Versions:
    """Both versions on one database, each from its own folder."""

    uri: str
    old: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "MONGODB_URI": self.uri,
            "MONGODB_DATABASE": DATABASE,
            "JWT_SECRET": SECRET,
            "JWT_ISSUER": ISSUER,
            "HOST": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "DRAIN_SECONDS": "1",
            "COST_PER_MINUTE": "1000000000",
            "CHANGES_PER_MINUTE": "1000000",
        }

    def run(self, code: Path, *words: str) -> None:
        command = [sys.executable, "-m", "app", *words]
        # A machine that is busy serving builds indexes slowly.
        environment = os.environ | self.environment | {"REQUEST_TIMEOUT_SECONDS": "300"}
        ran = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def gateway(self, code: Path, name: str) -> Gateway:
        (port,) = free_ports(1)
        command = ["env", f"--chdir={code}", sys.executable, "-m", "app", "serve"]
        gateway = Gateway(command, self.folder / f"{name}.log", {**self.environment, "PORT": str(port)}, port=port)
        gateway.start()
        within(START_SECONDS, lambda: is_ready(gateway), f"{name}, ready")
        return gateway


def is_ready(gateway: Gateway) -> bool:
    with suppress(httpx2.HTTPError):
        return httpx2.get(f"{gateway.url}/readyz", trust_env=False).status_code == 200
    return False


@dataclass
class Load:
    """Clients who ask whichever gateways serve, as a balancer has them do."""

    customers: Sequence[tuple[str, str]]
    """Ids and numbers."""
    serving: list[Gateway] = field(default_factory=list[Gateway])
    faults: Counter[str] = field(default_factory=Counter[str])
    answers: int = 0
    notes: dict[str, str] = field(default_factory=dict[str, str])
    """The customers of the acknowledged ones, by message."""
    points: Counter[str] = field(default_factory=Counter[str])

    async def client(self, over: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {bearer()}"}
        async with httpx2.AsyncClient(timeout=30, trust_env=False, headers=headers) as http:
            while not over.is_set():
                customer_id, number = random.choice(self.customers)
                deed = random.random()
                if deed < 0.6:
                    await self._ask(http, W1, {"number": number})
                elif deed < 0.8:
                    message = f"Note {os.urandom(8).hex()}"
                    given = {"customerId": customer_id, "message": message, "idempotencyKey": message}
                    if await self._ask(http, ADD_NOTE, {"input": given}):
                        self.notes[message] = customer_id
                else:
                    key = os.urandom(8).hex()
                    given = {"customerId": customer_id, "points": 1, "reason": "Upgrade", "idempotencyKey": key}
                    if await self._ask(http, ADJUST, {"input": given}):
                        self.points[customer_id] += 1
                await asyncio.sleep(0.02)

    async def _ask(self, http: httpx2.AsyncClient, query: str, variables: dict[str, Any]) -> bool:
        gateway = random.choice(self.serving)
        try:
            response = await http.post(f"{gateway.url}/graphql", json={"query": query, "variables": variables})
            body: Any = response.json()
            (payload,) = (body.get("data") or {"": None}).values()
        except (httpx2.HTTPError, ValueError) as failed:
            self.faults[f"{type(failed).__name__}: {failed}"] += 1
            return False
        if "errors" in body or not payload or payload.get("userErrors"):
            self.faults[str(body.get("errors") or payload)[:300]] += 1
            return False
        self.answers += 1
        return True


async def upgrade(versions: Versions, seconds: float, tell: Callable[[str], None]) -> Load:
    """Goes through all phases, and returns what clients got. What was lost is among the faults."""
    async with Store.open(versions.uri, DATABASE, timeout_seconds=30) as store:
        customers = await store.find("customers", {"status": "ACTIVE"}, fields={"number": 1})
        load = Load([(each["_id"], each["number"]) for each in customers])
        over, began = asyncio.Event(), time.monotonic()

        async def phase(name: str) -> None:
            before, answers = load.faults.total(), load.answers
            await asyncio.sleep(seconds)
            tell(
                f"{time.monotonic() - began:5.0f} s  {name}: {load.answers - answers} answers, "
                f"{load.faults.total() - before} faults"
            )

        async def begin(code: Path, name: str) -> Gateway:
            gateway = versions.gateway(code, name)
            load.serving.append(gateway)
            return gateway

        async def leave(gateway: Gateway) -> None:
            load.serving.remove(gateway)
            await asyncio.sleep(1)  # whoever has asked it is answered
            await asyncio.to_thread(end, gateway)

        old = await begin(versions.old, "0.1.0")
        gateways = [old]
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(CLIENTS):
                    tasks.create_task(load.client(over))
                try:
                    await phase("0.1.0")
                    await asyncio.to_thread(versions.run, ROOT, "indexes", "--apply")
                    await phase("0.1.0, on the prepared database")
                    for turn in ("first", "second"):
                        new = await begin(ROOT, f"new, {turn}")
                        gateways.append(new)
                        await phase("both")
                        await leave(old)
                        await phase("this version")
                        if turn == "first":
                            old = await begin(versions.old, "0.1.0, again")
                            gateways.append(old)
                            await phase("both")
                            await leave(new)
                            await phase("0.1.0, rolled back")
                finally:
                    over.set()
        finally:
            for gateway in gateways:
                gateway.kill()
        await judge(store, load)
    return load


async def judge(store: Store, load: Load) -> None:
    """Adds to the faults what was acknowledged and is not there, and what contradicts itself."""
    there = {each["message"]: each["customerId"] for each in await store.find("notes", {})}
    load.faults["a note is lost"] += sum(there.get(message) != each for message, each in load.notes.items())
    earned = Counter(each["customerId"] for each in await store.find("points", {"reason": "Upgrade"}))
    load.faults["points are lost"] += sum(earned[each] != count for each, count in load.points.items())
    load.faults["previews differ"] += len(await previews.differences(store))
    load.faults += Counter()  # what did not happen is none


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_mongod(Path(folder, "mongodb")) as uri:
        versions = Versions(uri, old_code(Path(folder, "old")), Path(folder))
        versions.run(versions.old, "seed", "--customers", str(CUSTOMERS))
        load = asyncio.run(upgrade(versions, 3, lambda line: print(line, flush=True)))
        versions.run(ROOT, "rebuild", "--check")
    print(f"{load.answers:,} answers, {len(load.notes):,} notes and {load.points.total():,} points kept,", end=" ")
    print(f"{load.faults.total()} faults")
    for fault, count in load.faults.most_common(20):
        print(f"{count:6} {fault}")
    sys.exit(bool(load.faults))


if __name__ == "__main__":
    main()
