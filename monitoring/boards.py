"""Descriptions of dashboards: rows of panels, with their queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stack", "heatmap", "stat"]
Color = Literal["green", "orange", "red"]
Exporter = Literal["blackbox exporter", "cAdvisor", "dcgm-exporter", "kube-state-metrics"]
"""A program whose metrics a row needs, and which a cluster may lack."""


@dataclass(frozen=True)
class Threshold:
    """The color of values from `start` on; None is the lowest value."""

    start: float | None
    color: Color


def at_most(objective: float) -> tuple[Threshold, ...]:
    """Green below an objective, red from it on."""
    return Threshold(None, "green"), Threshold(objective, "red")


def at_least(objective: float, lowest: float = 0) -> tuple[Threshold, ...]:
    """Green from an objective on, orange below it, red below the lowest tolerable value."""
    return Threshold(None, "red"), Threshold(lowest, "orange"), Threshold(objective, "green")


@dataclass(frozen=True)
class Panel:
    """One panel of a dashboard."""

    title: str
    unit: str  # a Grafana unit id
    queries: Mapping[str, str]
    """PromQL by legend format."""
    description: str
    kind: Kind = "lines"
    thresholds: Sequence[Threshold] = ()
    empty: str = ""
    """Shown where a query has no result."""


@dataclass(frozen=True)
class Row:
    """Panels under a heading."""

    heading: str
    panels: Sequence[Panel]
    needs: Sequence[Exporter] = ()
    """Without these its panels are empty, so the row is collapsed and its heading names them."""

    @property
    def title(self) -> str:
        return f"{self.heading} (needs {', '.join(self.needs)})" if self.needs else self.heading


@dataclass(frozen=True)
class Price:
    """A variable that the viewer of a dashboard sets to what an hour costs."""

    name: str
    label: str
    amount: float


@dataclass(frozen=True)
class Dashboard:
    """A dashboard."""

    name: str
    title: str
    rows: Sequence[Row]
    note: str = ""
    """Markdown shown at the top."""
    by_pod: bool = False
    """Whether its queries use the variable `pod`."""
    prices: Sequence[Price] = ()
