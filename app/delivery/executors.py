"""Hands requests over to the systems that do them: one signed message each, as Standard Webhooks has it."""

import asyncio
import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import httpx2
import orjson

from app.delivery.relay import Channel, GiveUp, TryLater, Undeliverable
from app.domain.executors import Endpoint, Executors, RequestKind
from app.domain.external_requests import natural
from app.domain.signatures import signed
from app.domain.vocabulary import RequestStatus
from app.store.driver import Document, Store
from app.store.sealed import unseal

_REFUSED: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.GONE,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""What is said of a message, or for good. All else may be about us, our secret or the moment: it is tried again."""


@dataclass(frozen=True, slots=True)
class Poster:
    """It sends messages to endpoints. Redirects are failures, and of an answer no more than its head is read."""

    client: httpx2.AsyncClient

    async def post(self, endpoint: Endpoint, message_id: str, message: Document) -> None:
        """Sends one message. Raises TryLater, Undeliverable."""
        status = await self.send(endpoint, message_id, orjson.dumps(message), {"Idempotency-Key": message_id})
        if 200 <= status < 300:
            return
        if status in _REFUSED:
            raise Undeliverable(f"{endpoint.name} refused the message: {status}")
        raise TryLater(f"{endpoint.name} put it off: {status}")

    async def send(self, endpoint: Endpoint, message_id: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Sends one signed message, and returns the status of the answer. Raises TryLater without one."""
        headers = {"Content-Type": "application/json", **headers}
        headers |= signed(endpoint.secrets, message_id, int(time.time()), body)
        url = httpx2.URL(endpoint.url)
        address = await _address(url.host, url.port or 443, private=endpoint.private)
        # To the very address that was looked at: another look might find another one.
        host = url.netloc.decode("ascii")
        try:
            async with self.client.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**headers, "Host": host},
                extensions={"sni_hostname": url.host},
                follow_redirects=False,
            ) as answer:
                return answer.status_code
        except httpx2.HTTPError as failed:
            raise unanswered(endpoint.name, failed) from None


def unanswered(name: str, failed: httpx2.HTTPError) -> TryLater:
    """Returns what is said where no answer came."""
    reason = failed.__cause__ and failed.__cause__.__context__
    if isinstance(failed, httpx2.TimeoutException):
        return TryLater(f"{name} did not answer in time.")
    if isinstance(reason, ssl.SSLError):
        what = getattr(reason, "verify_message", "TLS failed").rstrip(".")
        return TryLater(f"{name} could not be reached safely: {what}.")
    return TryLater(f"{name} could not be reached.")


async def _address(host: str, port: int, *, private: bool) -> str:
    """Returns an address of a host. Raises TryLater for one that has none, or any that is private.

    A name that leads into our own network would make us knock at doors that are closed to everybody else.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise TryLater(f"{host} is unknown to the name service.") from None
    addresses = [str(each[4][0]) for each in found]
    if not private and not all(is_public(each) for each in addresses):
        raise TryLater(f"{host} leads to a private address.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Returns whether an address is anybody's to reach: of the internet, and not of a network of ours."""
    read = ipaddress.ip_address(address)
    if isinstance(read, ipaddress.IPv6Address):
        inner = read.ipv4_mapped or read.sixtofour or (read.teredo or (None, None))[1]
        if inner is None and read in _NAT64:
            inner = ipaddress.IPv4Address(int(read) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return read.is_global and not read.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

Received = Callable[[Document, datetime], Awaitable[None]]


def channel(store: Store, executors: Executors, poster: Poster, received: Received, give_up: GiveUp) -> Channel:
    """Returns the channel of the requests that wait in ``requests``, for the relay."""

    async def send(request: Document) -> None:
        if request["status"] not in (RequestStatus.QUEUED, RequestStatus.UNDELIVERED):
            return
        endpoint, kind = executors.endpoint_of(request["kind"]), executors.kinds.get(request["kind"])
        if endpoint is None or kind is None:
            raise TryLater("No endpoint does this any more.")
        await poster.post(endpoint, request["_id"], await _message(store, kind, request))

    return Channel(
        "requests",
        "requests",
        "SENT",
        "sentAt",
        send,
        arrived=received,
        give_up=give_up,
        status="deliveryStatus",
    )


async def _message(store: Store, kind: RequestKind, request: Document) -> Document:
    """Returns what an executor needs to know, and nothing else of the customer: ids, and what the kind lists."""
    fields = {"number": 1, "identities": 1}
    customers = await store.find("customers", {"_id": request["customerId"]}, fields=fields)
    customer = customers[0] if customers else {}
    data: Document = {
        "requestId": request["_id"],
        "kind": request["kind"],
        "customer": {
            "id": request["customerId"],
            "number": customer.get("number"),
            "identities": customer.get("identities", []),
        },
        "attributes": natural(kind, request["attributes"] | await _secrets(store, request)),
        "requestedAt": request["requestedAt"],
    }
    if kind.target and "targetId" in request:
        fields = {"number": 1, "source": 1, "sourceId": 1}
        targets = await store.find(kind.target, {"_id": request["targetId"]}, fields=fields)
        target = targets[0] if targets else {}
        known = {key: target[key] for key in ("number", "source", "sourceId") if key in target}
        data["target"] = {"id": request["targetId"], **known}
    return {"type": "request.made", "timestamp": request["requestedAt"], "data": data}


async def _secrets(store: Store, request: Document) -> Mapping[str, Any]:
    return json.loads(await unseal(store, request["sealed"], request["_id"])) if "sealed" in request else {}
