"""Makes the users follow one of SHAPES, by `--shape`.

    locust -f loadtests/locustfile.py,loadtests/shapes.py --shape spike --headless --host URL

`--scale 4` makes every stage so many times as large, `--stretch 2` so many times as long.
"""

from argparse import ArgumentParser

from locust import LoadTestShape, events

from loadtests.stages import SHAPES, stage_at


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="steps", help="users over time")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many users")
    parser.add_argument("--stretch", type=float, default=1.0, help="times as long")


class Stages(LoadTestShape):
    """One of SHAPES."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        stage = stage_at(SHAPES[options.shape], self.get_run_time() / options.stretch)
        if stage is None:
            return None
        return round(stage.users * options.scale), max(1.0, stage.rate * options.scale)
