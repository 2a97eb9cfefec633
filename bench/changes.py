"""Changes per second: `python -m bench.changes`, in a mongod of its own.

`adjustPoints` through the whole gateway in one process, for one customer and for many, beside the raw cost of the same
writes in a transaction without the gateway. Bounded: a few hundred changes of each kind.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from app.domain.access import Role
from app.domain.ids import new_id
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.settings import Limits
from app.store import indexes
from app.store.driver import Document, Store, UpdateOne
from app.store.mongod import embedded_mongod

CHANGES, AT_ONCE = 300, 16
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
ADJUST = "mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) { entry { id } userErrors { code } } }"


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_changes") as store:
        await store.drop()
        await indexes.apply(store)
        now = datetime.now(UTC)
        customers: list[Document] = [
            {"_id": new_id("customers"), "number": str(i), "name": "Bench", "registeredAt": now, "paymentCount": 0}
            | {"tags": [], "status": "ACTIVE"}
            for i in range(CHANGES)
        ]
        await store.insert("customers", customers)
        ids = [str(customer["_id"]) for customer in customers]
        token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
        authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
        limits = Limits(changes_per_minute=1_000_000, max_waiting_seconds=60)  # one subject makes them all
        app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://b", headers=headers
        ) as client:

            async def change(customer_id: str, key: str) -> None:
                given = {"customerId": customer_id, "points": 1, "reason": "Bench", "idempotencyKey": key}
                answer = await client.post(
                    "/graphql", json={"query": ADJUST, "variables": {"input": given}}, timeout=60
                )
                assert answer.json()["data"]["adjustPoints"]["userErrors"] == []

            async def raw(customer_id: str, key: str) -> None:
                async def body(session: Any) -> None:
                    count = UpdateOne({"_id": customer_id}, {"$inc": {"revision": 1}})
                    own = {"customerId": customer_id, "subject": "b", "key": key}
                    await store.find("idempotency", own, session=session)
                    await store.write("customers", [count], session=session)
                    await store.find("customers", {"_id": customer_id}, session=session)
                    owned = {"customerId": customer_id}
                    # The same five writes, of documents no larger than they must be.
                    actor = {"kind": "SYSTEM", "name": "System"}
                    times = {"occurredAt": now, "recordedAt": now}
                    entry: Document = {
                        "seq": next(numbers),
                        "kind": "PENDING",
                        "points": 1,
                        "balanceAfter": 0,
                        "source": "b",
                    }
                    await store.insert(
                        "points",
                        [{**owned, **entry, **times, "actor": actor, "_id": new_id("points")}],
                        session=session,
                    )
                    await store.write(
                        "customers", [UpdateOne({"_id": customer_id}, {"$set": {"tags": []}})], session=session
                    )
                    activity: Document = {
                        "type": "BENCH",
                        "group": "OTHER",
                        "isNote": False,
                        "legacy": True,
                        "source": "b",
                    }
                    await store.insert(
                        "activities",
                        [{**owned, **activity, **times, "actor": actor, "_id": new_id("activities")}],
                        session=session,
                    )
                    record: Document = {
                        "subject": "b",
                        "key": key,
                        "mutation": "b",
                        "inputHash": "b",
                        "wrote": {},
                        "at": now,
                        "_id": key,
                    }
                    await store.insert("idempotency", [{**owned, **record}], session=session)
                    who = {"subject": "b", "name": "b", "roles": ["ADMIN"]}
                    row = {"at": now, "actor": who, "action": "b", "outcome": "ACCEPTED", "requestId": "b"}
                    await store.insert("audit", [{**row, "_id": new_id("audit")}], session=session)

                await store.transaction(body)

            numbers = iter(range(1_000_000, 2_000_000))
            many, one = ids, [ids[0]] * CHANGES
            for name, work, whose in (
                ("raw, many customers", raw, many),
                ("gateway, many customers", change, many),
                ("gateway, one customer", change, one),
            ):
                print(f"{name:26} {await _rate(work, whose, name):7.0f} changes a second")
        await store.drop()


async def _rate(work: Callable[[str, str], Awaitable[None]], whose: list[str], name: str) -> float:
    queue = iter(enumerate(whose))

    async def sender() -> None:
        for index, customer_id in queue:
            await work(customer_id, f"{name} {index}")

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return len(whose) / (time.perf_counter() - start)


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as mongod:
        asyncio.run(measure(mongod))
