"""Every process in turn is killed, without warning, under load.

    python -m tests.trials.chaos --seconds 300

Every ten seconds SIGKILL goes to the classifier, the filter, the gateway, or the supervisor itself,
which is started again as systemd or Kubernetes would. Each answer is compared with what the same
image was answered before. An outage lasts from a kill until the service is ready again.
"""

import asyncio
import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from loadtests.load_generator import free_port
from tests.service.server import start
from tests.trials.load import IMAGES, LOST, Answers, Client, run_closed_loop
from tests.trials.running import run
from tests.trials.table import Table

EVERY_SECONDS = 10.0
RECOVERY_SECONDS = 10.0
"""Time allowed for a recovery in addition to a start."""
MOST_SHED = 0.01
CLIENTS = 4
VICTIMS = ("CovidClassifier", "XRayFilter", "Gateway", "supervisor")
_BREAKS_CONNECTIONS = VICTIMS[2:]
_POLL_SECONDS = 0.1


@dataclass
class Outage:
    """The time from a kill until the service is ready; it may include further kills."""

    start: float
    end: float
    victims: list[str]

    @property
    def recovery(self) -> float:
        """Seconds from the last kill to the end."""
        return self.end - self.start - EVERY_SECONDS * (len(self.victims) - 1)


class Service:
    """A service on one port, whose supervisor is restarted when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.server = start(folder, self._port)

    def kill(self, victim: str) -> None:
        """Kills one of its processes, if it is running."""
        try:
            if victim == "supervisor":
                self.server.process.kill()
                self.server.process.wait()
                self.server = start(self._folder, self._port)
            else:
                self.server.worker(victim).kill()
        except (StopIteration, psutil.NoSuchProcess):
            pass  # it is down from the kill before

    def stop(self) -> None:
        """Stops the service."""
        self.server.process.terminate()
        self.server.process.wait(60)


async def wait_until_ready(url: str) -> float:
    """Waits until /readyz succeeds, and returns the time of its slowest answer."""
    slowest = 0.0
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            asked = time.monotonic()
            try:
                async with session.get(f"{url}/readyz") as answer:
                    slowest = max(slowest, time.monotonic() - asked)
                    if answer.status == 200:
                        return slowest
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # not listening yet
            await asyncio.sleep(_POLL_SECONDS)


async def kill_in_turn(service: Service, seconds: float) -> list[Outage]:
    """Kills processes in turn for this long; returns the outages, after the last has ended."""
    outages: list[Outage] = []
    watch: asyncio.Task[float] | None = None
    began = time.monotonic()
    for number, victim in enumerate(itertools.cycle(VICTIMS)):
        if number * EVERY_SECONDS >= seconds:
            break
        await asyncio.sleep(max(0.0, began + number * EVERY_SECONDS - time.monotonic()))
        now = time.monotonic()
        if watch is None or watch.done():
            outages.append(Outage(now, now, []))
        else:
            watch.cancel()
        await asyncio.to_thread(service.kill, victim)
        outages[-1].victims.append(victim)
        await asyncio.sleep(_POLL_SECONDS)
        watch = asyncio.create_task(_record_end(outages[-1], service.server.url))
    if watch:
        await watch
    return outages


async def _record_end(outage: Outage, url: str) -> float:
    slowest = await wait_until_ready(url)
    outage.end = time.monotonic()
    return slowest


async def trial(seconds: float) -> Table:
    """Runs a service, kills processes under load, and compares its answers with the first ones."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder))
        try:
            started = time.monotonic()
            await wait_until_ready(service.server.url)
            load_seconds = time.monotonic() - started
            async with Client(lambda: service.server.url) as client:
                reference = [await client.post_until_served(image) for image in range(len(IMAGES))]
                begun = time.monotonic()
                load = asyncio.create_task(
                    run_closed_loop(client, clients=CLIENTS, seconds=seconds)
                )
                outages = await kill_in_turn(service, seconds)
                await load
                answers = client.answers.between(begun, time.monotonic())
        finally:
            service.stop()
    return _judge(answers, outages, load_seconds, answers.wrong(reference), seconds)


def _judge(
    answers: Answers, outages: list[Outage], load_seconds: float, wrong: int, seconds: float
) -> Table:
    statuses = answers.statuses()
    unexpected = set(statuses) - {200, 422, 503, 504, LOST}
    calm = [a for a in answers.all if not any(_touches(a.at, a.seconds, o) for o in outages)]
    shed = sum(a.status == 503 for a in calm)
    lost = [a for a in answers.all if a.status == LOST]
    unexplained = sum(not any(_broken(a.at, a.seconds, o) for o in outages) for a in lost)
    slowest = max((o.recovery for o in outages), default=0.0)
    allowed = RECOVERY_SECONDS + load_seconds
    how = f"SIGKILL every {EVERY_SECONDS:g} s for {seconds:g} s to each of {', '.join(VICTIMS)}."
    table = Table("chaos", how)
    table.add("kills", sum(len(o.victims) for o in outages))
    table.add("requests", len(answers.all))
    table.add(
        "statuses (0: connection broken)",
        statuses,
        "no 500",
        met=not unexpected,
    )
    table.add("wrong answers", wrong, "0", met=wrong == 0)
    table.add(
        "503 outside of outages",
        f"{shed} of {len(calm)}",
        "<= 1%",
        met=shed <= MOST_SHED * len(calm),
        timed=True,
    )
    table.add(
        "connections broken when neither gateway nor supervisor was killed",
        unexplained,
        "0",
        met=unexplained == 0,
    )
    table.add("start takes, s", load_seconds)
    table.add(
        "slowest recovery, s", slowest, f"<= {allowed:.3g}", met=slowest <= allowed, timed=True
    )
    return table


def _touches(at: float, seconds: float, outage: Outage) -> bool:
    return at < outage.end and at + seconds > outage.start


def _broken(at: float, seconds: float, outage: Outage) -> bool:
    """Whether a connection may have been broken by a kill of its other end."""
    return _touches(at, seconds, outage) and bool(set(outage.victims) & set(_BREAKS_CONNECTIONS))


if __name__ == "__main__":
    run(__doc__, trial, seconds=300)
