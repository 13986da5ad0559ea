"""Everything that clients send, mixed, for an hour: nothing may grow, and all must fit the pod.

    python -m tests.trials.mixed --requests 200000 --seconds 3600

Requests of all kinds arrive evenly from several addresses, most on connections that are kept. The
memory of every process, its own share of what it has in common with others, is sampled all the
time: after the first ten minutes it must stay within 2%, and all together must leave a quarter of
the pod's limit (k8s/base/deployment.yaml) at the worst moment.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psutil
import yaml

from tests.conftest import ROOT
from tests.service.server import Server, serve
from tests.trials.attackers import images_rejected_by_filter, ordinary_images, progressive_jpeg
from tests.trials.load import IMAGES, LOST
from tests.trials.raw import SINGLE, Connection, batch, get, post
from tests.trials.running import finish
from tests.trials.soak import process_name
from tests.trials.table import Table

REQUESTS, SECONDS = 200_000, 3600.0
MOST_GROWTH, OF_THE_LIMIT = 0.02, 0.75
_SETTLING_SECONDS = 600.0
_SAMPLE_SECONDS = 2.0
_WORKERS = 16
_ADDRESSES = [f"127.0.0.{number}" for number in range(10, 18)]
_FRESH = 0.1
"""Share of requests that are sent on a new connection."""
_DEPLOYMENT = ROOT / "k8s" / "base" / "deployment.yaml"
_UNITS = {"Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Kind:
    """One kind of request, and its share in percent."""

    weight: int
    make: Callable[[], bytes]
    with_body: bool = True  # whether the answer has one
    aborted: bool = False  # whether the client leaves half way


def request_kinds() -> dict[str, Kind]:
    films = itertools.cycle([post(SINGLE, image) for image in IMAGES])
    others = itertools.cycle([post(SINGLE, image) for image in images_rejected_by_filter()])
    broken = itertools.cycle([post(SINGLE, image[:-2000]) for image in ordinary_images()])
    costly = post(SINGLE, progressive_jpeg())
    several = batch(*IMAGES[:3], *ordinary_images()[:1])
    paths = ("/", "/v1/limits", "/v1/models", "/v1/projection", "/openapi.json", "/metrics")
    gets = itertools.cycle([get(path) for path in paths])
    return {
        "films": Kind(16, lambda: next(films)),
        "refused by the filter": Kind(8, lambda: next(others)),
        "damaged": Kind(10, lambda: next(broken)),
        "costly": Kind(1, lambda: costly),
        "batches": Kind(2, lambda: several),
        "GET": Kind(35, lambda: next(gets)),
        "HEAD": Kind(8, lambda: get("/", method="HEAD"), with_body=False),
        "unknown paths": Kind(14, lambda: get(f"/{random.random()}")),
        "uploads given up": Kind(6, lambda: next(films), aborted=True),
    }


@dataclass
class Load:
    """The requests sent, and their responses."""

    server: Server
    statuses: Counter[int] = field(default_factory=Counter)

    async def run(self, requests: int, seconds: float) -> None:
        """Sends a number of requests evenly over some seconds."""
        start, numbers = time.monotonic(), iter(range(requests))
        mixed, every = random.Random(0), request_kinds()
        weights = [kind.weight for kind in every.values()]

        async def work(address: str) -> None:
            connection: Connection | None = None
            for number in numbers:
                await asyncio.sleep(start + number * seconds / requests - time.monotonic())
                (kind,) = mixed.choices(list(every.values()), weights)
                connection = await self._send(kind, connection, address, mixed.random() < _FRESH)
            if connection:
                connection.close()

        await asyncio.gather(*(work(_ADDRESSES[i % len(_ADDRESSES)]) for i in range(_WORKERS)))

    async def _send(
        self, kind: Kind, connection: Connection | None, address: str, fresh: bool
    ) -> Connection | None:
        place = urlsplit(self.server.url)
        if connection and fresh:
            connection.close()
            connection = None
        try:
            connection = connection or await Connection.open(
                str(place.hostname), place.port or 0, address=address
            )
            request = kind.make()
            if kind.aborted:
                await connection.send(request[: len(request) // 2])
                connection.close()
                return None
            await connection.send(request)
            self.statuses[await connection.answer(with_body=kind.with_body)] += 1
            return connection
        except (OSError, ValueError, asyncio.IncompleteReadError):
            self.statuses[LOST] += 1
            if connection:
                connection.close()
            return None


@dataclass
class Memory:
    """Bytes of every process, by its name, over time."""

    server: Server
    samples: list[tuple[float, Counter[str]]] = field(default_factory=list)

    async def sample(self) -> None:
        """Samples until it is cancelled."""
        start = time.monotonic()
        while True:
            look: Counter[str] = Counter()
            for process in self.server.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    look[process_name(process)] += process.memory_full_info().pss
            self.samples.append((time.monotonic() - start, look))
            await asyncio.sleep(_SAMPLE_SECONDS)

    def between(self, start: float, end: float) -> dict[str, float]:
        """The median of each process in a part of the time."""
        looks = [look for at, look in self.samples if start <= at < end]
        return {name: median(look[name] for look in looks) for name in looks[0]}

    @property
    def peak(self) -> int:
        """The peak of all processes together."""
        return max(look.total() for _, look in self.samples)


def pod_memory_limit() -> int:
    """The memory limit of the gateway's pod in bytes."""
    deployment = next(yaml.safe_load_all(_DEPLOYMENT.read_text()))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    limit = str(container["resources"]["limits"]["memory"])
    return int(limit[:-2]) * _UNITS[limit[-2:]]


async def trial(server: Server, requests: int, seconds: float) -> Table:
    """Runs the load and samples the memory."""
    load, memory = Load(server), Memory(server)
    sampling = asyncio.create_task(memory.sample())
    await load.run(requests, seconds)
    sampling.cancel()
    settled, window = min(_SETTLING_SECONDS, seconds / 3), seconds / 6
    table = Table("mixed", f"{requests} requests of {len(request_kinds())} kinds in {seconds:g} s.")
    statuses = dict(sorted(load.statuses.items()))
    failed = sum(count for status, count in statuses.items() if status >= 500 and status != 503)
    table.add("statuses (0: connection broken)", statuses)
    table.add("5xx other than 503", failed, "0", met=failed == 0)
    first = memory.between(settled, settled + window)
    last = memory.between(seconds - window, seconds)
    for name, before in first.items():
        growth = last[name] / before - 1
        found = f"{before / 2**20:.0f} MB {growth:+.2%}"
        met = growth < MOST_GROWTH
        table.add(f"growth of {name}'s memory", found, f"< {MOST_GROWTH:.0%}", met=met, timed=True)
    most = OF_THE_LIMIT * pod_memory_limit() / 2**20
    peak = memory.peak / 2**20
    table.add("all processes at most, MB", f"{peak:.0f}", f"< {most:.0f}", met=peak < most)
    restarts = server.total("chestxray_process_restarts_total")
    table.add("processes started again", restarts, "0", met=restarts == 0)
    return table


async def _alone(requests: int, seconds: float) -> Table:
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as server:
        return await trial(server, requests, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    flags = parser.parse_args()
    finish(_alone(flags.requests, flags.seconds))
