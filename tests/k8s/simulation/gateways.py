"""Gateways under an HPA: a queue for each pod, and the two metrics that the HPA reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.k8s.simulation.autoscaler import SYNC_SECONDS, Autoscaler, replicas_for_pods

_STEP_SECONDS = 0.5
_START_SECONDS = 10
"""From the decision to a ready pod."""
_SAMPLES = 5
"""Scrapes within a minute, at one for each sync of the HPA."""

Metric = Callable[["Pod"], float]


@dataclass
class Pod:
    """A gateway that handles images one after the other, at a constant rate."""

    started: float
    images: float = 0.0  # in flight
    image_seconds: float = 0.0  # their integral
    busy_seconds: float = 0.0
    scrapes: list[tuple[float, float, float, float]] = field(default_factory=list)

    def work(self, rate: float) -> None:
        left = max(0.0, self.images - rate * _STEP_SECONDS)
        self.image_seconds += (self.images + left) / 2 * _STEP_SECONDS
        self.busy_seconds += (self.images - left) / rate
        self.images = left

    def scrape(self, now: float) -> None:
        sample = (now, self.image_seconds, self.busy_seconds, self.images)
        self.scrapes = [*self.scrapes[1 - _SAMPLES :], sample]


def mean_in_flight(pod: Pod) -> float:
    """Images in flight, over a minute."""
    (first, *_), (last, *_) = pod.scrapes[0], pod.scrapes[-1]
    return (pod.scrapes[-1][1] - pod.scrapes[0][1]) / (last - first)


def cpu_utilization(pod: Pod) -> float:
    """Share of the pod's cores in use, over the interval that metrics-server measures."""
    return (pod.scrapes[-1][2] - pod.scrapes[-2][2]) / SYNC_SECONDS


def in_flight_at_scrape(pod: Pod) -> float:
    """Images in flight as one scrape meets them."""
    return pod.scrapes[-1][3]


@dataclass
class Gateways:
    """Images arrive in batches at random pods; a batch that has no room is refused."""

    autoscaler: Autoscaler
    metrics: Sequence[tuple[Metric, float]]
    images_per_second: float
    max_images: int
    seed: int = 0

    def run(self, rate: float, *, batch: int, seconds: float) -> list[int]:
        """Returns the number of pods at each sync under a mean rate of images per second."""
        random = np.random.default_rng(self.seed)
        pods, counts = [Pod(-_START_SECONDS) for _ in range(self.autoscaler.least)], []
        for step in range(round(seconds / _STEP_SECONDS)):
            now = step * _STEP_SECONDS
            ready = [pod for pod in pods if now - pod.started >= _START_SECONDS]
            for _ in range(random.poisson(rate / batch * _STEP_SECONDS)):
                pod = ready[random.integers(len(ready))]
                if pod.images + batch <= self.max_images:
                    pod.images += batch
            for pod in pods:
                pod.work(self.images_per_second)
            if now % SYNC_SECONDS == 0:
                pods = self._scale(now, pods, ready)
                counts.append(len(pods))
        return counts

    def _scale(self, now: float, pods: list[Pod], ready: list[Pod]) -> list[Pod]:
        for pod in pods:
            pod.scrape(now)
        known = [pod for pod in ready if len(pod.scrapes) > 1]
        proposals = [
            replicas_for_pods([metric(pod) for pod in known], target, len(pods))
            for metric, target in self.metrics
        ]
        wanted = self.autoscaler.decide(now, len(pods), proposals)
        return pods[:wanted] + [Pod(now) for _ in range(wanted - len(pods))]
