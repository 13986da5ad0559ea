"""Compares what decoding costs with what is predicted: `python -m tests.fuzz.costs 2000`.

The table has one costly file of each kind, of so many pixels along a side, worst predicted first.
"""

import sys
import time
from unittest import mock

from chestxray import costs, images
from chestxray.errors import AnalysisError
from chestxray.limits import Limits
from chestxray.preprocessing import prepare
from tests.costly import KINDS
from tests.predicted import predicted_seconds

_TIMES = 3


def main(side: int) -> None:
    rows = []
    for name, make in KINDS.items():
        data = make(side)
        try:
            predicted = predicted_seconds(data)
        except AnalysisError as error:
            rows.append((0.0, f"{name:55} {len(data):10,} B  refused: {error}"))
            continue
        seconds, outcome = _measure(data)
        megabytes = len(data) / 2**20
        allowed = predicted <= costs.FREE_SECONDS + costs.MAX_SECONDS_PER_MEGABYTE * megabytes
        line = f"{name:55} {len(data):10,} B {seconds:8.4f} s of {predicted:8.4f} s predicted, "
        line += f"{seconds / megabytes:9.2f} s/MB {'' if allowed else 'refused '}{outcome}"
        rows.append((seconds / predicted, line))
    for share, line in sorted(rows, reverse=True):
        print(f"{share:5.2f} {line}")


def _measure(data: bytes) -> tuple[float, str]:
    best, outcome = float("inf"), ""
    with mock.patch.object(costs, "check"):
        for _ in range(_TIMES):
            started = time.process_time()
            try:
                prepare(images.decode(data, limits=Limits(max_bytes=2**40, max_pixels=2**40)))
            except AnalysisError as error:
                outcome = str(error)[:50]
            best = min(best, time.process_time() - started)
    return best, outcome


if __name__ == "__main__":
    main(int(sys.argv[1]))
