"""A transport whose close lets the client read its answer, and waits for no client for good."""

import asyncio
from collections.abc import Callable
from typing import Any

_BEGINNING = b"HTTP/1.1 "
"""What every answer begins with."""
_LINGER_SECONDS = 2.0
"""How long what a client still sends is dropped after an early answer, so that it can read that."""


class EndingTransport(asyncio.Transport):
    """Wraps the transport of a connection.

    uvicorn closes a transport and forgets it; asyncio then keeps it, with the answer in memory,
    until the client has read all of that.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        longest_pause: float,
        lingers: Callable[[], bool],
    ) -> None:
        """A client that reads nothing of its answer for `longest_pause` seconds is cut off.
        `lingers` says whether the client may still be sending when the transport is closed.
        """
        super().__init__()
        self._transport, self._longest_pause, self._lingers = transport, longest_pause, lingers
        self._timer: asyncio.TimerHandle | None = None
        self._closing = self._paused = self._held = False
        self._reading = True
        self._ahead = 0  # bytes of the answer that are sent before there is one

    def write(self, data: Any) -> None:
        if self._ahead and data:
            data, self._ahead = data[self._ahead :], 0
        self._transport.write(data)

    def look_for_client(self) -> None:
        """Sends one byte of what the answer will begin with. A client that only ended its own side
        reads on; one that has left answers by a reset, which the next write comes to know.
        """
        self._transport.write(_BEGINNING[self._ahead : self._ahead + 1])
        self._ahead += 1

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Sends what is written, and ends the connection."""
        if self.is_closing():
            return
        self._closing = True
        if self._lingers():
            self._set_reading(True)
            self._transport.write_eof()
        else:
            self._transport.close()
        unsent = self._transport.get_write_buffer_size()
        self._watch(self._longest_pause if unsent else _LINGER_SECONDS, unsent)

    def abort(self) -> None:
        self._closing = True
        self._transport.abort()

    def lost(self) -> None:
        """The connection is no more."""
        self._closing = True
        self.unwatch()

    def pause_reading(self) -> None:
        self._paused = True
        self._apply()

    def resume_reading(self) -> None:
        self._paused = False
        self._apply()

    def hold(self, held: bool) -> None:
        """Reads nothing more until what has come is dealt with, whatever else asks for more."""
        self._held = held
        self._apply()

    def watch(self) -> None:
        """Cuts the client off unless it goes on reading."""
        if not self._closing:
            self._watch(self._longest_pause, self._transport.get_write_buffer_size())

    def unwatch(self) -> None:
        """The client has read enough."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _apply(self) -> None:
        self._set_reading(not (self._held or self._paused))

    def _set_reading(self, reading: bool) -> None:
        if reading != self._reading and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _watch(self, seconds: float, unsent: int) -> None:
        self.unwatch()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look, unsent)

    def _look(self, before: int) -> None:
        unsent = self._transport.get_write_buffer_size()
        if unsent < before:
            self._watch(self._longest_pause if unsent else _LINGER_SECONDS, unsent)
        else:
            self.abort()
