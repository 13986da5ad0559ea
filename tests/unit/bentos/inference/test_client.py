"""What a client tells its model server about the work around a request."""

import asyncio
from pathlib import Path

import numpy as np
from aiohttp import web

from bentos.admission.ledger import Ledger, serving
from bentos.covid_classifier.service import ROW
from bentos.inference import wire
from bentos.inference.client import BLANK, ModelClient
from bentos.settings import Settings


async def says_loaded(in_flight: int, *, socket: Path | None) -> bool:
    """Whether a request to a server at this Unix socket, or at a port, says so."""
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


def test_a_model_on_the_same_machine_learns_that_other_images_are_in_flight(
    tmp_path: Path,
) -> None:
    socket = tmp_path / "model.sock"

    assert not asyncio.run(says_loaded(1, socket=socket))
    assert asyncio.run(says_loaded(2, socket=socket))


def test_a_pod_has_a_machine_of_its_own() -> None:
    assert not asyncio.run(says_loaded(2, socket=None))
