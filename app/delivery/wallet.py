"""Informs the wallet service that a pass should be updated: one signed request, as Standard Webhooks has it."""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx2
import orjson

from app.delivery.relay import Channel, TryLater, Undeliverable
from app.store.driver import Document, Store

_FINAL: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""What is said of a message. All else is about us, our secret and our URL, or about the service: it is tried again."""


@dataclass(frozen=True, slots=True)
class Wallet:
    url: str
    secret: bytes
    client: httpx2.AsyncClient

    async def inform(self, message_id: str, message: Document) -> None:
        """Sends one message. Raises TryLater, Undeliverable."""
        body = orjson.dumps(message)
        headers = {"Content-Type": "application/json", **signed(self.secret, message_id, int(time.time()), body)}
        try:
            answer = await self.client.post(self.url, content=body, headers=headers, follow_redirects=False)
        except httpx2.TimeoutException:
            raise TryLater("The wallet service did not answer in time.") from None
        except httpx2.HTTPError:
            raise TryLater("The wallet service could not be reached.") from None
        if answer.is_success:
            return
        said = f"{answer.status_code} {answer.reason_phrase}"
        if answer.status_code in _FINAL:
            raise Undeliverable(f"The wallet service refused it: {said}")
        raise TryLater(f"The wallet service put it off: {said}")


def signed(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the headers of one attempt. ``timestamp`` is in seconds."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}


def secret_of(text: str) -> bytes:
    """Reads ``whsec_`` and base64. Raises ValueError for another form, or if it is not 24 to 64 bytes long."""
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        secret = b""
    if not (text.startswith("whsec_") and 24 <= len(secret) <= 64):
        raise ValueError("not whsec_ and 24 to 64 bytes in base64")
    return secret


def channel(store: Store, wallet: Wallet) -> Channel:
    """Returns the channel of the messages that wait in ``pushes``, for the relay."""

    async def send(push: Document) -> None:
        found = await store.find("passes", {"_id": push["passId"]})
        if not found:
            raise Undeliverable("The pass is not there any more.")
        (pass_,) = found
        data = {"passId": pass_["_id"], "serialNumber": pass_["serialNumber"], "passType": pass_["type"]}
        message = {"type": "pass.update_requested", "timestamp": push["requestedAt"], "data": data}
        await wallet.inform(push["_id"], message)

    return Channel("wallet", "pushes", "INFORMED", "informedAt", send)
