"""Sends responses as server-sent events (GraphQL over SSE, distinct connections mode)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from functools import lru_cache
from typing import Any, Final

import orjson
from starlette.types import Receive, Send

from app.http.request import JSON, RESPONSE, wishes_of

EVENT_STREAM: Final = "text/event-stream"
_KEEP_ALIVE_SECONDS: Final = 12
"""Proxies close what is silent for a minute, or for less."""
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"vary", b"Accept, Accept-Encoding"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
)
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_COMMENT: Final = b":\n\n"


@lru_cache(64)
def accepts_stream(accept: bytes) -> bool:
    """Returns whether a list of media types names event streams."""
    return EVENT_STREAM in _liked(accept)


@lru_cache(64)
def accepts_only_stream(accept: bytes) -> bool:
    """Returns whether it names them and no JSON: some clients list all that they can read with every request."""
    liked = _liked(accept)
    return EVENT_STREAM in liked and liked.isdisjoint({JSON, RESPONSE, "application/*", "*/*"})


def _liked(accept: bytes) -> frozenset[str]:
    return frozenset(name for name, weight in wishes_of(accept).items() if weight > 0)


async def once(body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any]]:
    """Yields the one response of a query or change."""
    yield body


async def send_events(events: AsyncGenerator[Mapping[str, Any]], receive: Receive, send: Send) -> None:
    """Sends each response as an event, until there are no more or the client leaves. Closes the stream.

    The next response is asked for when the one before it was taken off our hands: nothing piles up here.
    """
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    sending = asyncio.create_task(_send(events, send))
    leaving = asyncio.create_task(_until_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _send(events: AsyncGenerator[Mapping[str, Any]], send: Send) -> None:
    async with aclosing(events):
        following = asyncio.ensure_future(anext(events, None))
        try:
            await send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
            while True:
                done, _ = await asyncio.wait({following}, timeout=_KEEP_ALIVE_SECONDS)
                if not done:
                    await send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
                    continue
                if (body := following.result()) is None:
                    break
                event = b"event: next\ndata: %b\n\n" % orjson.dumps(body)
                await send({"type": "http.response.body", "body": event, "more_body": True})
                following = asyncio.ensure_future(anext(events, None))
            await send({"type": "http.response.body", "body": _COMPLETE})
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await following


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
