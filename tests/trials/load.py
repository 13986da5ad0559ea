"""Clients that post images and remember what they were answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

from tests.conftest import ROOT

LOST = 0
"""In place of a status: the connection broke before there was an answer."""
SERVED = (200, 422)
TOLERANCE = 1e-4 + 1e-9
"""Of what is answered, which has four digits."""

IMAGES = [path.read_bytes() for path in sorted((ROOT / "web" / "examples").glob("*.jpg"))]
_TIMEOUT = aiohttp.ClientTimeout(total=70)

Post = Callable[[int], Awaitable["Answer"]]


@dataclass(frozen=True)
class Answer:
    """What became of one request."""

    image: int
    at: float  # on the monotonic clock
    seconds: float
    status: int
    retry_after: float = 0.0
    scores: tuple[float, ...] = ()

    @property
    def served(self) -> bool:
        return self.status in SERVED


@dataclass
class Answers:
    """All that was answered in a trial."""

    all: list[Answer] = field(default_factory=list)

    def between(self, start: float, end: float) -> "Answers":
        """Those of requests sent in a part of the trial."""
        return Answers([each for each in self.all if start <= each.at < end])

    @property
    def served(self) -> list[Answer]:
        return [each for each in self.all if each.served]

    def statuses(self) -> dict[int, int]:
        """How many there were of each status."""
        return dict(sorted(Counter(each.status for each in self.all).items()))

    def seconds(self, percentile: float) -> float:
        """A percentile of the time that served requests took."""
        times = [each.seconds for each in self.served]
        return float(np.percentile(times, percentile)) if times else float("nan")

    def wrong(self, reference: Sequence[Answer]) -> int:
        """How many served answers are not what the same image got without trouble."""
        return sum(not same(each, reference[each.image]) for each in self.served)


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers to one image say the same."""
    return one.status == other.status and np.allclose(
        one.scores, other.scores, rtol=0, atol=TOLERANCE
    )


class Client:
    """Keeps connections to one or more services, and posts to the one that it is told."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self.answers = Answers()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Client":
        # Below the server's own 5 s, or a connection may close under the next request (trap 2).
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def post(self, image: int) -> Answer:
        """Posts one image, once."""
        assert self._session is not None
        started = time.monotonic()
        headers = {"Content-Type": "image/jpeg"}
        try:
            async with self._session.post(
                f"{self._url()}/v1/analyses", data=IMAGES[image], headers=headers
            ) as reply:
                body = await reply.json(content_type=None)
                answer = Answer(
                    image,
                    started,
                    time.monotonic() - started,
                    reply.status,
                    float(reply.headers.get("Retry-After", 0)),
                    _scores(body) if reply.status in SERVED else (),
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            answer = Answer(image, started, time.monotonic() - started, LOST)
        self.answers.all.append(answer)
        return answer

    async def insist(self, image: int) -> Answer:
        """Posts one image until it is served, and obeys Retry-After."""
        while not (answer := await self.post(image)).served:
            await asyncio.sleep(max(answer.retry_after, 0.1))
        return answer


def _scores(body: dict[str, Any]) -> tuple[float, ...]:
    found = (
        body["prediction"]["probabilities"] if "prediction" in body else body["filter"]["scores"]
    )
    return tuple(found.values())


async def closed(client: Client, *, clients: int, seconds: float) -> Answers:
    """So many clients, each posting its next image when the last was answered."""
    start = time.monotonic()

    async def one(number: int) -> None:
        image = number
        while time.monotonic() < start + seconds:
            answer = await client.post(image % len(IMAGES))
            image += 1
            if not answer.served:
                await asyncio.sleep(max(answer.retry_after, 0.1))

    await asyncio.gather(*(one(number) for number in range(clients)))
    return client.answers.between(start, time.monotonic())


async def arriving(post: Post, *, rate: float, seconds: float, seed: int = 0) -> None:
    """Requests that come whether or not others were answered, `rate` a second, as a Poisson process
    (an open loop): load that does not yield to a slow service.
    """
    generator = np.random.default_rng(seed)
    times = np.cumsum(generator.exponential(1 / rate, round(rate * seconds)))
    start, tasks = time.monotonic(), []
    for number, at in enumerate(times):
        await asyncio.sleep(max(0.0, start + at - time.monotonic()))
        tasks.append(asyncio.create_task(post(number % len(IMAGES))))
    await asyncio.gather(*tasks)
