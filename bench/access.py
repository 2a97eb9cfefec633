"""What the access checks cost in the 360 query: `python -m bench.access`, on sample data in a mongod of its own.

One process, in-process HTTP, the same query in interleaved rounds: without any check (a viewer is given, the gate is
open), as staff, as the customer and as an affiliate. Medians; ratios are what counts on a noisy machine.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.demo.sample.people import AFFILIATE, customer_id
from app.demo.sample.seed import seed
from app.domain.access import Role, Viewer
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod

QUERY = (Path(__file__).parents[1] / "web/src/examples/1-customer-360.graphql").read_text()
ROUNDS, REQUESTS = 5, 30
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_access") as store:
        await store.drop()
        await indexes.apply(store)
        await seed(store, customers=20, now=datetime.now(UTC))
        checked = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        nobody = Viewer("bench", "Bench", frozenset({Role.ADMIN}))

        async def unchecked(_authorization: str | None) -> Viewer:
            return nobody

        def token(role: Role) -> str:
            return issue(
                SECRET,
                roles=[role],
                subject="bench",
                name="Bench",
                customer_id=customer_id("C-100001") if role == Role.CUSTOMER else None,
                affiliate_id=AFFILIATE["id"] if role == Role.AFFILIATE else None,
                lifetime=timedelta(hours=1),
                **AUTHORITY,
            )

        asked: dict[str, tuple[Callable[[str | None], Awaitable[Viewer]], Role]] = {
            "no checks": (unchecked, Role.ADMIN),
            "admin": (checked, Role.ADMIN),
            "agent": (checked, Role.CUSTOMER_SERVICE_AGENT),
            "customer": (checked, Role.CUSTOMER),
            "affiliate": (checked, Role.AFFILIATE),
        }
        taken: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(ROUNDS):
            for name, (authenticate, role) in asked.items():
                app = build_app(routes(store.database, authenticate))
                headers = {"Authorization": f"Bearer {token(role)}"}
                transport = httpx2.ASGITransport(app)
                async with httpx2.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client:
                    for _ in range(3):
                        await client.post("/graphql", json={"query": QUERY})
                    start = time.process_time()
                    for _ in range(REQUESTS):
                        await client.post("/graphql", json={"query": QUERY})
                    taken[name].append((time.process_time() - start) / REQUESTS * 1000)
        await store.drop()
    base = statistics.median(taken["no checks"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:12} {median:6.2f} ms of our CPU a request   {median / base:5.2f} x")


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as mongod:
        asyncio.run(measure(mongod))
