"""A gateway that is killed at any moment loses no delivery; each keeps its webhook-id."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from bentos.database.tables import webhook_deliveries
from tests.conftest import ROOT
from tests.service.keeping import Gateway, run_gateways
from tests.service.receivers import Receiver
from tests.service.webhook_steps import ON, create, due_at, end_job

_CALLERS, _MESSAGES, _KILLS = 4, 5, 6


@pytest.mark.slow
def test_killed_again_and_again_it_loses_no_delivery(
    random_filter: Path, random_classifier: Path, tmp_path: Path, hospital: Receiver
) -> None:
    folder, seeded = str(tmp_path / "data"), random.Random(7)
    command = [sys.executable, "-m", "tests.service.webhook_gateway", folder]
    environment = os.environ | {"SSL_CERT_FILE": str(hospital.certificate)}
    hospital.seconds = 0.2

    async def killed(gateway: Gateway) -> None:
        with subprocess.Popen(command, cwd=ROOT, env=environment) as run:
            count, end = len(hospital.received), time.monotonic() + 30
            while len(hospital.received) == count and time.monotonic() < end:
                await asyncio.sleep(0.01)  # until it works
            await asyncio.sleep(seeded.uniform(0, 0.4))
            run.send_signal(signal.SIGKILL)

    async def test(gateway: Gateway) -> None:
        for _ in range(_CALLERS):
            client = await gateway.holder()
            await create(client, hospital.literal_url)
            for _ in range(_MESSAGES):
                await end_job(client)
        async with gateway.history.database.reading() as connection:
            wanted = set((await connection.execute(select(webhook_deliveries.c.id))).scalars())
        for _ in range(_KILLS):
            await killed(gateway)
        assert await due_at(gateway)  # it was killed before its end
        with subprocess.Popen(command, cwd=ROOT, env=environment) as run:
            async with asyncio.timeout(60):
                while await due_at(gateway):
                    await asyncio.sleep(0.1)
            run.kill()

        assert len(wanted) == _CALLERS * _MESSAGES
        assert set(hospital.ids) == wanted
        bodies = {(each.headers["webhook-id"], each.body) for each in hospital.received}
        assert len(bodies) == len(wanted)

    weights = [random_filter, random_classifier]
    run_gateways(test, weights, {"data_folder": folder}, **ON)
