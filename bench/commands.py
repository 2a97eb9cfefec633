"""Commands that were sent to the database, and what they looked at there."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bson import Decimal128
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


_DECISIVE = set("find filter sort limit hint projection collation aggregate pipeline cursor let".split())


def _decisive(command: Document) -> Document:
    """The parts of a command that decide what it reads."""
    return {key: _encoded(value) for key, value in command.items() if key in _DECISIVE}


def _encoded(value: Any) -> Any:
    match value:
        case Decimal():
            return Decimal128(value)
        case {**keys}:
            return {key: _encoded(inner) for key, inner in keys.items()}
        case [*items]:
            return [_encoded(each) for each in items]
        case _:
            return value


async def examined(store: Store, sent: Sequence[Document]) -> tuple[int, int]:
    """Documents and index entries that these commands look at, explained."""
    documents = keys = 0
    for command in sent:
        plan = await store.command({"explain": _decisive(command), "verbosity": "executionStats"})
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


async def sorted_in_memory(store: Store, command: Document) -> bool:
    """Whether a command's rows, or those of a part of it, are put in order by anything but an index."""
    plan = await store.command({"explain": _decisive(command), "verbosity": "queryPlanner"})
    return _sorts(plan)


def _sorts(plan: Any) -> bool:
    match plan:
        case {"stage": "SORT" | "sort"}:
            return True
        case {**inner}:
            return any(_sorts(each) for key, each in inner.items() if key not in ("rejectedPlans", "command"))
        case [*plans]:
            return any(map(_sorts, plans))
        case _:
            return False
