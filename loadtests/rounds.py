"""One measurement of one server: start it, warm it up, and load it with each number of clients."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from loadtests.load_generator import LoadResult
from loadtests.servers import ROOT, BenchmarkServer, running_server

CLIENTS = (1, 8, 32)
COMPARED = (("8", "rate"), ("32", "rate"), ("8", "cpu_seconds"), ("1", "p50"))
"""Pairs of (number of clients, metric) that the comparison reports."""
_WARM_SECONDS = 3.0


async def measure_server(
    server: BenchmarkServer, files: Sequence[bytes], seconds: float, *, root: Path = ROOT
) -> dict[str, Any]:
    """Measures a server from the checkout at `root`; returns figures by number of clients.

    Raises ServerNotStarted. The server's log is in the temporary folder.
    """
    requests = [server.request(data) for data in files]
    log = Path(tempfile.gettempdir(), f"benchmark-{server.name}.log")
    with running_server(server, log, root=root) as service:
        start = await service.wait_until_ready(requests[0])
        await service.load(requests, clients=max(CLIENTS), seconds=_WARM_SECONDS)
        found = [await service.load(requests, clients=n, seconds=seconds) for n in CLIENTS]
        memory = service.megabytes()
    figures: dict[str, Any] = {"start_seconds": start, "megabytes": memory}
    for clients, measured in zip(CLIENTS, found, strict=True):
        figures[str(clients)] = _figures(measured)
    return figures


def _figures(measured: LoadResult) -> dict[str, Any]:
    return {
        "rate": measured.rate,
        "cpu_seconds": measured.cost,
        "p50": measured.percentile(50),
        "p99": measured.percentile(99),
        "images": measured.images,
        "failures": measured.failures,
    }


def spread(values: Sequence[float]) -> str:
    """Formats the median (min-max)."""
    middle, least, most = median(values), min(values), max(values)
    return f"{middle:.3g} ({least:.3g}-{most:.3g})"


def commit() -> str:
    """The commit of this working tree, with "-dirty" if it has changes."""
    words = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.strip()
