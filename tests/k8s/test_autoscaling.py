"""Simulated days: the tier and the gateways have the pods that their work needs, and settle."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.k8s.rendering import Manifest, find
from tests.k8s.simulation.autoscaler import SYNC_SECONDS, Autoscaler
from tests.k8s.simulation.classifiers import STEP_SECONDS, Counts, Keda, Load, Tier, demand
from tests.k8s.simulation.gateways import (
    Gateways,
    Metric,
    cpu_utilization,
    in_flight_at_scrape,
    mean_in_flight,
)

Rendered = dict[str, list[Manifest]]
HOUR = 3600
DAY = 24 * HOUR
PACE = 24.0
"""Images per second of a simulated gateway."""
WORK = (0.5, 1.7, 2.4, 4.2, 5.9)
"""Loads, as the number of gateways that would do them without pause."""
MAX_IMAGES = 48
"""In flight in a gateway, beyond which it sheds load."""
MEMORY_SECONDS = 900
"""The HPA keeps the largest of five minutes and then removes a pod a minute."""


@pytest.fixture
def scaled_object(rendered: Rendered) -> dict[str, Any]:
    """A tier of CPU pods that scales from and to zero."""
    manifests = rendered["base+classifier+autoscaling-keda+scale-to-zero"]
    spec: dict[str, Any] = find(manifests, "ScaledObject", "classifier")["spec"]
    return spec


def tier(spec: dict[str, Any], query: Callable[[Counts], float] = demand) -> Tier:
    return Tier(
        Keda(spec),
        query,
        pod_images=25,
        gateway_images=300,
        local_images=40,
        start_seconds=40,
    )


def films_of_a_day(now: float) -> float:
    """None at night, and up to 100 images per second in the afternoon."""
    return 100 * max(0.0, math.sin(2 * math.pi * (now / DAY - 0.25)))


def films_with_a_burst(now: float) -> float:
    return films_of_a_day(now) + (80 if 10 * HOUR <= now < 10 * HOUR + 900 else 0)


def noise_attack(now: float) -> float:
    return 1000 if 2 * HOUR <= now < 5 * HOUR else 0


def needed(films: Callable[[float], float], now: float, spec: dict[str, Any]) -> int:
    """The pods that the most images per second of the last quarter of an hour need."""
    trigger = spec["triggers"][0]
    most = max(films(at) for at in range(max(0, int(now) - MEMORY_SECONDS), int(now) + 1, 5))
    active = most > float(trigger["metadata"]["activationThreshold"]) / 2
    return math.ceil(most / float(trigger["metadata"]["threshold"])) if active else 0


def excess(counts: list[int], films: Callable[[float], float], spec: dict[str, Any]) -> list[float]:
    """The steps at which there are more than 1.5 times the pods that the work needs, in hours."""
    return [
        step * STEP_SECONDS / HOUR
        for step, count in enumerate(counts)
        if count > math.ceil(1.5 * needed(films, step * STEP_SECONDS, spec))
    ]


def reversals(counts: list[int]) -> int:
    """How often the number of pods changes its direction."""
    steps = [b - a for a, b in pairwise(counts) if a != b]
    return sum((a > 0) != (b > 0) for a, b in pairwise(steps))


def test_tier_has_the_pods_that_a_day_of_traffic_needs(scaled_object: dict[str, Any]) -> None:
    load = Load(films_with_a_burst, noise_attack)

    counts = tier(scaled_object).run(load, DAY)

    assert excess(counts, load.films, scaled_object) == []
    assert max(counts) == scaled_object["maxReplicaCount"]
    assert counts[int(5 * HOUR / STEP_SECONDS)] == 0  # noise has come for three hours
    assert reversals(counts) == 1  # up, and down after the burst, which is the most of the day


def all_judged_and_shed(rates: Counts) -> float:
    """The query of old: every image that gateways saw, and every refusal."""
    return rates.judged + rates.refused


def test_query_that_counts_noise_buys_pods_for_no_work(scaled_object: dict[str, Any]) -> None:
    load = Load(films_with_a_burst, noise_attack)

    counts = tier(scaled_object, all_judged_and_shed).run(load, 6 * HOUR)

    assert max(counts[: int(5 * HOUR / STEP_SECONDS)]) == scaled_object["maxReplicaCount"]
    assert excess(counts, load.films, scaled_object)


def test_tier_is_activated_within_one_polling_interval(scaled_object: dict[str, Any]) -> None:
    begun = HOUR + 5

    counts = tier(scaled_object).run(Load(lambda now: 30 if now >= begun else 0), 2 * HOUR)

    woken = counts.index(1) * STEP_SECONDS
    scrape = 15
    assert begun < woken <= begun + scrape + scaled_object["pollingInterval"]


@pytest.mark.parametrize("films", [3, 12, 30, 55, 90, 130])
def test_tier_settles_under_a_constant_load(scaled_object: dict[str, Any], films: int) -> None:
    counts = tier(scaled_object).run(Load(lambda now: films), 6 * HOUR)

    settled = counts[int(HOUR / STEP_SECONDS) :]
    assert reversals(settled) <= 1
    assert max(settled) - min(settled) <= 1


def test_lost_prometheus_changes_no_number_of_pods(scaled_object: dict[str, Any]) -> None:
    gone, back = 12 * HOUR, 14 * HOUR
    load = Load(films_of_a_day, prometheus=lambda now: not gone <= now < back)

    counts = tier(scaled_object).run(load, DAY)

    during = counts[int(gone / STEP_SECONDS) + 1 : int(back / STEP_SECONDS)]
    assert set(during) == {counts[int(gone / STEP_SECONDS) - 1]}
    assert excess(counts, load.films, scaled_object) == []


def test_static_fallback_shrinks_the_tier_at_its_busiest(scaled_object: dict[str, Any]) -> None:
    static = scaled_object | {"fallback": {"failureThreshold": 3, "replicas": 1}}
    load = Load(films_of_a_day, prometheus=lambda now: now < 12 * HOUR)

    counts = tier(static).run(load, 13 * HOUR)

    assert counts[int(12 * HOUR / STEP_SECONDS)] >= 5
    assert counts[-1] == 1


def test_prometheus_lost_at_zero_leaves_the_gateways_alone(scaled_object: dict[str, Any]) -> None:
    """KEDA's fallback activates nothing: an alert and a runbook answer it."""
    load = Load(lambda now: 30 if now > HOUR else 0, prometheus=lambda now: now > 2 * HOUR)

    counts = tier(scaled_object).run(load, 3 * HOUR)

    assert set(counts[: int(2 * HOUR / STEP_SECONDS)]) == {0}
    assert counts[-1] == 2


def test_slow_pod_is_replaced_by_at_most_what_it_lacks(scaled_object: dict[str, Any]) -> None:
    load = Load(lambda now: 110, slow=lambda now: 0.1 if now > HOUR else 1)

    counts = tier(scaled_object).run(load, 4 * HOUR)

    assert excess(counts, load.films, scaled_object) == []
    assert reversals(counts[int(HOUR / STEP_SECONDS) :]) <= 1


def gateways(rendered: Rendered, *metrics: Metric) -> Gateways:
    """The production overlay's gateways, under these of its HPA's metrics or others like them."""
    spec = find(rendered["base+autoscaling-hpa"], "HorizontalPodAutoscaler", "gateway")["spec"]
    by_type = {each["type"]: each for each in spec["metrics"]}
    cpu = by_type["Resource"]["resource"]["target"]["averageUtilization"] / 100
    images = float(by_type["Pods"]["pods"]["target"]["averageValue"])
    return Gateways(
        Autoscaler(spec["minReplicas"], spec["maxReplicas"], spec["behavior"]),
        [(metric, cpu if metric is cpu_utilization else images) for metric in metrics],
        images_per_second=PACE,
        max_images=MAX_IMAGES,
    )


@pytest.mark.parametrize("work", WORK)
def test_gateways_settle_at_the_number_that_the_work_needs(rendered: Rendered, work: float) -> None:
    simulated = gateways(rendered, cpu_utilization, mean_in_flight)

    counts = simulated.run(work * PACE, batch=1, seconds=2 * HOUR)

    settled = counts[HOUR // 2 // SYNC_SECONDS :]
    assert work < min(settled)
    assert max(counts) <= max(simulated.autoscaler.least, math.ceil(1.5 * math.ceil(work / 0.7)))
    assert reversals(settled) <= 1


def test_gateways_do_not_follow_single_batches(rendered: Rendered) -> None:
    steady = gateways(rendered, cpu_utilization, mean_in_flight)
    instant = gateways(rendered, in_flight_at_scrape)

    assert max(steady.run(PACE / 2, batch=16, seconds=2 * HOUR)) == steady.autoscaler.least
    assert max(instant.run(PACE / 2, batch=16, seconds=2 * HOUR)) > instant.autoscaler.least


def test_images_in_flight_alone_never_settle(rendered: Rendered) -> None:
    """Near saturation they grow so steeply that one pod fewer is too few and one more too many."""
    simulated = [gateways(rendered, mean_in_flight) for _ in WORK]
    counts = [
        each.run(work * PACE, batch=1, seconds=2 * HOUR)
        for each, work in zip(simulated, WORK, strict=True)
    ]

    assert sum(reversals(each[HOUR // 2 // SYNC_SECONDS :]) for each in counts) > 10
