"""Compares this working tree with another commit on this machine.

    python -m loadtests.compare [BASE] --rounds 3 --seconds 10

Checks BASE out under build/base and runs it in this environment. Prints the ratios of this working
tree to BASE within the same round: median (min-max).
"""

import argparse
import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from loadtests.images import archive_pool
from loadtests.rounds import CLIENTS, COMPARED, measure_server, spread
from loadtests.servers import CHESTXRAY, ROOT

BASE = ROOT / "build" / "base"


def check_out(commit: str) -> Path:
    """Checks out a commit; returns its folder. Raises CalledProcessError if it does not exist."""
    if BASE.exists():
        _git("worktree", "remove", "--force", str(BASE))
    _git("worktree", "add", "--force", "--detach", str(BASE), commit)
    return BASE


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True)


def main() -> None:
    """Measures both and prints the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", nargs="?", default="HEAD")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="per number of clients")
    flags = parser.parse_args()
    files, base = archive_pool(), check_out(flags.base)
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for number in tqdm(range(flags.rounds)):
        order = (ROOT, base) if number % 2 == 0 else (base, ROOT)
        measurements = {
            root: asyncio.run(measure_server(CHESTXRAY, files, flags.seconds, root=root))
            for root in order
        }
        rounds.append((measurements[ROOT], measurements[base]))
    failed = [each[str(n)]["failures"] for pair in rounds for each in pair for n in CLIENTS]
    if any(failed):
        sys.exit(f"requests failed: {failed}")
    print(f"this over {flags.base}, {flags.rounds} rounds of {flags.seconds:g} s")
    for clients, key in COMPARED:
        found = [one[clients][key] for one, _ in rounds]
        ratios = [one[clients][key] / other[clients][key] for one, other in rounds]
        print(f"{key} at {clients} clients: {spread(ratios)}, this: {spread(found)}")
    for key in ("start_seconds", "megabytes"):
        found = [one[key] for one, _ in rounds]
        ratios = [one[key] / other[key] for one, other in rounds]
        print(f"{key}: {spread(ratios)}, this: {spread(found)}")


if __name__ == "__main__":
    main()
