"""Informs the wallet service that a pass should be updated: one signed request, as Standard Webhooks has it."""

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import httpx2
import orjson

from app.delivery.executors import unanswered
from app.delivery.relay import Channel, TryLater, Undeliverable
from app.domain.signatures import signed
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
        """Sends one message, and reads no more than the head of the answer. Raises TryLater, Undeliverable."""
        body = orjson.dumps(message)
        headers = {"Content-Type": "application/json", **signed([self.secret], message_id, int(time.time()), body)}
        try:
            async with self.client.stream(
                "POST", self.url, content=body, headers=headers, follow_redirects=False
            ) as answer:
                pass
        except httpx2.HTTPError as failed:
            raise unanswered("The wallet service", failed) from None
        if answer.is_success:
            return
        said = f"{answer.status_code} {answer.reason_phrase}"
        if answer.status_code in _FINAL:
            raise Undeliverable(f"The wallet service refused it: {said}")
        raise TryLater(f"The wallet service put it off: {said}")


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
