"""Measures the capacity of one replica on this machine and writes loadtests/measured_capacity.toml.

    python -m loadtests.capacity --seconds 20

A closed loop with 1 to 32 clients posts 2-megapixel JPEGs. The fit is
throughput(n) = min(n / seconds_alone, images_per_second): linear until requests queue, constant
beyond (asymptotic bounds of a closed system, Denning and Buzen 1978). Admission control takes its
initial estimate from the file.
"""

import argparse
import asyncio
import json
import math
import platform
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from chestxray.cores import usable_cores
from loadtests.images import archive_pool
from loadtests.load_generator import LoadResult
from loadtests.measured_capacity import FILE, Capacity
from loadtests.servers import CHESTXRAY, BenchmarkServer, running_server

HEADER = "# Written by `python -m loadtests.capacity`."

STEPS = (1, 2, 4, 8, 16, 32)
_WARM_SECONDS = 3.0
_TIER_CLIENTS = 16


def fit(rates: Mapping[int, float]) -> tuple[float, float, list[int]]:
    """Fits throughput by number of clients, by least squares in the logarithm.

    Returns seconds_alone, images_per_second, and the numbers of clients beyond the knee. Raises
    ValueError for fewer than two steps.
    """
    clients = sorted(rates)
    if len(clients) < 2:
        raise ValueError("fitting a knee needs at least two steps")
    best: tuple[float, float, float, list[int]] = (math.inf, 0.0, 0.0, [])
    for rising in range(1, len(clients)):
        alone = [math.log(n / rates[n]) for n in clients[:rising]]
        most = [math.log(rates[n]) for n in clients[rising:]]
        error = _squares(alone) + _squares(most)
        best = min(best, (error, math.exp(_mean(alone)), math.exp(_mean(most)), clients[rising:]))
    return best[1:]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    middle = _mean(values)
    return sum((value - middle) ** 2 for value in values)


def capacity_of(
    steps: Mapping[int, LoadResult], megabytes: float, tier_costs: tuple[float, float]
) -> Capacity:
    """Fits the steps. `tier_costs` are those of `tier_run`. Raises RequestsFailed."""
    alone, most, busy = fit(
        {clients: step.require_success().rate for clients, step in steps.items()}
    )
    spent = sum(steps[clients].cpu_seconds for clients in busy)
    done = sum(steps[clients].images for clients in busy)
    return Capacity(
        machine=f"{usable_cores()} cores, {platform.machine()}",
        images_per_second=round(most, 2),
        seconds_alone=round(alone, 4),
        knee_clients=round(alone * most, 2),
        cpu_seconds_per_image=round(spent / done, 4),
        megabytes=round(megabytes),
        gateway_cpu_seconds_with_tier=round(tier_costs[0], 4),
        tier_cpu_seconds_per_image=round(tier_costs[1], 4),
    )


async def step_run(
    server: BenchmarkServer, seconds: float, clients: Sequence[int] = STEPS
) -> tuple[dict[int, LoadResult], float]:
    """Measures each number of clients; returns the steps and the memory in MiB.

    Raises ServerNotStarted.
    """
    requests = [server.request(data) for data in archive_pool()]
    with running_server(server, Path(tempfile.gettempdir(), "capacity.log")) as service:
        await service.wait_until_ready(requests[0])
        await service.load(requests, clients=max(clients), seconds=_WARM_SECONDS)
        steps = {
            each: await service.load(requests, clients=each, seconds=seconds)
            for each in tqdm(clients)
        }
        return steps, service.megabytes()


async def tier_run(seconds: float) -> tuple[float, float]:
    """Returns the CPU-seconds per image of a gateway with a classifier pod, and of the pod.

    Both share this machine's cores. Raises ServerNotStarted, or RequestsFailed.
    """
    requests = [CHESTXRAY.request(data) for data in archive_pool()]
    folder, token = Path(tempfile.gettempdir()), secrets.token_hex(16)
    shared = (("CHESTXRAY_POD_TOKEN", token),)
    pod_server = BenchmarkServer(
        "classifier", ("bentos.cli", "serve-classifier", "--port", "{port}"), environment=shared
    )
    with running_server(pod_server, folder / "classifier.log") as pod:
        address = pod.url.removeprefix("http://")
        environment = (*CHESTXRAY.environment, *shared, ("CHESTXRAY_CLASSIFIER_PODS", address))
        gateway = replace(CHESTXRAY, environment=environment)
        with running_server(gateway, folder / "capacity.log") as service:
            await service.wait_until_ready(requests[0])
            # Longer than discovery takes: the pod is in use when the measurement begins.
            await service.load(requests, clients=_TIER_CLIENTS, seconds=2 * _WARM_SECONDS)
            used = pod.cpu_seconds()
            result = await service.load(requests, clients=_TIER_CLIENTS, seconds=seconds)
            result.require_success()
            return result.cost, (pod.cpu_seconds() - used) / result.images


def write(capacity: Capacity, path: Path = FILE) -> None:
    """Writes the capacity as TOML."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in asdict(capacity).items()]
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def main() -> None:
    """Measures, fits, writes and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="per step")
    parser.add_argument("--output", type=Path, default=FILE)
    flags = parser.parse_args()
    steps, megabytes = asyncio.run(step_run(CHESTXRAY, flags.seconds))
    capacity = capacity_of(steps, megabytes, asyncio.run(tier_run(flags.seconds)))
    write(capacity, flags.output)
    print("clients  images/s  fitted  p50 s  p99 s  CPU-s per image")
    for clients, step in steps.items():
        fitted = min(clients / capacity.seconds_alone, capacity.images_per_second)
        times = f"{step.percentile(50):6.3f} {step.percentile(99):6.3f}"
        print(f"{clients:7} {step.rate:9.2f} {fitted:7.2f} {times} {step.cost:16.4f}")
    print(flags.output.read_text())


if __name__ == "__main__":
    main()
