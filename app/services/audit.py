"""Writes the audit log: a row for each change that was asked for, accepted or refused. It only ever adds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Final

from app.domain.access import Viewer
from app.domain.ids import new_id
from app.domain.moments import ORDER, order_of
from app.domain.refusals import Refusal
from app.domain.vocabulary import Outcome
from app.store.driver import Document, Store

_ROWS: Final = count()
"""Those of this process so far: several of one request are of one moment."""


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """An audit trail holds what is asked for, by whom, in which request: what is known before the decision."""

    viewer: Viewer
    action: str
    request_id: str
    now: datetime

    async def accepted(
        self, store: Store, session: Any, *, customer_id: str | None, wrote: Sequence[str], columns: Sequence[str] = ()
    ) -> None:
        """Writes the row inside the transaction that wrote: no change without its row, no row without its change.

        ``columns`` are those of an export.
        """
        row = self.row_of_accepted(customer_id, wrote)
        if columns:
            row["columns"] = list(columns)
        await store.insert("audit", [row], session=session)

    def row_of_accepted(self, customer_id: str | None, wrote: Sequence[str]) -> Document:
        """Returns the row, for whoever writes it with all else."""
        return {**self._row(customer_id), "outcome": Outcome.ACCEPTED.value, "wrote": list(wrote)}

    async def refused(self, store: Store, refusal: Refusal, *, customer_id: str | None) -> None:
        """Writes the row of a refusal on its own: what was refused has no transaction."""
        row = {**self._row(customer_id), "outcome": Outcome.REFUSED.value, "code": refusal.code}
        await store.insert("audit", [row])

    async def downloaded(self, store: Store, export_id: str) -> None:
        """Writes that somebody with its link fetched an export of this viewer."""
        await store.insert("audit", [{**self._row(None), "outcome": Outcome.ACCEPTED.value, "wrote": [export_id]}])

    async def opened(self, store: Store, email_id: str, *, customer_id: str) -> None:
        """Writes that somebody with its link fetched a file of a mail; this viewer was given the link."""
        row = {**self._row(customer_id), "outcome": Outcome.ACCEPTED.value, "wrote": [email_id]}
        await store.insert("audit", [row])

    def _row(self, customer_id: str | None) -> Document:
        viewer = self.viewer
        actor: Document = {"subject": viewer.subject, "name": viewer.name, "roles": sorted(viewer.roles)}
        if viewer.delegate:
            actor["delegate"] = {"id": viewer.delegate.subject, "name": viewer.delegate.name}
        return {
            "_id": new_id("audit"),
            "at": self.now,
            ORDER: order_of(self.now, next(_ROWS)),
            "actor": actor,
            "action": self.action,
            "requestId": self.request_id,
            **({"customerId": customer_id} if customer_id else {}),
        }
