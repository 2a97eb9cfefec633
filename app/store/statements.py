"""Says what the driver's operations are as commands of MongoDB, and what became of them, for writes by wire."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError
from pymongo.results import BulkWriteResult

Document: TypeAlias = dict[str, Any]
_STATEMENTS: Final = {"insert": "documents", "update": "updates", "delete": "deletes"}
_TAKEN: Final = 11000


class _Statements:
    """They are collected as operations tell of themselves, one command for those of a kind that stand together."""

    def __init__(self, collection: str, *, ordered: bool) -> None:
        self._collection, self._ordered = collection, ordered
        self.commands: list[Document] = []

    def _add(self, kind: str, statement: Document) -> None:
        among = self.commands[-1:] if self._ordered else self.commands
        if not any(kind in command for command in among):
            self.commands.append({kind: self._collection, "ordered": self._ordered, _STATEMENTS[kind]: []})
        own = next(command for command in self.commands[::-1] if kind in command)
        own[_STATEMENTS[kind]].append(statement)

    def add_insert(self, document: Document) -> None:
        self._add("insert", document)

    def add_update(self, selector: Any, update: Any, multi: bool, upsert: bool | None, **options: Any) -> None:
        given = {"arrayFilters": options.pop("array_filters", None), **options}
        self._add("update", {"q": selector, "u": update, "multi": multi, "upsert": bool(upsert)} | _given(given))

    def add_replace(self, selector: Any, replacement: Any, upsert: bool | None, **options: Any) -> None:
        self.add_update(selector, replacement, False, upsert, **options)

    def add_delete(self, selector: Any, limit: int, **options: Any) -> None:
        self._add("delete", {"q": selector, "limit": limit} | _given(options))


def _given(options: Mapping[str, Any]) -> Document:
    return {key: value for key, value in options.items() if value is not None}


def commands_of(collection: str, operations: Sequence[Any], *, ordered: bool) -> list[Document]:
    """Returns the commands that a bulk write sends, in their order."""
    statements = _Statements(collection, ordered=ordered)
    for operation in operations:
        operation._add_to_bulk(statements)
    return statements.commands


def check(reply: Mapping[str, Any], *, is_alone: bool) -> None:
    """Raises what the driver raises for statements that failed, which is another error for one document alone."""
    errors: list[Document] = reply.get("writeErrors", [])
    if errors and is_alone:
        made = DuplicateKeyError if errors[0]["code"] == _TAKEN else WriteError
        raise made(errors[0]["errmsg"], errors[0]["code"], errors[0])
    if errors:
        raise BulkWriteError({"writeErrors": errors, "writeConcernErrors": []})


def result_of(commands: Sequence[Mapping[str, Any]], replies: Sequence[Mapping[str, Any]]) -> BulkWriteResult:
    """Returns the counts of commands that were answered so, as the driver's bulk write does; not the ids of upserts."""
    told: Document = dict.fromkeys(("nInserted", "nMatched", "nModified", "nRemoved", "nUpserted"), 0)
    for command, reply in zip(commands, replies, strict=True):
        if "update" in command:
            upserted = len(reply.get("upserted", ()))
            told["nMatched"] += reply["n"] - upserted
            told["nModified"] += reply["nModified"]
            told["nUpserted"] += upserted
        else:
            told["nInserted" if "insert" in command else "nRemoved"] += reply["n"]
    return BulkWriteResult(told, acknowledged=True)
