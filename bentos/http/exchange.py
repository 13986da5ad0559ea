"""One request and its response: request ID, headers, metrics and access log."""

import asyncio
import contextlib
import logging
import re
import time
import uuid

from opentelemetry.trace import Span, format_trace_id
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from bentos.exemplars import get_exemplars
from bentos.http.connections import CROWDED, REFUSAL
from bentos.http.drain import Drain
from bentos.http.request_rules import METHODS, asks_to_continue
from bentos.http.request_state import begin
from bentos.metric_labels import Outcome
from bentos.metrics import get_metrics
from bentos.tracing import traceparent

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LINGER_SECONDS, _LINGER_BYTES = 5.0, 2**30
"""Limits on the rest of a body that is read and dropped after an early response."""
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Exchange:
    """Wraps `receive` and `send` of a request."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, drain: Drain, span: Span
    ) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.status: int | None = None
        self.route = ""  # fallback until the app has routed the request
        self.closes = False
        """Whether to close the connection after the response."""
        self._scope, self._receive, self._send = scope, receive, send
        self._method = scope["method"] if scope["method"] in METHODS else "-"
        self._drain, self._span = drain, span
        self._waits = asks_to_continue(scope)
        self._body_comes = not self._waits
        self._started = time.monotonic()
        self._state = begin(scope, self.request_id)

    async def receive(self) -> Message:
        self._waits = False
        message = await self._receive()
        self._body_comes = message.get("more_body", False)
        return message

    async def _drop_body(self) -> None:
        """Reads and drops the rest of the body before the connection may close: most clients send
        the whole body before they read the response, and would only see a reset connection.
        """
        dropped = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self._body_comes and dropped < _LINGER_BYTES:
                    dropped += len((await self.receive()).get("body", b""))

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(MutableHeaders(scope=message))
        early = message["type"] == "http.response.body" and self._body_comes
        if early and not self._ends and not message.get("more_body", False):
            await self._send({**message, "more_body": True})  # all but the end
            await self._drop_body()
            message = {"type": "http.response.body"}
        await self._send(message)

    @property
    def _ends(self) -> bool:
        """Whether the connection closes and itself drops the rest of the body."""
        return self.closes or bool(self._scope["state"].keys() & {REFUSAL, CROWDED})

    def _complete(self, headers: MutableHeaders) -> None:
        headers["X-Request-ID"] = self.request_id
        for name, value in (_HEADERS | self._state.headers).items():
            headers.setdefault(name, value)
        if place := traceparent(self._span):
            headers["traceparent"] = place
        # While draining, the client's next request must go to another server. After an early
        # response to Expect: 100-continue the client may or may not send the body, so the
        # connection must close.
        if self._ends or self._drain.begun or self._waits:
            headers["Connection"] = "close"
        if timing := self._server_timing():
            headers["Server-Timing"] = timing

    def _server_timing(self) -> str:
        return ", ".join(f"{name};dur={ms}" for name, ms in self._state.timing.items())

    def measure(self, *, counts: bool) -> None:
        """Logs the request, and records it if it counts; by route, never by path or address."""
        route = getattr(self._scope.get("route"), "path", "") or self.route or "unmatched"
        outcome: Outcome = self._state.outcome or outcome_of(self.status)
        seconds = time.monotonic() - self._started
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes({"chestxray.outcome": outcome, "http.route": route})
        if counts:
            self._count(route, outcome, seconds)
        about = {
            "method": self._method,
            "route": route,
            "status": self.status,
            "outcome": outcome,
            "duration_ms": round(1000 * seconds, 1),
        }
        is_scrape = not counts and outcome == Outcome.ACCEPTED
        level = logging.DEBUG if is_scrape else logging.INFO
        extra = about | {"caller": self._state.caller_kind}
        logger.log(level, "%s %s %s %s %s ms", *about.values(), extra=extra)

    def _count(self, route: str, outcome: Outcome, seconds: float) -> None:
        metrics = get_metrics()
        metrics.requests.labels(route, outcome).inc()
        metrics.request_seconds.labels(route, outcome).observe(seconds)
        if self._span.is_recording():
            trace_id = format_trace_id(self._span.get_span_context().trace_id)
            get_exemplars().record(route, outcome, seconds, trace_id)


def outcome_of(status: int | None) -> Outcome:
    """Names what became of a request; None is a client that left before its answer."""
    match status:
        case None:
            return Outcome.CLIENT_ERROR
        case 503:
            return Outcome.SHED
        case 504:
            return Outcome.DEADLINE
        case _ if status >= 500:
            return Outcome.SERVER_ERROR
        case _ if status >= 400:
            return Outcome.CLIENT_ERROR
        case _:
            return Outcome.ACCEPTED
