"""One version after the other, under load: start the new, drain the old, lose nothing.

    python -m tests.trials.rolling --times 20

A small proxy of the clients' own sends each request to a service that was ready when it last asked,
twice a second, as a load balancer would. The old service gets SIGTERM when the new one is ready.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from loadtests.load_generator import free_port
from tests.service.server import Server, start
from tests.trials.chaos import wait_until_ready
from tests.trials.load import IMAGES, SERVED, Client
from tests.trials.table import Table

CLIENTS = 4
DELAY_SECONDS = 2.0
"""CHESTXRAY_DRAIN_DELAY_SECONDS, long enough for the balancer, which checks twice a second."""
_ASK_SECONDS = 0.5


class Balancer:
    """A load balancer that tracks which services were ready at its last check."""

    def __init__(self) -> None:
        self.services: list[Server] = []
        self._ready: list[str] = []

    def url(self) -> str:
        """The newest service that was ready."""
        return self._ready[-1]

    async def check_repeatedly(self) -> None:
        """Checks every service twice a second."""
        timeout = aiohttp.ClientTimeout(total=_ASK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                asked = [_is_ready(session, service.url) for service in self.services]
                ready = [url for url in await asyncio.gather(*asked) if url]
                self._ready = ready or self._ready
                await asyncio.sleep(_ASK_SECONDS)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with session.get(f"{url}/readyz") as answer:
            return url if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


async def trial(times: int) -> Table:
    """Replaces a service several times under load."""
    balancer = Balancer()
    with tempfile.TemporaryDirectory() as folder:
        balancer.services.append(await _begin(Path(folder)))
        asking = asyncio.create_task(balancer.check_repeatedly())
        await asyncio.sleep(2 * _ASK_SECONDS)
        async with Client(balancer.url) as client:
            reference = [await client.post_until_served(image) for image in range(len(IMAGES))]
            begun, stop = time.monotonic(), asyncio.Event()
            load = [asyncio.create_task(_post(client, stop, n)) for n in range(CLIENTS)]
            codes = []
            for _ in range(times):
                balancer.services.append(await _begin(Path(folder)))
                await asyncio.sleep(2 * _ASK_SECONDS)
                old = balancer.services.pop(0)
                old.process.terminate()
                codes.append(await asyncio.to_thread(old.process.wait, 120))
            stop.set()
            await asyncio.gather(*load)
            answers = client.answers.between(begun, time.monotonic())
        asking.cancel()
        balancer.services[0].process.terminate()
        balancer.services[0].process.wait(60)
    statuses, wrong = answers.statuses(), answers.wrong(reference)
    table = Table("rolling", f"{times} times a new service beside the old, {CLIENTS} clients.")
    table.add("requests", len(answers.all))
    table.add("statuses", statuses, "200, 422", met=set(statuses) <= set(SERVED))
    table.add("wrong answers", wrong, "0", met=wrong == 0)
    table.add("exit codes of the old", sorted(set(codes)), "[0]", met=set(codes) == {0})
    table.add("p99, s", answers.seconds(99))
    return table


async def _begin(folder: Path) -> Server:
    port = free_port()
    own = folder / str(port)
    own.mkdir()
    server = start(own, port, CHESTXRAY_DRAIN_DELAY_SECONDS=str(DELAY_SECONDS))
    await wait_until_ready(server.url)
    return server


async def _post(client: Client, stop: asyncio.Event, image: int) -> None:
    while not stop.is_set():
        await client.post(image % len(IMAGES))
        image += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    table = asyncio.run(trial(parser.parse_args().times))
    table.write()
    print(table.render())
    sys.exit(not table.met)
