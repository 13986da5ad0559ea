"""The edge sends an analysis to our app, and all else to BentoML's, which has ours within it."""

import asyncio

import httpx
import pytest
from starlette.responses import PlainTextResponse

from bentos.gateway.admission import Admission
from bentos.gateway.drain import Drain
from bentos.gateway.edge import Edge
from bentos.gateway.ledger import Ledger
from bentos.gateway.pacing import Pacing


def answer_of(method: str, path: str) -> str:
    """Who answers."""
    ledger = Ledger()
    admission = Admission(max_images=1, max_bytes=1, queue_seconds=1.0, ledger=ledger)
    edge = Edge(
        PlainTextResponse("BentoML's"),
        PlainTextResponse("ours"),
        Drain(delay=0, timeout=1),
        admission.check,
        (),
        pacing=Pacing(ledger, ()),
    )

    async def ask() -> str:
        transport = httpx.ASGITransport(edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.request(method, path)).text

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/v1/analyses", "/v1/analyses/batch"])
def test_analyses_go_the_short_way(path: str) -> None:
    assert answer_of("POST", path) == "ours"


@pytest.mark.parametrize("path", ["/", "/v1/models", "/readyz", "/metrics", "/v1/analyses/x"])
def test_all_else_goes_through_bentoml(path: str) -> None:
    assert answer_of("GET", path) == "BentoML's"
