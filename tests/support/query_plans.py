"""What the database did for a command: documents read, and rows put in order without an index."""

from decimal import Decimal
from typing import Any

from bson import Decimal128

from app.store.driver import Document, Store


async def explained(store: Store, command: Document) -> Document:
    """Explains what the database did for a command that was sent, by running it again."""
    kept = {key: _encoded(value) for key, value in command.items() if key in DECISIVE}
    return await store.command({"explain": kept, "verbosity": "executionStats"})


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


DECISIVE = set("find filter sort limit hint projection collation aggregate pipeline cursor let".split())
"""The parts of a command that decide what it reads."""


def documents_read(plan: Any) -> int:
    """Counts the documents examined, in stages inside ``$lookup`` and ``$unionWith``, too."""
    return _total("totalDocsExamined", plan)


def entries_read(plan: Any) -> int:
    """Counts the index entries examined, in the same stages."""
    return _total("totalKeysExamined", plan)


def _total(name: str, plan: Any) -> int:
    match plan:
        case {**keys} if isinstance(keys.get(name), int):
            return keys[name]
        case {**keys}:
            return sum(_total(name, inner) for inner in keys.values())
        case [*plans]:
            return sum(_total(name, inner) for inner in plans)
        case _:
            return 0


def sorts(plan: Any) -> bool:
    """Whether anything but an index puts rows in order."""
    match plan:
        case {"stage": "SORT"}:
            return True
        case {**keys}:
            return any(sorts(inner) for key, inner in keys.items() if key not in ("rejectedPlans", "command"))
        case [*plans]:
            return any(map(sorts, plans))
        case _:
            return False


def within_lookup(command: Document) -> Document:
    """Returns what a command does for the first of its parents: ``explain`` shows no plan inside ``$lookup``."""
    match command.get("pipeline"):
        case [{"$documents": [{"_id": parent}, *_]}, _, {"$lookup": lookup}, _]:
            return joined(lookup, parent)
        case _:
            return command


def joined(lookup: Document, parent: str) -> Document:
    """Returns what a ``$lookup`` does for one parent, as a command."""
    pipeline = [{"$match": {lookup["foreignField"]: parent}}, *lookup["pipeline"]]
    return {"aggregate": lookup["from"], "pipeline": pipeline, "let": {"parent": parent}, "cursor": {}}
