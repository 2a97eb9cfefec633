"""What is counted while the gateway works. Each process counts for itself; gauges are read from the database."""

from typing import Final

from prometheus_client import Counter, Gauge

HANDED_OVER: Final = Counter(
    "gateway_outbox_handed_over", "Mails and wallet messages that their server took.", ["channel"]
)
TRIED_IN_VAIN: Final = Counter(
    "gateway_outbox_tried_in_vain", "Attempts that failed and will be repeated.", ["channel"]
)
GIVEN_UP: Final = Counter(
    "gateway_outbox_given_up", "Mails and wallet messages that were refused for good or given up.", ["channel"]
)
QUEUED: Final = Gauge("gateway_outbox_queued", "Mails and wallet messages that wait to be handed over.", ["channel"])
OLDEST: Final = Gauge(
    "gateway_outbox_oldest_seconds", "How long the oldest of them has waited; 0 where none does.", ["channel"]
)
