"""A peer without GraphQL: the three workloads as endpoints by hand. It reads what it needs, and nothing in general.

Bodies are those of the others, so that the load is the same; the operation's name says which endpoint is meant.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from bson import Decimal128

from bench.peers.data import Document, database, rows, titles

_DB: Final = database()
_TITLES: Final = titles()
_HEADERS: Final = [(b"content-type", b"application/json")]


def _time(moment: datetime) -> str:
    return f"{orjson.dumps(moment, None, orjson.OPT_OMIT_MICROSECONDS)[1:20].decode()}.{moment.microsecond // 1000:03}Z"


def _title(activity: Document) -> str:
    return _TITLES.get(activity["type"]) or activity["title"]


def _money(transaction: Document) -> Document | None:
    money = transaction.get("amount")
    if money is None:
        return None
    amount: Decimal128 = money["amount"]
    return {"amount": str(amount), "currency": money["currency"]}


Read = str | tuple[str, Callable[[Document], Any]]
"""A stored key, or one with what is made of the document."""


def _shape(**values: Read) -> Callable[[Document], Document]:
    def shaped(document: Document) -> Document:
        get = document.get
        return {name: get(read) if isinstance(read, str) else read[1](document) for name, read in values.items()}

    return shaped


def _at(key: str) -> Read:
    return key, lambda document: _time(document[key])


_SHAPES: Final[Mapping[str, Callable[[Document], Document]]] = {
    "activities": _shape(
        id="_id", type="type", title=("title", _title), occurredAt=_at("occurredAt"), source="source", points="points"
    ),
    "pointsHistory": _shape(
        id="_id", kind="kind", points="points", balanceAfter="balanceAfter", occurredAt=_at("occurredAt")
    ),
    "coupons": _shape(id="_id", code="code", value="value", redeemed="redeemed"),
    "transactions": _shape(
        id="_id", number="number", type="type", status="status", occurredAt=_at("occurredAt"), amount=("amount", _money)
    ),
    "passes": _shape(id="_id", type="type", serialNumber="serialNumber"),
    "statusHistory": _shape(id="_id", **{"from": "from"}, to="to", reason="reason", changedAt=_at("changedAt")),
}
_FIELDS: Final = {
    "activities": ["type", "title", "occurredAt", "source", "points"],
    "pointsHistory": ["kind", "points", "balanceAfter", "occurredAt"],
    "coupons": ["code", "value", "redeemed"],
    "transactions": ["number", "type", "status", "occurredAt", "amount"],
    "passes": ["type", "serialNumber"],
    "statusHistory": ["from", "to", "reason", "changedAt"],
}
_IN_A_LIST: Final = {
    "activities": _shape(
        id="_id",
        type="type",
        title=("title", _title),
        group="group",
        occurredAt=_at("occurredAt"),
        recordedAt=_at("recordedAt"),
        source="source",
        message="message",
        points="points",
    ),
    "pointsHistory": _shape(
        id="_id",
        seq="seq",
        kind="kind",
        points="points",
        balanceAfter="balanceAfter",
        reason="reason",
        occurredAt=_at("occurredAt"),
        source="source",
    ),
}
_FIELDS_IN_A_LIST: Final = {
    "activities": ["type", "title", "group", "occurredAt", "recordedAt", "source", "message", "points"],
    "pointsHistory": ["seq", "kind", "points", "balanceAfter", "reason", "occurredAt", "source"],
}


async def _customer_360(variables: Document) -> Document:
    customer = await _DB.customers.find_one({"number": variables["number"]})
    if customer is None:
        return {"customer": None}
    customer_id = customer["_id"]
    found = await asyncio.gather(*(rows(_DB, name, [customer_id], 10, _FIELDS[name]) for name in _SHAPES))
    country = customer.get("country") or customer.get("billingAddress", {}).get("country")
    keys = ("number", "name", "firstName", "lastName", "email", "paymentCount", "status")
    answer = {"id": customer_id, **{key: customer.get(key) for key in keys}}
    answer |= {"country": country, "registeredAt": _time(customer["registeredAt"])}
    for (name, shape), by_customer in zip(_SHAPES.items(), found, strict=True):
        page = by_customer[customer_id]
        answer[name] = {"nodes": [shape(row) for row in page[:10]], "pageInfo": {"hasNextPage": len(page) > 10}}
    return {"customer": answer}


async def _customers(variables: Document) -> Document:
    ids: list[str] = variables["ids"]

    async def customers() -> dict[str, Document]:
        cursor = _DB.customers.find({"_id": {"$in": ids}}, ["number", "name", "status"])
        return {each["_id"]: each for each in await cursor.to_list(None)}

    found, activities, points = await asyncio.gather(
        customers(),
        rows(_DB, "activities", ids, 10, _FIELDS_IN_A_LIST["activities"]),
        rows(_DB, "pointsHistory", ids, 10, _FIELDS_IN_A_LIST["pointsHistory"]),
    )
    activity, entry = _IN_A_LIST.values()
    return {
        "nodes": [
            {
                "id": each,
                "number": found[each]["number"],
                "name": found[each]["name"],
                "status": found[each]["status"],
                "activities": {"nodes": [activity(row) for row in activities[each][:10]]},
                "pointsHistory": {"nodes": [entry(row) for row in points[each][:10]]},
            }
            if each in found
            else None
            for each in ids
        ]
    }


async def _small(variables: Document) -> Document:
    customer = await _DB.customers.find_one({"number": variables["number"]}, ["name", "status"])
    return {"customer": customer and {"id": customer["_id"], "name": customer["name"], "status": customer["status"]}}


_ENDPOINTS: Final = {"Customer360": _customer_360, "Customers": _customers, "Small": _small}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message.get("more_body", False)
    asked = orjson.loads(body)
    data = await _ENDPOINTS[asked["operationName"]](asked["variables"])
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": orjson.dumps({"data": data})})
