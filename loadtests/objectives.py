"""Service level objectives, and the evaluation of a time window against them."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT = Path(__file__).parent / "objectives.toml"


@dataclass(frozen=True)
class Objective:
    """Upper bounds for one route."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    error_rate: float
    shed_rate: float


@dataclass(frozen=True)
class Objectives:
    """All objectives, and the parameters of their evaluation."""

    warm_up_seconds: float
    window_seconds: float
    fewest_requests: int
    routes: Mapping[str, Objective]


@dataclass
class Count:
    """Counts for one route, so far or within a window."""

    milliseconds: Counter[int] = field(default_factory=Counter)  # latencies, shed requests excluded
    requests: int = 0
    failures: int = 0
    shed: int = 0

    def __sub__(self, earlier: "Count") -> "Count":
        return Count(
            self.milliseconds - earlier.milliseconds,
            self.requests - earlier.requests,
            self.failures - earlier.failures,
            self.shed - earlier.shed,
        )

    def percentile(self, share: float) -> float:
        """Latency quantile in milliseconds; `share` is in 0..1."""
        wanted, seen = share * sum(self.milliseconds.values()), 0
        for milliseconds, count in sorted(self.milliseconds.items()):
            seen += count
            if seen >= wanted:
                return float(milliseconds)
        return 0.0

    def figures(self) -> dict[str, float]:
        """Returns the values that an objective bounds, by the same names."""
        everything = self.requests + self.shed
        return {
            "p50_ms": self.percentile(0.50),
            "p95_ms": self.percentile(0.95),
            "p99_ms": self.percentile(0.99),
            "error_rate": self.failures / max(1, everything),
            "shed_rate": self.shed / max(1, everything),
        }


def read(path: Path = DEFAULT) -> Objectives:
    """Reads a TOML file. Raises OSError, or TypeError for a missing or unknown key."""
    written = tomllib.loads(path.read_text())
    routes = {route: Objective(**bounds) for route, bounds in written.pop("routes").items()}
    return Objectives(routes=routes, **written)


def missed(count: Count, objective: Objective) -> dict[str, tuple[float, float]]:
    """Returns the missed objectives of a window: (measured, bound) by name."""
    found = count.figures()
    bounds = vars(objective)
    return {name: (found[name], bound) for name, bound in bounds.items() if found[name] > bound}
