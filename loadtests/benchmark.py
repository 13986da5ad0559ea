"""Compares the service with other servers of the same two networks on this machine.

    python -m loadtests.benchmark --rounds 3 --seconds 15

Every server analyses the same 2-megapixel JPEGs for 1, 8 and 32 concurrent clients, is restarted in
every round, and has its own environment under build/peers. The bare loop of `loadtests.baseline` is
the upper bound. Writes results/benchmark/peers.md and .json.
"""

import argparse
import asyncio
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from chestxray.cores import usable_cores
from loadtests.images import archive_pool
from loadtests.rounds import CLIENTS, COMPARED, commit, measure_server, spread
from loadtests.servers import OURS, ROOT, SERVERS, interpreter_of

RESULTS = ROOT / "results" / "benchmark"
LIMIT = "bare loop"


def measure_bare_loop(folder: Path, seconds: float) -> dict[str, Any]:
    """Measures the bare loop: single images, and its fastest and cheapest batch configurations."""
    command = ["-m", "loadtests.baseline", "--seconds", str(seconds / 2), "--images", str(folder)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
    found = json.loads(done.stdout)
    fastest = max(found["configurations"], key=lambda each: each["rate"])
    cheapest = min(found["configurations"], key=lambda each: each["cpu_seconds"])
    return {
        "start_seconds": found["start_seconds"],
        "p50": found["p50"],
        "fastest": fastest,
        "cheapest": cheapest,
    }


def main() -> None:
    """Runs all rounds and rewrites the results after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [each.name for each in SERVERS]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="per number of clients")
    parser.add_argument("--only", nargs="+", default=names, choices=names, help="servers")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    flags = parser.parse_args()
    chosen = [each for each in SERVERS if each.name in flags.only]
    for server in chosen:
        interpreter_of(server)
    files = archive_pool()
    record: dict[str, Any] = {"seconds": flags.seconds, "rounds": [], "commit": commit()}
    record["machine"] = {"cores": usable_cores(), "processor": platform.machine()}
    flags.output.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=flags.rounds * (len(chosen) + 1)) as bar,
    ):
        for number, data in enumerate(files):
            Path(folder, f"{number:02}.jpg").write_bytes(data)
        for _ in range(flags.rounds):
            measurements = {LIMIT: measure_bare_loop(Path(folder), flags.seconds)}
            bar.update()
            for server in chosen:
                bar.set_description(server.name)
                measurements[server.name] = asyncio.run(
                    measure_server(server, files, flags.seconds)
                )
                bar.update()
            record["rounds"].append(measurements)
            (flags.output / "peers.json").write_text(json.dumps(record, indent=1) + "\n")
            (flags.output / "peers.md").write_text(render(record))
    print(render(record))


def render(record: dict[str, Any]) -> str:
    """Renders Markdown: absolute values, then the service's ratio to each server by round."""
    rounds, machine = record["rounds"], record["machine"]
    names = [name for name in rounds[0] if name != LIMIT]
    how = (
        f"{len(rounds)} rounds, {record['seconds']:g} s per number of clients, "
        f"{machine['cores']} cores ({machine['processor']}), 2-megapixel JPEGs, commit "
        f"{record['commit']}. Median of the rounds (min-max)."
    )
    head = ["", *(f"images/s, {n}" for n in CLIENTS), "CPU-s per image, 8"]
    head += [f"{key} s, {n}" for key in ("p50", "p99") for n in CLIENTS]
    head += ["memory MB", "start s", "failures"]
    rows = [_row(name, [each[name] for each in rounds]) for name in names]
    parts = ["# The service against its peers", how, _bare([each[LIMIT] for each in rounds])]
    parts.append(_table(head, rows))
    if OURS in names:
        parts.append(f"Ratio of {OURS} to each, in the same round:")
        head = ["", *(f"{key} at {n}" for n, key in COMPARED)]
        others = [name for name in (LIMIT, *names) if name != OURS]
        parts.append(_table(head, [_ratios(name, rounds) for name in others]))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(name: str, measurements: Sequence[dict[str, Any]]) -> list[str]:
    cells = [name, *(spread([t[str(n)]["rate"] for t in measurements]) for n in CLIENTS)]
    cells.append(spread([t["8"]["cpu_seconds"] for t in measurements]))
    for key in ("p50", "p99"):
        cells += [spread([t[str(n)][key] for t in measurements]) for n in CLIENTS]
    cells += [spread([t[key] for t in measurements]) for key in ("megabytes", "start_seconds")]
    failed = sum(sum(t[str(n)]["failures"].values()) for t in measurements for n in CLIENTS)
    return [*cells, str(failed)]


def _bare(measurements: Sequence[dict[str, Any]]) -> str:
    configurations = sorted(
        {f"{t['fastest']['layout']}, batch {t['fastest']['batch']}" for t in measurements}
    )
    rate = spread([t["fastest"]["rate"] for t in measurements])
    cost = {
        which: spread([t[which]["cpu_seconds"] for t in measurements])
        for which in ("fastest", "cheapest")
    }
    alone = spread([t["p50"] for t in measurements])
    return (
        f"The {LIMIT}: {rate} images/s at {cost['fastest']} CPU-s per image "
        f"({' or '.join(configurations)}), "
        f"{cost['cheapest']} CPU-s per image at its cheapest, {alone} s for a single image on all "
        "cores. The ratio of CPU-seconds below is to the cheapest."
    )


def _ratios(name: str, rounds: Sequence[dict[str, Any]]) -> list[str]:
    cells: list[list[float]] = [[] for _ in COMPARED]
    for each in rounds:
        ours, other = each[OURS], _like(each[name])
        for cell, (clients, key) in zip(cells, COMPARED, strict=True):
            cell.append(ours[clients][key] / other[clients][key])
    return [name, *(spread(cell) for cell in cells)]


def _like(measurement: dict[str, Any]) -> dict[str, Any]:
    """Converts a measurement of the bare loop to the keys of the others."""
    if "fastest" not in measurement:
        return measurement
    best = {
        "rate": measurement["fastest"]["rate"],
        "cpu_seconds": measurement["cheapest"]["cpu_seconds"],
    }
    return {"1": {"p50": measurement["p50"]}, "8": best, "32": best}


if __name__ == "__main__":
    main()
