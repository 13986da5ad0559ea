"""Outermost ASGI middleware: probes, load shedding, tracing, metrics, and a response in any
case."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus

from opentelemetry.trace import INVALID_SPAN
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bentos.admission.pacing import Pacing
from bentos.http import probes, request_rules
from bentos.http.client_address import Networks, caller_of
from bentos.http.connections import CROWDED, REFUSAL
from bentos.http.cors import Cors
from bentos.http.drain import Drain
from bentos.http.exchange import Exchange
from bentos.http.methods import Methods
from bentos.http.prefix import prefix, prefix_of
from bentos.http.probes import Probes
from bentos.http.problems import (
    PROTOCOL,
    RequestProblem,
    drained,
    internal_error,
    names_error,
    refused,
)
from bentos.http.request_state import state_of
from bentos.logs.lines import request_id
from bentos.metric_labels import ShedReason
from bentos.metrics import get_metrics
from bentos.tracing import request_span

logger = logging.getLogger(__name__)

METRICS = "/metrics"
"""Served even while draining, and not counted as a request."""


class RequestMiddleware:
    """Wraps the FastAPI app; rejects requests before any other work.

    Requests bypass BentoML's app: its middleware takes a tenth of the gateway's CPU time, keeps a
    timer for each request long after its end, and responds in formats of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        drain: Drain,
        is_ready: Callable[[], Awaitable[bool]],
        check: Callable[[str], None] = lambda _: None,
        trusted_proxies: Networks = (),
        *,
        pacing: Pacing | None = None,
        root_path: str = "",
        cors_origins: Sequence[str] = (),
        paths: Collection[str] = (),
    ) -> None:
        """`check(client)` raises RequestProblem to reject a POST to one of `paths`; `pacing` delays
        clients that send too many requests of any kind.
        """
        self._app, self._probes, self.drain = Methods(app), Probes(is_ready), drain
        self._check, self._trusted_proxies, self._paths = check, trusted_proxies, paths
        self._pacing, self._root_path, self._cors = pacing, root_path, Cors(app, cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # BentoML handles the lifespan; WebSockets are disabled
        scope = dict(scope)  # the server still uses its own copy
        if scope["path"] in probes.PATHS:
            exchange = Exchange(scope, receive, send, drain=self.drain, span=INVALID_SPAN)
            await self._answer(scope, exchange)
            return
        prefix.set(prefix_of(scope, trusted=self._trusted_proxies, default=self._root_path))
        names_error.set(f"{scope['path']}/".startswith(f"{PROTOCOL}/"))
        send = self._cors.sending(scope, send)
        with request_span(scope["method"], Headers(scope=scope)) as span, self.drain.request():
            if self._pacing:
                receive = self._pacing.of(scope).receive(receive)
            exchange = Exchange(scope, receive, send, drain=self.drain, span=span)
            request_id.set(exchange.request_id)
            try:
                await self._answer(scope, exchange)
            finally:
                exchange.measure(counts=scope["path"] != METRICS)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        try:
            app = await self._app_for(scope, exchange)
            await app(scope, exchange.receive, exchange.send)
        except RequestProblem as problem:
            answer = refused(problem, exchange.request_id)
            await answer(scope, exchange.receive, exchange.send)
        except Exception:
            logger.exception("a request failed", extra={"request_id": exchange.request_id})
            if exchange.status is None:
                answer = internal_error(exchange.request_id)
                await answer(scope, exchange.receive, exchange.send)

    async def _app_for(self, scope: Scope, exchange: Exchange) -> ASGIApp:
        """Returns the app that handles the request. Raises RequestProblem."""
        if refusal := scope["state"].get(REFUSAL):
            raise refusal
        exchange.closes = True
        request_rules.check(scope)
        request_rules.route_by_path(scope)
        exchange.closes = False
        path = scope["path"]
        if path in probes.PATHS:
            return self._probes
        if CROWDED in scope["state"]:
            raise _crowded()
        if self.drain.closed and path != METRICS:
            return drained(exchange.request_id)
        if answer := self._cors.preflight(scope, exchange.request_id):
            return answer
        if self._pacing:
            await self._pacing.of(scope).request(counts=path != METRICS)
        if path in self._paths and scope["method"] == "POST":
            exchange.route = path
            state = state_of(scope)
            state.caller = caller_of(scope, self._trusted_proxies)
            self._check(state.caller)
        return self._app


def _crowded() -> RequestProblem:
    get_metrics().shed.labels(ShedReason.CONNECTIONS).inc()
    return RequestProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-connections",
        "too many connections are open, in total or from this address; close idle ones",
        headers={"Retry-After": "1"},
    )
