"""HTTP connections with limits and timeouts, as a subclass of uvicorn's h11 protocol.

Always h11, whatever other parser is installed; SECURITY.md says why and what it costs. uvicorn
alone has no header timeout, so a client could hold a connection with a few bytes an hour
(slowloris); it answers malformed requests in plain text; and it treats a half-closed connection as
closed. bentoml_server.py installs this protocol.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from bentos.http.connection_limits import ConnectionLimits
from bentos.http.parsing import Parser
from bentos.http.problems import RequestProblem
from bentos.http.transport import EndingTransport
from bentos.settings import Settings

REFUSAL, CROWDED = "refusal", "crowded"
"""Keys of a request's state: the problem that parsing found; that the connection is in the
reserve."""

_CROWDED_SECONDS = 1.0
"""Header timeout of connections in the reserve."""
_PROBE_SECONDS = (0.2, 0.3)
"""Seconds after a client half-closes at which to check whether it is still there."""
_logger = logging.getLogger("uvicorn.error.connection")
_logger.setLevel(logging.ERROR)  # RequestMiddleware logs malformed requests
_ENDED = (h11.MUST_CLOSE, h11.CLOSED)


class Connection(H11Protocol):
    """A client connection."""

    conn: Parser
    transport: EndingTransport

    def __init__(self, *given: Any, settings: Settings, limits: ConnectionLimits, **named: Any):
        super().__init__(*given, **named)
        self.conn = Parser()
        self.logger = _logger
        self._settings, self._limits = settings, limits
        self._timer: asyncio.TimerHandle | None = None  # header timeout
        self._refused = self._crowded = self._half_closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        pause = self._settings.body_timeout_seconds
        self.transport = EndingTransport(transport, longest_pause=pause, lingers=self._lingers)
        self.flow = FlowControl(self.transport)
        self._crowded = not self._limits.admit(self, self.client[0] if self.client else "")
        if self._crowded:
            self.app_state = {**self.app_state, CROWDED: True}
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing() or self.conn.their_state in _ENDED:
            return  # drops data after the last request
        if self._timer is None and not self._in_request:
            self._await_headers()
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        self.conn.go_on()
        super().handle_events()
        if self.cycle is not before:  # the headers are complete
            self._stop_timer()
            self._limits.set_busy(self)
        elif self._timer is None and not self._in_request and self.conn.has_unread:
            self._await_headers()
        self.transport.hold(self.conn.behind or self._half_closed)
        if self.conn.interrupted:
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if not self._refused and not self.transport.is_closing():
            self.handle_events()

    def on_response_complete(self) -> None:
        if self._half_closed or self.conn.their_state is h11.SEND_BODY:
            # The rest of the body must not be parsed as the next request.
            self.transport.close()
        super().on_response_complete()
        if not self._in_request:
            self._limits.set_idle(self)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keeps a half-closed connection open while its client waits for a response."""
        if self.transport.is_closing() or not self._in_request or self.cycle.more_body:
            return False
        if not self._half_closed:
            self._half_closed = True
            for seconds in _PROBE_SECONDS:
                self.loop.call_later(seconds, self._probe_client, self.cycle)
        return True

    def _probe_client(self, cycle: RequestResponseCycle) -> None:
        answered = cycle is not self.cycle or cycle.response_started
        if not answered and not self.transport.is_closing():
            self.transport.probe_client()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._unset_keepalive_if_required()
        self._limits.remove(self)
        self.transport.lost()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.unwatch()

    def evict(self) -> None:
        """Closes the connection, because the limit is reached and another one has arrived."""
        if self._crowded:
            self.transport.abort()
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Overrides uvicorn's plain-text response to malformed requests."""
        self._refuse(
            self.conn.problem or RequestProblem(HTTPStatus.BAD_REQUEST, "malformed-request", msg)
        )

    def _should_upgrade(self) -> bool:
        return False  # RFC 9110, 7.8: a server may ignore Upgrade

    @property
    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _lingers(self) -> bool:
        return self._refused or self.conn.their_state in (h11.SEND_BODY, h11.ERROR)

    def _await_headers(self) -> None:
        seconds = _CROWDED_SECONDS if self._crowded else self._settings.header_timeout_seconds
        self._timer = self.loop.call_later(seconds, self._time_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self) -> None:
        detail = "the headers of the request did not arrive in time"
        self._refuse(RequestProblem(HTTPStatus.REQUEST_TIMEOUT, "header-timeout", detail))

    def _refuse(self, problem: RequestProblem) -> None:
        """Responds to a malformed or incomplete request, and closes the connection."""
        self._refused = True
        self._stop_timer()
        if self._in_request:  # its body is malformed
            self.cycle.disconnected, self.cycle.waiting_for_100_continue = True, False
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._limits.set_busy(self)
        self.cycle = self._problem_cycle(problem)
        task = self.loop.create_task(self.cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _problem_cycle(self, problem: RequestProblem) -> RequestResponseCycle:
        """Creates a placeholder request without method and path, to be answered with a problem."""
        cycle = RequestResponseCycle(
            scope={
                "type": "http",
                "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
                "http_version": "1.1",
                "server": self.server,
                "client": self.client,
                "scheme": "http",
                "method": "",
                "root_path": "",
                "path": "",
                "raw_path": b"",
                "query_string": b"",
                "headers": [],
                "state": {**self.app_state, REFUSAL: problem},
            },
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self.on_response_complete,
        )
        cycle.keep_alive = cycle.more_body = False
        cycle.message_event.set()
        return cycle
