"""Measures a cold start: seconds from the start of the process to the first answered image.

    python -m loadtests.cold_start --times 5

An engine that scales to zero adds to this what it needs to schedule a pod and to pull its image.
"""

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

from loadtests.images import archive_pool
from loadtests.servers import CHESTXRAY, BenchmarkServer, running_server


async def cold_start(server: BenchmarkServer, image: bytes) -> float:
    """Starts a server, waits for its first answer, and stops it. Raises ServerNotStarted."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(server, Path(folder, "log")) as service,
    ):
        return await service.wait_until_ready(server.request(image))


def main() -> None:
    """Measures several times and prints each, and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=5)
    image = archive_pool()[0]
    seconds = [asyncio.run(cold_start(CHESTXRAY, image)) for _ in range(parser.parse_args().times)]
    print(*(f"{each:.1f} s" for each in seconds), f"median {statistics.median(seconds):.1f} s")


if __name__ == "__main__":
    main()
