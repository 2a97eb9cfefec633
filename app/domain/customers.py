"""Makes what a customer's document keeps of their activities and points, for lists of customers to filter and sort by.

Copies, never the truth: each can be made again from what it copies. Pure.

- ``spendable``: what ``points`` leaves to spend. Points that fell due count until their expiry is written, which the
  worker does within a minute or so; on a closed account nothing is written any more.
- ``lastActivityAt``: when something last happened, by the catalogue's types. Notes do not count: not everybody who may
  sort customers may know of them.
- ``lastByType``: the same for each type, notes included; who may not know of a type cannot ask for it.
- ``campaigns``: those that activities named.
- ``pointsExpireAt``: when the next of their points expire, for the worker to find them by.
- what they are searched by (domain/search.py).

An import, which changes customers by the thousand, leaves what it makes of these in ``pendingCopies`` and settles it
twice a minute and at its end: inside of a transaction, mongod 6.0 takes 2 ms for a customer as soon as an indexed key
changes. What one leaves that dies is settled by the next change or import that comes by, else by the worker.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.domain.points import PointsState, empty, spendable
from app.domain.refusals import Refusal
from app.domain.search import SEARCH_COPIES, SEARCHED_KEYS, search_copies
from app.domain.vocabulary import CustomerStatus

Document = dict[str, Any]
PENDING: Final = "pendingCopies"
"""The key of copies that are still to be settled."""
DENORMALISED_FIELDS: Final = (
    frozenset({"spendable", "pointsExpireAt", "lastActivityAt", "lastByType", "campaigns", PENDING}) | SEARCH_COPIES
)
NEW: Final[Document] = {
    "paymentCount": 0,
    "tags": [],
    "status": CustomerStatus.ACTIVE.value,
    "hasStatusDetails": False,
    "identities": [],
    "spendable": 0,
}
"""What a customer is who has only just become known."""
COPIED_KEYS: Final = ("points", *SEARCHED_KEYS)
"""What of a customer their copies are made from, besides their activities."""


def country_of(customer: Mapping[str, Any]) -> str | None:
    """Returns the customer's country, else their billing address's; None where the viewer may not see the address."""
    if "country" in customer or isinstance(customer.get("billingAddress"), Refusal):
        return customer.get("country")
    return customer.get("billingAddress", {}).get("country")


_SCHEME: Final = re.compile(r"[\s\x00-\x1f]*(?!https?://)[a-z][a-z0-9+-]*\s*:(?![0-9]+(?:/|$))", re.IGNORECASE)


def is_web_address(text: str) -> bool:
    """Returns whether a link to it opens a web page and runs nothing: ``http://``, ``https://`` or no scheme at all."""
    return not _SCHEME.match(text) and text.isprintable()


def emails_of(customer: Mapping[str, Any]) -> Sequence[Document]:
    registered = [{"value": customer["email"], "primary": True}] if "email" in customer else []
    return customer.get("emails", registered)


def primary_first(contacts: Sequence[Mapping[str, Any]], value: str) -> list[dict[str, Any]]:
    """Returns these contact points with ``value`` as the one primary, added where it is missing."""
    own = [contact for contact in contacts if contact["value"].casefold() == value.casefold()]
    return [
        {**(own[0] if own else {}), "value": value, "primary": True},
        *({**contact, "primary": False} for contact in contacts if contact not in own),
    ]


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    """Returns the keys whose values changed; None for one that is gone."""
    return {key: after.get(key) for key in {*before, *after} if before.get(key) != after.get(key)}


def balance(state: PointsState) -> Document:
    """Returns the keys of a customer that has this balance; None for one that is gone."""
    return {"points": state, **_copies_of(state)}


def _copies_of(state: PointsState) -> Document:
    expire_at = [at for bucket in state["buckets"] if (at := bucket["expiresAt"])]
    return {"spendable": spendable(state), "pointsExpireAt": min(expire_at, default=None)}


def activity_summary_update(activities: Iterable[Mapping[str, Any]]) -> Document:
    """Returns the update of a customer that keeps up with new activities: in any order, and as often as one likes."""
    newest: Document = {}
    campaigns: dict[str, None] = {}
    for activity in activities:
        if campaign := activity.get("campaign"):
            campaigns[campaign] = None
        if activity["legacy"]:
            continue
        keys = [f"lastByType.{activity['type']}", *([] if activity["isNote"] else ["lastActivityAt"])]
        for key in keys:
            newest[key] = max(newest.get(key, activity["occurredAt"]), activity["occurredAt"])
    return _summary_update(newest, list(campaigns))


def _summary_update(newest: Mapping[str, Any], campaigns: Sequence[str]) -> Document:
    return {
        **({"$max": newest} if newest else {}),
        **({"$addToSet": {"campaigns": {"$each": campaigns}}} if campaigns else {}),
    }


def deferred(update: Mapping[str, Mapping[str, Any]], keys: Mapping[str, Any]) -> tuple[Document, Document]:
    """Returns the update and the keys of a customer with what they say of copies left pending; see ``settling``."""
    kept = {key: value for key, value in keys.items() if key not in DENORMALISED_FIELDS}
    later = {f"{PENDING}.{key}": value for key, value in keys.items() if key in DENORMALISED_FIELDS}
    update = {
        operator: {f"{PENDING}.{key}": value for key, value in values.items()} for operator, values in update.items()
    }
    return {**update, **({"$set": later} if later else {})}, kept


def settling(pending: Mapping[str, Any]) -> Document:
    """Returns the update that makes pending copies the customer's. A value that is None is gone."""
    by_type = {f"lastByType.{type_}": at for type_, at in pending.get("lastByType", {}).items()}
    newest = {key: pending[key] for key in ("lastActivityAt",) if key in pending} | by_type
    said = {key: pending[key] for key in ("spendable", "pointsExpireAt") if key in pending}
    return _summary_update(newest, pending.get("campaigns", ())) | update_of({**said, PENDING: None})


def update_of(keys: Mapping[str, Any]) -> Document:
    """Returns the update that sets keys of a document; None removes one."""
    update: Document = {}
    if set_ := {key: value for key, value in keys.items() if value is not None}:
        update["$set"] = set_
    if removed := {key: "" for key, value in keys.items() if value is None}:
        update["$unset"] = removed
    return update


def copies(customer: Mapping[str, Any], activities: Iterable[Mapping[str, Any]]) -> Document:
    """Returns the ``DENORMALISED_FIELDS`` that have a value, made from the customer and all of their activities."""
    update = activity_summary_update(activities)
    newest = update.get("$max", {})
    campaigns = update.get("$addToSet", {}).get("campaigns", {}).get("$each")
    by_type = {key.removeprefix("lastByType."): at for key, at in newest.items() if key != "lastActivityAt"}
    balance = _copies_of(customer.get("points") or empty())
    return {
        **{key: value for key, value in balance.items() if value is not None},
        **({"lastActivityAt": newest["lastActivityAt"]} if "lastActivityAt" in newest else {}),
        **({"lastByType": by_type} if by_type else {}),
        **({"campaigns": campaigns} if campaigns else {}),
        **search_copies(customer),
    }
