"""The gateway against its source's own ledger (tests/support/loyalty.py): files, a worker, an agent, a database."""

from collections.abc import Sequence
from datetime import datetime
from random import Random

import pytest

from app.domain.access import Role, Viewer
from app.domain.points import as_of, audit, empty, owed, spendable
from app.services import points as service
from app.services.changes import Changes, CustomerLocks
from app.services.expiry import expire_due
from app.store.driver import Store
from tests.support.import_lines import ADA, Bring, Run, ada, customer, points
from tests.support.loyalty import Export, Line, life


def exported(line: Line) -> Line:
    """As the source would export it."""
    content = {key: line[key].isoformat() for key in ("occurredAt", "expiresAt") if key in line}
    content |= {"reason": line["reason"]} if "reason" in line else {}
    content |= {"refundOf": {"source": "loyalty", "id": line["refundOf"]}} if "refundOf" in line else {}
    return dict(points(line["id"], line["kind"], line["points"], **content))


async def balance(store: Store, now: datetime) -> int:
    state = (await ada(store)).get("points") or empty()
    entries = await store.find("points", {}, sort={"seq": 1})
    assert audit(state, entries) == {"ok": True, "entries": len(entries), "drift": 0}  # pyright: ignore[reportArgumentType] # documents are entries
    expiries = [-activity["points"] for activity in await store.find("activities", {"type": "POINTS_EXPIRED"})]
    here = [-entry["points"] for entry in entries if (entry["kind"], entry["source"]) == ("EXPIRED", "platform")]
    assert sorted(expiries) == sorted(here), "the timeline tells of each expiry"
    state = as_of(state, now)
    return spendable(state) - owed(state)


async def give(store: Store, amount: int, now: datetime) -> None:
    viewer = Viewer("mira", "Mira Sol", frozenset({Role.ADMIN}))
    changes = Changes(store.within(60), CustomerLocks(), viewer, now, "req-1")
    key = f"gift of {now}"
    await service.adjust(changes, ADA, amount, reason="Goodwill", expires_at=None, key=key)


@pytest.mark.parametrize("sweeps", [True, False], ids=["a source that expires", "a source that does not"])
@pytest.mark.parametrize("seed", range(4))
async def test_every_night_the_balance_is_the_sources(store: Store, bring: Bring, seed: int, sweeps: bool) -> None:
    random = Random(seed)
    await bring(customer())
    for export in life(random, sweeps=sweeps, days=8, gifts=True):
        lines = [exported(line) for line in random.sample(export.lines, len(export.lines))]
        run = await bring(*lines, lines_per_chunk=random.choice([1, 2, 1_000]))
        assert run.rejects == []
        for _ in range(random.randrange(2)):
            await expire_due(store, export.at)
        assert await balance(store, export.at) == export.balance
        if export.gift:
            await give(store, export.gift, export.at)


async def again(bring: Bring, run: Run, files: Sequence[Sequence[Line]]) -> Run:
    """What was rejected, given again after another file."""
    rejected = [reject.input.encode() for reject in run.rejects]
    return await bring(*(line for lines in files for line in lines), *rejected)


@pytest.mark.parametrize("sweeps", [True, False], ids=["a source that expires", "a source that does not"])
@pytest.mark.parametrize("seed", range(4))
async def test_files_in_any_order_come_to_the_same_once_what_was_rejected_is_given_again(
    store: Store, bring: Bring, seed: int, sweeps: bool
) -> None:
    random = Random(seed)
    exports: list[Export] = life(random, sweeps=sweeps, days=8)
    files = [[exported(line) for line in export.lines] for export in random.sample(exports, len(exports))]
    run = await bring(customer())
    for lines in files:
        run = await again(bring, run, [lines])
        assert run.summary.exit_code == bool(run.rejects)
        await expire_due(store, exports[-1].at)
    assert run.rejects == []
    assert await balance(store, exports[-1].at) == exports[-1].balance
    repeated = await again(bring, run, random.sample(files, len(files)))
    assert {outcome.value for outcome in repeated.totals} <= {"UNCHANGED"}
    assert await balance(store, exports[-1].at) == exports[-1].balance
