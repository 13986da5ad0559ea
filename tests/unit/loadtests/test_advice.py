"""The advice names the fewest replicas that keep a rate within its latency."""

import math

import pytest

from loadtests.advice import advise, rate_within, replicas
from loadtests.measured_capacity import Capacity

MEASURED = Capacity(
    machine="2 cores",
    images_per_second=24.0,
    seconds_alone=0.06,
    knee_clients=1.5,
    cpu_seconds_per_image=0.08,
    megabytes=600,
    gateway_cpu_seconds_with_tier=0.04,
    tier_cpu_seconds_per_image=0.03,
)


def test_a_hundredth_of_the_requests_exceeds_the_latency_at_the_rate_within_it() -> None:
    rate = rate_within(24.0, 1.0)

    assert math.exp(-(24.0 - rate) * 1.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("rate", "found"), [(1, 1), (19, 1), (20, 2), (50, 3), (100, 6)])
def test_number_of_replicas_grows_with_the_rate(rate: float, found: int) -> None:
    assert replicas(rate, 24.0, 1.0) == found


def test_stricter_latency_needs_more_replicas() -> None:
    assert replicas(50, 24.0, 0.25) > replicas(50, 24.0, 1.0)


def test_latency_that_no_number_of_replicas_reaches_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"the least is 0\.19 s"):
        replicas(1, 24.0, 0.1)


def test_tier_relieves_the_gateways() -> None:
    advice = advise(50, 1.0, MEASURED)

    assert "50 images/s at a p99 of 1 s: 3 gateways, or 2 gateways with 1 classifier pod" in advice
