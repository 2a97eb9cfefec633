"""A network that can be cut and stalled: between clients and a gateway, or between a gateway and its database."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from urllib.parse import urlsplit


class Proxy:
    """A proxy passes bytes to and fro, until it is told to cut or to stall. ``url`` is of what is behind it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = parts.hostname, parts.port
        self._open = set[asyncio.StreamWriter]()
        self._going = asyncio.Event()
        self._going.set()
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Proxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            back, forth = await asyncio.open_connection(*self._target)
            self._open.add(forth)
            ways = [asyncio.create_task(self._pass(reader, forth)), asyncio.create_task(self._pass(back, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            forth.close()
            self._open.discard(forth)
        except OSError:
            pass
        finally:
            writer.close()
            self._open.discard(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._going.wait()
                writer.write(data)
                await writer.drain()

    def cut(self) -> None:
        for writer in [*self._open]:
            writer.transport.abort()

    def hold(self) -> None:
        """Keeps back what is sent from now on, until ``release``."""
        self._going.clear()

    def release(self) -> None:
        self._going.set()

    async def stall(self, seconds: float) -> None:
        self.hold()
        await asyncio.sleep(seconds)
        self.release()


@dataclass(frozen=True)
class Line:
    """A line is a proxy in a thread of its own."""

    proxy: Proxy
    loop: asyncio.AbstractEventLoop

    def hold(self) -> None:
        self.loop.call_soon_threadsafe(self.proxy.hold)

    def release(self) -> None:
        self.loop.call_soon_threadsafe(self.proxy.release)


@contextmanager
def line_to(url: str) -> Generator[Line]:
    """Starts a proxy to this address."""
    loop, proxy = asyncio.new_event_loop(), Proxy(url)
    thread = Thread(target=loop.run_forever)
    thread.start()
    running = proxy.running()
    try:
        asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result()
        yield Line(proxy, loop)
    finally:
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
