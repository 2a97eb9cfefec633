"""Price against measured processor time, field by field: `python -m bench.prices [--only WORD] [--all]`.

Each field that can be reached from a customer, for a hundred customers at once and for one; each way in; and some
screens. The time is that of this process and of mongod together, the whole application without the HTTP server. A price
and its time are to be within a factor of 3 of each other: what is not has a mark, and the command ends with 1 then.
On a machine that does other things at the same time, figures grow: say what runs beside it.

The data: the 20,000 sample customers of `bench.peers`, and a hundred with a value in every field and full lists.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from typing import Any, Final

import orjson
import uvloop

from app.domain.access import Role
from app.http.tokens import issue, verifier
from app.main import build_app, routes
from app.serving import freeze_gc
from app.settings import Limits
from app.store import indexes, previews
from app.store.driver import Document, Store
from bench.asgi import answered
from bench.data import DATABASE, FOLDER, seeded
from bench.peers.servers import cpu_seconds
from bench.workloads import W1, W2, W3
from tests.support.schema_walk import below
from tests.support.world import World

_UNIT_SECONDS: Final = 10e-6
_FACTOR: Final = 3
_SECRET: Final = "a secret of the bench, 32 bytes or more"  # noqa: S105 # for this run only
_AUTHORITY: Final[dict[str, Any]] = {"issuer": "bench", "audience": "bench"}
_WIDTH: Final = 100
_ROWS: Final = 120
_SECONDS: Final = 0.25
"""For which a query is repeated, at least; a clock tick of mongod's is 10 ms."""
_MARK: Final = "bench-prices 3"
"""Of the customers that it made. Another one makes them anew."""
_LINKED: Final = 40
"""How many documents of a kind a customer's activities refer to."""
LETTER: Final = "<h1>Hello</h1>" + "<p style='color: #333'>Your order is <b>on its way</b>.</p>" * 20


@dataclass(frozen=True)
class Case:
    name: str
    query: str
    variables: Document = field(default_factory=dict[str, Any])
    is_judged: bool = True


# ---------------------------------------------------------------- what is asked


def fields(ids: list[str]) -> Iterator[Case]:
    """Every field below a customer, for many of them and for one."""
    for place in below("Customer").values():
        query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {place.selection} }} }} }}"
        for some in (ids,) if place.is_leaf else (ids, ids[:1]):
            yield Case(f"{place.coordinate} × {len(some)}", query, {"ids": some})


def lists(ids: list[str]) -> Iterator[Case]:
    """Every list of a customer, in other ways than as it comes."""
    many = "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {} }} }} }}"
    for place in below("Customer").values():
        if place.above is not None or "after" not in place.arguments:
            continue
        ways = ["first: 0", "first: 1", "first: 100", "last: 20"]
        ways += {
            "activities": [
                "first: 20, filter: {groups: [SUBSCRIPTION]}",
                "first: 20, filter: {hideSystem: true}",
                "first: 20, orderBy: {field: TYPE}",
                "first: 20, filter: {legacy: true}",
            ],
            "pointsHistory": ["first: 20, filter: {kinds: [SPENT]}", "first: 20, orderBy: {field: POINTS}"],
            "coupons": ["first: 20, filter: {redeemed: false}"],
            "transactions": ["first: 20, filter: {types: [REFUND]}"],
        }.get(place.name, [])
        for way in ways:
            yield Case(
                f"{place.name}({way}) × {len(ids)}",
                many.format(f"{place.name}({way}) {{ nodes {{ id }} }}"),
                {"ids": ids},
            )
        counted = ("", "filter: {redeemed: false}", "filter: {hideSystem: true}")
        kinds = {"coupons": counted[1], "activities": counted[2]}
        for how in filter(None, {"", kinds.get(place.name, "")}):
            text = f"{place.name}(first: 0, {how}) {{ totalCount }}"
            yield Case(f"{place.name}({how}).totalCount × {len(ids)}", many.format(text), {"ids": ids})


def screens(ids: list[str]) -> Iterator[Case]:
    many = "query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {} }} }} }}"
    nine = "id type title group occurredAt recordedAt source message points"
    yield Case(
        "screen: 100 × 20 activities × 9 values",
        many.format(f"activities(first: 20) {{ nodes {{ {nine} }} }}"),
        {"ids": ids},
    )
    rich = """id type title icon group source occurredAt recordedAt message points isNote legacy
        actor { kind name userId accessLevel } attributes { name label kind value values }
        email { id subject to text sentAt } note { id message author { name } createdAt mentions }
        subject { id ... on Coupon { code value redeemed } ... on Pass { serialNumber type } } availableActions"""
    one = "query($id: ID!) {{ customer(by: {{id: $id}}) {{ {} }} }}"
    yield Case(
        "screen: 100 rows of a rich timeline",
        one.format(f"activities(first: 100) {{ nodes {{ {rich} }} pageInfo {{ endCursor }} totalCount }}"),
        {"id": ids[0]},
    )
    yield Case(
        "screen: 100 customers with open coupons and counts",
        "{ customers(first: 100) { nodes { id number name status lastActivityAt tags "
        "coupons(first: 5, filter: {redeemed: false}) { nodes { id code value expiresAt } totalCount } "
        "points { spendable pending } } totalCount } }",
    )
    yield Case("screen: fifty customers", W2, {"ids": ids[:50]})


def changes(ids: list[str]) -> Iterator[Case]:
    """With another key each time: a change that is asked for again is not made again."""
    to = f'customerId: "{ids[0]}", idempotencyKey: "KEY!"'
    ends = "customer { name } userErrors { code }"
    for name, given in {
        "addNote": 'message: "Called back."',
        "adjustPoints": 'points: 1, reason: "Late"',
        "tagCustomer": 'tag: "vip"',
    }.items():
        yield Case(f"change: {name}", f"mutation {{ {name}(input: {{{to}, {given}}}) {{ {ends} }} }}")


_KEYS = count(int(time.time()))
_NEAR = datetime(2027, 1, 1, tzinfo=UTC)


def ways_in(ids: list[str]) -> Iterator[Case]:
    yield Case("screen: a customer, whole", W1, {"number": "C-100007"})
    yield Case("screen: three values", W3, {"number": "C-100007"})
    heavy = 'query { customer(by: {number: "C-100001"}) { %s } }'
    for selection in (
        "activities(first: 0) { totalCount }",
        "activities(first: 100) { nodes { id type title } }",
        "activities(first: 20, filter: {groups: [NOTE]}) { nodes { id } }",
        "activityFacets { type }",
        "points { audit { ok } }",
    ):
        # A ledger is read whole to be audited. One so long is an exception, which the price is not made for.
        yield Case(f"of 5,000 activities: {selection}", heavy % selection, is_judged="audit" not in selection)
    yield Case("viewer", "{ viewer { name roles } }")
    yield Case("node", "query($id: ID!) { node(id: $id) { id } }", {"id": ids[0]})
    yield Case("customer by number", '{ customer(by: {number: "C-100001"}) { id } }')
    yield Case("customer by email", '{ customer(by: {email: "nobody@example.com"}) { id } }')
    yield Case("activityTypes", "{ activityTypes { code title attributes { name } } }")
    for words in (
        "",
        'filter: {emailPrefix: "m"}',
        'filter: {emailPrefix: "mar"}',
        'filter: {name: "a"}',
        'filter: {name: "zoe m"}',
        'filter: {lastName: "b"}',
        "filter: {segment: LEADS}",
        "filter: {segment: CUSTOMERS}",
        "filter: {statuses: [ACTIVE]}",
        'filter: {countries: ["DE"]}',
        'filter: {tags: ["vip"]}',
        "filter: {spendablePoints: {min: 100}}",
        'filter: {hasActivity: {type: "SUBSCRIPTION_RENEWED"}}',
        'filter: {registeredAt: {from: "2020-01-01T00:00:00Z"}}',
        'filter: {segment: CUSTOMERS, name: "a"}',
    ):
        given = f"({words})" if words else ""
        order = f"(orderBy: {{field: LAST_ACTIVITY_AT, direction: DESC}}, {words})"
        for name, query in (
            (f"customers{given} rows", f"{{ customers{given} {{ nodes {{ id name }} }} }}"),
            (f"customers{given} count", f"{{ customers{given} {{ totalCount }} }}"),
            (f"customers{order} rows", f"{{ customers{order} {{ nodes {{ id name }} }} }}"),
        ):
            # An address's beginning is priced as one that finds a twentieth of all: "mar" finds fewer, and in another
            # order a page is full sooner.
            yield Case(name, query, is_judged="mar" not in words and not ("emailPrefix" in words and "orderBy" in name))
    day, month, year = timedelta(days=1), timedelta(days=30), timedelta(days=365)
    for name, window in (("a day", day), ("a month", month), ("a year", year), ("37 years", 37 * year)):
        times = f'occurredAt: {{from: "{(_NEAR - window).isoformat()}", to: "{_NEAR.isoformat()}"}}'
        for more in ("", ", hideSystem: true", ', users: ["Grace Hopper"]'):
            for what in (
                "total",
                "actions { type total }",
                "customFields { username total }",
                "details { nodes { id } }",
                "details { totalCount }",
            ):
                yield Case(
                    f"report of {name}{more}: {what}",
                    f"{{ customerServiceReport(filter: {{{times}{more}}}) {{ {what} }} }}",
                )
    for dimension in ("CAMPAIGN", "USER"):
        yield Case(f"options {dimension}", f"{{ reportOptions(dimension: {dimension}) {{ values hasMore }} }}")
    yield Case("auditLog", "{ auditLog { nodes { id action } } }")
    yield Case("introspection of types", "{ __schema { types { name fields { name } } } }")


# ---------------------------------------------------------------- how long it takes


class Gateway:
    def __init__(self, store: Store, mongod: int) -> None:
        most = 10**12
        limits = Limits(max_cost=10**9, cost_per_minute=most, changes_per_minute=10**9)
        authenticate = verifier(jwks_url=None, secret=_SECRET, **_AUTHORITY).viewer
        self._app = build_app(routes(store.database, authenticate, timeout_seconds=120, limits=limits))
        token = issue(
            _SECRET, roles=[Role.ADMIN], subject="bench", name="Bench", lifetime=timedelta(hours=6), **_AUTHORITY
        )
        self._authorization = f"Bearer {token}".encode()
        self._mongod = mongod

    async def ask(self, body: bytes) -> bytes:
        body = body.replace(b"KEY!", b"%d" % next(_KEYS))
        return await answered(self._app, body, self._authorization)

    async def measured(self, case: Case) -> tuple[int, float, float, int]:
        """Its price, the units that it took here and in mongod, and the bytes of its answer."""
        body = json.dumps({"query": case.query, "variables": case.variables}).encode()
        answer = b""
        for _ in range(10):  # until plans are compiled
            answer = await self.ask(body)
        read = orjson.loads(answer)
        assert "errors" not in read, (case.name, read["errors"][:1])
        best = (float("inf"), 0.0)
        for _ in range(2):
            times, ours, theirs = 0, time.process_time(), cpu_seconds(self._mongod)
            until = time.process_time() + _SECONDS
            while time.process_time() + cpu_seconds(self._mongod) - theirs < until or times < 3:
                await self.ask(body)
                times += 1
            here = (time.process_time() - ours) / times / _UNIT_SECONDS
            there = (cpu_seconds(self._mongod) - theirs) / times / _UNIT_SECONDS
            best = min(best, (here, there), key=sum)
        return read["extensions"]["cost"]["requested"], *best, len(answer)


# ---------------------------------------------------------------- the data


async def customers(store: Store) -> list[str]:
    """A hundred with a value in every field, and full lists; made once."""
    found = await store.find("customers", {"organization": _MARK}, fields={"_id": 1}, limit=_WIDTH)
    if len(found) < _WIDTH:
        await store.drop()
        await indexes.apply(store)
        found.clear()
        world = World(store)
        now = datetime.now(UTC).replace(microsecond=0)
        for number in range(_WIDTH):
            ada = await world.everything()
            await store.find_one_and_update(
                "customers", {"_id": ada["_id"]}, {"$set": {"organization": _MARK}, "$inc": {"revision": 1}}
            )
            moments = [now - timedelta(hours=7 * each + number % 5) for each in range(_ROWS)]
            activity, *_ = await store.find(
                "activities", {"customerId": ada["_id"], "type": "ADDRESS_DETAILS_MODIFIED"}
            )
            shared = {key: activity[key] for key in activity.keys() - {"_id", "customerId", "occurredAt"}}
            emails = await world.many("emails", ada, *[{"html": LETTER, "text": "Hello", "sentAt": now}] * _LINKED)
            notes = await world.many("notes", ada, *[{"mentions": ["grace"]}] * _LINKED)
            coupons = await world.many(
                "coupons", ada, *({"addedAt": at, "redeemed": at.hour % 2 == 0} for at in moments)
            )
            sales = await world.many("transactions", ada, *({"occurredAt": at} for at in moments[:_LINKED]))
            await world.many(
                "transactions",
                ada,
                *(
                    {"type": "REFUND", "refundOfId": sale["_id"], "occurredAt": at}
                    for at, sale in zip(moments, cycle(sales), strict=False)
                ),
            )
            await world.many("deliveries", ada, *({"emailId": email["_id"]} for email in emails))
            await world.many(
                "activities",
                ada,
                *(
                    {
                        **shared,
                        "occurredAt": at,
                        "emailId": email["_id"],
                        "noteId": note["_id"],
                        "subjectId": coupon["_id"],
                    }
                    for at, email, note, coupon in zip(
                        moments, cycle(emails), cycle(notes), cycle(coupons), strict=False
                    )
                ),
            )
            adjustments = await world.many("adjustments", ada, *[{"decidedAt": now}] * _LINKED)
            await world.many("passes", ada, *({"createdAt": at} for at in moments))
            await world.many("statuses", ada, *({"changedAt": at} for at in moments))
            kinds = ("EARNED", "SPENT")
            await world.many(
                "points",
                ada,
                *(
                    {
                        "seq": 1_000_000 + seq,
                        "occurredAt": at,
                        "kind": kinds[seq % 2],
                        "transactionId": sale["_id"],
                        "adjustmentId": adjustment["_id"],
                    }
                    for seq, (at, sale, adjustment) in enumerate(
                        zip(moments, cycle(sales), cycle(adjustments), strict=False)
                    )
                ),
            )
            found.append(ada)
    await previews.refresh_stale(store)
    return [each["_id"] for each in found]


async def measure(uri: str, only: str) -> int:
    mongod = int((FOLDER / "db" / "mongod.lock").read_text())
    async with (
        Store.open(uri, f"{DATABASE}_prices", timeout_seconds=120) as rich,
        Store.open(uri, DATABASE, timeout_seconds=120) as many,
    ):
        ids = await customers(rich)
        on_rich, on_many = Gateway(rich, mongod), Gateway(many, mongod)
        freeze_gc()
        cases = [(on_rich, case) for case in (*screens(ids), *changes(ids), *fields(ids), *lists(ids))]
        cases += [(on_many, case) for case in ways_in(ids)]
        print(f"{'price':>7} {'units':>8} {'price/units':>11}  {'here':>8} {'mongod':>8} {'bytes':>8}")
        wrong = measured = 0
        for gateway, case in cases:
            if only not in case.name:
                continue
            price, here, there, size = await gateway.measured(case)
            ratio, measured = price / (here + there), measured + 1
            fits = 1 / _FACTOR <= ratio <= _FACTOR
            wrong += case.is_judged and not fits
            mark = " " if fits else "!"
            print(
                f"{price:7} {here + there:8.0f} {ratio:10.2f}{mark}  {here:8.0f} {there:8.0f} {size:8}  {case.name}",
                flush=True,
            )
        print(f"{measured} cases, {wrong} beyond a factor of {_FACTOR}.")
        return bool(wrong)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="cases with this in their names")
    given = options.parse_args()
    with seeded() as there, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(measure(there, given.only)))
