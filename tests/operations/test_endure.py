"""The parts of `make endure` that need no time: what it asks, what it imports, and what it takes for a fault."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice

import pytest

from app.services.importing import import_lines
from app.store.driver import Store
from bench.endure import IMPORTED, SHARES, Taken, judged, lines, mixed
from bench.overload import Result

CUSTOMERS = [(f"cus_{number}", f"C-{number}") for number in range(60)]


def of(**endings: int) -> Result:
    return Result(Counter(endings), [0.01] * 100)


def test_the_shares_are_as_said_and_no_change_is_asked_for_twice() -> None:
    bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in islice(mixed(CUSTOMERS), 5_000)]
    kinds = Counter(body["query"].split("(")[0] for body in bodies)
    wanted = {"query Customer360": "w1", "query Customers": "w2", "query Small": "w3", "mutation": "change"}
    assert kinds.keys() == wanted.keys()
    for kind, count in kinds.items():
        assert count / 50 == pytest.approx(SHARES[wanted[kind]], abs=2)
    keys = [body["variables"]["key"] for body in bodies if "key" in body["variables"]]
    assert len(keys) == len({*keys})


async def test_each_import_brings_new_customers_and_none_is_rejected(store: Store) -> None:
    for turn in range(2):
        raw = [json.dumps(line).encode() for line in lines(turn)]
        now = datetime.now(UTC)
        await import_lines(store, raw, now=now, reject=lambda rejected: pytest.fail(rejected.reason))
    assert len(await store.find("customers", {})) == len(await store.find("activities", {})) == IMPORTED


def test_what_does_not_hold_is_told() -> None:
    good, flat = [of(good=100)] * 6, [Taken([100.0, 100.0], [20, 20])] * 7
    assert all(judged(good, flat, 2).values())
    slow = [Result(Counter(good=100), [0.01] * 90 + [0.1] * 10)] * 2
    assert not judged([*good, *slow], flat, 2)["as fast at the end"]
    assert not judged([*good, of(good=99, TimeoutError=1)], flat, 2)["no errors"]
    assert not judged(good, [*flat, *[Taken([150.0, 150.0], [20, 20])] * 2], 2)["memory is flat"]
    assert not judged(good, [*flat, *[Taken([100.0, 100.0], [20, 60])] * 2], 2)["open files are flat"]


def test_a_burst_of_connections_in_one_minute_is_no_leak() -> None:
    calm, burst = Taken([100.0], [100]), Taken([100.0], [115])
    assert judged([of(good=100)] * 6, [calm] * 6 + [burst], 2)["open files are flat"]
