"""What every answer has, whatever it is, and what it has while the process leaves."""

import httpx2
import pytest
from starlette.routing import Route

from app.http.middleware import SHUTDOWN
from app.main import build_app
from tests.support.tokens import token

SAFE = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        ("GET", "/graphql", "text/html", 200),
        ("GET", "/graphql?query={__typename}", "application/json", 401),
        ("POST", "/graphql", "application/json", 401),
        ("POST", "/graphql", "text/csv", 406),
        ("DELETE", "/graphql", "application/json", None),
        ("GET", "/livez", "*/*", 200),
        ("GET", "/readyz", "*/*", 200),
        ("GET", "/metrics", "*/*", 200),
        ("GET", "/nothing/here", "*/*", 404),
        ("POST", "/livez", "*/*", 405),
    ],
)
async def test_every_answer_is_safe_in_a_browser(
    client: httpx2.AsyncClient, method: str, path: str, accept: str, status: int | None
) -> None:
    response = await client.request(method, path, headers={"Accept": accept})
    assert status in (None, response.status_code)
    assert SAFE.items() <= dict(response.headers).items()
    policy = response.headers["content-security-policy"]
    assert "default-src" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "server" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("POST", "/import", "*/*"),
        ("POST", "/graphql", "application/json"),
        ("POST", "/graphql", "text/event-stream"),
        ("GET", "/graphql", "text/html"),
        ("GET", "/schema.graphql", "*/*"),
        ("GET", "/exports/exp_none", "*/*"),
        ("GET", "/readyz", "*/*"),
        ("OPTIONS", "/graphql", "*/*"),
        ("GET", "/nothing/here", "*/*"),
    ],
)
async def test_an_answer_has_no_header_of_an_earlier_one(
    client: httpx2.AsyncClient, method: str, path: str, accept: str
) -> None:
    """Clients give up an answer of a hundred headers, and a header may name another page or another request."""
    type_ = "application/json" if path == "/graphql" else "application/x-ndjson"
    own = {"Authorization": f"Bearer {token()}", "Accept": accept, "Content-Type": type_}
    content = b'{"query": "{ viewer { name } }"}' if method == "POST" else None
    told = [await client.request(method, path, headers=own, content=content) for _ in range(3)]
    first, *others = [sorted(name for name, _ in each.headers.raw) for each in told]
    assert len(first) == len({*first})
    assert others == [first, first]


async def test_a_fault_of_ours_is_no_exception() -> None:
    """Not that we know any outside GraphQL; its answer says nothing, and is as safe as the others."""

    async def fault(_: object) -> None:
        raise ValueError("canary")

    app = build_app([Route("/fault", fault)])
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.get("/fault")
    assert response.status_code == 500
    assert SAFE.items() <= dict(response.headers).items()
    assert "canary" not in response.text
    assert response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "kept"), [("0123456789abcdef0123456789ABCDEF", True), ("0123", False), ("x" * 32, False), ("", False)]
)
async def test_a_request_has_the_id_its_client_gave_it_if_that_is_one(
    client: httpx2.AsyncClient, given: str, kept: bool
) -> None:
    response = await client.get("/livez", headers={"X-Request-ID": given})
    assert (response.headers["x-request-id"] == given) is kept
    assert len(response.headers.get_list("x-request-id")) == 1
    assert len(response.headers["x-request-id"]) == 32


async def test_while_it_leaves_it_is_not_ready_answers_on_and_keeps_no_connection(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Authorization": f"Bearer {token()}"}
    asked = {"query": "{ viewer { name } }"}
    assert "connection" not in (await client.post("/graphql", json=asked, headers=headers)).headers
    monkeypatch.setattr(SHUTDOWN, "draining", True)
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    response = await client.post("/graphql", json=asked, headers=headers)
    assert response.json()["data"] == {"viewer": {"name": "Tess Tester"}}
    assert response.headers["connection"] == "close"
    assert (await client.get("/livez")).status_code == 200
