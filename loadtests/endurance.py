"""Checks that throughput, memory and cost per image stay constant over tens of thousands of images.

    python -m loadtests.endurance --count 30000

Eight clients post frontal radiographs; the first thousand is compared with the last. The machine's
speed drifts by more than the tolerance, so throughput is relative to the bare loop
(`loadtests/baseline.py`), measured before and after each thousand. Then images of every size and
bit depth are posted singly and in batches of four, sorted by size and shuffled, and their
CPU-seconds per image compared. Writes results/benchmark/endurance.md; exits with 1 if a value
changes by more than 10%.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from chestxray.cores import usable_cores
from loadtests.baseline import InferencePipeline, measure_batches
from loadtests.images import EXAMPLES, FRONTAL, archive_pool, format_variants
from loadtests.load_generator import Request, ServerProcess
from loadtests.servers import CHESTXRAY, ROOT, multipart_request, running_server

RESULT = ROOT / "results" / "benchmark" / "endurance.md"
FLAT = 0.10
"""Relative tolerance."""
_CLIENTS, _STRETCH, _PASSES = 8, 1000, 30
_BARE_SECONDS = 4.0


@dataclass(frozen=True)
class Stretch:
    """A part of the run."""

    rate: float  # images per second
    bare_rate: float  # of the bare loop, mean of just before and just after
    megabytes: float  # PSS of all processes, at the end

    @property
    def share(self) -> float:
        """Throughput relative to the bare loop."""
        return self.rate / self.bare_rate


async def stretches(
    service: ServerProcess, requests: Sequence[Request], count: int, size: int = _STRETCH
) -> list[Stretch]:
    """Posts `count` images in stretches of `size`."""
    found, pipelines = [], [InferencePipeline(threads=1) for _ in range(usable_cores())]
    files = archive_pool()
    before = bare_rate(pipelines, files)
    for _ in tqdm(range(count // size)):
        measured = (await service.load(requests, clients=_CLIENTS, count=size)).require_success()
        megabytes, after = service.megabytes(), bare_rate(pipelines, files)
        found.append(Stretch(measured.rate, (before + after) / 2, megabytes))
        before = after
    return found


def bare_rate(pipelines: Sequence[InferencePipeline], files: Sequence[bytes]) -> float:
    """Images per second of the bare loop, while the service is idle."""
    return measure_batches(pipelines, files, max(1, _CLIENTS // len(pipelines)), _BARE_SECONDS)[0]


def ways() -> dict[str, list[Request]]:
    """Requests with the same images, grouped and ordered in different ways."""
    files = [data for name in FRONTAL for data in format_variants(EXAMPLES / name)]
    by_size = sorted(files, key=len)
    shuffled = random.Random(0).sample(files, len(files))
    return {
        "single, smallest first": [CHESTXRAY.request(data) for data in by_size],
        "single, shuffled": [CHESTXRAY.request(data) for data in shuffled],
        "four per request": [
            multipart_request(shuffled[start : start + 4], "/v1/analyses/batch")
            for start in range(0, len(shuffled), 4)
        ],
    }


async def costs(service: ServerProcess, passes: int = _PASSES) -> dict[str, float]:
    """CPU-seconds per image for each of `ways()`; posts every image `passes` times."""
    found = {}
    for way, requests in tqdm(ways().items()):
        posts = passes * len(requests)
        found[way] = (
            (await service.load(requests, clients=_CLIENTS, count=posts)).require_success().cost
        )
    return found


def main() -> None:
    """Runs both parts, writes the report and sets the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=30_000)
    flags = parser.parse_args()
    if flags.count < 2 * _STRETCH:
        parser.error(f"--count must be at least {2 * _STRETCH}")
    found, by_way = asyncio.run(_run(flags.count))
    text, flat = render(found, by_way)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(text)
    print(text)
    sys.exit(not flat)


async def _run(count: int) -> tuple[list[Stretch], dict[str, float]]:
    requests = [CHESTXRAY.request(data) for data in archive_pool()]
    with running_server(CHESTXRAY, Path(tempfile.gettempdir(), "endurance.log")) as service:
        await service.wait_until_ready(requests[0])
        await service.load(requests, clients=_CLIENTS, count=_STRETCH // 10)
        return await stretches(service, requests, count), await costs(service)


def render(found: Sequence[Stretch], by_way: dict[str, float]) -> tuple[str, bool]:
    """Returns the report as Markdown, and whether every value is within the tolerance."""
    first, last = found[0], found[-1]
    rows = [
        (
            "images/s, relative to the bare loop",
            f"{first.share:.3f}",
            f"{last.share:.3f}",
            last.share / first.share - 1,
        ),
        (
            "memory, MB",
            f"{first.megabytes:.0f}",
            f"{last.megabytes:.0f}",
            last.megabytes / first.megabytes - 1,
        ),
    ]
    lines = [
        "# Endurance",
        "",
        f"{len(found)} stretches of {_STRETCH} 2-megapixel JPEGs, {_CLIENTS} clients.",
        "",
        "| | first | last | change | required |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {n} | {a} | {b} | {c:+.1%} | within {FLAT:.0%} |" for n, a, b, c in rows]
    lines += ["", "Range over all stretches: " + _spread(found)]
    least = min(by_way.values())
    header = "| requests | CPU-s per image | above the minimum | required |"
    lines += ["", header, "|---|---|---|---|"]
    for way, cost in by_way.items():
        lines.append(f"| {way} | {cost:.4f} | {cost / least - 1:+.1%} | within {FLAT:.0%} |")
    flat = all(abs(change) <= FLAT for *_, change in rows)
    flat &= all(cost <= (1 + FLAT) * least for cost in by_way.values())
    return "\n".join(lines) + "\n", flat


def _spread(found: Sequence[Stretch]) -> str:
    series = {
        "{:.1f} to {:.1f} images/s": [each.rate for each in found],
        "{:.1f} to {:.1f} for the bare loop": [each.bare_rate for each in found],
        "{:.3f} to {:.3f} relative": [each.share for each in found],
    }
    return ", ".join(text.format(min(v), max(v)) for text, v in series.items()) + "."


if __name__ == "__main__":
    main()
