"""How many users there are, over time: `--shape` takes one of SHAPES.

    locust -f loadtests/locustfile.py,loadtests/shapes.py --shape spike --headless --host URL

`--scale 4` makes every stage so many times as large, `--stretch 2` so many times as long.
"""

from argparse import ArgumentParser
from dataclasses import dataclass

from locust import LoadTestShape, events


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


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="steps", help="users over time")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many users")
    parser.add_argument("--stretch", type=float, default=1.0, help="times as long")


def stage_at(stages: list[Stage], seconds: float) -> Stage | None:
    """The stage that a time falls into; none after the last."""
    for stage in stages:
        if seconds < stage.seconds:
            return stage
        seconds -= stage.seconds
    return None


class Stages(LoadTestShape):
    """One of SHAPES."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        stage = stage_at(SHAPES[options.shape], self.get_run_time() / options.stretch)
        if stage is None:
            return None
        return round(stage.users * options.scale), max(1.0, stage.rate * options.scale)
