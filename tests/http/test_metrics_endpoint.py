"""What is counted, and that nothing of it says who asked or what for."""

import asyncio
import re

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.http.metrics_endpoint import FRESH_SECONDS, Queues
from app.metrics import CHANNELS, observe_command
from app.store.driver import Driver, Store
from tests.support.commands import Commands
from tests.support.tokens import token
from tests.support.world import World

CANARY = "canary7"
COMMANDS_OF_A_LOOK = len(CHANNELS) + 2
OF_PYTHON = {"generation", "implementation", "major", "minor", "patchlevel", "version"}
OF_STAMINA = {"callable", "error_type", "retry_num"}
"""Labels of retries: names of our functions and of exceptions. A gateway that logs has switched it off (logs.py)."""


async def figures(client: httpx2.AsyncClient) -> dict[str, float]:
    """Each sample by its name and labels, as it is written."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


async def ask(client: httpx2.AsyncClient, query: str, **claims: str) -> httpx2.Response:
    return await client.post("/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token(**claims)}"})


async def test_requests_are_counted_by_how_they_ended_with_time_and_cost(client: httpx2.AsyncClient) -> None:
    before = await figures(client)
    await ask(client, "{ viewer { name } }")
    await ask(client, "{ nope }")
    await client.post("/graphql", json={})
    after = await figures(client)
    grown = {name: value - before.get(name, 0) for name, value in after.items()}
    assert grown["gateway_requests_total outcome=OK"] == 1
    assert grown["gateway_requests_total outcome=GRAPHQL_VALIDATION_FAILED"] == 1
    assert grown["gateway_requests_total outcome=UNAUTHENTICATED"] == 1
    assert grown["gateway_request_seconds_count"] == 3
    assert grown["gateway_request_cost_count"] == 1
    assert grown["gateway_request_cost_sum"] >= 1


async def test_keys_that_are_read_together_are_counted(client: httpx2.AsyncClient, world: World) -> None:
    ids = [(await world.customer())["_id"] for _ in range(3)]
    before = await figures(client)
    asked = " ".join(f'c{at}: node(id: "{each}") {{ id }}' for at, each in enumerate(ids))
    await ask(client, f"{{ {asked} }}")
    after = await figures(client)
    assert after["gateway_batch_size_sum"] - before["gateway_batch_size_sum"] == 3
    assert after["gateway_batch_size_count"] - before["gateway_batch_size_count"] == 1


async def test_commands_to_the_database_are_timed_by_name(
    client: httpx2.AsyncClient, mongodb_uri: str, database_name: str, driver: Driver
) -> None:
    before = await figures(client)
    async with Store.open(mongodb_uri, database_name, driver=driver, on_command=observe_command) as observed:
        await observed.find("customers", {"_id": CANARY})
    after = await figures(client)
    name = "gateway_database_command_seconds_count command=find"
    assert after[name] - before.get(name, 0) == 1


async def test_what_waits_in_the_outbox_is_there(client: httpx2.AsyncClient) -> None:
    said = await figures(client)
    for channel in CHANNELS:
        assert said[f"gateway_outbox_queued channel={channel}"] == 0
        assert said[f"gateway_outbox_oldest_seconds channel={channel}"] == 0


@pytest.mark.parametrize("query", [f'{{ customer(by: {{number: "{CANARY}"}}) {{ id }} }}', f"{{ {CANARY} }}", CANARY])
async def test_no_label_says_who_asked_or_what_for(client: httpx2.AsyncClient, query: str) -> None:
    await ask(client, query, subject=CANARY, name=CANARY)
    await client.request(CANARY, f"/{CANARY}", headers={"X-Request-ID": CANARY, "User-Agent": CANARY})
    text = (await client.get("/metrics")).text
    assert CANARY not in text
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {"outcome", "executor", "command", "channel", "task", "le"} | OF_PYTHON | OF_STAMINA


async def test_the_outbox_is_read_once_for_all_who_ask_within_some_seconds(store: Store, commands: Commands) -> None:
    now = [0.0]
    queues = Queues(store.database, lambda: now[0])
    for asked in (1, 2):
        await asyncio.gather(*(queues.refresh() for _ in range(50)))
        await queues.refresh()
        assert commands.names == ["aggregate"] * asked * COMMANDS_OF_A_LOOK
        now[0] += FRESH_SECONDS


async def test_who_leaves_takes_the_figures_from_nobody(store: Store) -> None:
    queues = Queues(store.database, lambda: 0)
    first, second = (asyncio.ensure_future(queues.refresh()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
