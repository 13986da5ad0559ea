"""The HorizontalPodAutoscaler's arithmetic, as in kubernetes/pkg/controller/podautoscaler."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SYNC_SECONDS = 15
_TOLERANCE = 0.1
"""Both are defaults of kube-controller-manager."""


def replicas_for_total(total: float, target: float, current: int) -> int:
    """Proposal of an external metric with a target of type AverageValue."""
    ratio = total / (target * current)
    return current if abs(ratio - 1) <= _TOLERANCE else math.ceil(total / target)


def replicas_for_pods(values: Sequence[float], target: float, current: int) -> int:
    """Proposal of a metric of the ready pods; the others count as idle if that asks for more."""
    if not values:
        return current
    ratio = sum(values) / len(values) / target
    if abs(ratio - 1) <= _TOLERANCE:
        return current
    if ratio < 1 or len(values) == current:
        return math.ceil(ratio * len(values))
    with_idle = sum(values) / current / target
    return current if with_idle <= 1 + _TOLERANCE else math.ceil(with_idle * current)


@dataclass
class Autoscaler:
    """One HPA: its bounds and behavior, and what it did within their periods."""

    least: int
    most: int
    behavior: Mapping[str, Any]
    _proposals: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, current: int, proposals: Sequence[int | None]) -> int:
        """Returns the new number of replicas; None stands for a metric that cannot be had."""
        known = [each for each in proposals if each is not None]
        if not known or (len(known) < len(proposals) and max(known) < current):
            return current
        wanted = self._limit(now, current, self._stabilize(now, current, max(known)))
        if wanted != current:
            self._changes.append((now, wanted - current))
        return wanted

    def _stabilize(self, now: float, current: int, proposal: int) -> int:
        self._proposals.append((now, proposal))
        up, down = (
            [each for at, each in self._proposals if at >= now - self._window(direction)]
            for direction in ("scaleUp", "scaleDown")
        )
        return min(max(current, min(up)), max(down))

    def _window(self, direction: str) -> float:
        return float(self.behavior[direction]["stabilizationWindowSeconds"])

    def _limit(self, now: float, current: int, wanted: int) -> int:
        wanted = min(max(wanted, self.least), self.most)
        if wanted > current:
            return min(wanted, max(self._reach("scaleUp", now, current)))
        return max(wanted, min(self._reach("scaleDown", now, current)))

    def _reach(self, direction: str, now: float, current: int) -> list[int]:
        """The replicas that each policy of a direction allows; the widest is chosen by default."""
        sign, reached = (1 if direction == "scaleUp" else -1), []
        for policy in self.behavior[direction]["policies"]:
            since = now - policy["periodSeconds"]
            done = sum(d for at, d in self._changes if at > since and d * sign > 0)
            begun, value = current - done, policy["value"]
            step = value if policy["type"] == "Pods" else math.ceil(begun * value / 100)
            reached.append(begun + sign * step)
        return reached
