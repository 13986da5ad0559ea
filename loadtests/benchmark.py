"""The service against other ways to serve the same two networks, turn by turn on this machine.

    python -m loadtests.benchmark --rounds 3 --seconds 15 [--only chestxray,lit_serve]

Every contestant reads the same JPEGs of 2 megapixels for the same client at 1, 8 and 32
connections, is started anew in every round, and has an environment of its own under build/peers.
The limit of all is the bare loop of `loadtests.reading`. Writes results/benchmark/peers.md and
.json.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from loadtests.contestants import CONTESTANTS, OURS, ROOT, python_of
from loadtests.images import archive_pool
from loadtests.turns import CLIENTS, COMPARED, spread, turn

RESULTS = ROOT / "results" / "benchmark"
LIMIT = "bare loop"


def bare_turn(folder: Path, seconds: float) -> dict[str, Any]:
    """One turn of the bare loop: alone for the time of one client, at its best for the others."""
    command = ["-m", "loadtests.reading", "--seconds", str(seconds / 2), "--images", str(folder)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
    found = json.loads(done.stdout)
    fastest = max(found["ways"], key=lambda way: way["rate"])
    cheapest = min(found["ways"], key=lambda way: way["cpu_seconds"])
    return {
        "start_seconds": found["start_seconds"],
        "p50": found["p50"],
        "fastest": fastest,
        "cheapest": cheapest,
    }


def main() -> None:
    """Runs the rounds and writes what they found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="at each number of clients")
    parser.add_argument("--only", default="", help="names of contestants, with commas between")
    flags = parser.parse_args()
    only = flags.only.split(",") if flags.only else [each.name for each in CONTESTANTS]
    chosen = [each for each in CONTESTANTS if each.name in only]
    for contestant in chosen:
        python_of(contestant)
    files, rounds = archive_pool(), []
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(files):
            Path(folder, f"{number:02}.jpg").write_bytes(data)
        with tqdm(total=flags.rounds * (len(chosen) + 1)) as bar:
            for _ in range(flags.rounds):
                turns: dict[str, Any] = {}
                bar.set_description(LIMIT)
                turns[LIMIT] = bare_turn(Path(folder), flags.seconds)
                bar.update()
                for contestant in chosen:
                    bar.set_description(contestant.name)
                    turns[contestant.name] = asyncio.run(turn(contestant, files, flags.seconds))
                    bar.update()
                rounds.append(turns)
    machine = {"cores": os.cpu_count(), "processor": platform.machine()}
    record = {"seconds": flags.seconds, "machine": machine, "rounds": rounds}
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "peers.json").write_text(json.dumps(record, indent=1) + "\n")
    text = render(record)
    (RESULTS / "peers.md").write_text(text)
    print(text)


def render(record: dict[str, Any]) -> str:
    """The rounds as Markdown: figures, then ratios of the same round to this service."""
    rounds = record["rounds"]
    names = [name for name in rounds[0] if name != LIMIT]
    lines = [
        "# The service against its peers",
        "",
        f"{len(rounds)} rounds, {record['seconds']:g} s at each number of clients, "
        f"{record['machine']['cores']} cores ({record['machine']['processor']}), JPEGs of 2 "
        "megapixels. Median of the rounds (least-most).",
        "",
        "| | "
        + " | ".join(f"images/s, {n}" for n in CLIENTS)
        + " | CPU-s an image, 8 | "
        + " | ".join(f"p50 s, {n}" for n in CLIENTS)
        + " | "
        + " | ".join(f"p99 s, {n}" for n in CLIENTS)
        + " | memory MB | start s | failures |",
        "|---" * 13 + "|",
    ]
    lines.append(_bare_row(rounds))
    for name in names:
        turns = [each[name] for each in rounds]
        cells = [spread([t[str(n)]["rate"] for t in turns]) for n in CLIENTS]
        cells.append(spread([t["8"]["cpu_seconds"] for t in turns]))
        for key in ("p50", "p99"):
            cells += [spread([t[str(n)][key] for t in turns]) for n in CLIENTS]
        cells += [spread([t[key] for t in turns]) for key in ("megabytes", "start_seconds")]
        failed = sum(sum(t[str(n)]["failures"].values()) for t in turns for n in CLIENTS)
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {failed} |")
    lines += ["", *_ratios(rounds, names)]
    return "\n".join(lines) + "\n"


def _bare_row(rounds: Sequence[dict[str, Any]]) -> str:
    bare = [each[LIMIT] for each in rounds]
    best = bare[0]["fastest"]
    cells = [
        spread([1 / each["p50"] for each in bare]),
        *[spread([each["fastest"]["rate"] for each in bare])] * 2,
        spread([each["cheapest"]["cpu_seconds"] for each in bare]),
        spread([each["p50"] for each in bare]),
    ]
    how = f"{best['layout']}, batch {best['batch']}"
    start = spread([each["start_seconds"] for each in bare])
    return f"| {LIMIT} ({how}) | " + " | ".join(cells) + f" | | | | | | | {start} | |"


def _ratios(rounds: Sequence[dict[str, Any]], names: Sequence[str]) -> list[str]:
    if OURS not in names:
        return []
    lines = [
        f"{OURS} over the other, in the same round:",
        "",
        "| | images/s, 8 | images/s, 32 | CPU-s an image, 8 | p50, 1 |",
        "|---|---|---|---|---|",
    ]
    for name in (LIMIT, *names):
        if name == OURS:
            continue
        cells: list[list[float]] = [[] for _ in COMPARED]
        for each in rounds:
            ours, other = each[OURS], _like(each[name])
            for cell, (clients, key) in zip(cells, COMPARED, strict=True):
                cell.append(ours[clients][key] / other[clients][key])
        lines.append(f"| {name} | " + " | ".join(spread(cell) for cell in cells) + " |")
    return lines


def _like(turn_: dict[str, Any]) -> dict[str, Any]:
    """The bare loop's turn, by the keys of the others."""
    if "fastest" not in turn_:
        return turn_
    best = {
        "rate": turn_["fastest"]["rate"],
        "cpu_seconds": turn_["cheapest"]["cpu_seconds"],
    }
    return {"1": {"p50": turn_["p50"]}, "8": best, "32": best}


if __name__ == "__main__":
    main()
