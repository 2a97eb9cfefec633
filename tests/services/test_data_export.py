"""The file with all that is known of a person: whole, readable, and without what is not theirs to have."""

import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import EnumType
from typing import Any, cast
from zipfile import ZipFile

import pytest

from app.catalogue import CATALOGUE, SOURCES
from app.demo.sample import people, seed
from app.domain import vocabulary
from app.domain.access import PERMITTED, STAFF, Permission, Role
from app.domain.details import DETAILS
from app.graph import masks_for
from app.services import archives
from app.services.archives import LISTS, WITHHELD
from app.services.erase_job import Eraser
from app.services.erasing import ERASED_ROWS
from app.services.export_job import Exporter
from app.store.driver import Document, Store, UpdateOne
from app.store.files import EXPORTED
from app.store.mirrors import MIRRORS
from app.store.personal import personal_texts
from tests.support.gateway import Ask
from tests.support.haystack import is_word_in
from tests.support.mutations import ANONYMISE, REQUEST_DATA_EXPORT, complete_all
from tests.support.tokens import token
from tests.support.world import World

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_ENUMS: list[Any] = [each for each in vars(vocabulary).values() if isinstance(each, EnumType)]
OURS: set[str] = {*SOURCES, *DETAILS, *(str(word) for each in _ENUMS for word in each.__members__)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast(Document, value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast(list[Any], value):
            yield from _texts(each)


async def _archive(ask: Ask, store: Store, who: Document, key: str = "x") -> ZipFile:
    asked = {"customerId": who["_id"], "idempotencyKey": key}
    payload = (await ask(REQUEST_DATA_EXPORT, input=asked))["data"]["requestDataExport"]
    assert payload["userErrors"] == [], payload
    assert payload["activity"]["type"] == "DATA_EXPORT_REQUESTED"
    await Exporter(store, masks_for).once()
    [export] = await store.find("exports", {"_id": payload["export"]["id"]})
    assert (export["status"], export.get("error")) == ("DONE", None)
    content = b"".join([piece async for piece in EXPORTED.read(store.database, export["_id"])])
    assert len(content) == export["bytes"]
    return ZipFile(io.BytesIO(content))


async def _messy(store: Store) -> Document:
    await seed.seed(store, customers=8, now=NOW)
    return (await store.find("customers", {"number": "C-100001"}))[0]


def test_every_list_of_a_customer_is_exported_or_withheld_for_a_reason() -> None:
    assert {*LISTS} | {*WITHHELD} | {"exports"} == {*ERASED_ROWS}


async def test_all_that_is_declared_personal_is_in_both_files_and_nothing_that_is_not_theirs(
    ask: Ask, store: Store
) -> None:
    messy = await _messy(store)
    archive = await _archive(ask, store, messy)
    assert archive.testzip() is None
    data, page = json.loads(archive.read("data.json")), archive.read("data.html").decode()
    assert {*data} == {"customer", *LISTS}
    told = {*_texts(data)}
    rows = {name: await store.find(name, {"customerId": messy["_id"]}) for name in LISTS}
    staff = {each[key] for each in people.AGENTS for key in ("id", "name")}
    links = {row["downloadUrl"] for row in rows["passes"] if "downloadUrl" in row}
    files = {row["fileId"] for row in rows["passes"] if "fileId" in row}
    files |= {each for row in rows["emails"] for each in row.get("fileIds", [])}
    withheld = {row.code for row in CATALOGUE.values() if (row.group, row.audience) == ("COMPLIANCE", "STAFF")}
    assert {"FRAUD_RESULT", "AML_CHECK_COMPLETED"} <= withheld
    shown = [row for row in rows["activities"] if row["type"] not in withheld]
    due = {*_texts(messy.get("dueDiligence"))}
    for name, of in {**rows, "activities": shown, "customers": [messy]}.items():
        for row in of:
            personal = personal_texts(name, row) - staff - links - files - OURS - due
            lost = {text for text in personal - told if not re.fullmatch(r"[a-z]{3}_\w+", text)}
            lost -= {text for key in row for text in _texts(row[key]) if key.startswith("search")}
            assert lost == set(), (name, lost)
    everything = json.dumps(data, ensure_ascii=False)
    assert not [name for name in staff if f'"{name}"' in everything]
    assert not [link for link in links if link in everything]
    assert "dueDiligence" not in everything
    mail = next(row for row in rows["emails"] if row.get("text"))
    assert html.escape(mail["subject"]) in page
    assert html.escape(messy["firstName"]) in page
    assert len([name for name in archive.namelist() if name.startswith("files/")]) >= 2


async def test_what_other_systems_own_is_theirs_to_have_but_for_checks_against_money_laundering(
    ask: Ask, store: Store, world: World
) -> None:
    ada = await world.customer()
    for name in MIRRORS:
        row = await world.mirror(name, ada, sourceStatus=f"status-of-{name}")
        await world.activity(ada, "SUBSCRIPTION_RENEWED", message=f"about-{name}", subjectId=row["_id"])
    data = json.loads((await _archive(ask, store, ada)).read("data.json"))
    shown = {name for name in MIRRORS if name in data}
    assert shown == {*MIRRORS} - {"amlChecks"}
    assert all([each["sourceStatus"] for each in data[name]] == [f"status-of-{name}"] for name in shown)
    messages = {each.get("message") for each in data["activities"]} - {None}
    assert messages == {f"about-{name}" for name in shown}
    assert "aml" not in json.dumps(data)


async def test_what_was_exported_is_found_nowhere_once_the_person_is_erased(ask: Ask, store: Store) -> None:
    messy = await _messy(store)
    await complete_all(ask, store, messy)
    data = json.loads((await _archive(ask, store, messy)).read("data.json"))
    rows = {name: await store.find(name, {"customerId": messy["_id"]}) for name in LISTS}
    own = {text for name, of in rows.items() for row in of for text in personal_texts(name, row)}
    own |= personal_texts("customers", messy)
    stored = {name: await store.find(name, {}) for name in (*LISTS, "customers")}
    others = "\n".join(
        text
        for rows_ in stored.values()
        for row in rows_
        if messy["_id"] not in (row["_id"], row.get("customerId"))
        for text in _texts(row)
    )
    sought = {
        text
        for text in {*_texts(data)} & own - OURS
        if len(text) >= 4 and text not in others and text not in messy["number"]
    }
    assert len(sought) > 300
    given = {"customerId": messy["_id"], "confirmNumber": messy["number"], "reason": "Article 17"}
    payload = (await ask(ANONYMISE, input={**given, "idempotencyKey": "k"}))["data"]["anonymiseCustomer"]
    assert payload["userErrors"] == []
    await Eraser(store).once()
    await Exporter(store, masks_for).once()
    assert await store.find("exported.chunks", {}) == []
    collections = {*ERASED_ROWS, "customers", "heads", "parked", "uploaded.files", "audit", "idempotency"}
    stored = {name: await store.find(name, {}) for name in collections}
    left = "\n".join(text for rows_ in stored.values() for row in rows_ for text in _texts(row))
    assert [text for text in sought if is_word_in(text, left)] == []


async def test_the_same_key_asks_once_and_a_zip_is_of_nothing_else(ask: Ask, world: World) -> None:
    ada = await world.customer()
    asked = {"customerId": ada["_id"], "idempotencyKey": "k"}
    one, same = [(await ask(REQUEST_DATA_EXPORT, input=asked))["data"]["requestDataExport"] for _ in range(2)]
    assert one["export"]["id"] == same["export"]["id"]
    bea = await world.customer()
    other = (await ask(REQUEST_DATA_EXPORT, input={**asked, "customerId": bea["_id"]}))["data"]["requestDataExport"]
    assert (other["userErrors"], other["export"]["id"] != one["export"]["id"]) == ([], True)
    assert (one["export"]["table"], one["export"]["format"]) == ("DATA_SUBJECT", "ZIP")
    mutation = """mutation($input: ExportCustomersInput!) { exportCustomers(input: $input) {
      export { id } userErrors { code } } }"""
    answer = await ask(mutation, input={"format": "ZIP", "idempotencyKey": "z"})
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]


UNDOING: Document = {"undoingId": "mrg_1"}
MERGING: Document = {"absorbingIds": ["cus_2"]}
MERGED: Document = {"mergedFromIds": ["cus_2"]}


@pytest.mark.parametrize(
    ("begins", "meanwhile"),
    [("before", UNDOING), ("before", MERGING), *(("during", each) for each in (UNDOING, MERGING, MERGED))],
)
async def test_it_waits_for_a_merge_or_its_undoing_as_rows_of_others_may_be_among_theirs(
    begins: str, meanwhile: Document, ask: Ask, store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await world.customer()
    asked = {"customerId": ada["_id"], "idempotencyKey": "x"}
    await ask(REQUEST_DATA_EXPORT, input=asked)
    write, where = archives.write, {"_id": ada["_id"]}

    async def begin() -> None:
        await store.write("customers", [UpdateOne(where, {"$set": meanwhile})])

    async def write_and_begin(*given: Any, **named: Any) -> int:
        rows = await write(*given, **named)
        await begin()
        return rows

    if begins == "before":
        await begin()
    else:
        monkeypatch.setattr(archives, "write", write_and_begin)
    await Exporter(store, masks_for).once()
    [export] = await store.find("exports", {})
    assert export["status"] in ("QUEUED", "RUNNING")
    monkeypatch.undo()
    over = {"$unset": {"undoingId": "", "absorbingIds": ""}}
    await store.write("customers", [UpdateOne(where, over)])
    await store.write("exports", [UpdateOne({"_id": export["_id"]}, {"$set": {"dueAt": NOW}})])
    await Exporter(store, masks_for).once()
    [export] = await store.find("exports", {})
    assert export["status"] == "DONE"


async def test_an_account_that_is_closed_has_none(ask: Ask, world: World) -> None:
    gone = await world.customer(status="ANONYMISED")
    asked = {"customerId": gone["_id"], "idempotencyKey": "k"}
    payload = (await ask(REQUEST_DATA_EXPORT, input=asked))["data"]["requestDataExport"]
    assert [error["code"] for error in payload["userErrors"]] == ["CUSTOMER_CLOSED"]


@pytest.mark.parametrize("role", sorted(STAFF - PERMITTED[Permission.REQUEST_DATA_EXPORT]))
async def test_others_may_not_ask_for_one(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer()
    asked = {"customerId": ada["_id"], "idempotencyKey": "k"}
    answer = await ask(REQUEST_DATA_EXPORT, token=token(role), input=asked)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
