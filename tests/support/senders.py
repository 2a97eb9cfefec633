"""Clients that do not give up: each key goes out three times at once and again, until it is acknowledged."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import httpx2

from app.domain import points
from app.domain.points import PointsState
from app.store.driver import Document, Store
from tests.support.processes import Gateway

REQUEST_TIMEOUT_SECONDS: Final = 5
PATIENCE_SECONDS: Final = 90
"""How long one key may take to be acknowledged, faults and all."""
SENDERS: Final = 3
ADJUST: Final = """mutation($input: AdjustPointsInput!) { adjustPoints(input: $input) {
  entry { id points } activity { id } userErrors { code } } }"""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An adjustment that a gateway acknowledged."""

    key: str
    customer_id: str
    points: int
    entry_id: str
    activity_id: str


@dataclass
class Clients:
    """What clients sent, and what was acknowledged."""

    gateways: Sequence[Gateway]
    bearer: str
    http: httpx2.AsyncClient
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict[str, Acknowledged])
    at: list[float] = field(default_factory=list[float])
    retries: int = 0

    async def ask(self, gateway: Gateway, **given: Any) -> dict[str, Any]:
        """One request's answer. Raises httpx2.HTTPError if there was none."""
        asked = {"query": ADJUST, "variables": {"input": given}}
        answer = await self.http.post(
            f"{gateway.url}/graphql", json=asked, headers={"Authorization": f"Bearer {self.bearer}"}
        )
        if answer.status_code >= 500 and answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE:  # that has a code
            answer.raise_for_status()
        return answer.json()

    async def insist(self, sender: int, **given: Any) -> dict[str, Any]:
        """The payload, however often it must be asked for: lost connections and UNAVAILABLE are no answers."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            for attempt in range(1_000_000):
                try:
                    answer = await self.ask(self.gateways[(sender + attempt) % len(self.gateways)], **given)
                except httpx2.HTTPError:
                    pass
                else:
                    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
                    if not codes:
                        return answer["data"]["adjustPoints"]
                    assert codes == {"UNAVAILABLE"}, answer
                self.retries += 1
                await asyncio.sleep(random.uniform(0.02, 0.2))
        raise AssertionError("unreachable")

    async def adjust(self, customer_id: str, key: str, amount: int) -> None:
        """Makes one adjustment, from three clients at once. All of them get one answer."""
        given = {"customerId": customer_id, "points": amount, "reason": "Faults", "idempotencyKey": key}

        async def send(sender: int) -> Acknowledged:
            payload = await self.insist(sender, **given)
            assert payload["userErrors"] == [], payload
            assert payload["entry"]["points"] == amount
            self.at.append(time.monotonic())
            adjustment = Acknowledged(key, customer_id, amount, payload["entry"]["id"], payload["activity"]["id"])
            assert self.acknowledged.setdefault(key, adjustment) == adjustment
            return adjustment

        async with asyncio.TaskGroup() as senders:
            for sender in range(SENDERS):
                senders.create_task(send(sender))

    async def keep_adjusting(self, customer_id: str, until: asyncio.Event, *, at_least: int) -> None:
        for number in range(1_000_000):
            if until.is_set() and number >= at_least:
                return
            amount = random.choice([-1, 1]) * random.randint(1, 50)
            await self.adjust(customer_id, f"{customer_id}-{number}", amount)
            await asyncio.sleep(0.15)  # all of this shares a few cores with the servers that are starting

    @property
    def longest_gap_seconds(self) -> float:
        return max((later - earlier for earlier, later in zip(self.at, self.at[1:], strict=False)), default=0)


@asynccontextmanager
async def clients(gateways: Sequence[Gateway], bearer: str) -> AsyncGenerator[Clients]:
    """Opens clients of these gateways."""
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx2.AsyncClient(timeout=REQUEST_TIMEOUT_SECONDS + 15, limits=limits, trust_env=False) as http:
        yield Clients(gateways, bearer, http)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the database says about what was acknowledged."""

    keys: int
    lost: list[str]
    doubled: list[str]
    unbalanced: list[str]


async def verdict(store: Store, acknowledged: dict[str, Acknowledged], customer_ids: Sequence[str]) -> Verdict:
    """Reads every row, and judges. A key is lost where a row of what was acknowledged is missing or is another one."""
    rows = {
        name: await store.find(name, {"customerId": {"$in": list(customer_ids)}}, sort={"seq": 1})
        for name in ("points", "activities", "idempotency", "audit")
    }
    entries = _by(rows["points"], "idempotencyKey")
    activities = _by(rows["activities"], "subjectId")
    records = _by(rows["idempotency"], "key")
    audits: dict[str, list[Document]] = {}
    for row in rows["audit"]:
        for wrote in row.get("wrote", []):
            audits.setdefault(wrote, []).append(row)
    lost: list[str] = []
    doubled: list[str] = []
    for key, adjustment in acknowledged.items():
        written = [entry["_id"] for entry in entries.get(key, [])]
        of_it = [
            written,
            [each["_id"] for each in activities.get(adjustment.entry_id, [])],
            [each["wrote"]["entry"] for each in records.get(key, [])],
            [each["outcome"] for each in audits.get(adjustment.entry_id, [])],
        ]
        if any(len(each) > 1 for each in of_it):
            doubled.append(key)
        elif of_it != [[adjustment.entry_id], [adjustment.activity_id], [adjustment.entry_id], ["ACCEPTED"]]:
            lost.append(key)
    # What nobody got an answer for would be one too many: every client insists until it has one.
    doubled += [key for key in {*entries, *records} if key not in acknowledged]
    unbalanced = [
        customer_id for customer_id in customer_ids if not await _balanced(store, customer_id, rows["points"])
    ]
    return Verdict(len(acknowledged), lost, doubled, unbalanced)


async def _balanced(store: Store, customer_id: str, entries: list[Document]) -> bool:
    (customer,) = await store.find("customers", {"_id": customer_id})
    own = [entry for entry in entries if entry["customerId"] == customer_id]
    state: PointsState = customer["points"]
    audit: Any = points.audit(state, own)  # pyright: ignore[reportArgumentType] # documents as they are stored
    return audit["ok"] and points.spendable(state) == sum(entry["points"] for entry in own)


def _by(rows: list[Document], key: str) -> dict[str, list[Document]]:
    grouped: dict[str, list[Document]] = {}
    for row in rows:
        if key in row:
            grouped.setdefault(row[key], []).append(row)
    return grouped
