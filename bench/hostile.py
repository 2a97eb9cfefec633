"""What hostile requests cost us, and what a bystander notices: `python -m bench.hostile`, in a mongod of its own.

Each request of the battery (tests/support/battery.py) alone and from a cold cache: status, code, milliseconds of our
CPU, how many of them on the event loop, the longest that a bystander on it waited, and how much more memory the
process had at its peak (Linux). Then the dearest operations that are still allowed, on sample data. On a busy machine
the bystander waits for others as well: there the CPU is what counts.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.demo.sample.seed import seed
from app.domain.access import Role
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.settings import Limits
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod
from tests.support.battery import battery, numbered
from tests.support.prices import cost

SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
LEAVES = "id type title occurredAt recordedAt message points source icon group isNote legacy"


def dearest(ids: list[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """As much as fits under the limit, of each kind of work."""
    wrong = numbered('a{}: attribute(name: "nope{next}")', 20)
    kinds = {
        "values": f"activities(first: 100) {{ nodes {{ {LEAVES} }} }}",
        "rows": numbered("a{}: activities(first: 100) {{ nodes {{ id }} }}", 4),
        "links": "activities(first: 100) { nodes { subject { id } customer { name } email { id } availableActions } }",
        "counts": numbered("a{}: activities(first: 0) {{ totalCount }}", 12),
        "facets": "activityFacets { type } activityGroups { group }",
        "audits": "points { audit { ok } }",
        "letters": "activities(first: 100) { nodes { email { html } } }",
        "errors": "\n" * 40_000 + f"activities(first: 100) {{ nodes {{ {wrong} }} }}",
    }
    for name, selection in kinds.items():
        query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {selection} }} }} }}"
        fits = [count for count in range(1, len(ids) + 1) if cost(query, ids=ids[:count]) <= Limits().max_cost]
        yield name, query, {"ids": ids[: fits[-1]]}
    for name, query in {
        "reports": numbered("a{}: " + REPORT, 2),
        "prefixes": numbered('a{}: customers(filter: {{emailPrefix: "a"}}) {{ totalCount }}', 6),
    }.items():
        yield name, f"{{ {query} }}", {}


_WINDOW = '{{occurredAt: {{from: "1989-01-01T00:00:00Z", to: "2027-01-01T00:00:00Z"}}}}'
REPORT = f"customerServiceReport(filter: {_WINDOW}) {{{{ total }}}}"


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_hostile") as store:
        if not await store.find("customers", {}, limit=1):
            await indexes.apply(store)
            await seed(store, customers=100, now=datetime.now(UTC))
        ids = [row["_id"] for row in await store.find("customers", {}, limit=100)]
        cases = [(case.name, case.body) for case in battery()]
        cases += [
            (f"allowed: {name}", json.dumps({"query": query, "variables": variables}).encode())
            for name, query, variables in dearest(ids)
        ]
        await asked(store, cases[0][1])
        worst = [(0.0, "")] * 4
        for name, body in cases:
            status, code, taken, looped, waited, grown = await asked(store, body)
            print(
                f"{status} {code:34} CPU {taken:6.1f} ms  loop {looped:6.1f} ms  bystander {waited:6.1f} ms  "
                f"{grown:5.1f} MiB  {name}"
            )
            figures = ((taken, name), (looped, name), (waited, name), (grown, name))
            worst = [max(pair) for pair in zip(worst, figures, strict=True)]
        print(f"{len(cases)} requests. The most of each:")
        for what, (figure, name) in zip(("CPU ms", "loop ms", "bystander ms", "MiB"), worst, strict=True):
            print(f"{figure:8.1f} {what:14} {name}")
        await store.drop()


async def asked(store: Store, body: bytes) -> tuple[int, str, float, float, float, float]:
    """Status, code, milliseconds of CPU, those on the loop, the longest wait of somebody else on it, MiB."""
    app = build_app(
        routes(store.database, verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer, timeout_seconds=60)
    )
    token = issue(SECRET, roles=[Role.ADMIN], subject="bench", name="Bench", lifetime=timedelta(hours=1), **AUTHORITY)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers["Accept"] = "application/graphql-response+json"
    waits = [0.0]

    async def bystander() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            waits.append(time.perf_counter() - start - 0.001)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bench") as client:
        beside, memory = asyncio.create_task(bystander()), memory_from_here()
        await asyncio.sleep(0)
        start, loop_start = time.process_time(), time.thread_time()
        response = await client.post("/graphql", content=body, headers=headers)
        taken, looped, grown = time.process_time() - start, time.thread_time() - loop_start, memory_peak() - memory
        await asyncio.sleep(0.002)
        beside.cancel()
    answer = response.json()
    codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
    outcome = ", ".join(sorted(codes)) or f"answered, {answer['extensions']['cost']['requested']}"
    return response.status_code, outcome, taken * 1000, looped * 1000, max(waits) * 1000, grown


def memory_from_here() -> float:
    """Begins a new peak, and is it: MiB. 0 where the system cannot tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return memory_peak()


def memory_peak() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as mongod:
        asyncio.run(measure(mongod))
