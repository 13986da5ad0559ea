"""Posts images to a running service, as a visitor of the page and a hospital's program would.

    make loadtest                                # ten users for half a minute, then a summary
    locust -f loadtests/locustfile.py --host http://localhost:3000 --images FOLDER

Without a folder a picture made by code is sent, which the filter may refuse: 422 is an answer.
"""

import io
import random
from argparse import ArgumentParser
from pathlib import Path

from locust import HttpUser, between, events, task
from locust.env import Environment
from PIL import Image

ANSWERS = (200, 422)
_BATCH = 4


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--images", help="folder of images to post")


@events.init.add_listener
def read_images(environment: Environment, **_: object) -> None:
    folder = environment.parsed_options and environment.parsed_options.images
    paths = sorted(path for path in Path(folder).rglob("*.*") if path.is_file()) if folder else []
    environment.images = [path.read_bytes() for path in paths] or [_made_by_code()]


def _made_by_code() -> bytes:
    file = io.BytesIO()
    Image.radial_gradient("L").resize((1400, 1500)).save(file, "JPEG", quality=90)
    return file.getvalue()


class _Poster(HttpUser):
    abstract = True

    def post(self, route: str, count: int) -> None:
        chosen = random.choices(self.environment.images, k=count)
        files = [("image", ("image", content)) for content in chosen]
        with self.client.post(route, files=files, catch_response=True) as answer:
            if answer.status_code in ANSWERS:
                answer.success()
            else:
                answer.failure(f"{answer.status_code} {answer.text[:200]}")


class PortalVisitor(_Poster):
    """Looks at one result for a while before the next."""

    weight = 4
    wait_time = between(0.5, 2)

    @task
    def analyse(self) -> None:
        self.post("/v1/analyses", 1)


class HospitalProgram(_Poster):
    """Sends one batch after the other."""

    wait_time = between(0.1, 0.5)

    @task
    def analyse_batch(self) -> None:
        self.post("/v1/analyses/batch", _BATCH)
