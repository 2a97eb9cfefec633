"""Compares a stored balance with the entries that it follows from."""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from app.domain.points.book import Book, walk
from app.domain.points.entries import HISTORY, Entry, PointsState, balance_of


class LedgerAudit(TypedDict):
    ok: bool
    entries: int
    drift: int  # stored minus recomputed earned - spent - expired


def replay(entries: Iterable[Entry]) -> PointsState:
    """Returns the state that follows from all of a customer's entries."""
    return walk(Book(), list(entries)).state()


def audit(state: PointsState, entries: Iterable[Entry]) -> LedgerAudit:
    """Compares the state, each ``balanceAfter`` and each ``seq`` with what follows from all entries, by ``seq``."""
    known = list(entries)
    recomputed = replay(known)
    # A state of an earlier version says less.
    complete: Any = {**recomputed, "owed": 0, **state}
    return {
        "ok": _are_whole(known) and recomputed == complete,
        "entries": len(known),
        "drift": balance_of(state) - balance_of(recomputed),
    }


def recompute(state: PointsState, entries: Iterable[Entry]) -> PointsState | None:
    """Returns what the state should be, where the entries are whole and the balance is theirs, but not its parts.

    Earlier versions took entries in the order in which they came. None where nothing is to be mended, or cannot be.
    """
    known = list(entries)
    result = audit(state, known)
    return None if result["ok"] or result["drift"] or not _are_whole(known) else replay(known)


def _are_whole(entries: Sequence[Entry]) -> bool:
    """Returns whether no entry is missing, and each says the balance that it left."""
    balance = 0
    for count, entry in enumerate(entries, start=1):
        balance += entry["points"] if entry["kind"] in HISTORY else 0
        if entry["seq"] != count or entry["balanceAfter"] != balance:
            return False
    return True
