"""Three personas post images to a running service, evaluated against the objectives.

    make loadtest          # ten users for half a minute
    locust -f loadtests/locustfile.py,loadtests/shapes.py --shape steps --headless --host URL

`--images FOLDER` posts those images instead of synthetic ones. Exit codes: 0 objectives met, 1 one
missed, 2 the load generator was too slow to tell, 3 the service is unreachable.
"""

import random
from argparse import ArgumentParser

from locust import HttpUser, between, events, task
from locust.env import Environment

from loadtests import verdict
from loadtests.api_client import IMAGES, ONE, SEVERAL, post
from loadtests.images import INVALID_FILES, image_pool


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--images", default="", help="folder of images to post")
    verdict.add_flags(parser)


@events.init.add_listener
def prepare(environment: Environment, **_: object) -> None:
    environment.images = image_pool(environment.parsed_options.images)
    verdict.install(environment)


class PortalVisitor(HttpUser):
    """Posts a single image, then looks at the result for a while."""

    weight = 6
    wait_time = between(0.5, 2)

    @task
    def analyse(self) -> None:
        post(self.client, ONE, [random.choice(self.environment.images)])


class HospitalProgram(HttpUser):
    """Posts one batch after another."""

    weight = 3
    wait_time = between(0.1, 0.5)

    @task
    def analyse_batch(self) -> None:
        post(self.client, SEVERAL, random.choices(self.environment.images, k=IMAGES[SEVERAL]))


class Abuser(HttpUser):
    """Posts invalid and truncated files, and expects a 4xx."""

    weight = 1
    wait_time = between(0.5, 2)

    @task
    def send_garbage(self) -> None:
        name, content = random.choice(list(INVALID_FILES.items()))
        post(self.client, ONE, [content], name=f"{ONE} ({name})", right=(400, 413, 415, 422))
