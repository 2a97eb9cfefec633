"""Manifests of trusted documents: three forms, each entry judged, nothing dropped in silence."""

import json
from datetime import UTC, datetime
from hashlib import md5, sha1, sha256
from typing import Any

import pytest

from app.manifests import BadManifest, Fault, ManifestEntry, load, read
from app.settings import Limits
from app.store import trusted_documents
from app.store.driver import Store, StoreError

NOW = datetime(2026, 11, 27, tzinfo=UTC)
TEXT = "query Who { viewer { name } }"
OTHER = "mutation Note($input: AddNoteInput!) { addNote(input: $input) { userErrors { code } } }"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def apollo(*operations: dict[str, Any], **given: Any) -> str:
    return json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [*operations], **given})


WHO = {"id": digest(TEXT), "name": "Who", "type": "query", "body": TEXT}


@pytest.mark.parametrize(
    ("manifest", "entries"),
    [
        (apollo(WHO), [ManifestEntry(digest(TEXT), TEXT, "Who", "query")]),
        (apollo({"id": "a", "body": TEXT}), [ManifestEntry("a", TEXT)]),
        (json.dumps({md5(TEXT.encode()).hexdigest(): TEXT}), [ManifestEntry(md5(TEXT.encode()).hexdigest(), TEXT)]),
        (json.dumps({f"sha256:{digest(TEXT)}": TEXT}), [ManifestEntry(digest(TEXT), TEXT)]),
        ("{}", []),
    ],
)
def test_the_three_forms_are_read(manifest: str, entries: list[ManifestEntry]) -> None:
    assert read(manifest) == entries


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not an object"),
        ('{"a": 1}', "the value of a is not the text"),
        ('{"a": "{ x }", "a": "{ y }"}', "a is there twice"),
        (apollo(format="other"), "its format is not apollo"),
        (apollo(version=2), "its format is not apollo"),
        (apollo(operations={}), "no list of operations"),
        (apollo({"id": "a"}), "no id, or no body"),
        (apollo({"body": TEXT}), "no id, or no body"),
        (apollo({"id": "a", "body": TEXT, "name": 1}), "the name or type of a"),
        (
            json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [1]}),
            "no id, or no body",
        ),
    ],
)
def test_what_is_no_manifest_is_refused_whole(text: str, reason: str) -> None:
    with pytest.raises(BadManifest, match=reason):
        read(text)


async def test_loading_twice_is_the_same_as_once_and_ids_add_up(store: Store) -> None:
    sha1s, md5s = sha1(TEXT.encode()).hexdigest(), md5(TEXT.encode()).hexdigest()
    entries = [
        *read(apollo(WHO)),
        ManifestEntry(sha1s, TEXT),
        ManifestEntry(md5s, TEXT),
        ManifestEntry("own", TEXT),
        ManifestEntry("note", OTHER),
    ]
    first = await load(store, entries, Limits(), NOW)
    assert (first.new, first.known, first.faults) == (5, 0, [])
    again = await load(store, entries, Limits(), datetime(2030, 1, 1, tzinfo=UTC))
    assert (again.new, again.known, again.faults) == (0, 5, [])
    assert await store.find("documents", {}, sort={"operations": 1}) == [
        {"_id": digest(OTHER), "text": OTHER, "keys": ["note", digest(OTHER)], "operations": ["Note"], "loadedAt": NOW}
        | {"keys": sorted(["note", digest(OTHER)])},
        {"_id": digest(TEXT), "text": TEXT, "keys": [digest(TEXT), sha1s, md5s, "own"], "operations": ["Who"]}
        | {"loadedAt": NOW},
    ]


FAULTS: dict[str, tuple[ManifestEntry, str]] = {
    "a sha256 of another text": (ManifestEntry(digest(OTHER), TEXT), "its id is not the sha256 of its text"),
    "a sha1 of another text": (ManifestEntry(sha1(b"").hexdigest(), TEXT), "its id is not the sha1 of its text"),
    "an md5 of another text": (ManifestEntry(md5(b"").hexdigest(), TEXT), "its id is not the md5 of its text"),
    "an id that is too long": (ManifestEntry("x" * 257, TEXT), "an id has 1 to 256 characters; this one has 257"),
    "an empty id": (ManifestEntry("", TEXT), "an id has 1 to 256 characters; this one has 0"),
    "no GraphQL": (ManifestEntry("bad", "{"), "Syntax Error: Expected Name, found <EOF>."),
    "a field that is not there": (ManifestEntry("bad", "{ zzzzzz }"), "Cannot query field 'zzzzzz' on type 'Query'."),
    "half a character": (
        ManifestEntry("bad", "{ viewer { name } } #\ud800"),
        "its id or its text holds half a character",
    ),
    "too long": (
        ManifestEntry("bad", f"{TEXT} #{'x' * 50_000}"),
        "The document has 50031 characters; at most 50000 are allowed.",
    ),
    "another name": (ManifestEntry("bad", TEXT, "Whom"), "its text has no operation of this name; it has Who"),
    "a name, and none in the text": (
        ManifestEntry("bad", "{ viewer { name } }", "Who"),
        "its text has no operation of this name; it has one without a name",
    ),
    "another type": (ManifestEntry("bad", TEXT, "Who", "mutation"), "it is a query, not a mutation"),
    "an id that is another's": (
        ManifestEntry("taken", OTHER),
        "its id is that of another text (Who), loaded earlier; drop that one first",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_bad_entry_is_named_with_its_fault_and_stops_no_other(kind: str, store: Store) -> None:
    bad, reason = FAULTS[kind]
    done = await load(store, [ManifestEntry("taken", TEXT), bad, ManifestEntry("later", TEXT)], Limits(), NOW)
    assert (done.new, done.known, done.faults) == (2, 0, [Fault(bad.label, reason)])
    (kept,) = await store.find("documents", {})
    assert kept["keys"] == [*sorted({digest(TEXT), "taken"}), "later"]


async def test_a_key_is_of_one_document_also_for_two_who_load_at_once(store: Store) -> None:
    await trusted_documents.keep(store, digest(TEXT), TEXT, keys=["a"], operations=[], now=NOW)
    with pytest.raises(StoreError):
        await trusted_documents.keep(store, digest(OTHER), OTHER, keys=["a"], operations=[], now=NOW)
