"""Accumulated results of all runs of the decoder fuzzer, kept in results/fuzz."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import PIL

from tests.fuzz.worker import (
    LIMIT_BYTES,
    LIMIT_FREE_SECONDS,
    LIMIT_SECONDS,
    LIMIT_SECONDS_PER_MEGABYTE,
    Outcomes,
)

_MEGABYTE = 2**20


class Ledger:
    """The seeds tried and their outcomes, for one version of Pillow."""

    def __init__(self, folder: Path) -> None:
        self._file, self._table = folder / "decoder.json", folder / "TABLE.md"
        self._ranges: list[list[int]] = []
        self.outcomes = Outcomes()
        if self._file.is_file():
            self._read(json.loads(self._file.read_text()))

    @property
    def tried(self) -> int:
        return sum(self.outcomes.codes.values())

    @property
    def next_seed(self) -> int:
        return max((stop for _, stop in self._ranges), default=0)

    def add(self, seeds: range, outcomes: Outcomes) -> None:
        self.outcomes.add(outcomes)
        merged: list[list[int]] = []
        for start, stop in sorted([*self._ranges, [seeds.start, seeds.stop]]):
            if merged and merged[-1][1] == start:
                merged[-1][1] = stop
            else:
                merged.append([start, stop])
        self._ranges = merged

    def save(self) -> None:
        found = self.outcomes
        facts = {
            "pillow": PIL.__version__,
            "tried": self.tried,
            "seeds": self._ranges,
            "outcomes": dict(found.codes.most_common()),
            "dicoms": dict(found.dicoms.most_common()),
            "headers": dict(found.headers.most_common()),
            "findings": found.findings,
            "slowest": {"seconds": found.slowest[0], "seed": found.slowest[1]},
            "dearest": {"seconds_per_megabyte": found.dearest[0], "seed": found.dearest[1]},
            "peak_bytes": found.peak_bytes,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(facts, indent=2) + "\n")
        self._table.write_text(self.table())

    def table(self) -> str:
        """Renders as Markdown what was tried, and against which limits."""
        found = self.outcomes
        seconds, _ = found.slowest
        peak, limit = found.peak_bytes / _MEGABYTE, LIMIT_BYTES / _MEGABYTE
        rows = [
            *_counted("decodes tried", found.codes),
            *_counted("decodes of DICOM files, where counted apart", found.dicoms),
            *_counted("headers of DICOM files tried", found.headers),
            ("slowest decode", f"{seconds:.3f} s of CPU time (limit {LIMIT_SECONDS:g} s)"),
            (
                f"dearest decode, beyond {LIMIT_FREE_SECONDS:g} s",
                f"{found.dearest[0]:.3f} s of CPU time a megabyte "
                f"(limit {LIMIT_SECONDS_PER_MEGABYTE:g} s)",
            ),
            ("most memory added", f"{peak:.0f} MiB (limit {limit:.0f} MiB)"),
            ("crashes, hangs, broken limits", str(len(found.findings))),
        ]
        lines = ["| fuzzing of the decoder | |", "|---|---|"]
        return "\n".join(lines + [f"| {name} | {value} |" for name, value in rows]) + "\n"

    def _read(self, facts: dict[str, Any]) -> None:
        if facts["pillow"] != PIL.__version__:
            return  # a different decoder: start again
        self._ranges = facts["seeds"]
        self.outcomes = Outcomes(
            Counter(facts["outcomes"]),
            Counter(facts.get("dicoms", {})),  # older ledgers do not count them apart
            Counter(facts.get("headers", {})),
            {int(seed): what for seed, what in facts["findings"].items()},
            (facts["slowest"]["seconds"], facts["slowest"]["seed"]),
            (facts["dearest"]["seconds_per_megabyte"], facts["dearest"]["seed"]),
            facts["peak_bytes"],
        )


def _counted(name: str, outcomes: Counter[str]) -> list[tuple[str, str]]:
    """The rows of a total and of each outcome in it."""
    parts = [(f"... {code}", f"{number:,}") for code, number in outcomes.most_common()]
    return [(name, f"{outcomes.total():,}"), *parts]
