"""Changes per second: `python -m bench.changes`, in a mongod of its own.

`adjustPoints` through the whole gateway in this process, for many customers and for one, beside the same documents in
the driver's transactions, without the gateway, both on the loop that it serves on: what one change writes is recorded,
and written again with other ids. In rounds, each of a few hundred changes of each kind, so that a busy moment meets all
alike; ratios are medians of the rounds.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson
import uvloop
from pymongo.monitoring import CommandListener

from app.domain.access import Role
from app.domain.ids import new_id
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.settings import Limits
from app.store import indexes, previews
from app.store.driver import Document, Store, UpdateOne
from app.store.mongod import embedded_mongod
from bench.asgi import answered

CHANGES, AT_ONCE = 300, 16
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
ADJUST = "mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) { entry { id } userErrors { code } } }"
SAMPLE_KEY: Final = "the recorded change"
Change = Callable[[str, str], Awaitable[None]]


class Writes(CommandListener):
    """Records what is written in transactions while it is told to: command, collection and statements, in order."""

    def __init__(self) -> None:
        self.recording = False
        self.sent: list[tuple[str, str, list[Document]]] = []

    def started(self, event: Any) -> None:
        if self.recording and event.command.get("autocommit") is False:
            match event.command:
                case {"insert": collection, "documents": documents}:
                    self.sent.append(("insert", collection, documents))
                case {"update": collection, "updates": updates}:
                    self.sent.append(("update", collection, updates))
                case {"findAndModify": collection, "query": where, "update": change}:
                    self.sent.append(("update", collection, [{"q": where, "u": change}]))
                case _:
                    pass

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


async def measure(uri: str, rounds: int) -> None:
    writes = Writes()
    async with Store.open(uri, "bench_changes", listeners=[writes]) as store:
        await store.drop()
        await indexes.apply(store)
        (sample,) = await _customers(store, 1)
        writes.recording = True
        await _gateway(store)(sample, SAMPLE_KEY)
    own = [each["_id"] for name, _, documents in writes.sent if name == "insert" for each in documents]

    async with Store.open(uri, "bench_changes") as store, Store.open(uri, "bench_changes", wire=False) as driven:

        async def raw(customer_id: str, key: str) -> None:
            texts = {sample: customer_id, SAMPLE_KEY: key}
            texts |= {each: f"{each[:4]}{new_id('points')[4:]}" for each in own if "/" not in each}

            async def body(session: Any) -> None:
                for name, collection, statements in writes.sent:
                    again: list[Document] = _replaced(statements, texts)
                    if name == "insert":
                        await driven.insert(collection, again, session=session)
                    else:
                        updates = [UpdateOne(each["q"], each["u"]) for each in again]
                        await driven.write(collection, updates, session=session)

            await driven.transaction(body)

        await _measured(store, rounds, raw, _gateway(store))
        await store.drop()


def _gateway(store: Store) -> Change:
    """Returns what adjusts the points of a customer, under a key."""
    token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    # one subject makes them all
    limits = Limits(changes_per_minute=10**6, cost_per_minute=10**12, max_waiting_seconds=60)
    app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits))

    async def change(customer_id: str, key: str) -> None:
        given = {"customerId": customer_id, "points": 1, "reason": "Bench", "idempotencyKey": key}
        body = orjson.dumps({"query": ADJUST, "variables": {"input": given}})
        answer = orjson.loads(await answered(app, body, f"Bearer {token}".encode()))
        assert answer["data"]["adjustPoints"]["userErrors"] == [], answer

    return change


async def _measured(store: Store, rounds: int, raw: Change, change: Change) -> None:
    kinds: dict[str, list[float]] = {"raw, many customers": [], "gateway, many customers": [], "gateway, one": []}
    for number in range(rounds):
        many = await _customers(store, CHANGES)
        one = [(await _customers(store, 1))[0]] * CHANGES
        for (name, rates), work, whose in zip(kinds.items(), (raw, change, change), (many, many, one), strict=True):
            rates.append(await _rate(work, whose, f"{number} {name}"))
    for name, rates in kinds.items():
        ratio = median(rate / raw for rate, raw in zip(rates, kinds["raw, many customers"], strict=True))
        print(f"{name:26} {median(rates):7.0f} changes a second {ratio:7.2f} of raw")


def _replaced(value: Any, texts: dict[str, str]) -> Any:
    """The value with other texts wherever one of these stands, whole or between slashes."""
    match value:
        case str():
            return texts.get(value) or "/".join(texts.get(part, part) for part in value.split("/"))
        case {**keys}:
            return {key: _replaced(inner, texts) for key, inner in keys.items()}
        case [*items]:
            return [_replaced(each, texts) for each in items]
        case _:
            return value


async def _customers(store: Store, count: int) -> list[str]:
    same: Document = {
        "name": "Bench",
        "registeredAt": datetime.now(UTC),
        "paymentCount": 0,
        "tags": [],
        "status": "ACTIVE",
    }
    made: list[Document] = [{"_id": new_id("customers"), "number": new_id("customers"), **same} for _ in range(count)]
    await store.insert("customers", made)
    ids = [str(each["_id"]) for each in made]
    await previews.refresh(store, ids)  # whoever was created or imported has one
    return ids


async def _rate(work: Change, whose: Sequence[str], name: str) -> float:
    queue: Iterator[tuple[int, str]] = iter(enumerate(whose))

    async def sender() -> None:
        for index, customer_id in queue:
            await work(customer_id, f"{name} {index}")

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))
    return len(whose) / (time.perf_counter() - start)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    with embedded_mongod(Path(".data/bench")) as mongod:
        uvloop.run(measure(mongod, options.parse_args().rounds))
