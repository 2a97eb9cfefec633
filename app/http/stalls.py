"""Ends connections whose clients take nothing of what is sent to them, and would be waited for without end."""

import asyncio
from typing import Any, Final

from app.http.quiet import QuietLine

STALL_SECONDS: Final = 600
"""How long a client may take nothing. A slow one's system may take as much at once as it reads in some minutes."""
_STALLED: Final = QuietLine("closed the connection of a client that takes nothing of what is sent to it")


class _StallTimer:
    """A stall timer runs while a connection takes no more. It aborts one whose client neither takes nor sends anything:
    what was held for it, such as the places of its streams or of its import, is given back.
    """

    def __init__(self, transport: Any) -> None:
        self._transport, self._loop = transport, asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting_bytes = 0
        self._has_sent = False

    def begin(self) -> None:
        """Begins where more waits than the connection takes."""
        self._waiting_bytes, self._has_sent = self._transport.get_write_buffer_size(), False
        self._timer = self._loop.call_later(STALL_SECONDS, self._judge)

    def end(self) -> None:
        """Ends where the connection takes more again, or is lost."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def hear(self) -> None:
        """Notes that the client sends: it may read when it has sent everything."""
        self._has_sent = True

    def _judge(self) -> None:
        if self._has_sent or self._transport.get_write_buffer_size() < self._waiting_bytes:
            self.begin()
        else:
            _STALLED.warn()
            self._transport.abort()


class EndsStalls(asyncio.Protocol):
    """It has a stall timer run while a connection takes no more; a protocol has it before uvicorn's own as a base.

    Who receives data tells ``stall``, and who hands the connection to another protocol ends it.
    """

    stall: _StallTimer

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.stall = _StallTimer(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stall.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stall.begin()

    def resume_writing(self) -> None:
        self.stall.end()
        super().resume_writing()
