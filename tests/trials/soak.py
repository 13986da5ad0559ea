"""Load that the service can take, for an hour: nothing may grow.

    python -m tests.trials.soak --seconds 3600

Requests arrive at 70% of what the service was just measured to take. The memory of every process
after the first sixth is compared with that at the end, and so is latency. Open files are counted
before and after, while no client is connected: under load every queued request is one.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median

import psutil

from bentos.inference.client import KEEP_ALIVE_SECONDS
from tests.service.server import Server, command_of
from tests.trials.load import LOST, Client, run_open_loop
from tests.trials.overload import capacity
from tests.trials.running import main
from tests.trials.table import Table

SHARE, SETTLING = 0.7, 1 / 6
MOST_GROWTH, MOST_DRIFT, MORE_FILES = 0.02, 0.2, 4
SERVED_SHARE = 0.9
"""Required share of served requests; a shared machine may become slower than measured."""
_SAMPLES = 5
_CLOSING_SECONDS = 2 * KEEP_ALIVE_SECONDS + 5.0
"""Until the service has seen its clients go, and idle connections to the models are closed: aiohttp
looks for those every KEEP_ALIVE_SECONDS, and closes those that have been idle for as long."""


def memory(server: Server) -> dict[str, float]:
    """Resident bytes of the processes of the service, by their name."""
    return _summed(server, lambda process: process.memory_info().rss)


def files(server: Server) -> dict[str, float]:
    """Files that the processes of the service have open, by their name."""
    return _summed(server, lambda process: process.num_fds())


def _summed(server: Server, figure: Callable[[psutil.Process], float]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for process in server.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            found[process_name(process)] += figure(process)
    return found


def process_name(process: psutil.Process) -> str:
    """The service that a process is a worker of; what multiprocessing starts is one name."""
    words = command_of(process)
    if "--service-name" in words:
        return words[words.index("--service-name") + 1]
    return "multiprocessing" if "multiprocessing" in " ".join(words) else "supervisor"


async def memory_over(server: Server, seconds: float) -> dict[str, float]:
    """The medians of several samples, since memory varies with the batches."""
    looks = []
    for _ in range(_SAMPLES):
        looks.append(memory(server))
        await asyncio.sleep(seconds / _SAMPLES)
    return {name: median(each[name] for each in looks) for name in looks[0]}


async def trial(server: Server, seconds: float) -> Table:
    """Measures the capacity, then runs a load below it."""
    async with Client(lambda: server.url) as client:
        calm = await capacity(client, max(8.0, seconds / 100))
    await asyncio.sleep(_CLOSING_SECONDS)
    files_before = files(server)
    async with Client(lambda: server.url) as client:
        begun, settled = time.monotonic(), seconds * SETTLING
        load = asyncio.create_task(
            run_open_loop(client.post, rate=SHARE * calm.rate, seconds=seconds)
        )
        await asyncio.sleep(settled)
        first = await memory_over(server, settled / 2)
        await asyncio.sleep(seconds - 2 * settled)
        last = await memory_over(server, settled / 2)
        await load
        answers = client.answers.between(begun, time.monotonic())
    await asyncio.sleep(_CLOSING_SECONDS)
    files_after = files(server)
    early = answers.between(begun + settled, begun + 2 * settled)
    late = answers.between(begun + seconds - settled, begun + seconds)
    table = Table(
        "soak", f"{SHARE:.0%} of the capacity of {calm.rate:.3g} images/s for {seconds:g} s."
    )
    statuses = answers.statuses()
    table.add("requests", len(answers.all))
    table.add("statuses", statuses)
    table.add_failures(statuses)
    lost, served = statuses.get(LOST, 0), len(answers.served) / len(answers.all)
    table.add("connections that broke", lost, "0", met=lost == 0)
    table.add("share served", f"{served:.2%}", f">= {SERVED_SHARE:.0%}", met=served >= SERVED_SHARE)
    restarts = server.total("chestxray_process_restarts_total")
    table.add("processes started again", restarts, "0", met=restarts == 0)
    for name, before in first.items():
        growth = last[name] / before - 1
        table.add(
            f"growth of {name}'s memory",
            f"{growth:+.2%}",
            "< 2%",
            met=growth < MOST_GROWTH,
            timed=True,
        )
        more = round(files_after[name] - files_before[name])
        table.add(f"more files open in {name}", more, f"<= {MORE_FILES}", met=more <= MORE_FILES)
    drift = late.seconds(50) / early.seconds(50) - 1
    table.add("median latency, s", f"{early.seconds(50):.3f} -> {late.seconds(50):.3f}")
    table.add(
        "drift of it", f"{drift:+.1%}", f"<= {MOST_DRIFT:.0%}", met=drift <= MOST_DRIFT, timed=True
    )
    return table


if __name__ == "__main__":
    main(__doc__, trial, seconds=3600)
