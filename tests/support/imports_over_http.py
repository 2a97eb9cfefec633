"""What a test of imports over HTTP sends, and what it is told."""

import json
from typing import Any, Final

import httpx2

from app.domain.access import Role
from app.store.driver import Store
from tests.support.gateway import gateway_app
from tests.support.tokens import token

API: Final = token(Role.API_USER, subject="crm")


async def sent(
    store: Store, content: Any, bearer: str = API, headers: dict[str, str] | None = None, app: Any = None, **query: Any
) -> httpx2.Response:
    """Sends a body, of lines unless ``headers`` say otherwise, to a gateway that has no mappings, or to this one."""
    transport = httpx2.ASGITransport(app=app or gateway_app(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        own = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/x-ndjson", **(headers or {})}
        return await client.post("/import", content=content, params=query, headers=own)


async def state(store: Store, batch: str) -> dict[str, Any]:
    """Asks how far a batch is."""
    transport = httpx2.ASGITransport(app=gateway_app(store))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return (await client.get(f"/import/{batch}", headers={"Authorization": f"Bearer {API}"})).json()


def told(response: httpx2.Response) -> list[dict[str, Any]]:
    """Returns the lines of an answer."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson; charset=utf-8"
    return [json.loads(line) for line in response.text.splitlines()]
