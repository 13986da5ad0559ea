"""Three kinds of users post images to a running service; objectives say whether it did well.

    make loadtest          # ten users for half a minute, and whether they were served well
    locust -f loadtests/locustfile.py,loadtests/shapes.py --shape steps --headless --host URL

`--images FOLDER` posts those images in place of synthetic ones. Ends with 0 where the objectives
are met, 1 where one is missed, 2 where the generator was too slow to tell, 3 where nobody answers.
"""

import random
from argparse import ArgumentParser

from locust import HttpUser, between, events, task
from locust.env import Environment

from loadtests import judging
from loadtests.images import BAD, image_pool
from loadtests.posting import ONE, SEVERAL, post

_BATCH = 4


@events.init_command_line_parser.add_listener
def add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--images", default="", help="folder of images to post")
    judging.add_flags(parser)


@events.init.add_listener
def prepare(environment: Environment, **_: object) -> None:
    environment.images = image_pool(environment.parsed_options.images)
    judging.install(environment)


class PortalVisitor(HttpUser):
    """Sends one image and looks at the result for a while."""

    weight = 6
    wait_time = between(0.5, 2)

    @task
    def analyse(self) -> None:
        post(self.client, ONE, [random.choice(self.environment.images)])


class HospitalProgram(HttpUser):
    """Sends one batch after the other."""

    weight = 3
    wait_time = between(0.1, 0.5)

    @task
    def analyse_batch(self) -> None:
        post(self.client, SEVERAL, random.choices(self.environment.images, k=_BATCH))


class Abuser(HttpUser):
    """Sends what is no image, or half of one; a clear refusal is the right answer."""

    weight = 1
    wait_time = between(0.5, 2)

    @task
    def send_garbage(self) -> None:
        name, content = random.choice(list(BAD.items()))
        post(self.client, ONE, [content], name=f"{ONE} ({name})", right=(400, 413, 415, 422))
