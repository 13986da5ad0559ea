"""Fuzzes the decoder: `python -m tests.fuzz.decoder --minutes 5 --workers 2`.

Every run continues where the last one ended, so that the total in results/fuzz grows. An image is
named by its seed: `python -m tests.fuzz.decoder --show 1234 > image` writes it, and `--show-header`
the DICOM file of the same seed whose header is damaged.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tqdm import tqdm

from tests.fuzz.ledger import Ledger
from tests.fuzz.processes import fuzz
from tests.fuzz.worker import header_of, image_of

RESULTS = Path(__file__).parents[2] / "results" / "fuzz"
_BLOCK = 2000
"""Seeds per process: a few seconds of work, so that little is lost at the end."""


def run(ledger: Ledger, *, minutes: float, workers: int) -> None:
    """Tries new images until the time is up, and saves the findings."""
    started, tried = time.monotonic(), ledger.tried
    blocks = _blocks(ledger.next_seed, started + 60 * minutes)
    with tqdm(initial=tried, unit=" decodes", unit_scale=True, dynamic_ncols=True) as bar:
        for seeds, found in fuzz(blocks, workers=workers):
            ledger.add(seeds, found)
            ledger.save()
            for seed, what in found.findings.items():
                bar.write(f"seed {seed} {what}")
            bar.update(len(seeds))
            left = max(0.0, minutes - (time.monotonic() - started) / 60)
            bar.set_postfix(findings=len(ledger.outcomes.findings), minutes_left=f"{left:.1f}")
    rate = (ledger.tried - tried) / (time.monotonic() - started)
    print(f"{ledger.tried - tried:,} decodes now, {rate:,.0f} a second; with those before:\n")
    print(ledger.table())


def _blocks(start: int, stop: float) -> Iterator[range]:
    for first in count(start, _BLOCK):
        if time.monotonic() >= stop:
            return
        yield range(first, first + _BLOCK)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--show-header", type=int, metavar="SEED")
    options = parser.parse_args()
    for seed, make in ((options.show, image_of), (options.show_header, header_of)):
        if seed is not None:
            sys.stdout.buffer.write(make(seed))
            return 0
    ledger = Ledger(options.results)
    run(ledger, minutes=options.minutes, workers=options.workers)
    return 1 if ledger.outcomes.findings else 0


if __name__ == "__main__":
    sys.exit(main())
