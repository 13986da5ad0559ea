"""Results of a trial next to the targets: printed, written to a file, and an exit code."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chestxray.cores import usable_cores
from tests.conftest import ROOT
from tests.trials.load import LOST, SERVED

RESULTS = ROOT / "results" / "trials"
_EXPLAINED = {*SERVED, 429, 503, 504, LOST}


@dataclass(frozen=True)
class Row:
    """One figure, for information only if it has no bound."""

    name: str
    found: str
    wanted: str = ""
    met: bool = True
    timed: bool = False
    """Whether the figure depends on other load on the machine."""


@dataclass
class Table:
    """The rows of one trial."""

    trial: str
    how: str
    rows: list[Row] = field(default_factory=list)

    def add(
        self, name: str, found: Any, wanted: str = "", *, met: bool = True, timed: bool = False
    ) -> None:
        """Adds a figure, and whether it meets its bound."""
        shown = f"{found:.3g}" if isinstance(found, float) else str(found)
        self.rows.append(Row(name, shown, wanted, met, timed))

    def add_failures(self, statuses: Mapping[int, int]) -> None:
        """Adds the number of answers that even an overloaded machine does not explain."""
        failed = sum(count for status, count in statuses.items() if status not in _EXPLAINED)
        self.add("failures: neither served nor shed, late or lost", failed, "0", met=failed == 0)

    def add_memory(self, before: float, after: float) -> None:
        """Adds the memory of all processes, in MB."""
        grown = f"{before:.0f} -> {after:.0f}"
        met = after < 1.1 * before
        self.add("memory of all processes, MB", grown, "+10% at most", met=met, timed=True)

    @property
    def met(self) -> bool:
        """Whether every figure meets its bound."""
        return all(row.met for row in self.rows)

    @property
    def missed_regardless_of_load(self) -> list[str]:
        """Missed figures that other load on the machine does not explain."""
        return [f"{row.name}: {row.found}" for row in self.rows if not row.met and not row.timed]

    @property
    def missed_possibly_by_load(self) -> list[str]:
        """Missed figures that other load on the machine may explain."""
        return [f"{row.name}: {row.found}" for row in self.rows if not row.met and row.timed]

    def render(self) -> str:
        """The table as Markdown."""
        lines = [
            f"## {self.trial}",
            "",
            self.how,
            "",
            "| | found | wanted | |",
            "|---|---|---|---|",
        ]
        for row in self.rows:
            verdict = "" if not row.wanted else "met" if row.met else "MISSED"
            lines.append(f"| {row.name} | {row.found} | {row.wanted} | {verdict} |")
        return "\n".join(lines) + "\n"

    def write(self, folder: Path = RESULTS) -> None:
        """Saves the table with a description of the machine."""
        folder.mkdir(parents=True, exist_ok=True)
        machine = {"cores": usable_cores(), "processor": platform.machine()}
        record = asdict(self) | {"machine": machine}
        (folder / f"{self.trial}.json").write_text(json.dumps(record, indent=1) + "\n")
        (folder / f"{self.trial}.md").write_text(self.render())
