"""Locust load shapes, selected by `--shape`.

    locust -f loadtests/locustfile.py,loadtests/shapes.py --shape spike --headless --host URL

`--scale 4` multiplies the users of every stage by 4, `--stretch 2` its duration by 2.
"""

from argparse import ArgumentParser

from locust import LoadTestShape, events

from loadtests.stages import SHAPES, stage_at


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--shape", choices=SHAPES, default="steps", help="users over time")
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the users")
    parser.add_argument("--stretch", type=float, default=1.0, help="factor for the duration")


class Stages(LoadTestShape):
    """Follows one of SHAPES."""

    def tick(self) -> tuple[int, float] | None:
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        stage = stage_at(SHAPES[options.shape], self.get_run_time() / options.stretch)
        if stage is None:
            return None
        return round(stage.users * options.scale), max(1.0, stage.rate * options.scale)
