"""The link to an export's file: whom it lets in, for how long, and what the file comes with."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import time_machine

from app.domain.exports import link
from app.domain.vocabulary import ExportFormat
from app.graph import masks_for
from app.services.erase_job import Eraser
from app.services.export_job import Exporter
from app.store import files
from app.store.driver import Document, UpdateOne
from tests.support.gateway import Ask
from tests.support.mutations import ANONYMISE
from tests.support.world import World

URL = "query($id: ID!) { node(id: $id) { ... on Export { url } } }"
EXPORT_REPORT = "mutation($input: ExportReportInput!) { exportReport(input: $input) { export { id } } }"
ADMIN = {"subject": "tess", "roles": ["ADMIN"]}
REFUSED = {"cache-control": "private, no-store", "content-type": "application/json"}


@pytest.fixture
async def export(world: World) -> Document:
    """Stores a file of three customers, in chunks of ten bytes."""
    for number in range(3):
        await world.customer(number=f"{number:03}", name="Zoë")
    export = await world.export(requestedBy=ADMIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK_BYTES", 10)
        await Exporter(world.store, masks_for).once()
    (done,) = await world.store.find("exports", {"_id": export["_id"]})
    return done


async def url_of(ask: Ask, export: Document) -> str:
    return (await ask(URL, id=export["_id"]))["data"]["node"]["url"]


async def refused(client: httpx2.AsyncClient, url: str) -> tuple[int, str]:
    answer = await client.get(url)
    assert {name: answer.headers[name] for name in REFUSED} == REFUSED
    assert "Zo" not in answer.text
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def test_a_link_opens_the_file_without_a_token(client: httpx2.AsyncClient, ask: Ask, export: Document) -> None:
    url = await url_of(ask, export)
    answer = await client.get(url)
    content = "Number,Name\r\n000,Zoë\r\n001,Zoë\r\n002,Zoë\r\n".encode()
    assert (answer.status_code, answer.content) == (200, content)
    name = f"customers-{export['finishedAt']:%Y-%m-%d}.csv"
    headers = {
        "content-type": "text/csv; charset=utf-8; header=present",
        "content-length": str(len(content)),
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "private, no-store",
        "x-content-type-options": "nosniff",
    }
    assert {name: answer.headers[name] for name in headers} == headers
    assert "content-encoding" not in answer.headers  # though it was accepted
    asked = await client.head(url)
    assert (asked.status_code, asked.content) == (200, b"")
    assert {name: asked.headers[name] for name in headers} == headers
    assert (await client.post(url)).status_code == 405


async def test_ndjson_says_that_it_is(client: httpx2.AsyncClient, ask: Ask, world: World) -> None:
    export = await world.export(format=ExportFormat.NDJSON.value)
    await Exporter(world.store, masks_for).once()
    answer = await client.get(await url_of(ask, export))
    assert answer.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    assert answer.content == b""


async def test_a_link_that_was_altered_is_refused(client: httpx2.AsyncClient, ask: Ask, export: Document) -> None:
    url = await url_of(ask, export)
    path, query = urlsplit(url).path, {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    other = link({**export, "secret": bytes(31) + b"1"}, datetime.now(UTC) + timedelta(minutes=1))
    later, shorter = int(query["expires"]) + 1, query["signature"][:-1]
    for bad in (
        path,
        f"{path}?expires={query['expires']}",
        f"{path}?signature={query['signature']}",
        f"{path}?expires={later}&signature={query['signature']}",
        f"{path}?expires={query['expires']}&signature={shorter}",
        f"{path}?expires={query['expires']}&signature=%ff%00",
        f"{path}?expires=-1&signature={query['signature']}",
        f"{path}?expires={'9' * 5_000}&signature={query['signature']}",
        f"{path}?expires=%D9%A1&signature={query['signature']}",
        f"/exports/exp_nothing?{urlsplit(url).query}",
        f"/exports/%7B%22$gt%22:1%7D?{urlsplit(url).query}",
        other,
    ):
        assert await refused(client, bad) == (403, "FORBIDDEN"), bad


async def test_a_link_is_good_for_minutes_and_each_look_makes_another(
    client: httpx2.AsyncClient, ask: Ask, export: Document
) -> None:
    now = datetime.now(UTC)
    url = await url_of(ask, export)
    with time_machine.travel(now + timedelta(minutes=4), tick=True):
        assert (await client.get(url)).status_code == 200
    with time_machine.travel(now + timedelta(minutes=6), tick=True):
        assert await refused(client, url) == (410, "EXPIRED")
        assert (await client.get(await url_of(ask, export))).status_code == 200


async def test_no_link_outlives_its_file(ask: Ask, world: World, export: Document) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await world.store.write("exports", [UpdateOne({"_id": export["_id"]}, {"$set": {"expiresAt": soon}})])
    url = await url_of(ask, export)
    assert int(parse_qs(urlsplit(url).query)["expires"][0]) == int(soon.timestamp())


async def test_an_erasure_leaves_no_file_of_before_and_none_that_was_made_beside_it(
    client: httpx2.AsyncClient, ask: Ask, world: World
) -> None:
    """Rows are erased one after the other: what is exported meanwhile may still have them."""
    ada = await world.customer()
    await world.activity(ada, message="Zoë called")
    exporter, urls = Exporter(world.store, masks_for), list[str]()

    async def exported(key: str) -> None:
        given = {
            "table": "DETAILS",
            "filter": {"occurredAt": {"from": "2000-01-01T00:00:00Z"}},
            "columns": ["message"],
            "format": "NDJSON",
            "idempotencyKey": key,
        }
        export_id = (await ask(EXPORT_REPORT, input=given))["data"]["exportReport"]["export"]["id"]
        await exporter.once()
        urls.append((await ask(URL, id=export_id))["data"]["node"]["url"])
        assert "Zoë" in (await client.get(urls[-1])).text

    await exported("before")
    erased = {"customerId": ada["_id"], "confirmNumber": ada["number"], "reason": "Article 17", "idempotencyKey": "k"}
    assert not (await ask(ANONYMISE, input=erased))["data"]["anonymiseCustomer"]["userErrors"]
    assert await refused(client, urls[0]) == (410, "EXPIRED")
    await exported("beside")
    await Eraser(world.store).once()
    assert await refused(client, urls[1]) == (410, "EXPIRED")
    await exporter.once()
    assert await world.store.find("exported.chunks", {}) == []
