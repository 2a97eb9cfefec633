"""Speaks WebSocket on the socket: uvicorn's protocol, which hears nobody before their handshake was answered."""

from collections.abc import Mapping
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.http.stalls import EndsStalls

_EARLY_BYTES: Final = 65_536


class WebSocketProtocol(EndsStalls, WebSocketsSansIOProtocol):
    """Keeps what comes before the answer to the handshake until it is sent (RFC 6455, 4.1): a client that does not wait
    for it is served all the same, and one that sends nonsense is told so in the protocol.
    """

    _early = b""

    def data_received(self, data: bytes) -> None:
        self.stall.hear()
        if not self.handshake_initiated or self.handshake_complete:
            super().data_received(data)
            return
        self._early += data
        if len(self._early) > _EARLY_BYTES:
            self.transport.close()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # uvicorn would write an error for each that is refused
        if self._early and self.handshake_complete and cast(Mapping[str, Any], message)["type"] == "websocket.accept":
            early, self._early = self._early, b""
            super().data_received(early)
