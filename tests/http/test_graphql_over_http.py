"""GraphQL over HTTP: what may be sent and how, and the status, type and code of each answer."""

import json
import re
from collections.abc import AsyncGenerator, Mapping
from hashlib import sha256
from typing import Any

import httpx2
import pytest
from graphql import GraphQLError
from structlog.testing import capture_logs

from app.domain.access import Role, Viewer
from app.http.pages import STATIC
from app.http.request import JSON, RESPONSE
from app.http.tokens import KeysUnavailable, verifier
from app.main import build_app, routes
from app.operations.admission import Overloaded
from app.operations.document import Documents
from app.operations.errors import error_payload, format_error
from app.operations.rates import RateLimited
from app.settings import Limits
from app.store.driver import OutOfTime, Store
from tests.support.commands import Commands
from tests.support.tokens import AUTHORITY, SECRET, token
from tests.support.world import World

QUERY = {"query": "{ viewer { name } }"}
CHANGE = 'mutation { addNote(input: {customerId: "cus_x", message: "x", idempotencyKey: "k"}) { note { id } } }'
INTERNALS = ("mongo", "traceback", "exception", ".py", "orjson", "strawberry", "graphql-core", "line 1 column")


async def post(client: httpx2.AsyncClient, content: bytes | str, **headers: str) -> httpx2.Response:
    known = {"Authorization": f"Bearer {token()}", "Content-Type": JSON, "Accept": RESPONSE}
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return await client.post("/graphql", content=content, headers={**known, **named})


async def get(client: httpx2.AsyncClient, **parameters: str) -> httpx2.Response:
    return await client.get(
        "/graphql", params=parameters, headers={"Authorization": f"Bearer {token()}", "Accept": RESPONSE}
    )


def code_of(response: httpx2.Response) -> str:
    """The code of the only error of an answer without data, whose words are fit for a client."""
    answer = response.json()
    assert "data" not in answer
    (error,) = answer["errors"]
    assert not [word for word in INTERNALS if word in response.text.lower()], response.text
    assert len(response.content) < 2_000
    return error["extensions"]["code"]


# ---------------------------------------------------------------- bodies

MALFORMED: Mapping[str, bytes] = {
    "nothing": b"",
    "no JSON": b'{"query": ',
    "null": b"null",
    "a number": b"1",
    "a text": b'"{ viewer { name } }"',
    "a batch": json.dumps([QUERY]).encode(),
    "an empty batch": b"[]",
    "invalid UTF-8": b'{"query": "\xff"}',
    "UTF-16": json.dumps(QUERY).encode("utf-16"),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + json.dumps(QUERY).encode(),
    "a byte order mark of UTF-16": json.dumps(QUERY).encode("utf-16"),
    "half a character": rb'{"query": "{ viewer { name } } #\ud800"}',
    "deeply nested": b'{"query": "{ viewer { name } }", "variables": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
    "deep, and never closed": b"[" * 100_000,
    "endless number": b'{"query": "{ viewer { name } }", "variables": {"a": 1e999}}',
    "a number of 5,000 digits": b'{"query": "{ viewer { name } }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
    "NaN": b'{"query": "{ viewer { name } }", "variables": {"a": NaN}}',
    "no query": b'{"variables": {}}',
    "query null": b'{"query": null}',
    "query empty": b'{"query": ""}',
    "query a list": b'{"query": ["{ viewer { name } }"]}',
    "variables a list": b'{"query": "{ viewer { name } }", "variables": []}',
    "variables a text": b'{"query": "{ viewer { name } }", "variables": "{}"}',
    "name a number": b'{"query": "{ viewer { name } }", "operationName": 0}',
    "extensions a list": b'{"query": "{ viewer { name } }", "extensions": []}',
    "extensions a list, and no query": b'{"extensions": [{"persistedQuery": {"version": 1}}]}',
    "a persisted query that is a text": b'{"extensions": {"persistedQuery": "abc"}}',
    "a persisted query that is null": b'{"extensions": {"persistedQuery": null}}',
    "two ids": b'{"id": "a", "doc_id": "b"}',
    "an id that is a number": b'{"id": 1}',
    "an id that is empty": b'{"documentId": ""}',
    "an id that is too long": b'{"documentId": "%b"}' % (b"x" * 257),
    "an id that is null": b'{"documentId": null}',
    "an id, and a hash of another": b'{"id": "a", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "b"}}}',
    "a text, and the hash of another": b'{"query": "{ viewer { name } }", "documentId": "sha256:0"}',
    "a text, and Apollo's hash of another": b'{"query": "{ viewer { name } }", "extensions": {"persistedQuery": '
    b'{"version": 1, "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}}',
    "a persisted query, and a query that is a list": b'{"query": [], "extensions": {"persistedQuery": {}}}',
    "a persisted query, and variables that are a text": b'{"variables": "", "extensions": {"persistedQuery": {}}}',
}


@pytest.mark.parametrize("accept", [JSON, RESPONSE])
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_body_is_400_and_asks_nobody(
    client: httpx2.AsyncClient, commands: Commands, body: bytes, accept: str
) -> None:
    response = await post(client, body, accept=accept)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert commands.sent == []


@pytest.mark.parametrize(
    "type_",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/graphql",
        "application/json; charset=utf-16",
    ],
)
async def test_what_a_page_of_another_origin_could_send_unasked_is_415(client: httpx2.AsyncClient, type_: str) -> None:
    response = await post(client, json.dumps(QUERY), content_type=type_)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "type_",
    [
        "application/json",
        "application/json;",
        "Application/JSON; Charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json; charset=utf8",
        'application/json ; charset="UTF8" ; profile=x',
    ],
)
async def test_json_is_taken_however_it_is_spelled(client: httpx2.AsyncClient, type_: str) -> None:
    assert (await post(client, json.dumps(QUERY), content_type=type_)).json()["data"] == {
        "viewer": {"name": "Tess Tester"}
    }


@pytest.mark.parametrize("charset", ["latin1", "iso-8859-1", "utf-16", "utf-7", '"utf-16le"', "utf-88", ""])
async def test_another_charset_is_415_with_a_sentence(client: httpx2.AsyncClient, charset: str) -> None:
    response = await post(client, json.dumps(QUERY), content_type=f"application/json; charset={charset}")
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert response.json()["errors"][0]["message"] == f"The body's charset is {charset}: send it in UTF-8."


async def test_a_byte_order_mark_before_json_is_borne(client: httpx2.AsyncClient) -> None:
    marked = b"\xef\xbb\xbf" + json.dumps(QUERY).encode()
    assert (await post(client, marked)).json()["data"] == {"viewer": {"name": "Tess Tester"}}
    asked = await get(client, query="\ufeff{ viewer { name } }", variables="\ufeff{}", extensions="\ufeff{}")
    assert asked.json()["data"] == {"viewer": {"name": "Tess Tester"}}


async def test_a_compressed_body_is_415(client: httpx2.AsyncClient) -> None:
    response = await post(client, json.dumps(QUERY), content_encoding="gzip")
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_body_beyond_the_limit_is_413_before_it_is_read(client: httpx2.AsyncClient) -> None:
    read: list[int] = []

    async def chunks() -> AsyncGenerator[bytes]:
        for number in range(100):
            read.append(number)
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {token()}", "Content-Type": JSON}
    response = await client.post("/graphql", content=chunks(), headers=headers)
    assert (response.status_code, code_of(response)) == (413, "REQUEST_TOO_LARGE")
    assert len(read) <= 18  # 1 MiB is sixteen of them
    for length in ("1048577", "9" * 5_000):
        declared = await post(client, b"{}", content_length=length)
        assert (declared.status_code, code_of(declared)) == (413, "REQUEST_TOO_LARGE")
    whole = json.dumps(QUERY).ljust(1_048_576)
    assert (await post(client, whole)).status_code == 200


# ---------------------------------------------------------------- operations


async def test_several_operations_need_a_name_and_one_is_chosen_by_it(client: httpx2.AsyncClient) -> None:
    both = "query One { viewer { name } } query Two { viewer { subject } }"
    needed = "The document has 2 operations: name the one to execute in operationName."
    for name, message in (
        (None, needed),
        ("", needed),
        ("Three", 'The document has no operation "Three"; it has One, Two.'),
        ("one", 'The document has no operation "one"; it has One, Two.'),
        ("None", 'The document has no operation "None"; it has One, Two.'),
    ):
        response = await post(client, json.dumps({"query": both, "operationName": name}))
        assert (response.status_code, code_of(response)) == (400, "OPERATION_RESOLUTION_FAILURE")
        assert response.json()["errors"][0]["message"] == message
    chosen = await post(client, json.dumps({"query": both, "operationName": "Two"}))
    assert chosen.json()["data"] == {"viewer": {"subject": "tess"}}
    response = await post(client, json.dumps({"query": "fragment F on Query { viewer { name } }"}))
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ viewer { name } }", "its only one has no name; leave operationName out."),
        ("query One { viewer { name } }", "it has One."),
    ],
)
async def test_an_operation_name_that_nobody_has_says_so(client: httpx2.AsyncClient, query: str, message: str) -> None:
    for response in (
        await post(client, json.dumps({"query": query, "operationName": "Three"})),
        await get(client, query=query, operationName="Three"),
    ):
        assert (response.status_code, code_of(response)) == (400, "OPERATION_RESOLUTION_FAILURE")
        text = response.json()["errors"][0]["message"]
        assert text.startswith('The document has no operation "Three"')
        assert text.endswith(message)


PERSISTED = {"version": 1, "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}


@pytest.mark.parametrize("query", [{}, {"query": None}, {"query": ""}], ids=str)
@pytest.mark.parametrize("persisted", [PERSISTED, {}], ids=str)
async def test_a_hash_instead_of_a_query_is_refused_in_the_words_that_clients_know(
    client: httpx2.AsyncClient, commands: Commands, query: dict[str, Any], persisted: dict[str, Any]
) -> None:
    """With 200 to those who read JSON: Apollo's clients look at a body's errors, of any other status only at that.

    Nothing was loaded here: they are to send texts from now on, and not each document twice.
    """
    asked: dict[str, Any] = {"operationName": "Viewer", "variables": {}, "extensions": {"persistedQuery": persisted}}
    for accept, status in ((RESPONSE, 400), (JSON, 200), ("*/*", 200)):
        headers = {"Authorization": f"Bearer {token()}", "Accept": accept}
        parameters = {"operationName": "Viewer", "variables": "{}", "extensions": json.dumps(asked["extensions"])}
        for response in (
            await post(client, json.dumps({**query, **asked}), accept=accept),
            await client.get(
                "/graphql", params={**parameters, **{n: v or "" for n, v in query.items()}}, headers=headers
            ),
        ):
            assert (response.status_code, code_of(response)) == (status, "PERSISTED_QUERY_NOT_SUPPORTED")
            assert response.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
    looked_up = persisted == PERSISTED
    assert commands.names == ["aggregate"] * looked_up


async def test_a_query_with_its_hash_is_executed(client: httpx2.AsyncClient) -> None:
    digest = sha256(QUERY["query"].encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    asked = await post(client, json.dumps({**QUERY, "extensions": extensions}))
    also = await get(client, **QUERY, extensions=json.dumps(extensions))
    assert asked.json()["data"] == also.json()["data"] == {"viewer": {"name": "Tess Tester"}}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("type A { b: Int }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { viewer { name } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query($id: ID!) { node(id: $id) { id } }", {"id": None}, "BAD_USER_INPUT"),
        ("query($id: ID!) { node(id: $id) { id } }", {}, "BAD_USER_INPUT"),
        ("query($id: ID!) { node(id: $id) { id } }", {"id": {"$gt": ""}}, "BAD_USER_INPUT"),
        ("query($n: Int) { auditLog(first: $n) { totalCount } }", {"n": 10**30}, "BAD_USER_INPUT"),
    ],
)
async def test_what_cannot_be_executed_is_400_to_those_who_know_and_200_to_others(
    client: httpx2.AsyncClient, commands: Commands, query: str, variables: Any, code: str
) -> None:
    for accept, status in ((RESPONSE, 400), (JSON, 200), ("*/*", 200)):
        response = await post(client, json.dumps({"query": query, "variables": variables}), accept=accept)
        assert (response.status_code, code_of(response)) == (status, code)
    assert commands.sent == []


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (RESPONSE, RESPONSE),
        (f"{RESPONSE}, {JSON}", RESPONSE),
        (f"{RESPONSE};q=0.9, {JSON}", JSON),
        (f"{JSON};q=0.9, {RESPONSE}", RESPONSE),
        (f"{RESPONSE};q=nonsense, */*;q=0.1", JSON),
        (f"text/html, {RESPONSE};charset=utf-8", RESPONSE),
    ],
)
async def test_the_answer_has_the_type_that_was_liked_best(client: httpx2.AsyncClient, accept: str, type_: str) -> None:
    response = await post(client, json.dumps(QUERY), accept=accept)
    assert (response.status_code, response.headers["content-type"]) == (200, f"{type_}; charset=utf-8")
    assert response.headers["cache-control"] == "no-store"
    assert "Accept" in response.headers["vary"].split(", ")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("lines", "type_"),
    [
        (["text/html", JSON], JSON),
        (["text/html", RESPONSE], RESPONSE),
        ([f"{RESPONSE};q=0.5", f"{JSON}"], JSON),
        (["text/event-stream", "multipart/mixed", f"{JSON};q=0.9, {RESPONSE};q=0.8", "image/*"], JSON),
    ],
)
async def test_several_accept_lines_are_one_list(client: httpx2.AsyncClient, lines: list[str], type_: str) -> None:
    for some in (lines, lines[::-1]):
        headers = [("Authorization", f"Bearer {token()}"), ("Content-Type", JSON), *(("Accept", line) for line in some)]
        response = await client.post("/graphql", content=json.dumps(QUERY), headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (200, f"{type_}; charset=utf-8")


async def test_two_authorization_lines_are_not_one_token(client: httpx2.AsyncClient) -> None:
    twice = [("Authorization", f"Bearer {token()}")] * 2
    response = await client.post("/graphql", content=json.dumps(QUERY), headers=[*twice, ("Content-Type", JSON)])
    assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0"])
async def test_who_accepts_no_answer_of_ours_is_told_in_json(client: httpx2.AsyncClient, accept: str) -> None:
    response = await post(client, json.dumps(QUERY), accept=accept)
    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")


# ---------------------------------------------------------------- methods


async def test_a_query_may_come_by_get_and_a_change_never(client: httpx2.AsyncClient, commands: Commands) -> None:
    query = "query($id: ID!) { node(id: $id) { id } }"
    asked = await get(client, query=query, variables='{"id": "cus_x"}', operationName="", extensions="{}")
    assert (asked.status_code, asked.json()["data"]) == (200, {"node": None})
    commands.clear()
    refused = await get(client, query=CHANGE)
    assert (refused.status_code, code_of(refused)) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "POST"
    both = await get(client, query=f"query Read {{ viewer {{ name }} }} {CHANGE.replace('mutation', 'mutation Write')}")
    assert code_of(both) == "OPERATION_RESOLUTION_FAILURE"
    assert commands.sent == []


async def test_a_get_without_a_bearer_token_is_401_whatever_else_a_browser_adds(client: httpx2.AsyncClient) -> None:
    """A page of another origin cannot send the header without a preflight, and a cookie is nothing to us."""
    for headers in ({}, {"Cookie": f"token={token()}"}, {"Authorization": "Basic dXNlcjpwYXNz"}):
        response = await client.get("/graphql", params=QUERY, headers=headers)
        assert (response.status_code, code_of(response)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "query=",
        "query={viewer{name}}&query={viewer{subject}}",
        "query={viewer{name}}&variables=[]",
        "query={viewer{name}}&variables=null1",
        "query={viewer{name}}&extensions=1",
        "query=%ff%fe&variables={",
    ],
)
async def test_a_malformed_address_is_400(client: httpx2.AsyncClient, parameters: str) -> None:
    headers = {"Authorization": f"Bearer {token()}", "Accept": RESPONSE}
    response = await client.get(f"/graphql?{parameters}", headers=headers)
    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


async def test_an_address_may_end_in_a_slash_and_nothing_leads_to_the_callers_host(client: httpx2.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {token()}", "Content-Type": JSON}
    for response in (
        await client.post("/graphql/", content=json.dumps(QUERY), headers=headers),
        await client.get("/graphql/", params=QUERY, headers=headers),
    ):
        assert (response.status_code, response.json()["data"]) == (200, {"viewer": {"name": "Tess Tester"}})
    page = await client.get("/graphql/", headers={"Accept": "text/html"})
    names = re.findall(r'(?:src|href)="(\.[^"]*)', page.text)
    assert [(await client.get(f"/graphql/{name}")).status_code for name in names] == [200] * len(names) != []
    for path in (
        "/livez/",
        "/readyz/",
        "/metrics/",
        "/graphiql",
        "/exports/exp_x/",
        "/",
        "/graphql//",
        "//evil.example/",
    ):
        response = await client.get(path, headers={"Host": "evil.example"})
        assert "evil" not in response.headers.get("location", "")
        assert response.status_code in (404, 307), path


async def test_graphiql_may_be_left_out(store: Store) -> None:
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for has_page, statuses in ((True, [200, 307, 200]), (False, [401, 404, 404])):
        app = build_app(routes(store.database, authenticate, has_page=has_page))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
            file = next((STATIC / "graphiql").glob("*.css")).name
            answers = [await client.get(path, headers=browser) for path in ("/graphql", "/", f"/graphiql/{file}")]
            assert [answer.status_code for answer in answers] == statuses
            assert (await post(client, json.dumps(QUERY))).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods_are_405(client: httpx2.AsyncClient, method: str) -> None:
    response = await client.request(method, "/graphql", json=QUERY, headers={"Authorization": f"Bearer {token()}"})
    assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "GET, POST"


# ---------------------------------------------------------------- other origins


async def test_only_pages_of_listed_origins_may_call_us(store: Store) -> None:
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    app = build_app(routes(store.database, authenticate), origins=["https://desk.example"])
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        for origin, status, allowed in (
            ("https://desk.example", 200, "https://desk.example"),
            ("https://desk.example.evil.example", 400, None),
            ("http://desk.example", 400, None),
            ("null", 400, None),
        ):
            preflight = await client.options("/graphql", headers={"Origin": origin, **asks})
            assert (preflight.status_code, preflight.headers.get("access-control-allow-origin")) == (status, allowed)
            assert "access-control-allow-credentials" not in preflight.headers
            answer = await post(client, json.dumps(QUERY), origin=origin)
            assert answer.headers.get("access-control-allow-origin") == allowed


NAMED = (
    "apollographql-client-name,apollographql-client-version,apollo-require-preflight,x-apollo-operation-name",
    "authorization,baggage,content-type,sentry-trace,traceparent,tracestate,x-request-id",
    "x-datadog-trace-id, X-Any-Header",
)


def calling(store: Store, *origins: str) -> httpx2.AsyncClient:
    """A client of a gateway that pages of these origins may call."""
    app = build_app(routes(store.database, verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer), origins=origins)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway")


@pytest.mark.parametrize("named", NAMED)
async def test_a_listed_page_may_send_what_clients_send_of_their_own(store: Store, named: str) -> None:
    async with calling(store, "https://desk.example") as client:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": named}
        preflight = await client.options("/graphql", headers={"Origin": "https://desk.example", **asks})
    assert preflight.status_code == 200
    allowed = preflight.headers["access-control-allow-headers"].lower().split(",")
    assert {name.strip().lower() for name in named.split(",")} <= {name.strip() for name in allowed}


async def test_a_listed_page_reads_the_headers_that_tell_it_what_to_do(store: Store) -> None:
    async with calling(store, "https://desk.example") as client:
        for headers in ({}, {"authorization": "none"}):
            answer = await post(client, json.dumps(QUERY), origin="https://desk.example", **headers)
            exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
            assert {"retry-after", "www-authenticate", "content-disposition", "x-request-id"} <= exposed
            assert {"Origin", "Accept"} <= {name.strip() for name in answer.headers["vary"].split(",")}


async def test_unless_told_no_other_origin_may_call_us_and_is_told_so(store: Store) -> None:
    asks = {"Origin": "https://desk.example", "Access-Control-Request-Method": "POST"}
    async with calling(store) as client:
        preflight = await client.options("/graphql", headers=asks)
        answer = await post(client, json.dumps(QUERY), origin="https://desk.example")
    assert (preflight.status_code, code_of(preflight)) == (400, "CORS_REFUSED")
    message = "CORS is off: to let pages of https://desk.example call this gateway, set CORS_ORIGINS."
    assert preflight.json()["errors"][0]["message"] == message
    assert answer.status_code == 200
    for response in (preflight, answer):
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origins", [(), ("https://desk.example",)], ids=["off", "on"])
async def test_a_refused_origin_is_logged_once_and_no_more_than_a_hundred_are(
    store: Store, origins: tuple[str, ...]
) -> None:
    with capture_logs() as logs:
        async with calling(store, *origins) as client:
            for number in [*range(150), *range(150)]:
                asks = {"Origin": f"https://{number}.example", "Access-Control-Request-Method": "POST"}
                refused = await client.options("/graphql", headers=asks)
                assert (refused.status_code, code_of(refused)) == (400, "CORS_REFUSED")
                assert "CORS_ORIGINS" in refused.json()["errors"][0]["message"]
                assert "Origin" in refused.headers["vary"]
    assert [line["origin"] for line in logs] == [f"https://{number}.example" for number in range(100)]


async def test_a_listed_page_may_not_send_other_methods(store: Store) -> None:
    async with calling(store, "https://desk.example") as client:
        asks = {"Origin": "https://desk.example", "Access-Control-Request-Method": "DELETE"}
        refused = await client.options("/graphql", headers=asks)
    assert (refused.status_code, code_of(refused)) == (400, "CORS_REFUSED")


# ---------------------------------------------------------------- errors


async def test_a_fault_of_ours_names_its_request_and_the_log_has_the_same(
    client: httpx2.AsyncClient, world: World
) -> None:
    ada = await world.customer()
    change = {"q": {"_id": ada["_id"]}, "u": {"$set": {"registeredAt": "canary"}}}
    await world.store.command({"update": "customers", "updates": [change], "bypassDocumentValidation": True})
    query = {"query": "query($id: ID!) { customer(by: {id: $id}) { registeredAt } }", "variables": {"id": ada["_id"]}}
    response = await post(client, json.dumps(query))
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": response.headers["x-request-id"]}
    assert "canary" not in response.text


async def test_a_fault_before_anything_was_executed_is_500_with_a_code_and_no_words_of_its_own(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("canary in /srv/secret.py")

    monkeypatch.setattr(Documents, "prepared", broken)
    with capture_logs() as logs:
        response = await post(client, json.dumps(QUERY))
    assert (response.status_code, code_of(response)) == (500, "INTERNAL")
    assert response.json()["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]
    assert "canary" not in response.text
    (line,) = logs
    assert (line["event"], line["fault"]) == ("request failed", "RuntimeError")
    assert "canary" not in json.dumps(logs)


@pytest.mark.parametrize(
    ("fault", "status", "code", "seconds"),
    [
        (Overloaded(), 503, "OVERLOADED", 1),
        (OutOfTime(), 503, "UNAVAILABLE", 1),
        (KeysUnavailable(), 503, "UNAVAILABLE", 1),
        (TimeoutError(), 503, "DEADLINE_EXCEEDED", 1),
        (RateLimited("cost", allowed=100, seconds=17.2), 429, "RATE_LIMITED", 18),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_may_be_asked_again_says_when(
    store: Store, fault: Exception, status: int, code: str, seconds: int
) -> None:
    async def authenticate(_: str | None) -> Viewer:
        raise fault

    app = build_app(routes(store.database, authenticate))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        for accept in (RESPONSE, JSON):
            response = await post(client, json.dumps(QUERY), accept=accept)
            assert (response.status_code, code_of(response)) == (status, code)
            assert response.json()["errors"][0]["extensions"]["retryAfterSeconds"] == seconds
            assert response.headers["retry-after"] == str(seconds)


def test_a_field_that_may_be_asked_for_again_says_when() -> None:
    error = format_error(GraphQLError("", path=["customer"], original_error=OutOfTime()), None)
    assert error["extensions"]["retryAfterSeconds"] == 1
    assert "retryAfterSeconds" not in error_payload("INTERNAL", "")["extensions"]


async def test_a_message_repeats_little_of_what_was_sent(client: httpx2.AsyncClient) -> None:
    long = "x" * 40_000
    for query, variables in (
        (f'{{ auditLog(first: "{long}") {{ totalCount }} }}', {}),
        (f"{{ {long} }}", {}),
        (f'{{ node(id: "{long}") {{ {long} }} }}', {}),
        ("query($n: Int) { auditLog(first: $n) { totalCount } }", {"n": "x" * 1_000_000}),
        ("query($n: Int) { auditLog(first: $n) { totalCount } }", {"n": {"x" * 1_000_000: 1}}),
    ):
        response = await post(client, json.dumps({"query": query, "variables": variables}))
        assert response.status_code == 400
        assert len(response.content) < 3_000


async def test_no_more_faults_are_told_than_anybody_reads(client: httpx2.AsyncClient) -> None:
    wrong: list[dict[str, str]] = [{}] * 1_000
    for query, variables in (
        ("{ viewer { " + " ".join(f"nope{number}" for number in range(500)) + " } }", {}),
        ("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": wrong}),
    ):
        response = await post(client, json.dumps({"query": query, "variables": variables}))
        assert len(response.json()["errors"]) == 11  # the last says that there are more


async def test_an_answer_that_fails_all_over_is_given_up(client: httpx2.AsyncClient, world: World) -> None:
    ada = await world.customer()
    await world.many("activities", ada, *[dict[str, Any]() for _ in range(100)])
    names = " ".join(f'a{number}: attribute(name: "nope{number}")' for number in range(20))
    query = f"query($id: ID!) {{ customer(by: {{id: $id}}) {{ activities(first: 100) {{ nodes {{ {names} }} }} }} }}"
    response = await post(client, json.dumps({"query": query, "variables": {"id": ada["_id"]}}))
    answer = response.json()
    assert answer["data"] == {"customer": None} or answer["data"] is None
    assert len(answer["errors"]) <= 1_001
    assert answer["errors"][-1]["extensions"]["code"] == "TOO_MANY_ERRORS"


async def test_each_error_says_where_in_the_document_it_is(client: httpx2.AsyncClient, world: World) -> None:
    ada = await world.customer()
    await world.many("activities", ada, {})
    query = (
        'query($id: ID!) {\r\n customer(by: {id: $id}) { activities {\r nodes {\n\n     attribute(name: "x") } } } }'
    )
    response = await post(client, json.dumps({"query": query, "variables": {"id": ada["_id"]}}))
    (error,) = response.json()["errors"]
    assert error["locations"] == [{"line": 5, "column": 6}]
    assert error["path"] == ["customer", "activities", "nodes", 0, "attribute"]


# ---------------------------------------------------------------- the schema


@pytest.mark.parametrize("role", [Role.ADMIN, Role.FINANCE, Role.API_USER])
async def test_staff_and_programs_read_the_schema_and_get_suggestions(client: httpx2.AsyncClient, role: Role) -> None:
    bearer = f"Bearer {token(role)}"
    read = await post(client, '{"query": "{ __schema { queryType { name } } }"}', authorization=bearer)
    assert read.json()["data"] == {"__schema": {"queryType": {"name": "Query"}}}
    misspelt = await post(client, '{"query": "{ viewr { name } }"}', authorization=bearer)
    assert "Did you mean 'viewer'?" in misspelt.json()["errors"][0]["message"]


async def test_customers_and_affiliates_neither_read_the_schema_nor_get_suggestions(
    client: httpx2.AsyncClient, commands: Commands
) -> None:
    customer = f"Bearer {token(Role.CUSTOMER, customer_id='cus_x')}"
    affiliate = f"Bearer {token(Role.AFFILIATE, affiliate_id='a')}"
    for bearer in (customer, affiliate):
        for query in (
            "{ __schema { queryType { name } } }",
            '{ ...F } fragment F on Query { t: __type(name: "Query") { name } }',
            "query A { viewer { name } } query B { __schema { queryType { name } } }",
        ):
            asked = json.dumps({"query": query, "operationName": "A" if "query A" in query else None})
            response = await post(client, asked, authorization=bearer)
            assert (response.status_code, code_of(response)) == (403, "FORBIDDEN")
        for query, variables in (
            ("{ viewr { name } }", {}),
            ("{ viewer { nam } }", {}),
            ("{ viewer { __typename } activityTypes(group: [NOTE]) { code } }", {}),
            ("{ activityTypes(groups: [NOTES]) { code } }", {}),
            ("query($g: [ActivityGroup!]) { activityTypes(groups: $g) { code } }", {"g": ["NOTES"]}),
            ("query($by: CustomerBy!) { customer(by: $by) { id } }", {"by": {"numbr": "x"}}),
            ("query($i: Itn) { viewer { name } }", {}),
            ("{ ... on Custmer { id } }", {}),
        ):
            response = await post(client, json.dumps({"query": query, "variables": variables}), authorization=bearer)
            assert response.status_code == 400
            assert "did you mean" not in response.text.lower(), response.text
    assert commands.sent == []


async def test_who_may_read_the_schema_is_a_setting(store: Store) -> None:
    authenticate = verifier(jwks_url=None, secret=SECRET, **AUTHORITY).viewer
    app = build_app(routes(store.database, authenticate, limits=Limits(introspection_roles="FINANCE")))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://gateway") as client:
        for role, status in ((Role.ADMIN, 403), (Role.FINANCE, 200)):
            query = '{"query": "{ __schema { queryType { name } } }"}'
            assert (await post(client, query, authorization=f"Bearer {token(role)}")).status_code == status


# ---------------------------------------------------------------- the cache of documents


async def test_what_is_kept_of_a_document_is_nobodys(client: httpx2.AsyncClient, world: World) -> None:
    ada, eve = await world.customer(name="Ada"), await world.customer(name="Eve")
    query = "query($id: ID!) { customer(by: {id: $id}) { name } viewer { subject } }"
    for who, other in ((ada, eve), (eve, ada), (ada, eve)):
        bearer = f"Bearer {token(Role.CUSTOMER, customer_id=who['_id'], subject=who['_id'])}"
        for asked, name in ((who, {"name": who["name"]}), (other, None)):
            body = json.dumps({"query": query, "variables": {"id": asked["_id"]}})
            answer = (await post(client, body, authorization=bearer)).json()
            assert answer["data"] == {"customer": name, "viewer": {"subject": who["_id"]}}
