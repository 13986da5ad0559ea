"""Load that the service can take, for an hour: nothing may grow.

    python -m tests.trials.soak --seconds 3600

Requests arrive at 70% of what the service was just measured to take. Memory and file descriptors of
every process after the first sixth are compared with those at the end, and so is latency.
"""

import asyncio
import time
from dataclasses import dataclass

import psutil

from tests.service.server import Server
from tests.trials.load import SERVED, Client, arriving
from tests.trials.overload import capacity
from tests.trials.running import main
from tests.trials.table import Table

SHARE, SETTLING = 0.7, 1 / 6
MOST_GROWTH, MOST_DRIFT, MORE_FILES = 0.02, 0.2, 4
_SAMPLES = 5


@dataclass(frozen=True)
class Process:
    """What one process holds."""

    memory: float  # resident, bytes
    files: int


def look(server: Server) -> dict[str, Process]:
    """Every process of the service by its name."""
    return {
        _name(each): Process(each.memory_info().rss, each.num_fds()) for each in server.processes()
    }


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    return words[words.index("--service-name") + 1] if "--service-name" in words else "supervisor"


async def look_often(server: Server, seconds: float) -> dict[str, Process]:
    """The medians of some looks: memory breathes with the batches."""
    looks = []
    for _ in range(_SAMPLES):
        looks.append(look(server))
        await asyncio.sleep(seconds / _SAMPLES)
    middle = _SAMPLES // 2
    return {
        name: Process(
            sorted(each[name].memory for each in looks)[middle],
            sorted(each[name].files for each in looks)[middle],
        )
        for name in looks[0]
    }


async def trial(server: Server, seconds: float) -> Table:
    """Measures the capacity, then loads with less than it."""
    async with Client(lambda: server.url) as client:
        calm = await capacity(client, max(8.0, seconds / 100))
        begun, settled = time.monotonic(), seconds * SETTLING
        load = asyncio.create_task(arriving(client.post, rate=SHARE * calm.rate, seconds=seconds))
        await asyncio.sleep(settled)
        first = await look_often(server, settled / 2)
        await asyncio.sleep(seconds - 2 * settled)
        last = await look_often(server, settled / 2)
        await load
        answers = client.answers.between(begun, time.monotonic())
    early = answers.between(begun + settled, begun + 2 * settled)
    late = answers.between(begun + seconds - settled, begun + seconds)
    table = Table(
        "soak", f"{SHARE:.0%} of the capacity of {calm.rate:.3g} images/s for {seconds:g} s."
    )
    statuses = answers.statuses()
    table.add("requests", len(answers.all))
    table.add("statuses", statuses, "200, 422", met=set(statuses) <= set(SERVED))
    for name, before in first.items():
        growth = last[name].memory / before.memory - 1
        table.add(
            f"growth of {name}'s memory",
            f"{growth:+.2%}",
            "< 2%",
            met=growth < MOST_GROWTH,
            timed=True,
        )
        more = last[name].files - before.files
        table.add(f"more files open in {name}", more, f"<= {MORE_FILES}", met=more <= MORE_FILES)
    drift = late.seconds(50) / early.seconds(50) - 1
    table.add("median latency, s", f"{early.seconds(50):.3f} -> {late.seconds(50):.3f}")
    table.add(
        "drift of it", f"{drift:+.1%}", f"<= {MOST_DRIFT:.0%}", met=drift <= MOST_DRIFT, timed=True
    )
    return table


if __name__ == "__main__":
    main(__doc__, trial, seconds=3600)
