"""Decoders are killed, crash, hang and run out of time and memory, under load.

    python -m tests.trials.decoders --failures 1000

An address sends files that fail their decoder, over and over, two at a time. Another posts images
without pause. Each failure costs its sender one 422 and nobody else an answer.
"""

import argparse
import asyncio
import itertools
import tempfile
import time
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp

from tests.service.server import Server, serve
from tests.trials.attackers import ADDRESS
from tests.trials.load import IMAGES, Client, run_closed_loop
from tests.trials.running import finish, megabytes
from tests.trials.table import Table

FAULTS = (b"kill", b"crash", b"leave", b"spin", b"hoard", b"stop")
"""Faults: SIGKILL, a segmentation fault, an exit, CPU time, memory, and a hang."""
CPU_SECONDS = 0.25
"""Limit for decoding an image: a hang ends after ten times as long, and there are many."""
CLIENTS, ATTACKERS = 4, 2
REJECTED, SHED = "422 image-too-costly", "503 overloaded"
_PAUSE_SECONDS = 1.0  # before what was shed is sent again
_CALM_SECONDS = 10.0


def faulty_service(folder: Path) -> AbstractContextManager[Server]:
    """The service with decoders in which some files trigger a fault."""
    limit = {"CHESTXRAY_DECODE_CPU_SECONDS": str(CPU_SECONDS)}
    return serve(folder, command=("tests.trials.faulty_service",), **limit)


async def trial(server: Server, failures: int) -> Table:
    """Measures the other clients, first alone and then during the failures."""
    how = f"{failures} failures of decoders, {ATTACKERS} at a time, beside {CLIENTS} clients."
    table = Table("decoders", how)
    async with Client(lambda: server.url) as client:
        reference = [await client.post(image) for image in range(len(IMAGES))]
        start = time.monotonic()
        calm = await run_closed_loop(client, clients=CLIENTS, seconds=_CALM_SECONDS)
        rate, before = calm.rate(start, _CALM_SECONDS), megabytes(server)
        start = time.monotonic()
        posting = [asyncio.create_task(_post(client, number)) for number in range(CLIENTS)]
        outcomes = await _attack(server, failures)
        seconds = time.monotonic() - start
        for task in posting:
            task.cancel()
        await asyncio.gather(*posting, return_exceptions=True)
        beside, after = client.answers.between(start, start + seconds), megabytes(server)
    wrong = beside.wrong(reference)
    failed = sum(not answer.served for answer in beside.all)
    restarts = server.total("chestxray_decoder_restarts_total")
    met = outcomes[REJECTED] == failures and set(outcomes) <= {REJECTED, SHED}
    table.add("seconds", seconds)
    table.add("answers to files that fail", dict(outcomes), f"{failures} x {REJECTED}", met=met)
    table.add("decoders replaced", int(restarts), f">= {failures}", met=restarts >= failures)
    table.add("other requests", len(beside.all))
    table.add("of these failed", failed, "0", met=failed == 0)
    table.add("wrong answers", wrong, "0", met=wrong == 0)
    table.add("images/s without and with", f"{rate:.3g}, {beside.rate(start, seconds):.3g}")
    table.add("p99 of the others, s", beside.seconds(99))
    table.add_memory(before, after)
    died = server.total("chestxray_process_restarts_total")
    table.add("other processes started again", int(died), "0", met=died == 0)
    return table


async def _post(client: Client, image: int) -> None:
    while True:
        await client.post(image % len(IMAGES))
        image += 1


async def _attack(server: Server, failures: int) -> Counter[str]:
    """Sends files that fail their decoder; returns the count of each answer."""
    outcomes: Counter[str] = Counter()
    faults = itertools.islice(itertools.cycle(FAULTS), failures)
    connector = aiohttp.TCPConnector(local_addr=(ADDRESS, 0))
    async with aiohttp.ClientSession(server.url, connector=connector) as session:

        async def attack() -> None:
            for fault in faults:
                while (outcome := await _send(session, fault)) == SHED:
                    outcomes[SHED] += 1
                    await asyncio.sleep(_PAUSE_SECONDS)
                outcomes[outcome] += 1

        await asyncio.gather(*(attack() for _ in range(ATTACKERS)))
    return outcomes


async def _send(session: aiohttp.ClientSession, fault: bytes) -> str:
    headers = {"Content-Type": "application/octet-stream"}
    async with session.post("/v1/analyses", data=fault, headers=headers) as answer:
        found = await answer.json(content_type=None)
        return f"{answer.status} {found.get('code', '')}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--failures", type=int, default=1000)
    failures = parser.parse_args().failures

    async def alone() -> Table:
        with tempfile.TemporaryDirectory() as folder, faulty_service(Path(folder)) as server:
            return await trial(server, failures)

    finish(alone())


if __name__ == "__main__":
    main()
