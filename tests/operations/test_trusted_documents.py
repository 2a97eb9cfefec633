"""Trusted documents: by every id that a client may send, in every mode, for every role."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import md5, sha256
from typing import Any

import httpx2
import pytest

from app import manifests
from app.domain.access import Role
from app.operations.cost import LOOKUP, REQUEST, price_of_text
from app.operations.trusted_documents import FOUND_SECONDS, MISSING_SECONDS, TrustedDocuments
from app.settings import Limits, TrustByRole
from app.store.driver import Store
from tests.support.commands import Commands
from tests.support.gateway import gateway_app
from tests.support.tokens import token
from tests.support.world import World

TEXT = "query Who { viewer { name } }"
DIGEST = sha256(TEXT.encode()).hexdigest()
RELAYS = md5(TEXT.encode()).hexdigest()
OWN_KEY = "desk~1.2.0~who"
NOBODYS = "0" * 64
ANSWER = {"viewer": {"name": "Tess Tester"}}


def apollo(digest: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}


WAYS: Mapping[str, Mapping[str, Any]] = {
    "documentId": {"documentId": f"sha256:{DIGEST}"},
    "documentId without its prefix": {"documentId": DIGEST},
    "documentId, a key": {"documentId": OWN_KEY},
    "Apollo's": apollo(DIGEST),
    "Relay's": {"id": RELAYS},
    "doc_id": {"doc_id": OWN_KEY},
    "two of the same": {"id": DIGEST, **apollo(DIGEST)},
    "with an empty query": {"query": "", "documentId": f"sha256:{DIGEST}"},
    "with no query": {"query": None, "documentId": f"sha256:{DIGEST}"},
}
UNKNOWN: Mapping[str, Mapping[str, Any]] = {
    "documentId": {"documentId": f"sha256:{NOBODYS}"},
    "Apollo's": apollo(NOBODYS),
    "Relay's": {"id": "nobody's"},
    "doc_id": {"doc_id": "nobody's"},
}


@asynccontextmanager
async def gateway(store: Store, mode: str = "ALLOW", **limits: Any) -> AsyncGenerator[httpx2.AsyncClient]:
    made = Limits(trusted_documents=mode, **limits)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(gateway_app(store, made)), base_url="http://gateway"
    ) as client:
        yield client


async def loaded(store: Store, *entries: tuple[str, str]) -> manifests.Loaded:
    given = [manifests.ManifestEntry(key, text) for key, text in entries]
    return await manifests.load(store, given, Limits(), datetime(2026, 11, 27, tzinfo=UTC))


@pytest.fixture
async def known(store: Store) -> Store:
    """Gives a database with one document, known by three ids."""
    done = await loaded(store, (DIGEST, TEXT), (RELAYS, TEXT), (OWN_KEY, TEXT))
    assert (done.new, done.known, done.faults) == (3, 0, [])
    return store


def headers(*roles: Role, accept: str = "application/graphql-response+json", **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(*roles, **claims)}", "Accept": accept}


async def post(client: httpx2.AsyncClient, body: Mapping[str, Any], *roles: Role, **options: Any) -> httpx2.Response:
    return await client.post("/graphql", json=body, headers=headers(*roles, **options))


async def get(client: httpx2.AsyncClient, body: Mapping[str, Any], *roles: Role) -> httpx2.Response:
    given = {name: json.dumps(value) if isinstance(value, dict) else value or "" for name, value in body.items()}
    return await client.get("/graphql", params=given, headers=headers(*roles))


def code_of(response: httpx2.Response) -> str:
    answer = response.json()
    assert "data" not in answer
    (error,) = answer["errors"]
    return error["extensions"]["code"]


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize("mode", ["ALLOW", "ONLY", "OFF ADMIN=ALLOW", "OFF ADMIN=ONLY"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_document_is_executed_by_any_of_its_ids(way: str, mode: str, known: Store) -> None:
    async with gateway(known, mode) as client:
        for response in (await post(client, WAYS[way]), await get(client, WAYS[way])):
            assert (response.status_code, response.json()["data"]) == (200, ANSWER)


async def test_variables_and_the_name_of_the_operation_come_as_with_a_text(store: Store, world: World) -> None:
    customer = await world.customer(name="Ada Lovelace")
    text = "query One($id: ID!) { node(id: $id) { id } } query Two($id: ID!) { customer(by: {id: $id}) { name } }"
    await loaded(store, ("two", text))
    async with gateway(store) as client:
        body = {"id": "two", "operationName": "Two", "variables": {"id": customer["_id"]}}
        for response in (await post(client, body), await get(client, body)):
            assert response.json()["data"] == {"customer": {"name": "Ada Lovelace"}}
        assert code_of(await post(client, {"id": "two"})) == "OPERATION_RESOLUTION_FAILURE"


async def test_a_change_by_its_id_comes_by_post_only(store: Store) -> None:
    await loaded(store, ("change", "mutation Change { __typename }"))
    async with gateway(store) as client:
        assert (await post(client, {"id": "change"})).json()["data"] == {"__typename": "Mutation"}
        refused = await get(client, {"id": "change"})
        assert (refused.status_code, code_of(refused)) == (405, "METHOD_NOT_ALLOWED")


async def test_an_answer_by_get_is_kept_by_no_cache(known: Store) -> None:
    async with gateway(known) as client:
        for body in (WAYS["documentId"], UNKNOWN["documentId"], {"query": TEXT}):
            assert (await get(client, body)).headers["cache-control"] == "no-store"


async def test_a_browser_that_asks_by_an_id_gets_an_answer_and_no_page(known: Store) -> None:
    async with gateway(known) as client:
        accept = "text/html,application/json"
        for body in (WAYS["documentId"], WAYS["Relay's"], WAYS["doc_id"]):
            response = await client.get("/graphql", params=body, headers=headers(accept=accept))
            assert response.json()["data"] == ANSWER


async def test_what_may_not_be_read_by_a_text_may_not_be_read_by_an_id(store: Store) -> None:
    """Price, limits and roles are those of the text."""
    schema, dear = "{ __schema { types { name } } }", "{ customers(first: 100) { nodes { %s } } }"
    dear %= " ".join(f"a{number}: activities(first: 100) {{ nodes {{ title }} }}" for number in range(9))
    await loaded(store, ("schema", schema), ("dear", dear), ("log", "{ auditLog { totalCount } }"), ("who", TEXT))
    async with gateway(store, "ALLOW") as client:
        for key, text in (("schema", schema), ("dear", dear), ("log", "{ auditLog { totalCount } }"), ("who", TEXT)):
            for role in (Role.AFFILIATE, Role.SALES_REP, Role.ADMIN):
                by_id = await post(client, {"id": key}, role, affiliate_id="a")
                by_text = await post(client, {"query": text}, role, affiliate_id="a")
                assert (by_id.status_code, by_id.json()) == (by_text.status_code, by_text.json())


# ---------------------------------------------------------------- unknown ids


@pytest.mark.parametrize("way", UNKNOWN)
async def test_an_unknown_id_is_told_so_that_clients_send_the_text(way: str, known: Store) -> None:
    async with gateway(known, "ALLOW") as client:
        for response in (await post(client, UNKNOWN[way]), await get(client, UNKNOWN[way])):
            assert (response.status_code, code_of(response)) == (400, "PERSISTED_QUERY_NOT_FOUND")
            assert response.json()["errors"][0]["message"] == "PersistedQueryNotFound"
        plain = await post(client, UNKNOWN[way], accept="application/json")
        assert (plain.status_code, code_of(plain)) == (200, "PERSISTED_QUERY_NOT_FOUND")


@pytest.mark.parametrize("way", UNKNOWN)
@pytest.mark.parametrize("accept", ["application/json", "application/graphql-response+json"])
async def test_an_unknown_id_is_told_otherwise_where_the_text_would_be_refused(
    way: str, accept: str, known: Store
) -> None:
    async with gateway(known, "ONLY") as client:
        refused = await post(client, UNKNOWN[way], accept=accept)
        assert (refused.status_code, code_of(refused)) == (403, "DOCUMENT_NOT_TRUSTED")
        assert "documents load" in refused.json()["errors"][0]["message"]


@pytest.mark.parametrize("way", [*WAYS, *(f"unknown: {way}" for way in UNKNOWN)])
async def test_where_it_is_off_every_id_is_refused_and_none_is_looked_up(
    way: str, known: Store, commands: Commands
) -> None:
    body = UNKNOWN[way.removeprefix("unknown: ")] if way.startswith("unknown") else WAYS[way]
    commands.clear()
    async with gateway(known, "OFF") as client:
        refused = await post(client, body)
        assert (refused.status_code, code_of(refused)) == (400, "PERSISTED_QUERY_NOT_SUPPORTED")
    assert commands.sent == []


async def test_a_database_without_documents_supports_none(store: Store) -> None:
    """A client that is told `not found` would ask for each of its documents twice, for ever."""
    async with gateway(store, "ALLOW") as client:
        assert code_of(await post(client, apollo(DIGEST))) == "PERSISTED_QUERY_NOT_SUPPORTED"


# ---------------------------------------------------------------- texts


async def test_only_trusted_documents_means_no_text_at_all(known: Store, commands: Commands) -> None:
    commands.clear()
    async with gateway(known, "ONLY") as client:
        for body in ({"query": "{ viewer { name } }"}, {"query": TEXT}, {"query": "{"}, {"query": TEXT, "id": OWN_KEY}):
            for response in (await post(client, body), await get(client, body)):
                assert (response.status_code, code_of(response)) == (403, "DOCUMENT_NOT_TRUSTED")
                assert "documentId" in response.json()["errors"][0]["message"]
        assert commands.sent == []
        # Apollo's clients send the hash beside the text once they have been told that it is not known.
        both = await post(client, {"query": TEXT, **apollo(DIGEST)})
        assert both.json()["data"] == ANSWER
        other = "{ viewer { name roles } }"
        both = await post(client, {"query": other, **apollo(sha256(other.encode()).hexdigest())})
        assert (both.status_code, code_of(both)) == (403, "DOCUMENT_NOT_TRUSTED")


@pytest.mark.parametrize("mode", ["OFF", "ALLOW", "ONLY"])
async def test_the_hash_of_another_text_is_refused(mode: str, known: Store) -> None:
    async with gateway(known, mode) as client:
        for named in (apollo(DIGEST), {"documentId": f"sha256:{DIGEST}"}):
            refused = await post(client, {"query": "{ viewer { roles } }", **named})
            assert (refused.status_code, code_of(refused)) == (400, "BAD_REQUEST")
            assert refused.json()["errors"][0]["message"] == "provided sha does not match query"


@pytest.mark.parametrize("mode", ["OFF", "ALLOW"])
async def test_a_text_with_its_hash_is_executed_and_not_kept(mode: str, store: Store, commands: Commands) -> None:
    async with gateway(store, mode) as client:
        for named in (apollo(DIGEST), {"documentId": f"sha256:{DIGEST}"}, {"id": "anything"}, {"id": 7}):
            assert (await post(client, {"query": TEXT, **named})).json()["data"] == ANSWER
    assert commands.sent == []
    assert await store.find("documents", {}) == []


@pytest.mark.parametrize("role", Role)
async def test_each_role_has_its_mode(role: Role, known: Store, world: World) -> None:
    customer = await world.customer()
    claims = {"customer_id": customer["_id"], "affiliate_id": "a"}
    for own, others in (("ONLY", "OFF"), ("OFF", "ONLY"), ("ALLOW", "OFF")):
        async with gateway(known, f"{others} {role}={own}") as client:
            text = await post(client, {"query": TEXT}, role, **claims)
            by_id = await post(client, {"id": OWN_KEY}, role, **claims)
            assert ("data" in text.json(), "data" in by_id.json()) == (own != "ONLY", own != "OFF")


def test_what_one_role_may_another_does_not_take_away() -> None:
    trust = TrustByRole.read("ONLY ADMIN=OFF API_USER=ALLOW")
    assert trust.refuses_texts
    for roles, texts, ids in (
        ({Role.FINANCE}, False, True),
        ({Role.ADMIN}, True, False),
        ({Role.API_USER}, True, True),
        ({Role.FINANCE, Role.ADMIN}, True, True),
    ):
        assert (trust.takes_texts(roles), trust.takes_ids(roles)) == (texts, ids)
    assert not TrustByRole.read("ALLOW ADMIN=OFF").refuses_texts


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("", "missing"),
        ("ADMIN=ONLY", "the mode for all other roles is missing"),
        ("ALLOW ALLOW", "the mode for all roles is there twice"),
        ("ALLOW ADMIN=ONLY ADMIN=OFF", "ADMIN is there twice"),
        ("ALLOW BOSS=ONLY", "no role is called BOSS"),
        ("allow", "allow is not one of OFF, ALLOW, ONLY"),
        ("ALLOW ADMIN=", " is not one of OFF, ALLOW, ONLY"),
    ],
)
def test_a_mode_that_cannot_be_used_is_named(value: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Limits(trusted_documents=value)


# ---------------------------------------------------------------- what is remembered, and what it costs


async def test_a_document_is_looked_up_once_by_one_command(known: Store, commands: Commands) -> None:
    async with gateway(known) as client:
        commands.clear()
        for _ in range(3):
            assert (await post(client, WAYS["documentId"])).json()["data"] == ANSWER
            assert code_of(await post(client, UNKNOWN["documentId"])) == "PERSISTED_QUERY_NOT_FOUND"
    assert commands.names == ["aggregate"] * 2


async def test_a_text_without_an_id_asks_nothing(known: Store, commands: Commands) -> None:
    async with gateway(known, "ALLOW") as client:
        commands.clear()
        assert (await post(client, {"query": TEXT})).json()["data"] == ANSWER
    assert commands.sent == []


async def test_a_document_is_remembered_for_a_minute_and_its_lack_for_seconds(known: Store) -> None:
    now = 0.0
    trusted = TrustedDocuments(10**6, clock=lambda: now)
    assert await trusted.text("late", known) is None
    assert await trusted.text(DIGEST, known) == TEXT
    await loaded(known, ("late", "{ viewer { roles } }"))
    await known.command({"delete": "documents", "deletes": [{"q": {"_id": DIGEST}, "limit": 1}]})
    assert (await trusted.text("late", known), await trusted.text(DIGEST, known)) == (None, TEXT)
    now = MISSING_SECONDS
    assert (await trusted.text("late", known), await trusted.text(DIGEST, known)) == ("{ viewer { roles } }", TEXT)
    now = FOUND_SECONDS
    assert await trusted.text(DIGEST, known) is None


async def test_random_ids_take_no_more_memory_than_there_is_for_them(known: Store) -> None:
    trusted = TrustedDocuments(50_000)
    for number in range(300):
        assert await trusted.text(f"{number:0256}", known) is None
    assert trusted.kept_bytes <= 50_000
    assert await trusted.text(DIGEST, known) == TEXT
    assert trusted.remembers(DIGEST)
    nothing = TrustedDocuments(0)
    assert (await nothing.text(DIGEST, known), nothing.kept_bytes) == (TEXT, 0)


async def test_a_flood_of_random_ids_costs_its_sender_the_minute(known: Store, commands: Commands) -> None:
    affordable = 20
    async with gateway(known, cost_per_minute=affordable * (REQUEST + LOOKUP)) as client:
        commands.clear()
        answers = [await post(client, {"id": f"{number}"}) for number in range(affordable + 5)]
        assert [code_of(each) for each in answers] == (
            ["PERSISTED_QUERY_NOT_FOUND"] * affordable + ["RATE_LIMITED"] * 5
        )
        assert (await post(client, WAYS["documentId"], subject="eve")).json()["data"] == ANSWER
    assert len(commands.sent) == affordable + 1


async def test_a_trusted_document_costs_what_its_text_costs(known: Store) -> None:
    """The first time in a process its look-up is paid for besides, and, as any text's, its preparation."""
    cost = REQUEST + 1
    assert (await _affordable(known, {"query": TEXT}, cost, price_of_text(TEXT))) == 5
    assert (await _affordable(known, WAYS["documentId"], cost, price_of_text(TEXT) + LOOKUP)) == 5


async def _affordable(store: Store, body: Mapping[str, Any], cost: int, once: int) -> int:
    """Returns how many requests succeed in a minute that has enough for five, and for a plan."""
    async with gateway(store, cost_per_minute=once + 5 * cost + 7) as client:
        answers = [(await post(client, body)) for _ in range(8)]
    assert {each.json()["extensions"]["cost"]["requested"] for each in answers if each.status_code == 200} == {cost}
    return len([each for each in answers if each.status_code == 200])
