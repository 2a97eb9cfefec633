"""Decides what a webhook endpoint may be, which messages it gets, and when one is sent again. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from app.catalogue import CATALOGUE
from app.domain import changes
from app.domain.changes import Invalid
from app.domain.executors import LOOPBACK, host_of, usable_url
from app.domain.ids import derived_id
from app.domain.refusals import no_such
from app.domain.vocabulary import CustomerChangeKind, WebhookDeliveryStatus

MAX_ENDPOINTS: Final = 20
MAX_REDELIVERIES: Final = 10
"""Windows of one endpoint that wait to be sent again."""
MAX_TYPES: Final = 200
MAX_SECRETS: Final = 2
DELIVERIES_KEPT_DAYS: Final = 30
"""After they were settled."""
NAME_AT_MOST: Final = 100
_URL_AT_MOST: Final = 1_000

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""Between the ten attempts of a delivery, as Standard Webhooks has them: 75 hours and a half together."""
_CHANGED: Final = "customer.changed"
_TYPES: Final = {
    CustomerChangeKind.MERGED.value: "customer.merged",
    CustomerChangeKind.ERASED.value: "customer.erased",
}


# ---------------------------------------------------------------- what an endpoint may be


def read(given: Mapping[str, Any], *, loopback: bool) -> dict[str, Any]:
    """Returns the values as they are stored; None where one is left empty. Raises Invalid, with all faults.

    ``loopback``: whether this machine itself may be a target, as in the demo.
    """
    return changes.read_each(given, lambda name, value: _read(name, value, loopback))


def _read(name: str, value: Any, loopback: bool) -> Any:
    match name, value:
        case "name" | "url" | "enabled", None:
            raise Invalid(f"{name} cannot be cleared.", name)
        case "name", str():
            return changes.text(value, name, at_most=NAME_AT_MOST, lines=False)
        case "description", str():
            return changes.text(value, name, at_most=changes.REASON_AT_MOST)
        case "url", str():
            return _url(value, loopback)
        case "types", _:
            return _types(value or [])
        case _:
            return value


def _url(given: str, loopback: bool) -> str:
    if len(given) > _URL_AT_MOST:
        raise Invalid(f"url may have {_URL_AT_MOST:,} characters; it has {len(given):,}.", "url")
    try:
        url = usable_url(given)
    except ValueError as unusable:
        raise Invalid(f"This address cannot be used: {unusable}.", "url") from None
    if host_of(url) in LOOPBACK and not loopback:
        raise Invalid("This address cannot be used: it is of this machine itself.", "url")
    return url


def _types(given: Sequence[str]) -> list[str]:
    if len(given) > MAX_TYPES:
        raise Invalid(f"At most {MAX_TYPES} types may be given; there are {len(given)}.", "types")
    for code in given:
        if code not in CATALOGUE:
            raise Invalid(no_such("activity type", code, CATALOGUE), "types")
    return list(dict.fromkeys(given))


# ---------------------------------------------------------------- what it is told


def is_told(types: Sequence[str], entry: Mapping[str, Any]) -> bool:
    """Returns whether an endpoint that chose these types gets a message about an entry of the feed.

    Whoever follows some types only still learns that a customer is gone, and of what an entry does not list.
    """
    is_change = entry["kind"] == CustomerChangeKind.CHANGED
    return not types or not is_change or bool(entry.get("isPartial")) or not {*types}.isdisjoint(entry["types"])


def delivery_id(endpoint_id: str, entry: Mapping[str, Any]) -> str:
    """Returns the id of the delivery of an entry to an endpoint: the same for ever, and that of the message."""
    return derived_id("webhookDeliveries", source=endpoint_id, source_id=entry["_id"])


def delivery_of(endpoint_id: str, entry: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Returns the delivery of an entry to an endpoint, due now. It has what its message says: the feed forgets."""
    delivery: dict[str, Any] = {
        "_id": delivery_id(endpoint_id, entry),
        "endpointId": endpoint_id,
        "customerId": entry["customerId"],
        "revision": entry["revision"],
        "sequence": entry["sequence"],
        "kind": entry["kind"],
        "at": entry["at"],
        "types": entry["types"],
        "activityIds": list(dict.fromkeys([*entry["addedIds"], *entry["rewrittenIds"]])),
        "status": WebhookDeliveryStatus.QUEUED.value,
        "attempts": 0,
        "queuedAt": now,
        "dueAt": now,
    }
    return {**delivery, "isPartial": True} if entry.get("isPartial") else delivery


def message_type(delivery: Mapping[str, Any]) -> str:
    """Returns the type of a message: what became of the customer, or the one activity type, or that they changed."""
    if delivery["kind"] in _TYPES:
        return _TYPES[delivery["kind"]]
    types: Sequence[str] = delivery["types"]
    return types[0].lower().replace("_", ".") if len(types) == 1 and types[0] in CATALOGUE else _CHANGED


def message_of(delivery: Mapping[str, Any], *, lists: bool = True) -> dict[str, Any]:
    """Returns the message: ids and codes, and nothing that is personal. Without ``lists`` it is partial."""
    return {
        "type": message_type(delivery),
        "timestamp": delivery["at"],
        "data": {
            "customerId": delivery["customerId"],
            "revision": delivery["revision"],
            "sequence": delivery["sequence"],
            "kind": delivery["kind"],
            "activityIds": delivery["activityIds"] if lists else [],
            "activityTypes": delivery["types"] if lists else [],
            "partial": "isPartial" in delivery or not lists,
        },
    }


# ---------------------------------------------------------------- when it is tried again


def next_attempt(now: datetime, *, attempts: int, chance: float) -> datetime | None:
    """Returns when to try again after ``attempts`` (1 or more) that failed; None gives up.

    ``chance``, from 0 to 1, adds up to a tenth to a pause, so that what failed together does not come back together.
    """
    return now + PAUSES[attempts - 1] * (1 + chance / 10) if attempts <= len(PAUSES) else None
