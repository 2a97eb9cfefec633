"""Writes what is known of a person for the person: one file for programs, one to read, and the files that are theirs.

No link that opens something, no key, no colleague's name beyond their role, and nothing of checks that the law has the
company keep to itself.
"""

import html
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import IO, Any, Final, cast
from zipfile import ZIP_DEFLATED, ZipFile

import orjson

from app.catalogue import CATALOGUE
from app.catalogue.model import ActivityGroup, Audience
from app.domain.ids import collection_of
from app.domain.vocabulary import ActorKind
from app.store.driver import Document, Store
from app.store.files import UPLOADED
from app.store.schema import rows_of

LISTS: Final[Mapping[str, str]] = {
    "activities": "What happened",
    "points": "Points",
    "coupons": "Coupons",
    "transactions": "Transactions",
    "passes": "Mobile wallet passes",
    "pushes": "Updates of passes",
    "statuses": "Changes of status",
    "emails": "E-mails",
    "deliveries": "Deliveries of e-mails",
    "notes": "Notes of our service",
    "requests": "What other systems were asked to do",
    "adjustments": "Points that were asked for",
    "uploads": "Files that were sent to us",
    "paymentInstruments": "Ways to pay",
    "orders": "Orders and subscriptions",
    "invoices": "Invoices",
    "quotes": "Quotes",
    "creditMemos": "Credit memos",
    "kycRequests": "Proofs that we asked for",
    "kycDocuments": "Proofs that were sent to us",
}
"""The collections whose rows are the person's to have, by what a person calls them."""
WITHHELD: Final[Mapping[str, str]] = {
    "searches": "due diligence, which the law has the company keep to itself",
    "blocklist": "the same",
    "amlChecks": "checks against money laundering: the law forbids to tell of them",
    "files": "the content of what is in emails and passes: it comes as files",
    "merges": "says how accounts became one, by colleagues",
}
"""The others of theirs, and why they are not in it."""
_INTERNAL: Final = frozenset(
    "_id customerId order seq formerOwners idempotencyKey dueAt giveUpAt attempts fileId fileIds arrival legacy "
    "isNote group audience revision detailsRevision tagSources spendable pointsExpireAt pendingCopies lastByType "
    "lastActivityAt hasStatusDetails pins mergedFromIds mergedIdentities mergedPayments absorbingIds rowsMoving "
    "mergeId mergeInProgressId undoingId dueDiligence mentions linkIds slot secret createdBy sealed link openFor "
    "confidential executor endpoint deliveryStatus sentAt overdueAt decided affiliateId downloadUrl recordedAt "
    "allocations settlements givenBy uploadId".split()
)
"""Keys that are ours: they say nothing of the person, or open something."""
_PAGE: Final = 500


async def write(
    store: Store, customer: Document, file: IO[bytes], *, now: datetime, advance: Callable[[int], Awaitable[None]]
) -> int:
    """Writes a zip, and returns how many rows are in it. Rows are read a page at a time, and never all at once.

    ``advance`` hears after each page how many rows are in.
    """
    accounts = [customer["_id"], *customer.get("mergedFromIds", ())]
    rows = 0
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        with archive.open("data.json", "w") as data:
            data.write(b'{"customer": ' + _json(_shown(customer)))
            for name in LISTS:
                data.write(b',\n"' + name.encode() + b'": [')
                separator = b"\n"
                async for row in _rows(store, name, accounts):
                    data.write(separator + _json(row))
                    separator, rows = b",\n", rows + 1
                    if rows % _PAGE == 0:
                        await advance(rows)
                data.write(b"]")
            data.write(b"}\n")
        with archive.open("data.html", "w") as page:
            page.write(_head(customer, now))
            page.write(_table(_shown(customer)))
            for name, title in LISTS.items():
                page.write(f"<h2>{html.escape(title)}</h2>\n".encode())
                async for row in _rows(store, name, accounts):
                    page.write(_table(row))
                await advance(rows)
            page.write(b"</body></html>\n")
        async for path, content in _files(store, accounts):
            with archive.open(path, "w") as entry:
                async for piece in content:
                    entry.write(piece)
    return rows


async def _rows(store: Store, collection: str, accounts: list[str]) -> AsyncGenerator[Document]:
    where, last = rows_of(collection, {"$in": accounts}), ""
    while found := await store.find(collection, {**where, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_PAGE):
        last = found[-1]["_id"]
        for row in found:
            if not _is_withheld(collection, row):
                yield _shown(row)


def _is_withheld(collection: str, row: Document) -> bool:
    """Returns whether the row tells of a check that the person is not told of."""
    if collection == "requests":
        return row["confidential"]
    if collection != "activities":
        return False
    if "subjectId" in row and collection_of(row["subjectId"]) == "amlChecks":
        return True
    of_catalogue = CATALOGUE.get(row["type"])
    return bool(
        of_catalogue and of_catalogue.group is ActivityGroup.COMPLIANCE and of_catalogue.audience is Audience.STAFF
    )


def _shown(document: Document) -> Document:
    """Returns what the person gets of a document."""
    if "kind" in document and "name" in document and document["kind"] in set(ActorKind):
        keys = ("kind", "name") if document["kind"] == ActorKind.CUSTOMER else ("kind", "accessLevel")
        return {key: document[key] for key in keys if key in document}
    return {
        key: _value(value) for key, value in document.items() if key not in _INTERNAL and not key.startswith("search")
    }


def _value(value: Any) -> Any:
    match value:
        case dict():
            return _shown(cast(Document, value))
        case list():
            return [_value(each) for each in cast(list[Any], value)]
        case _:
            return value


def _json(document: Document) -> bytes:
    return orjson.dumps(document, default=_plain, option=orjson.OPT_INDENT_2)


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(type(value).__name__)


def _head(customer: Document, now: datetime) -> bytes:
    name = html.escape(f"{customer['name']} ({customer['number']})")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Data about {name}</title>\n'
        "<style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse;margin:0 0 1em;width:100%}"
        "th,td{text-align:left;vertical-align:top;border-top:1px solid #ccc;padding:.2em .6em}"
        "th{width:14em;font-weight:normal;color:#555}td{white-space:pre-wrap;overflow-wrap:anywhere}</style></head>\n"
        f"<body><h1>Data about {name}</h1>\n<p>What we have stored about you, as of {now:%Y-%m-%d %H:%M} UTC. "
        "<code>data.json</code> has the same for programs.</p>\n"
    ).encode()


def _table(document: Document) -> bytes:
    cells = (
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>" for name, text in _lines(document) if text
    )
    return f"<table>{''.join(cells)}</table>\n".encode()


def _lines(document: Document, above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        name = f"{above}{key}"
        match value:
            case dict():
                yield from _lines(cast(Document, value), f"{name}.")
            case list():
                for place, each in enumerate(cast(list[Any], value), start=1):
                    if isinstance(each, dict):
                        yield from _lines(cast(Document, each), f"{name} {place}.")
                    else:
                        yield f"{name} {place}", str(each)
            case datetime():
                yield name, f"{value:%Y-%m-%d %H:%M:%S} UTC"
            case _:
                yield name, str(value)


async def _files(store: Store, accounts: list[str]) -> AsyncGenerator[tuple[str, AsyncGenerator[bytes]]]:
    """Yields the path of each file that is the person's, and its content."""
    last, where = "", rows_of("files", {"$in": accounts})
    while found := await store.find("files", {**where, "_id": {"$gt": last}}, sort={"_id": 1}, limit=1):
        last = found[0]["_id"]
        yield _path(found[0]["_id"], found[0]["name"]), _once(bytes(found[0]["content"]))
    for upload in await store.find("uploads", rows_of("uploads", {"$in": accounts}), sort={"_id": 1}):
        if "fileId" in upload:
            yield _path(upload["_id"], upload["name"]), UPLOADED.read(store.database, upload["fileId"])


def _path(file_id: str, name: str) -> str:
    safe = "".join(character if character.isalnum() or character in "._- " else "_" for character in name)
    return f"files/{file_id[4:20]}-{safe.lstrip('.')[:100]}"


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    yield content
