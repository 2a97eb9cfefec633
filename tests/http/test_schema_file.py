"""The schema as a file: whole, to those who may introspect, and told to nobody else."""

import httpx2
import pytest
from graphql import build_schema

from app.domain.access import Role
from app.sdl import printed
from app.settings import Limits
from app.store.driver import Store
from tests.support.commands import Commands
from tests.support.gateway import gateway_app
from tests.support.tokens import token

READERS = frozenset(map(Role, Limits().introspection_roles.split()))


async def get(client: httpx2.AsyncClient, bearer: str | None, **headers: str) -> httpx2.Response:
    authorization = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return await client.get("/schema.graphql", headers={**authorization, **headers})


def code_of(response: httpx2.Response) -> str:
    (error,) = response.json()["errors"]
    assert "type Query" not in response.text
    assert response.headers["cache-control"] == "no-store"
    return error["extensions"]["code"]


@pytest.mark.parametrize("role", Role)
async def test_those_who_may_introspect_get_the_schema_whole(
    role: Role, client: httpx2.AsyncClient, commands: Commands
) -> None:
    response = await get(client, token(role, customer_id="cus_a", affiliate_id="a"))
    if role in READERS:
        assert (response.status_code, response.text) == (200, printed())
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert "input CustomerBy @oneOf" in response.text
        assert build_schema(response.text).query_type
    else:
        assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
    assert commands.sent == []


@pytest.mark.parametrize("bearer", [None, "x.y.z", ""])
async def test_without_a_token_there_is_none(bearer: str | None, client: httpx2.AsyncClient) -> None:
    response = await get(client, bearer)
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_it_is_sent_again_only_when_it_has_changed_and_only_to_those_who_may(client: httpx2.AsyncClient) -> None:
    first = await get(client, token())
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in first.headers["vary"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        same = await get(client, token(), **{"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        assert same.headers["cache-control"] == "private, no-cache"
    for other in ('"other"', "", f'"{tag}'):
        assert (await get(client, token(), **{"If-None-Match": other})).status_code == 200
    assert (await get(client, None, **{"If-None-Match": tag})).status_code == 401
    assert (await get(client, token(Role.AFFILIATE, affiliate_id="a"), **{"If-None-Match": tag})).status_code == 403


async def test_it_is_compressed_for_those_who_accept_that(client: httpx2.AsyncClient) -> None:
    response = await get(client, token(), **{"Accept-Encoding": "gzip"})
    assert (response.headers["content-encoding"], response.text) == ("gzip", printed())
    assert response.headers["etag"] == (await get(client, token())).headers["etag"]


async def test_it_costs_its_reader_a_part_of_the_minute(store: Store) -> None:
    app = gateway_app(store, Limits(cost_per_minute=300))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        answers = [await get(client, token()) for _ in range(12)]
        assert (answers[0].status_code, answers[-1].status_code, code_of(answers[-1])) == (200, 429, "RATE_LIMITED")
        seconds = int(answers[-1].headers["retry-after"])
        (error,) = answers[-1].json()["errors"]
        assert error["extensions"]["limit"] == {"name": "cost", "allowed": 300}
        assert error["message"] == (
            f"You have asked for requests that cost more than 300 in the last minute. Try again in {seconds} s."
        )


async def test_who_may_introspect_is_a_setting(store: Store) -> None:
    app = gateway_app(store, Limits(introspection_roles="FINANCE"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        assert (await get(client, token(Role.FINANCE))).status_code == 200
        assert (await get(client, token())).status_code == 403
