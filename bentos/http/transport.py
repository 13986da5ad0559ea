"""A transport that closes gracefully: the client can read the response, but only within a
timeout."""

import asyncio
from collections.abc import Callable
from typing import Any

_BEGINNING = b"HTTP/1.1 "
"""Start of every response."""
_LINGER_SECONDS = 2.0
"""How long to drop incoming data after an early response, so that the client can read it."""


class EndingTransport(asyncio.Transport):
    """Wraps the transport of a connection.

    After uvicorn closes a transport, asyncio keeps it and the unsent response in memory until the
    client has read everything, without a timeout.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        longest_pause: float,
        lingers: Callable[[], bool],
    ) -> None:
        """Aborts if the client reads nothing for `longest_pause` seconds. `lingers` returns whether
        the client may still be sending when the transport is closed.
        """
        super().__init__()
        self._transport, self._longest_pause, self._lingers = transport, longest_pause, lingers
        self._timer: asyncio.TimerHandle | None = None
        self._closing = self._paused = self._held = False
        self._reading = True
        self._ahead = 0  # bytes of _BEGINNING already sent by probe_client

    def write(self, data: Any) -> None:
        if self._ahead and data:
            data, self._ahead = data[self._ahead :], 0
        self._transport.write(data)

    def probe_client(self) -> None:
        """Sends the next byte that every response starts with. A half-closed client reads on; one
        that has left responds with a reset, which the next write detects.
        """
        self._transport.write(_BEGINNING[self._ahead : self._ahead + 1])
        self._ahead += 1

    def is_closing(self) -> bool:
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Flushes the write buffer, then closes the connection."""
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
        """Called when the connection is lost."""
        self._closing = True
        self.unwatch()

    def pause_reading(self) -> None:
        self._paused = True
        self._apply()

    def resume_reading(self) -> None:
        self._paused = False
        self._apply()

    def hold(self, held: bool) -> None:
        """Pauses reading while `held`, regardless of resume_reading."""
        self._held = held
        self._apply()

    def watch(self) -> None:
        """Starts the timeout for a client that does not read."""
        if not self._closing:
            self._watch(self._longest_pause, self._transport.get_write_buffer_size())

    def unwatch(self) -> None:
        """Stops the timeout."""
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
