"""One slow classifier pod keeps its throughput with many gateways."""

import asyncio

import pytest

from tests.trials.backpressure import WANTED_SHARE, share_of_throughput


@pytest.mark.alone
@pytest.mark.parametrize("gateways", [1, 4, 20])
def test_slow_pod_keeps_most_of_its_throughput_with_many_gateways(gateways: int) -> None:
    assert asyncio.run(share_of_throughput(gateways)) >= WANTED_SHARE
