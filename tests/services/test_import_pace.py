"""An import that gives way to those who are served: it brings in few lines at a time, and rests after them."""

import json
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from app import jobs
from app.jobs import AT_FULL_PACE, Pace
from app.services.importing import ImportOptions, Summary, import_lines
from app.store import previews
from app.store.driver import Document, Store
from tests.support.digest import delete_all
from tests.support.import_lines import NOW, Bring, activity, customer, fingerprint, points

LINES = [
    *(customer(f"{1_000 + number}") for number in range(30)),
    *(activity(f"A-{number}", of=f"esuite/E{1_000 + number % 30}") for number in range(60)),
    *(points(f"P-{number}", "EARNED", 1, of=f"esuite/E{1_000 + number % 30}") for number in range(60)),
]


@dataclass(frozen=True, slots=True)
class Noted(Pace):
    """It rests for no time, and notes how often."""

    rests: list[float] = field(default_factory=list[float])

    async def rest(self, since: float) -> None:
        self.rests.append(time.monotonic() - since)


def _revision(document: Document) -> None:
    document.pop("revision", None)


async def test_it_brings_in_the_same_few_lines_at_a_time_and_rests_after_each_step(store: Store, bring: Bring) -> None:
    await delete_all(store)
    await bring(*LINES)
    as_fast_as_it_can = await fingerprint(store, without=_revision)
    await delete_all(store)
    done: list[int] = []
    pace = Noted(nice_ratio=3)

    async def note(summary: Summary) -> None:
        done.append(summary.lines)
        assert len(pace.rests) == len(done) - 1

    lines = [json.dumps(line).encode() for line in LINES]
    await import_lines(store, lines, now=NOW, reject=print, note=note, options=ImportOptions(pace=pace))
    assert done == [50, 100, 150]
    steps_of_copies = len(pace.rests) - len(done)
    assert steps_of_copies == 3 + 3  # of thirty customers, ten at a time: what they are listed by, and previews
    assert await fingerprint(store, without=_revision) == as_fast_as_it_can
    assert await previews.refresh_stale(store) == 0


async def test_of_too_many_to_remember_previews_are_made_ten_at_a_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_STALE_AT_MOST", 5)
    pace = Noted(nice_ratio=3)
    lines = [json.dumps(line).encode() for line in LINES[:30]]
    await import_lines(store, lines, now=NOW, reject=print, options=ImportOptions(pace=pace))
    assert len(pace.rests) == 1 + 3
    assert await previews.refresh_stale(store) == 0


async def test_a_rest_is_so_many_times_as_long_as_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    moments = iter((10.0, 10.5, 20.0))
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    monkeypatch.setattr(jobs, "asyncio", SimpleNamespace(sleep=sleep))

    async def work() -> None: ...

    await Pace(3).paced(work)()
    await Pace(0.5).rest(18.0)
    await AT_FULL_PACE.paced(work)()
    await AT_FULL_PACE.rest(18.0)
    assert slept == [1.5, 1.0]
