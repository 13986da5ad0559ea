"""Many gateways on one slow classifier pod: it works at its own speed, and for nobody in vain."""

import asyncio

import pytest

from tests.trials.backpressure import WANTED_SHARE, share_of_own_speed


@pytest.mark.alone
@pytest.mark.parametrize("gateways", [1, 4, 20])
def test_many_gateways_keep_nine_tenths_of_a_slow_pods_speed(gateways: int) -> None:
    assert asyncio.run(share_of_own_speed(gateways)) >= WANTED_SHARE
