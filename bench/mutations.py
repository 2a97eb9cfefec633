"""What each change of a managed customer costs: `python -m bench.mutations`, in a mongod of its own.

Each through the whole gateway in one process, one after the other, of a customer of its own: the price that the client
is told, and the median of so many runs. Bounded: a few hundred changes.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2

from app.domain.access import Role
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.services.changes import DeliveryPolicy
from app.services.merge_job import Mover
from app.settings import Limits
from app.store import indexes
from app.store.driver import Store
from app.store.mongod import embedded_mongod

RUNS = 20
SECRET = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
AUTHORITY: dict[str, Any] = {"issuer": "bench", "audience": "bench"}
Given = dict[str, Any]
Send = Callable[[str, Given, str], Awaitable[tuple[Given, int]]]
"""From a mutation, its input and what is selected to the payload and the price."""


@asynccontextmanager
async def gateway(store: Store) -> AsyncGenerator[Send]:
    token = issue(SECRET, roles=[Role.ADMIN], subject="b", name="B", lifetime=timedelta(hours=1), **AUTHORITY)
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    limits = Limits(changes_per_minute=1_000_000, cost_per_minute="1000000000", max_waiting_seconds=60)
    outgoing = DeliveryPolicy(most_exports=1_000)
    app = build_app(routes(store.database, authenticate, timeout_seconds=60, limits=limits, outgoing=outgoing))
    headers, keys = {"Authorization": f"Bearer {token}"}, iter(range(1_000_000))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://b", headers=headers) as client:

        async def send(mutation: str, given: Given, selected: str) -> tuple[Given, int]:
            type_ = {**dict.fromkeys(("addTaxId", "removeTaxId"), "TaxIdInput")}.get(
                mutation, f"{mutation[0].upper()}{mutation[1:]}Input"
            )
            query = f"mutation($i: {type_}!) {{ {mutation}(input: $i) {{ {selected} userErrors {{ code message }} }} }}"
            asked = {"query": query, "variables": {"i": {**given, "idempotencyKey": f"{next(keys)}"}}}
            answer = (await client.post("/graphql", json=asked, timeout=60)).json()
            assert "errors" not in answer, answer
            payload = answer["data"][mutation]
            assert payload["userErrors"] == [], payload
            return payload, answer["extensions"]["cost"]["requested"]

        yield send


async def measure(uri: str) -> None:
    async with Store.open(uri, "bench_mutations") as store:
        await store.drop()
        await indexes.apply(store)
        async with gateway(store) as send:
            await _all(store, send)
        await store.drop()


async def _all(store: Store, send: Send) -> None:
    numbers = iter(range(1_000_000))

    async def born() -> Given:
        given = {"name": f"Bench {next(numbers)}", "emails": [{"value": "bench@example.com"}]}
        customer = (await send("createCustomer", given, "customer { id number }"))[0]["customer"]
        return {"customerId": customer["id"], "number": customer["number"]}

    async def owned(**more: Any) -> Given:
        return {"customerId": (await born())["customerId"], **more}

    async def noted(**more: Any) -> Given:
        note = (await send("addNote", await owned(message="Called."), "note { id }"))[0]["note"]
        return {"noteId": note["id"], **more}

    async def pair() -> Given:
        into, other = await born(), await born()
        return {"intoId": into["customerId"], "ids": [other["customerId"]], "reason": "Bench"}

    async def merged() -> Given:
        merge = (await send("mergeCustomers", await pair(), "merge { id }"))[0]["merge"]
        await Mover(store).once()
        return {"mergeId": merge["id"], "reason": "Bench"}

    async def erased() -> Given:
        who = await born()
        return {"customerId": who["customerId"], "confirmNumber": who["number"], "reason": "Bench"}

    async def blocked() -> Given:
        value = {"type": "FINGERPRINT", "value": f"fp-{next(numbers)}", "reason": "Bench"}
        entry = (await send("addToBlocklist", value, "entry { id }"))[0]["entry"]
        return {"entryId": entry["id"], "reason": "Bench"}

    async def fresh(**given: Any) -> Given:
        return {key: value.format(next(numbers)) if isinstance(value, str) else value for key, value in given.items()}

    digest = sha256(b"x").hexdigest()
    changes: dict[str, tuple[Callable[[], Awaitable[Given]], str]] = {
        "createCustomer": (lambda: fresh(name="Bench {}"), "customer { id }"),
        "updateCustomer": (lambda: owned(jobTitle="Director"), "customer { id }"),
        "addTaxId": (lambda: owned(type="OTHER", value="1"), "customer { id }"),
        "updateLeadSource": (lambda: owned(medium="search"), "customer { id }"),
        "addNote": (lambda: owned(message="Called."), "note { id }"),
        "editNote": (lambda: noted(message="Called back."), "note { id }"),
        "pinNote": (lambda: noted(pinnedFor="ALL"), "note { id }"),
        "createUpload": (
            lambda: fresh(name="a.csv", mimeType="text/csv", bytes=1, sha256=digest),
            "upload { id }",
        ),
        "addToBlocklist": (lambda: fresh(type="FINGERPRINT", value="fp-{}", reason="Bench"), "entry { id }"),
        "removeFromBlocklist": (blocked, "entry { id }"),
        "createSegment": (lambda: fresh(name="Bench {}", filter={}), "segment { id }"),
        "requireDueDiligence": (lambda: owned(required=True, reason="Bench"), "customer { id }"),
        "setDueDiligenceScores": (
            lambda: owned(scores=[{"factor": "FRAUD", "score": "UNCLEAR"}], reason="Bench"),
            "customer { id }",
        ),
        "mergeCustomers": (pair, "merge { id }"),
        "unmerge": (merged, "merge { id }"),
        "requestDataExport": (owned, "export { id }"),
        "anonymiseCustomer": (erased, "erasure { id }"),
    }
    for mutation, (prepare, selected) in changes.items():
        runs = 15 if mutation == "createUpload" else RUNS  # a person may have twenty that wait
        taken: list[float] = []
        price = 0
        for _ in range(runs):
            given = await prepare()
            start = time.perf_counter()
            _, price = await send(mutation, given, selected)
            taken.append(time.perf_counter() - start)
        print(f"{mutation:22} price {price:6,}   {statistics.median(taken) * 1000:6.1f} ms", flush=True)


if __name__ == "__main__":
    with embedded_mongod(Path(".data/bench")) as uri_:
        asyncio.run(measure(uri_))
