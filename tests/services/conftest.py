"""An import as a test sees it: lines in; verdicts, rejects and a fingerprint of the whole database out."""

import json

import pytest

from app.services.importing import DEFAULTS, ImportOptions, Reject, Warned, import_lines
from app.store.driver import Store
from tests.support.import_lines import NOW, Bring, Line, Run


@pytest.fixture
def bring(store: Store) -> Bring:
    """Imports these lines: objects, or bytes as they are."""

    async def bring(*lines: Line | bytes, lines_per_chunk: int = 1_000, options: ImportOptions = DEFAULTS) -> Run:
        rejects: list[Reject] = []
        warned: list[Warned] = []
        raw = [
            line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines
        ]
        summary = await import_lines(
            store,
            raw,
            now=NOW,
            reject=rejects.append,
            warn=warned.append,
            lines_per_chunk=lines_per_chunk,
            options=options,
        )
        return Run(summary, rejects, warned)

    return bring
