"""The speed of `chestxray analyze` relative to the bare loop.

    python -m loadtests.offline --count 5000

The machine's speed drifts, so the bare loop (`loadtests/baseline.py`) is measured just before and
just after, on the same images. The time of the command includes its start. Writes
results/benchmark/offline.md; exits with 1 if the command is slower than the target.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from chestxray.cores import usable_cores
from loadtests.baseline import InferencePipeline, measure_batches
from loadtests.images import archive_pool
from loadtests.servers import ROOT

RESULT = ROOT / "results" / "benchmark" / "offline.md"
TARGET = 0.9
"""Images per second, relative to the bare loop."""
_BARE_SECONDS = 20.0


def bare_rate(files: Sequence[bytes]) -> float:
    """Images per second of the bare loop, one image at a time on every core."""
    pipelines = [InferencePipeline(threads=1) for _ in range(usable_cores())]
    return measure_batches(pipelines, files, 1, _BARE_SECONDS)[0]


def command_rate(files: Sequence[bytes], count: int) -> float:
    """Images per second of the command, for `count` files."""
    with tempfile.TemporaryDirectory() as folder:
        films, results = Path(folder, "films"), Path(folder, "results.jsonl")
        films.mkdir()
        for number, data in enumerate(files):
            (films / f"{number:05}.jpg").write_bytes(data)
        for number in range(len(files), count):
            os.link(films / f"{number % len(files):05}.jpg", films / f"{number:05}.jpg")
        started = time.perf_counter()
        command = [sys.executable, "-m", "bentos.cli", "analyze", str(films), "-o", str(results)]
        subprocess.run(command, cwd=ROOT, check=True)
        seconds = time.perf_counter() - started
        assert results.read_text().count("\n") == count
    return count / seconds


def main() -> None:
    """Measures, writes the report and sets the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5000)
    count = parser.parse_args().count
    files = archive_pool()
    before = bare_rate(files)
    rate = command_rate(files, count)
    after = bare_rate(files)
    share = rate / ((before + after) / 2)
    lines = [
        "# `chestxray analyze`",
        "",
        f"{count} radiographs of 2 megapixels (JPEG) on {usable_cores()} cores; "
        "`python -m loadtests.offline`.",
        "",
        "| | images/s |",
        "|---|---|",
        f"| bare loop, before | {before:.1f} |",
        f"| `chestxray analyze`, its start included | {rate:.1f} |",
        f"| bare loop, after | {after:.1f} |",
        "",
        f"{share:.2f} of the bare loop; the target is {TARGET:g}.",
    ]
    text = "\n".join(lines) + "\n"
    RESULT.write_text(text)
    print(text)
    sys.exit(share < TARGET)


if __name__ == "__main__":
    main()
