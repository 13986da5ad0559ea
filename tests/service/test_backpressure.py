"""Many gateways on one slow classifier pod: it works at its own speed, and for nobody in vain."""

import asyncio

import pytest

from tests.trials.backpressure import SECONDS_PER_IMAGE, WANTED_SHARE, useful_images_per_second


@pytest.mark.alone
@pytest.mark.parametrize("gateways", [1, 4, 20])
def test_many_gateways_keep_nine_tenths_of_a_slow_pods_speed(gateways: int) -> None:
    speed = asyncio.run(useful_images_per_second(gateways))

    assert speed >= WANTED_SHARE / SECONDS_PER_IMAGE
