"""Load shapes: the number of users over time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A constant number of users for some time."""

    seconds: float
    users: int
    rate: float = 10.0  # users that start or stop per second


SHAPES = {
    "steps": [Stage(30, users) for users in (1, 2, 4, 8, 16, 24, 32)],
    "spike": [Stage(60, 4), Stage(30, 60, rate=60), Stage(60, 4)],
    "soak": [Stage(3600, 8)],
    # No users until everything has scaled down, then a slow ramp.
    "from-zero": [Stage(600, 0), Stage(60, 4), Stage(240, 24, rate=1)],
}


def stage_at(stages: list[Stage], seconds: float) -> Stage | None:
    """Returns the stage at a time since the start; None after the last."""
    for stage in stages:
        if seconds < stage.seconds:
            return stage
        seconds -= stage.seconds
    return None
