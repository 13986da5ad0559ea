"""The model client tells the server on its machine whether other images are in flight."""

import asyncio
from pathlib import Path

import numpy as np
from aiohttp import web

from bentos.admission.ledger import Ledger, serving
from bentos.covid_classifier.service import ROW
from bentos.inference import wire
from bentos.inference.client import BLANK, ModelClient
from bentos.settings import Settings


async def sends_load_header(in_flight: int, *, socket: Path | None) -> bool:
    """Whether a request carries the load header, to a server at this Unix socket or at a port."""
    seen: list[bool] = []

    async def infer(request: web.Request) -> web.Response:
        seen.append(wire.LOADED_HEADER in request.headers)
        await request.read()
        return web.Response(body=wire.pack_rows(np.zeros(1, ROW)))

    app = web.Application()
    app.router.add_post(wire.PATH, infer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.UnixSite(runner, socket) if socket else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"file://{socket}" if socket else f"http://127.0.0.1:{runner.addresses[0][1]}"
    ledger = Ledger()
    ledger.images = in_flight
    client = ModelClient(address, row=ROW, digest="", seconds=5, settings=Settings())
    try:
        with serving(ledger.account("a caller")):
            await client(BLANK)
    finally:
        await client.close()
        await runner.cleanup()
    return seen == [True]


def test_local_model_is_told_whether_other_images_are_in_flight(
    tmp_path: Path,
) -> None:
    socket = tmp_path / "model.sock"

    assert not asyncio.run(sends_load_header(1, socket=socket))
    assert asyncio.run(sends_load_header(2, socket=socket))


def test_remote_pod_is_not_told_of_other_images_in_flight() -> None:
    assert not asyncio.run(sends_load_header(2, socket=None))
