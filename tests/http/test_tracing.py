"""Traces: a request, what it is made of, and the commands to the database; and nothing that anybody said."""

import json
from collections.abc import Generator

import httpx2
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app import tracing
from app.metrics import observe_command
from app.store.driver import Driver, Store
from tests.support.gateway import gateway_app
from tests.support.tokens import token
from tests.support.world import World

CANARY = "canary9"


@pytest.fixture
def spans() -> Generator[InMemorySpanExporter]:
    """Collects the spans that are ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter
    tracing.use(None)
    provider.shutdown()


async def ask(client: httpx2.AsyncClient, query: str, **variables: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token(subject=CANARY)}"}
    return await client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def test_a_request_is_one_trace_down_to_its_commands(
    mongodb_uri: str, database_name: str, driver: Driver, world: World, spans: InMemorySpanExporter
) -> None:
    ada = await world.customer(name=CANARY)
    async with (
        Store.open(mongodb_uri, database_name, driver=driver, on_command=observe_command) as store,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(gateway_app(store)), base_url="http://gateway") as client,
    ):
        answer = await ask(client, f"query {CANARY}($id: ID!) {{ node(id: $id) {{ id }} }}", id=ada["_id"])
        assert answer.json()["data"] == {"node": {"id": ada["_id"]}}
    by_name = {span.name: span for span in spans.get_finished_spans() if span.name != "mongodb endSessions"}
    assert {"request", "prepare", "execute", "mongodb aggregate"} <= by_name.keys()
    root = by_name["request"]
    assert root.parent is None
    for name, above in (("prepare", "request"), ("execute", "request"), ("mongodb aggregate", "execute")):
        parent = by_name[name].parent
        assert parent, name
        context = by_name[above].context
        assert context, above
        assert parent.span_id == context.span_id, name
    said = json.dumps([json.loads(span.to_json()) for span in spans.get_finished_spans()])
    assert CANARY not in said
    assert ada["_id"] not in said


async def test_nothing_is_traced_unless_somebody_wants_it(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    tracing.begin()
    assert tracing.span("request") is not None
    with tracing.span("request") as nothing:
        assert nothing is None
    assert (await ask(client, "{ viewer { name } }")).status_code == 200
