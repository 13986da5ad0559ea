"""What surrounds every request, and an answer whatever happens; no other way leads to the app."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus

from opentelemetry.trace import INVALID_SPAN
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bentos.admission.pacing import Pacing
from bentos.gateway import analyses
from bentos.http import probes, request_rules
from bentos.http.client_address import Networks, caller_of
from bentos.http.connections import CROWDED, REFUSAL
from bentos.http.cors import Cors
from bentos.http.drain import Drain
from bentos.http.exchange import Exchange
from bentos.http.methods import Methods
from bentos.http.prefix import prefix, prefix_of
from bentos.http.probes import Probes
from bentos.http.problems import RequestProblem, drained, internal_error, refused
from bentos.metric_labels import ShedReason
from bentos.metrics import get_metrics
from bentos.tracing import request_span

logger = logging.getLogger(__name__)

METRICS = "/metrics"
"""Answered to the very end."""


class RequestMiddleware:
    """Wraps the app. What is refused here costs least.

    BentoML's app, which the service is to it, has no part in a request: its middlewares cost a
    tenth of the gateway, keep a timer for each request long after its end, and answer in formats
    of their own.
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
        paths: Collection[str] = analyses.PATHS,
    ) -> None:
        """`paths` are admitted by caller: `check` raises RequestProblem where one is not. `pacing`
        slows down who asks too much of anything.
        """
        self._app, self._probes, self.drain = Methods(app), Probes(is_ready), drain
        self._check, self._trusted_proxies, self._paths = check, trusted_proxies, paths
        self._pacing, self._root_path, self._cors = pacing, root_path, Cors(app, cors_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # uvicorn's lifespan is BentoML's, and it speaks no WebSocket here
        scope = dict(scope)  # what the server sends back goes by its own
        if scope["path"] in probes.PATHS:
            exchange = Exchange(scope, receive, send, drain=self.drain, span=INVALID_SPAN)
            await self._answer(scope, exchange)
            return
        prefix.set(prefix_of(scope, trusted=self._trusted_proxies, default=self._root_path))
        send = self._cors.sending(scope, send)
        with request_span(scope["method"], Headers(scope=scope)) as span, self.drain.request():
            if self._pacing:
                receive = self._pacing.of(scope).receive(receive)
            exchange = Exchange(scope, receive, send, drain=self.drain, span=span)
            try:
                await self._answer(scope, exchange)
            finally:
                exchange.measure()

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        try:
            app = await self._app_for(scope, exchange)
            await app(scope, exchange.receive, exchange.send)
        except RequestProblem as problem:
            answer = refused(problem, exchange.request_id)
            await answer(scope, exchange.receive, exchange.send)
        except Exception:
            logger.exception("request %s failed", exchange.request_id)
            if exchange.status is None:
                answer = internal_error(exchange.request_id)
                await answer(scope, exchange.receive, exchange.send)

    async def _app_for(self, scope: Scope, exchange: Exchange) -> ASGIApp:
        """Who answers. Raises RequestProblem."""
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
            caller = scope["state"]["caller"] = caller_of(scope, self._trusted_proxies)
            self._check(caller)
        return self._app


def _crowded() -> RequestProblem:
    get_metrics().shed.labels(ShedReason.CONNECTIONS).inc()
    return RequestProblem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too-many-connections",
        "too many connections are open, or too many of this address; close those that are idle",
        headers={"Retry-After": "1"},
    )
