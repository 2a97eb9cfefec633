"""Loads manifests of trusted documents: Apollo's, Relay's, and those of GraphQL Code Generator's client preset."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5, sha1, sha256
from typing import Any, Final, NamedTuple, cast

from app.graph import executable
from app.operations.document import Documents, Prepared
from app.operations.document_limits import DocumentLimitExceeded
from app.operations.errors import InvalidDocument
from app.settings import Limits
from app.store import trusted_documents
from app.store.driver import Store

APOLLO: Final = "apollo-persisted-query-manifest"
_PREFIX: Final = "sha256:"
_MAX_KEY_CHARACTERS: Final = 256
_HASHES: Final = {32: md5, 40: sha1, 64: sha256}
"""What a key of so many hexadecimal digits claims to be: Relay's default, the client preset's, and Apollo's."""


class BadManifest(Exception):
    """Raised for a file that is no manifest. The command line prints it and ends; nothing was loaded."""


class ManifestEntry(NamedTuple):
    """An entry of a manifest has a key and a text; Apollo's say what operation it is, too."""

    key: str
    text: str
    name: str | None = None
    type: str | None = None

    @property
    def label(self) -> str:
        return f"{self.name} ({self.key})" if self.name else self.key


class Fault(NamedTuple):
    label: str
    reason: str


@dataclass(slots=True)
class Loaded:
    """It says what became of a manifest: ``new`` documents, those that were ``known`` by all their keys, and faults."""

    new: int = 0
    known: int = 0
    faults: list[Fault] = field(default_factory=list[Fault])


def read(text: str) -> list[ManifestEntry]:
    """Returns the entries of a manifest. Raises BadManifest."""
    try:
        manifest = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as unreadable:
        raise BadManifest(f"it is not JSON that can be read ({unreadable})") from None
    if not isinstance(manifest, dict):
        raise BadManifest("it is not an object")
    given = cast("dict[str, Any]", manifest)
    if "format" in given:
        if given["format"] != APOLLO or given.get("version") != 1:
            raise BadManifest(f"its format is not {APOLLO}, version 1")
        operations = given.get("operations")
        if not isinstance(operations, list):
            raise BadManifest("it has no list of operations")
        return [_apollo_entry(each) for each in cast("list[Any]", operations)]
    for key, value in given.items():
        if not isinstance(value, str):
            raise BadManifest(f"the value of {key[:100]} is not the text of a document")
    return [ManifestEntry(key.removeprefix(_PREFIX), value) for key, value in given.items()]


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the object. Raises ValueError for a key that is there twice: one of two texts would vanish."""
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise ValueError(f"{twice[:100]} is there twice")
    return members


def _apollo_entry(operation: object) -> ManifestEntry:
    given = cast("dict[str, Any]", operation if isinstance(operation, dict) else {})
    key, body, name, type_ = map(given.get, ("id", "body", "name", "type"))
    if not (isinstance(key, str) and isinstance(body, str)):
        raise BadManifest("an operation has no id, or no body, that is a string")
    if not (isinstance(name, str | None) and isinstance(type_, str | None)):
        raise BadManifest(f"the name or type of {key[:100]} is not a string")
    return ManifestEntry(key.removeprefix(_PREFIX), body, name, type_)


async def load(store: Store, entries: Sequence[ManifestEntry], limits: Limits, now: datetime) -> Loaded:
    """Loads what can be executed, and says what is wrong with the rest. What is known already is left as it is."""
    documents, loaded = Documents(executable, limits), Loaded()
    for entry in entries:
        try:
            if await _load(store, entry, documents, now):
                loaded.new += 1
            else:
                loaded.known += 1
        except _Unusable as unusable:
            loaded.faults.append(Fault(entry.label, str(unusable)))
    return loaded


class _Unusable(Exception):
    """Raised for an entry that is not loaded, with the reason."""


async def _load(store: Store, entry: ManifestEntry, documents: Documents, now: datetime) -> bool:
    """Returns whether there was anything to write. Raises _Unusable."""
    _check_key(entry)
    prepared = await _prepared(entry, documents)
    names = [name for name in prepared.operations if name]
    if entry.name is not None and entry.name not in names:
        raise _Unusable(f"its text has no operation of this name; it has {', '.join(names) or 'one without a name'}")
    if entry.type is not None:
        operation, _ = prepared.operations[entry.name] if entry.name else next(iter(prepared.operations.values()))
        if operation.node.operation.value != entry.type:
            raise _Unusable(f"it is a {operation.node.operation.value}, not a {entry.type}")
    digest = sha256(entry.text.encode()).hexdigest()
    keys = sorted({digest, entry.key})
    found = await trusted_documents.with_keys(store, keys)
    if others := [each for each in found if each["_id"] != digest]:
        name = ", ".join(others[0]["operations"]) or others[0]["_id"]
        raise _Unusable(f"its id is that of another text ({name}), loaded earlier; drop that one first")
    if found and {*keys} <= {*found[0]["keys"]}:
        return False
    await trusted_documents.keep(store, digest, entry.text, keys=keys, operations=names, now=now)
    return True


def _check_key(entry: ManifestEntry) -> None:
    """Raises _Unusable for a key that no request can send, or that is the hash of another text."""
    if not 1 <= len(entry.key) <= _MAX_KEY_CHARACTERS:
        raise _Unusable(f"an id has 1 to {_MAX_KEY_CHARACTERS} characters; this one has {len(entry.key)}")
    try:
        text = entry.text.encode()
        entry.key.encode()
    except UnicodeEncodeError:
        raise _Unusable("its id or its text holds half a character") from None
    is_hexadecimal = all(character in "0123456789abcdef" for character in entry.key)
    algorithm = _HASHES.get(len(entry.key)) if is_hexadecimal else None
    if algorithm and algorithm(text, usedforsecurity=False).hexdigest() != entry.key:
        raise _Unusable(f"its id is not the {algorithm.__name__.removeprefix('openssl_')} of its text")


async def _prepared(entry: ManifestEntry, documents: Documents) -> Prepared:
    """Returns the document as a request's would be prepared. Raises _Unusable."""
    try:
        return await documents.prepared(entry.text, "manifest", suggests=True)
    except InvalidDocument as invalid:
        raise _Unusable(" ".join(error.message for error in invalid.errors)) from None
    except DocumentLimitExceeded as exceeded:
        raise _Unusable(str(exceeded)) from None
