"""How many replicas a rate of images needs, from the capacity that was measured.

    python -m loadtests.advice --rate 50 --p99 1

A replica is taken for a queue with random arrivals and exponential service times (M/M/1, Kleinrock
1975): P(T > t) = exp(-(capacity - rate) t). Real service times vary less, so the advice is on the
safe side.
"""

import argparse
import math

from loadtests.measured_capacity import Capacity, read


def rate_within(capacity: float, p99_seconds: float) -> float:
    """Returns the images per second at which 99% are answered in time. Raises ValueError."""
    rate = capacity - math.log(100) / p99_seconds
    if rate <= 0:
        least = math.log(100) / capacity
        raise ValueError(f"a p99 of {p99_seconds:g} s is out of reach; the least is {least:.2f} s")
    return rate


def replicas(rate: float, capacity: float, p99_seconds: float) -> int:
    """Returns how many replicas of a capacity serve a rate. Raises ValueError."""
    return max(1, math.ceil(rate / rate_within(capacity, p99_seconds)))


def advise(rate: float, p99_seconds: float, measured: Capacity) -> str:
    """Returns the replicas that a rate needs, without a tier and with one. Raises ValueError."""
    alone = replicas(rate, measured.images_per_second, p99_seconds)
    gateways, pods = (
        replicas(rate, measured.with_cost(cost), p99_seconds)
        for cost in (measured.gateway_cpu_seconds_with_tier, measured.tier_cpu_seconds_per_image)
    )
    return (
        f"for {rate:.3g} images/s at a p99 of {p99_seconds:g} s: {_count(alone, 'gateway')}, or"
        f" {_count(gateways, 'gateway')} with {_count(pods, 'classifier pod')}"
        f" ({measured.machine} each, as measured by make capacity)"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, required=True, help="images per second")
    parser.add_argument("--p99", type=float, default=1.0, help="seconds")
    flags = parser.parse_args()
    print(advise(flags.rate, flags.p99, read()))
