"""Asks the application in this process, with neither a client nor a server between."""

import asyncio

from starlette.types import ASGIApp, Message, Scope


async def answered(application: ASGIApp, body: bytes, authorization: bytes) -> bytes:
    """Returns the body of the answer to a request for `/graphql`."""
    headers = [(b"content-type", b"application/json"), (b"authorization", authorization)]
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, (b"content-length", str(len(body)).encode())],
    }
    sent: list[Message] = []
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # a client that stays
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent[1]["body"]
