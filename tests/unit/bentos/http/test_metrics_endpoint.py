"""The route /metrics negotiates its format and its compression."""

import asyncio
import gzip

import httpx
import pytest
from fastapi import FastAPI

from bentos.exposition import OPEN_METRICS, TEXT
from bentos.http.metrics_endpoint import metrics
from bentos.metrics import get_metrics

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
"""What Prometheus sends."""


def get(*, accept: str = "*/*", encodings: str = "identity") -> tuple[httpx.Response, bytes]:
    """The answer, and its body as it was sent."""
    get_metrics()
    app = FastAPI()
    app.get("/metrics")(metrics)
    headers = {"accept": accept.encode(), "accept-encoding": encodings.encode()}

    async def ask() -> tuple[httpx.Response, bytes]:
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
            client.stream("GET", "/metrics", headers=headers) as answer,
        ):
            return answer, b"".join([part async for part in answer.aiter_raw()])

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS, OPEN_METRICS),
        ("application/openmetrics-text", OPEN_METRICS),
        ("text/plain;q=0.1, application/openmetrics-text", OPEN_METRICS),
        ("*/*", TEXT),
        ("text/html,*/*;q=0.8", TEXT),
        ("text/plain, application/openmetrics-text;q=0.5", TEXT),
        ("application/openmetrics-text;q=0, */*", TEXT),
        ("image/png", TEXT),
        ("application/openmetrics-text;version=x\u00e9;;", OPEN_METRICS),
        ("/;q=", TEXT),
        ("", TEXT),
    ],
)
def test_format_is_the_one_that_the_client_prefers(accept: str, expected: str) -> None:
    answer, body = get(accept=accept)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(f"{expected}; version=1.0.0")
    assert body.endswith(b"# EOF\n") == (expected == OPEN_METRICS)
    assert b"chestxray_build" in body


@pytest.mark.parametrize("encodings", ["gzip", "br, GZIP", "gzip;q=0.5, identity;q=0.1"])
def test_metrics_are_compressed_where_the_client_accepts_it(encodings: str) -> None:
    answer, body = get(encodings=encodings)

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(body)
    assert b"chestxray_build_info" in gzip.decompress(body)


@pytest.mark.parametrize("encodings", ["identity", "br", "gzip;q=0", "gzip; q=0.0", "x-gzip"])
def test_metrics_are_not_compressed_where_the_client_does_not_accept_it(encodings: str) -> None:
    answer, body = get(encodings=encodings)

    assert "content-encoding" not in answer.headers
    assert b"chestxray_build_info" in body


def test_caches_are_told_that_the_answer_depends_on_both_headers() -> None:
    assert get()[0].headers["vary"] == "Accept, Accept-Encoding"
