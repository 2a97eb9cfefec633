"""Lets something happen in the demo every few seconds, so that one sees it live."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from app.demo.sample.people import customer_id
from app.domain.times import stored
from app.jobs import keep_going
from app.services.changes import activity_of
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Store

NUMBERS: Final[Sequence[str]] = ("C-100001", "C-100002", "C-100003")
_SYSTEM: Final = {"kind": "SYSTEM", "name": "System"}
_TYPES: Final = ("SUBSCRIPTION_RENEWED", "SUBSCRIPTION_BILLING_SUCCESS", "SUBSCRIPTION_BILLING_FAILED")


async def happen(store: Store, every_seconds: float) -> None:
    """Adds an activity to one of the named customers after the other, until it is cancelled."""
    turns = itertools.cycle(itertools.product(_TYPES, NUMBERS))
    await asyncio.sleep(every_seconds)
    await keep_going("happenings", partial(_happen_once, store, turns), every_seconds=every_seconds)


async def _happen_once(store: Store, turns: "itertools.cycle[Any]") -> None:
    type_, number = next(turns)
    now = stored(datetime.now(UTC))

    async def body(rows: CustomerRows) -> None:
        customer = await rows.lock(customer_id(number))
        rows.insert("activities", [activity_of(customer["_id"], type_, _SYSTEM, now)])

    await change_customers(store, body, now=now)
