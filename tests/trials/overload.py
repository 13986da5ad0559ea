"""Five times more requests than the service's capacity, for minutes.

    python -m tests.trials.overload --seconds 300

First measures the capacity: one client alone, then the best number of clients, and that again at
the end, because others use the machine and its speed drifts. In between, requests arrive in an open
loop at five times that rate. Every fiftieth client obeys Retry-After until served, few enough to
add little to the rate; the others give up.
"""

import asyncio
import time
from dataclasses import dataclass

from bentos.settings import Settings
from tests.service.server import Server
from tests.trials.load import Answers, Client, run_closed_loop, run_open_loop
from tests.trials.running import main, megabytes
from tests.trials.table import Table

FACTOR, RETRYING_SHARE, WITHIN = 5, 0.02, 0.9
MAX_QUEUE_SECONDS = Settings().max_queue_seconds
_ALLOWED = {200, 422, 429, 503}
_CLIENTS = (4, 8, 16)
_PATIENCE_SECONDS = 120.0
"""Time for clients that obey Retry-After to be served after the overload."""


@dataclass(frozen=True)
class Capacity:
    """The service's capacity."""

    p99: float  # seconds, of one client alone
    rate: float  # images a second, at the best number of clients
    clients: int  # that number


async def capacity(client: Client, seconds: float) -> Capacity:
    """Measures one client, then several numbers of clients, for some seconds each."""
    await run_closed_loop(client, clients=2, seconds=3)  # warm
    alone = await run_closed_loop(client, clients=1, seconds=seconds)
    rates = {clients: await _rate(client, clients, seconds) for clients in _CLIENTS}
    best = max(rates, key=rates.__getitem__)
    return Capacity(alone.seconds(99), rates[best], best)


async def _rate(client: Client, clients: int, seconds: float) -> float:
    start = time.monotonic()
    return (await run_closed_loop(client, clients=clients, seconds=seconds)).rate(start, seconds)


async def trial(server: Server, seconds: float) -> Table:
    """Measures, overloads, and compares."""
    async with Client(lambda: server.url) as client:
        calm = await capacity(client, calm_seconds := max(10.0, seconds / 10))
        before = megabytes(server)
        start = time.monotonic()
        rate = FACTOR * calm.rate
        flood = run_open_loop(client.post, rate=(1 - RETRYING_SHARE) * rate, seconds=seconds)
        retrying = run_open_loop(
            client.post_until_served, rate=RETRYING_SHARE * rate, seconds=seconds, seed=1
        )
        sources = [asyncio.create_task(source) for source in (flood, retrying)]
        await asyncio.sleep(seconds)
        after = megabytes(server)
        _, unserved = await asyncio.wait(sources, timeout=_PATIENCE_SECONDS)
        everything = client.answers.between(start, time.monotonic())
        rate_after = await _rate(client, calm.clients, calm_seconds)
    table = _compare(calm, rate_after, everything, start, seconds)
    table.add_memory(before, after)
    table.add(
        "clients that obey Retry-After",
        "all served" if not unserved else "some not",
        "all served",
        met=not unserved,
    )
    return table


def _compare(
    calm: Capacity, rate_after: float, everything: Answers, start: float, seconds: float
) -> Table:
    least = WITHIN * (calm.rate + rate_after) / 2
    goodput, p99 = everything.rate(start, seconds), everything.seconds(99)
    bound = 2 * calm.p99 + MAX_QUEUE_SECONDS
    statuses = everything.statuses()
    table = Table("overload", f"{FACTOR} times the capacity for {seconds:g} s, open loop.")
    table.add("capacity before and after, images/s", f"{calm.rate:.3g}, {rate_after:.3g}")
    table.add("requests", len(everything.all))
    table.add(
        "goodput, images/s",
        goodput,
        f">= {least:.3g}, {WITHIN:.0%} of their mean",
        met=goodput >= least,
        timed=True,
    )
    table.add("p99 of one client alone, s", calm.p99)
    table.add("p99 of served, s", p99, f"< {bound:.3g}", met=p99 < bound, timed=True)
    table.add("statuses", statuses, "200, 422, 429, 503", met=set(statuses) <= _ALLOWED, timed=True)
    table.add_failures(statuses)
    return table


if __name__ == "__main__":
    main(__doc__, trial, seconds=300)
