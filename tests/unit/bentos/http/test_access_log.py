"""Requests are logged and counted by route; probes and scrapes are not."""

import logging

import pytest
from starlette.types import Receive, Scope, Send

from bentos.http.middleware import RequestMiddleware
from bentos.metrics import get_metrics
from tests.unit.bentos.http.test_middleware import HOST, MiddlewareClient


@pytest.fixture
def ask() -> MiddlewareClient:
    return MiddlewareClient()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the middleware logs."""
    caplog.set_level(logging.DEBUG, "bentos")
    return caplog


def counted() -> dict[tuple[str, ...], float]:
    """The number of requests by their labels."""
    (metric,) = get_metrics().requests.metric.collect()
    return {(s.name, *s.labels.values()): s.value for s in metric.samples if "total" in s.name}


def test_request_is_logged_and_counted_by_route_and_outcome(
    ask: MiddlewareClient, log: pytest.LogCaptureFixture
) -> None:
    series = get_metrics().requests.labels("unmatched", "accepted")
    before = series._value.get()

    ask("GET", "/maria/silva?born=1970", headers=[HOST, (b"x-request-id", b"r-1")])

    (line,) = log.records
    fields = vars(line)
    assert line.getMessage().startswith("GET unmatched 200 accepted ")
    assert line.levelno == logging.INFO
    assert (fields["method"], fields["route"]) == ("GET", "unmatched")
    assert (fields["status"], fields["outcome"]) == (200, "accepted")
    assert fields["duration_ms"] >= 0
    assert series._value.get() == before + 1


def test_scrape_is_neither_counted_nor_logged_at_info(
    ask: MiddlewareClient, log: pytest.LogCaptureFixture
) -> None:
    before = counted()

    ask("GET", "/metrics")

    assert [line.levelno for line in log.records] == [logging.DEBUG]
    assert counted() == before


def test_scrape_that_fails_is_logged(ask: MiddlewareClient, log: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no metrics")

    ask.edge = RequestMiddleware(fail, ask.drain, ask._is_ready)
    assert ask("GET", "/metrics").status_code == 500

    error, access = log.records
    assert error.exc_info
    assert (access.levelno, vars(access)["status"]) == (logging.INFO, 500)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probe_is_neither_counted_nor_logged(
    ask: MiddlewareClient, log: pytest.LogCaptureFixture, path: str
) -> None:
    before, ask.ready = counted(), False

    ask("GET", path)

    assert (log.records, counted()) == ([], before)
