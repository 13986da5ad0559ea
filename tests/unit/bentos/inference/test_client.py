"""The model client tells the server of the machine's load, and closes what is idle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from bentos.admission.ledger import Ledger, serving
from bentos.covid_classifier.service import ROW
from bentos.inference import client as client_module
from bentos.inference import wire
from bentos.inference.client import BLANK, READY, ModelClient
from bentos.settings import Settings
from tests import waiting


@asynccontextmanager
async def client_of(handler: Handler, *, socket: Path | None) -> AsyncIterator[ModelClient]:
    """A client of a server at this Unix socket, or at a port."""
    app = web.Application()
    app.router.add_post(wire.PATH, handler)
    app.router.add_get(READY, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.UnixSite(runner, socket) if socket else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"file://{socket}" if socket else f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = ModelClient(address, row=ROW, digest="", seconds=5, settings=Settings())
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def sends_load_header(in_flight: int, *, socket: Path | None) -> bool:
    """Whether a request carries the load header."""
    seen: list[bool] = []

    async def infer(request: web.Request) -> web.Response:
        seen.append(wire.LOADED_HEADER in request.headers)
        await request.read()
        return web.Response(body=wire.pack_rows(np.zeros(1, ROW)))

    ledger = Ledger()
    ledger.images = in_flight
    async with client_of(infer, socket=socket) as client:
        with serving(ledger.account("a caller")):
            await client(BLANK)
    return seen == [True]


def test_local_model_is_told_whether_other_images_are_in_flight(
    tmp_path: Path,
) -> None:
    socket = tmp_path / "model.sock"

    assert not asyncio.run(sends_load_header(1, socket=socket))
    assert asyncio.run(sends_load_header(2, socket=socket))


def test_remote_pod_is_not_told_of_other_images_in_flight() -> None:
    assert not asyncio.run(sends_load_header(2, socket=None))


def test_idle_connections_close_although_readiness_is_asked_all_the_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """aiohttp uses idle connections in turn, and keeps those alive that it uses."""
    monkeypatch.setattr(client_module, "KEEP_ALIVE_SECONDS", 1.0)
    connections: set[asyncio.BaseTransport] = set()
    answering = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        connections.add(request.transport)
        if request.method == "POST":
            await answering.wait()
            return web.Response(body=wire.pack_rows(np.zeros(1, ROW)))
        return web.Response()

    async def main() -> None:
        async with client_of(handle, socket=tmp_path / "model.sock") as client:
            with serving(Ledger().account("a caller")):
                burst = [asyncio.create_task(client(BLANK)) for _ in range(10)]
            await waiting.until_async(lambda: len(connections) == 10)
            answering.set()
            await asyncio.gather(*burst)
            async with asyncio.timeout(10):
                while sum(not transport.is_closing() for transport in connections) > 1:
                    assert await client.is_ready()

    asyncio.run(main())
