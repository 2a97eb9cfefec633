"""Commands that were sent to the database, and what they looked at there."""

from collections.abc import Sequence
from typing import Any

from pymongo.monitoring import CommandListener

from app.store.driver import Document, Store


class Commands(CommandListener):
    """Reads, in the order in which they were sent."""

    def __init__(self) -> None:
        self.sent: list[Document] = []

    def started(self, event: Any) -> None:
        if event.command_name in ("find", "aggregate"):
            self.sent.append(dict(event.command))

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


async def examined(store: Store, sent: Sequence[Document]) -> tuple[int, int]:
    """Documents and index entries that these commands look at, explained."""
    decisive = set("find filter sort limit hint projection collation aggregate pipeline cursor let".split())
    documents = keys = 0
    for command in sent:
        kept = {key: value for key, value in command.items() if key in decisive}
        plan = await store.command({"explain": kept, "verbosity": "executionStats"})
        documents += _summed(plan, "totalDocsExamined")
        keys += _summed(plan, "totalKeysExamined")
    return documents, keys


def _summed(plan: Any, name: str) -> int:
    match plan:
        case {**inner} if name in inner:
            return inner[name]
        case {**inner}:
            return sum(_summed(each, name) for each in inner.values())
        case [*plans]:
            return sum(_summed(each, name) for each in plans)
        case _:
            return 0
