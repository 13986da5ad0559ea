"""Pauses grow, about a day in all, and a receiver may ask for longer ones within bounds."""

from datetime import timedelta

import pytest

from bentos.webhooks import schedule
from bentos.webhooks.schedule import PAUSES, pause


def test_pauses_grow_for_about_a_day() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    assert timedelta(hours=24) < sum(PAUSES, timedelta()) < timedelta(hours=36)
    assert pause(len(PAUSES) + 1) is None


@pytest.mark.parametrize("attempts", range(1, len(PAUSES) + 1))
def test_jitter_only_lengthens_a_pause(attempts: int) -> None:
    planned = PAUSES[attempts - 1]

    assert pause(attempts, jitter=lambda: 0.0) == planned
    longest = pause(attempts, jitter=lambda: 1.0)
    assert longest and planned < longest <= 1.2 * planned
    assert len({pause(attempts) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 5), (0.0, 5), (-1e9, 5), (60.0, 60), (999_999_999.0, 12 * 3600)],
)
def test_receiver_may_ask_for_a_longer_pause_within_bounds(
    asked: float | None, seconds: float
) -> None:
    assert pause(1, asked, jitter=lambda: 0.0) == timedelta(seconds=seconds)


def test_webhook_is_disabled_later_than_one_delivery_is_given_up() -> None:
    assert 1.2 * sum(PAUSES, timedelta()) < schedule.FAILING
