"""Replies come in pieces, however the network cuts them."""

import asyncio
import random
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from app.store.connections import WireConnection

pytestmark = pytest.mark.anyio


class Transport:
    """The other end says what it is told to, and notes whether the connection was given up."""

    def __init__(self) -> None:
        self.written, self.aborted = b"", False

    def set_protocol(self, protocol: Any) -> None: ...

    def resume_reading(self) -> None: ...

    def is_closing(self) -> bool:
        return self.aborted

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


class Named:
    name = "a server"


def message(dice: random.Random) -> bytes:
    size = dice.choice((16, 17, 40, 1_000, 70_000))
    return size.to_bytes(4, "little") + dice.randbytes(size - 4)


def pieces(dice: random.Random, whole: bytes) -> list[bytes]:
    cuts = sorted(dice.sample(range(1, len(whole)), dice.randrange(min(9, len(whole)))))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def connected() -> tuple[WireConnection, Transport]:
    transport = Transport()
    given: Any = Named(), None, transport
    return WireConnection(*given), transport


@pytest.mark.parametrize("seed", range(40))
async def test_as_many_replies_come_as_were_asked_for_however_they_are_cut(seed: int) -> None:
    dice = random.Random(seed)
    connection, transport = connected()
    for _ in range(5):
        replies = [message(dice) for _ in range(dice.randint(1, 6))]
        asking = asyncio.create_task(connection.ask(b"all", 1.0, replies=len(replies)))
        await asyncio.sleep(0)
        for piece in pieces(dice, b"".join(replies)):
            assert not asking.done()
            connection.data_received(piece)
        assert await asking == b"".join(replies)
    assert (transport.written, transport.aborted) == (b"all" * 5, False)


@pytest.mark.parametrize("replies", [1, 2, 3])
async def test_what_nobody_asked_for_ends_the_connection(replies: int) -> None:
    dice = random.Random(replies)
    connection, transport = connected()
    asking = asyncio.create_task(connection.ask(b"all", 1.0, replies=replies))
    await asyncio.sleep(0)
    connection.data_received(b"".join(message(dice) for _ in range(replies + 1)))
    assert transport.aborted
    connection.fail(AutoReconnect("closed"))
    with pytest.raises(AutoReconnect):
        await asking


async def test_who_no_longer_waits_for_one_of_several_replies_ends_the_connection() -> None:
    dice = random.Random(1)
    connection, transport = connected()
    asking = asyncio.create_task(connection.ask(b"all", 1.0, replies=2))
    await asyncio.sleep(0)
    connection.data_received(message(dice))
    asking.cancel()
    await asyncio.wait([asking])
    assert transport.aborted
