"""Finds notes and e-mails that no activity of their import names: they are listed, and on no timeline."""

from collections.abc import Iterable, Iterator
from typing import Final

from app.domain.import_lines import LineKind
from app.services.importing.steps import Arrival

_AT_MOST: Final = 100_000
"""So many of each are remembered; of a larger import fewer are told."""


class Unreached:
    """It holds the notes and e-mails of an import that no activity of it has named so far."""

    def __init__(self) -> None:
        self._waiting: dict[str, LineKind] = {}
        self._named: set[str] = set()

    def note(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            line = arrival.line
            if line.kind is LineKind.ACTIVITY:
                for row_id in (line.document[key] for key in ("noteId", "emailId") if key in line.document):
                    if self._waiting.pop(row_id, None) is None and len(self._named) < _AT_MOST:
                        self._named.add(row_id)
            elif self._may_wait(arrival) and len(self._waiting) < _AT_MOST:
                self._waiting[line.id] = line.kind

    def _may_wait(self, arrival: Arrival) -> bool:
        line = arrival.line
        comes = line.kind in (LineKind.NOTE, LineKind.EMAIL) and not line.document.get("deleted")
        return comes and line.id not in self._named

    def warnings(self) -> Iterator[str]:
        for kind in self._waiting.values():
            yield f"no activity of this file names this {kind}; it is on the timeline only if another does."
