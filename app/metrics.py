"""Declares what is counted while the gateway works. Each process counts for itself; gauges are the database's."""

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from app import tracing

REQUESTS: Final = Counter("gateway_requests", "Answers to GraphQL requests, by how they ended.", ["outcome"])
SECONDS: Final = Histogram(
    "gateway_request_seconds",
    "How long a GraphQL request took.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
COST: Final = Histogram(
    "gateway_request_cost", "What executed requests cost, in units.", buckets=(10, 50, 200, 1_000, 5_000, 20_000)
)
EXECUTED: Final = Counter(
    "gateway_executed", "Operations that were executed: by a plan, or by graphql-core, and why.", ["by"]
)
BATCH: Final = Histogram(
    "gateway_batch_size", "How many keys were read together.", buckets=(1, 2, 5, 10, 50, 200, 1_000)
)
COMMANDS: Final = Histogram(
    "gateway_database_command_seconds",
    "How long commands to the database took.",
    ["command"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)

HANDED_OVER: Final = Counter(
    "gateway_outbox_handed_over", "Mails and wallet messages that their server took.", ["channel"]
)
TRIED_IN_VAIN: Final = Counter(
    "gateway_outbox_tried_in_vain", "Attempts that failed and will be repeated.", ["channel"]
)
GIVEN_UP: Final = Counter(
    "gateway_outbox_given_up", "Mails and wallet messages that were refused for good or given up.", ["channel"]
)
QUEUED: Final = Gauge(
    "gateway_outbox_queued",
    "Mails and wallet messages that wait to be handed over.",
    ["channel"],
    multiprocess_mode="mostrecent",
)
OLDEST: Final = Gauge(
    "gateway_outbox_oldest_seconds",
    "How long the oldest of them has waited; 0 where none does.",
    ["channel"],
    multiprocess_mode="mostrecent",
)


answered = cache(REQUESTS.labels)
executed = cache(EXECUTED.labels)
_took = cache(COMMANDS.labels)
"""By their label, of which there are few: looking one up costs as much as counting."""


def observe_command(command: str, seconds: float, succeeded: bool) -> None:
    _took(command).observe(seconds)
    tracing.took(f"mongodb {command}", seconds, succeeded=succeeded)
