"""What surrounds every request: id, measure, headers, and an answer whatever happens."""

import asyncio
import contextlib
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Sequence

from opentelemetry.trace import Span, format_trace_id
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bentos.gateway import analyses
from bentos.gateway.callers import Networks, caller_of
from bentos.gateway.cors import Cors
from bentos.gateway.drain import Drain
from bentos.gateway.pacing import Pace, Pacing
from bentos.gateway.prefix import prefix, prefix_of
from bentos.gateway.problems import (
    RequestProblem,
    ambiguous_length,
    drained,
    internal_error,
    refused,
)
from bentos.gateway.tracing import request_span, traceparent
from bentos.metrics import get_metrics

logger = logging.getLogger(__name__)

METRICS = "/metrics"
"""Answered to the very end."""
_PROBES = ("/livez", "/readyz", "/healthz")
"""BentoML's; neither counted nor logged."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LINGER_SECONDS, _LINGER_BYTES = 5.0, 2**30
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Edge:
    """Wraps BentoML's app: what is refused here costs least, and an analysis goes by the short way.

    An exception that left BentoML would hang its client for minutes (trap 16).
    """

    def __init__(
        self,
        bentoml_app: ASGIApp,
        app: ASGIApp,
        drain: Drain,
        check: Callable[[str], None],
        trusted_proxies: Networks,
        *,
        pacing: Pacing,
        root_path: str = "",
        cors_origins: Sequence[str] = (),
        paths: Collection[str] = analyses.PATHS,
    ) -> None:
        """`app` is ours, which `bentoml_app` has within it. `paths` are what takes room; `check`
        raises RequestProblem where a caller gets none; `pacing` slows down who asks too much.
        """
        self._pacing = pacing
        self._bentoml_app, self._app, self.drain = bentoml_app, app, drain
        self._check, self._trusted_proxies, self._paths = check, trusted_proxies, paths
        self._root_path, self._cors = root_path, Cors(app, cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"] in _PROBES and not _has_two_lengths(scope)):
            await self._bentoml_app(scope, receive, send)
            return
        prefix.set(prefix_of(scope, trusted=self._trusted_proxies, default=self._root_path))
        send = self._cors.sending(scope, send)
        with request_span(scope["method"], Headers(scope=scope)) as span, self.drain.request():
            pace = self._pacing.of(scope)
            receive = pace.receive(receive)
            exchange = _Exchange(scope, receive, send, drain=self.drain, span=span)
            try:
                await self._answer(scope, exchange, pace)
            finally:
                exchange.measure()

    async def _answer(self, scope: Scope, exchange: "_Exchange", pace: Pace) -> None:
        try:
            app = await self._refusal(scope, exchange, pace) or self._app_for(scope)
            await app(scope, exchange.receive, exchange.send)
        except Exception:
            logger.exception("request %s failed", exchange.request_id)
            if exchange.status is None:
                answer = internal_error(exchange.request_id)
                await answer(scope, exchange.receive, exchange.send)

    def _app_for(self, scope: Scope) -> ASGIApp:
        """BentoML's middlewares cost a tenth of the gateway, and with the service's settings do
        nothing for an analysis.
        """
        return self._app if scope["path"] in self._paths else self._bentoml_app

    async def _refusal(self, scope: Scope, exchange: "_Exchange", pace: Pace) -> ASGIApp | None:
        if _has_two_lengths(scope):
            return ambiguous_length(exchange.request_id)
        if self.drain.closed and scope["path"] != METRICS:
            return drained(exchange.request_id)
        if answer := self._cors.preflight(scope, exchange.request_id):
            return answer
        try:
            await pace.request()
            if scope["path"] in self._paths and scope["method"] == "POST":
                exchange.route = scope["path"]
                caller = scope["state"]["caller"] = caller_of(scope, self._trusted_proxies)
                self._check(caller)
        except RequestProblem as problem:
            return refused(problem, exchange.request_id)
        return None


def _has_two_lengths(scope: Scope) -> bool:
    """A proxy in front may have taken the other one, and what is left for a request (RFC 9112,
    6.1).
    """
    names = {name for name, _ in scope["headers"]}
    return {b"transfer-encoding", b"content-length"} <= names


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, drain: Drain, span: Span
    ) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.status: int | None = None
        self.route = ""  # until the app has found it
        self._scope, self._receive, self._send = scope, receive, send
        self._drain, self._span = drain, span
        self._body_comes = headers.get("expect", "").lower() != "100-continue"
        self._started = time.monotonic()
        self._state = scope.setdefault("state", {})
        self._state.update(request_id=self.request_id, outcome=None, timing={})

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_comes = message.get("more_body", False)
        return message

    async def _drop_body(self) -> None:
        """Lets the rest of the body come before the connection may close: most clients send all
        of it before they read the answer, and would see a broken connection in its place."""
        dropped = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while self._body_comes and dropped < _LINGER_BYTES:
                    dropped += len((await self.receive()).get("body", b""))

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if place := traceparent(self._span):
                headers["traceparent"] = place
            if self._drain.begun:  # the next request of this client is for another server
                headers["Connection"] = "close"
            if timing := self._server_timing():
                headers["Server-Timing"] = timing
        early = message["type"] == "http.response.body" and self._body_comes
        if early and not message.get("more_body", False):
            await self._send({**message, "more_body": True})  # all of the answer, but not its end
            await self._drop_body()
            message = {"type": "http.response.body"}
        await self._send(message)

    def _server_timing(self) -> str:
        return ", ".join(f"{name};dur={ms}" for name, ms in self._state["timing"].items())

    def measure(self) -> None:
        """Counts the request and logs it: by route, never by path, name or address."""
        route = getattr(self._scope.get("route"), "path", "") or self.route or "unmatched"
        outcome = self._state["outcome"] or outcome_of(self.status)
        seconds = time.monotonic() - self._started
        metrics = get_metrics()
        metrics.requests.labels(route, outcome).inc()
        metrics.request_seconds.labels(route, outcome).observe(seconds)
        method, place = self._scope["method"], self._span.get_span_context()
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes({"chestxray.outcome": outcome, "http.route": route})
        logger.info(
            "%s %s %s %s %.1f ms request=%s trace=%s",
            method,
            route,
            self.status,
            outcome,
            1000 * seconds,
            self.request_id,
            format_trace_id(place.trace_id) if place.is_valid else "-",
        )


def outcome_of(status: int | None) -> str:
    """Names what became of a request; None is a client that left before its answer."""
    match status:
        case None:
            return "client_error"
        case 429 | 503:
            return "shed"
        case 504:
            return "deadline"
        case _ if status >= 500:
            return "server_error"
        case _ if status >= 400:
            return "client_error"
        case _:
            return "accepted"
