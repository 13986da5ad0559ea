"""One hostile address next to a good client, with ten kinds of attack.

    python -m tests.trials.hostile --seconds 300

The good client posts images one by one from 127.0.0.1, first alone, then next to each attack of
`attackers.py` from 127.0.0.2. Nine in ten of its requests must be served within twice the 95th
percentile of its latency alone, which is measured again before each attack because others use the
machine too.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import numpy as np

from tests.conftest import ROOT
from tests.service.server import Server
from tests.trials.attackers import ATTACKS
from tests.trials.load import IMAGES, Answer, Client
from tests.trials.running import main
from tests.trials.table import Table

LONGER, LEAST = 2.0, 0.9
_PAUSE_SECONDS = 0.1
_SETTLING_SECONDS = 2.0
"""Time for an attack to start, and for its remaining work to end."""


async def trial(server: Server, seconds: float, ways: Collection[str] = tuple(ATTACKS)) -> Table:
    """Runs each attack for an equal part of the time, of which a third is without it."""
    each = seconds / len(ways)
    how = f"Ways of one address beside another, {each:g} s each; of the latter's requests."
    table = Table("hostile", how)
    async with Client(lambda: server.url) as client:
        image = await _accepted(client)
        for way in ways:
            alone = await _post(client, image, each / 3)
            bound = LONGER * float(np.percentile([answer.seconds for answer in alone], 95))
            async with _attack(server, way):
                beside = await _post(client, image, 2 * each / 3)
            await asyncio.sleep(_SETTLING_SECONDS)
            _judge(table, way, beside, bound)
    restarts = server.total("chestxray_process_restarts_total")
    table.add("processes started again", restarts, "0", met=restarts == 0)
    return table


async def _accepted(client: Client) -> int:
    answers = [await client.post(image) for image in range(len(IMAGES))]
    return next(answer.image for answer in answers if answer.status == 200)


async def _post(client: Client, image: int, seconds: float) -> list[Answer]:
    answers = []
    with_end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < with_end:
        answers.append(await client.post(image))
        await asyncio.sleep(_PAUSE_SECONDS)
    return answers


@asynccontextmanager
async def _attack(server: Server, way: str) -> AsyncIterator[None]:
    place = urlsplit(server.url)
    attacker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.trials.attackers", way),
        *(str(place.hostname), str(place.port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert attacker.stdout is not None
        assert await attacker.stdout.readline() == b"ready\n", way
        await asyncio.sleep(_SETTLING_SECONDS)
        yield
        assert attacker.returncode is None, f"the attacker ended: {way}"
    finally:
        if attacker.returncode is None:
            attacker.send_signal(signal.SIGKILL)
        await attacker.wait()


def _judge(table: Table, way: str, answers: list[Answer], bound: float) -> None:
    prompt = sum(answer.status == 200 and answer.seconds <= bound for answer in answers)
    served = sum(answer.status == 200 for answer in answers)
    p90 = float(np.percentile([answer.seconds for answer in answers], 90))
    share = prompt / len(answers)
    table.add(
        way,
        f"{prompt} of {len(answers)} within {bound:.3f} s, {served} served, p90 {p90:.3f} s",
        f">= {LEAST:.0%}",
        met=share >= LEAST,
        timed=True,
    )


if __name__ == "__main__":
    main(__doc__, trial, seconds=300)
