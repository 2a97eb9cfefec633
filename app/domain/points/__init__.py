"""Keeps the points ledger: what may be earned, spent, reserved and undone, and what each of these leaves behind.

Pure: no clock, no I/O, and no idea of who or why.

An entry says what happened and when. What the customer has follows from all of their entries **in the order of
time**, in whatever order they came in: `replay`. What is made here is newer than all that is known, so that its rules
need the state alone (`earn`, `spend`, …); what another ledger tells may be older, or undo something: `enter` judges it
among the entries. docs/decisions/0026 says why.

``entries`` is what is stored, ``book`` walks through it, ``posting`` and ``judgement`` decide, and ``checks`` compares.
"""

from app.domain.points.checks import LedgerAudit, audit, recompute, replay
from app.domain.points.entries import (
    HERE,
    HISTORY,
    INT32_MAX,
    MAX_TOTAL,
    MOVES,
    TRANSFERS,
    Bucket,
    Entry,
    Figure,
    Movement,
    PointsKind,
    PointsState,
    Portion,
    empty,
    end_of_day,
    expiry,
    owed,
    reservations,
    spendable,
)
from app.domain.points.judgement import Judgement, enter, needs_entries
from app.domain.points.posting import (
    Posting,
    Transfer,
    activate,
    adjust,
    as_of,
    capture,
    check_adjustment,
    earn,
    expire_due,
    pend,
    release,
    reserve,
    spend,
    transfer,
)
from app.domain.points.refusals import (
    InvalidExpiry,
    InvalidPoints,
    NotEnoughPoints,
    OutOfOrder,
    ReservationOpen,
    TotalExceeded,
)

__all__ = [
    "HERE",
    "HISTORY",
    "INT32_MAX",
    "MAX_TOTAL",
    "MOVES",
    "TRANSFERS",
    "Bucket",
    "Entry",
    "Figure",
    "InvalidExpiry",
    "InvalidPoints",
    "Judgement",
    "LedgerAudit",
    "Movement",
    "NotEnoughPoints",
    "OutOfOrder",
    "PointsKind",
    "PointsState",
    "Portion",
    "Posting",
    "ReservationOpen",
    "TotalExceeded",
    "Transfer",
    "activate",
    "adjust",
    "as_of",
    "audit",
    "capture",
    "check_adjustment",
    "earn",
    "empty",
    "end_of_day",
    "enter",
    "expire_due",
    "expiry",
    "needs_entries",
    "owed",
    "pend",
    "recompute",
    "release",
    "replay",
    "reservations",
    "reserve",
    "spend",
    "spendable",
    "transfer",
]
