"""Declares what is counted while the gateway works. Each process counts for itself; gauges are the database's."""

from bisect import bisect_left
from functools import cache
from typing import Any, Final

import prometheus_client
from prometheus_client import Counter, Gauge

from app import tracing


class Histogram(prometheus_client.Histogram):
    """The library's histogram asks at each observation what never changes here, and tries one bucket after another."""

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        inside: Any = self
        inside._sum.inc(amount)
        inside._buckets[bisect_left(inside._upper_bounds, amount)].inc(1)


REQUESTS: Final = Counter("gateway_requests", "Answers to GraphQL requests, by how they ended.", ["outcome"])
SECONDS: Final = Histogram(
    "gateway_request_seconds",
    "How long a GraphQL request took.",
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
COST: Final = Histogram(
    "gateway_request_cost", "What executed requests cost, in units.", buckets=(10, 50, 200, 1_000, 5_000, 20_000)
)
OPERATIONS: Final = Counter(
    "gateway_operations", "Operations that were executed: by a plan, or by graphql-core, and why.", ["executor"]
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

SUBSCRIPTIONS: Final = Gauge("gateway_subscriptions", "Streams of events that are open.", multiprocess_mode="livesum")
EVENTS: Final = Counter("gateway_subscription_events", "Events that were sent on them.")

LOST_LOOKS: Final = Counter("gateway_looks_lost", "Looks at customers' records that could not be written.")

DELIVERIES: Final = Counter(
    "gateway_outbox_handed_over", "Mails and wallet messages that their server took.", ["channel"]
)
RETRIES: Final = Counter("gateway_outbox_retries", "Attempts that failed and will be repeated.", ["channel"])
FAILURES: Final = Counter(
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

CHANNELS: Final = ("mail", "wallet", "requests", "webhooks")
for _counter in (DELIVERIES, RETRIES, FAILURES):
    for _channel in CHANNELS:
        _counter.labels(_channel)  # from 0 on: of a series that begins with 1, nobody sees that it grew

ENDPOINTS_DISABLED: Final = Counter(
    "gateway_webhook_endpoints_disabled", "Webhook endpoints that are told nothing more, because attempts failed."
)
JOB_FAILURES: Final = Counter(
    "gateway_job_failures", "Failures of work that is done beside requests, each of which is logged.", ["task"]
)
FEED_OLDEST: Final = Gauge(
    "gateway_feed_oldest_seconds",
    "How long changes have waited for their number in the feed of all customers; 0 where none does.",
    multiprocess_mode="mostrecent",
)
STALE_PREVIEWS: Final = Gauge(
    "gateway_previews_stale",
    "Of the customers of the 200 newest changes, those who are read without a preview.",
    multiprocess_mode="mostrecent",
)
REPLICATION_LAG: Final = Gauge(
    "gateway_replication_lag_seconds",
    "How far the last of the secondaries that answer is behind the primary.",
    multiprocess_mode="mostrecent",
)

requests_by_outcome = cache(REQUESTS.labels)
operations_by_executor = cache(OPERATIONS.labels)
_seconds_by_command = cache(COMMANDS.labels)
"""By their label, of which there are few: looking one up costs as much as counting."""


def observe_command(command: str, seconds: float, succeeded: bool) -> None:
    """Counts a command to the database, and traces it."""
    _seconds_by_command(command).observe(seconds)
    tracing.took(f"mongodb {command}", seconds, succeeded=succeeded)
