"""The classifier tier under KEDA: what gateways export, what the query says, what KEDA does."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.k8s.simulation.autoscaler import SYNC_SECONDS, Autoscaler, replicas_for_total

STEP_SECONDS = 5
_SCRAPE_SECONDS = 15
_SAMPLES = 4
"""Scrapes within the query's minute."""
_RETRY_SECONDS, _RETRY_SHARE = 10, 0.5
"""A refused caller tries again after this time, with this probability."""


@dataclass(frozen=True)
class Counts:
    """Images, or images per second, as gateways count them."""

    passing: float
    """Those that the filter takes for chest X-rays."""
    judged: float
    refused: float
    """Because the gateways were at capacity."""


def demand(rates: Counts) -> float:
    """Images per second that reach the classifier: the query of the ScaledObject."""
    return rates.passing * (1 + min(rates.refused / max(rates.judged, 1), 1))


@dataclass
class Keda:
    """The operator's decisions about one ScaledObject by its first trigger, as of KEDA 2.17."""

    spec: dict[str, Any]
    _failures: int = 0
    _active_at: float = -math.inf

    def __post_init__(self) -> None:
        behavior = self.spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        most = self.spec["maxReplicaCount"]
        self._hpa = Autoscaler(max(1, self.spec["minReplicaCount"]), most, behavior)
        trigger = self.spec["triggers"][0]
        self._target = float(trigger["metadata"]["threshold"])
        self._activation = float(trigger["metadata"].get("activationThreshold", 0))

    def poll(self, now: float, value: float | None, pods: int) -> int:
        """Activates and deactivates the workload; None stands for a failed query."""
        self._failures = self._failures + 1 if value is None else 0
        if value is None:  # at zero a fallback does not activate it (kedacore/keda#7239)
            return pods
        if value > self._activation:
            self._active_at = now
            return max(pods, 1)
        idle = now - self._active_at > self.spec["cooldownPeriod"]
        return 0 if idle and self.spec["minReplicaCount"] == 0 else pods

    def scale(self, now: float, value: float | None, pods: int) -> int:
        """What its HPA makes of the metric, or of the fallback's."""
        if not pods:
            return 0
        if value is None and self._failures >= self.spec["fallback"]["failureThreshold"]:
            value = self._target * self._fallback(pods)
        proposal = None if value is None else replicas_for_total(value, self._target, pods)
        return self._hpa.decide(now, pods, [proposal])

    def _fallback(self, pods: int) -> int:
        replicas = int(self.spec["fallback"]["replicas"])
        higher = self.spec["fallback"].get("behavior", "static") == "currentReplicasIfHigher"
        return max(pods, replicas) if higher else replicas


@dataclass(frozen=True)
class Load:
    """Images per second that callers send, by the time in seconds, and what goes wrong when."""

    films: Callable[[float], float]
    noise: Callable[[float], float] = lambda now: 0.0
    prometheus: Callable[[float], bool] = lambda now: True
    slow: Callable[[float], float] = lambda now: 1.0
    """Speed of the first pod, as a share of the others'."""


@dataclass
class Tier:
    """A tier of classifier pods beside gateways that classify themselves, if slowly."""

    keda: Keda
    query: Callable[[Counts], float]
    pod_images: float
    """Images per second of a pod."""
    gateway_images: float
    """Images per second that the gateways judge, and that they classify without the tier."""
    local_images: float
    start_seconds: float
    """From the decision to a ready pod."""
    seed: int = 0
    _scrapes: list[Counts] = field(default_factory=lambda: [Counts(0, 0, 0)])

    def run(self, load: Load, seconds: float) -> list[int]:
        """Returns the number of pods that are wanted at each step."""
        random = np.random.default_rng(self.seed)
        started: list[float] = []
        counts, total = [], Counts(0, 0, 0)
        refusals = [0.0] * (_RETRY_SECONDS // STEP_SECONDS)
        for now in range(0, round(seconds), STEP_SECONDS):
            films = float(random.poisson(load.films(now) * STEP_SECONDS)) + refusals.pop(0)
            noise = float(random.poisson(load.noise(now) * STEP_SECONDS))
            seen = self._serve(films, noise, self._capacity(now, started, load.slow(now)))
            refusals.append(_RETRY_SHARE * (films - seen.passing))
            total = Counts(*(a + b for a, b in zip(_values(total), _values(seen), strict=True)))
            if now % _SCRAPE_SECONDS == 0:
                self._scrapes = [*self._scrapes[1 - _SAMPLES :], total]
            if now % SYNC_SECONDS == 0:
                value = self.query(self._rates()) if load.prometheus(now) else None
                wanted = self.keda.poll(now, value, len(started))
                wanted = self.keda.scale(now, value, wanted)
                started = started[:wanted] + [now] * (wanted - len(started))
            counts.append(len(started))
        return counts

    def _capacity(self, now: float, started: list[float], slow: float) -> float:
        ready = sum(now - at >= self.start_seconds for at in started)
        return self.local_images + self.pod_images * (ready - (1 - slow if ready else 0))

    def _serve(self, films: float, noise: float, classified: float) -> Counts:
        """What becomes of the images of one step: refusals come before any look at an image."""
        offered = films + noise
        if not offered:
            return Counts(0, 0, 0)
        share = films / offered
        room = min(self.gateway_images, classified / max(share, 1e-9)) * STEP_SECONDS
        judged = min(offered, room)
        return Counts(passing=judged * share, judged=judged, refused=offered - judged)

    def _rates(self) -> Counts:
        """PromQL's rate over a minute: between the first and the last sample in it."""
        first, last = self._scrapes[0], self._scrapes[-1]
        seconds = max(1, len(self._scrapes) - 1) * _SCRAPE_SECONDS
        pairs = zip(_values(first), _values(last), strict=True)
        return Counts(*((b - a) / seconds for a, b in pairs))


def _values(counts: Counts) -> tuple[float, float, float]:
    return counts.passing, counts.judged, counts.refused
