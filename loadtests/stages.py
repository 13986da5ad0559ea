"""How many users there are, over time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """So many users for so long, who come at most so many a second."""

    seconds: float
    users: int
    rate: float = 10.0


SHAPES = {
    "steps": [Stage(30, users) for users in (1, 2, 4, 8, 16, 24, 32)],
    "spike": [Stage(60, 4), Stage(30, 60, rate=60), Stage(60, 4)],
    "soak": [Stage(3600, 8)],
    # Nobody long enough for everything to scale down, then a morning.
    "from-zero": [Stage(600, 0), Stage(60, 4), Stage(240, 24, rate=1)],
}


def stage_at(stages: list[Stage], seconds: float) -> Stage | None:
    """The stage that a time falls into; none after the last."""
    for stage in stages:
        if seconds < stage.seconds:
            return stage
        seconds -= stage.seconds
    return None
