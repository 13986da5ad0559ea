"""Clients that post images and remember what they were answered."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import numpy as np

from tests.conftest import ROOT

LOST = 0
"""The status of a request whose connection broke before its response."""
SERVED = (200, 422)
TOLERANCE = 1e-4 + 1e-9
"""Tolerance of answered scores, which have four digits."""

IMAGES = [path.read_bytes() for path in sorted((ROOT / "web" / "examples").glob("*.jpg"))]
_TIMEOUT_SECONDS = 70.0
_IDLE_SECONDS = 3.0
"""Keep-alive time of the client, below the server's to avoid lost requests (trap 2)."""

Post = Callable[[int], Awaitable["Answer"]]


@dataclass(frozen=True)
class Answer:
    """Outcome of one request."""

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
        """The answers to requests sent in a part of the trial."""
        return Answers([each for each in self.all if start <= each.at < end])

    @property
    def served(self) -> list[Answer]:
        return [each for each in self.all if each.served]

    def rate(self, start: float, seconds: float) -> float:
        """Images per second that were served within some seconds."""
        ends = (each.at + each.seconds for each in self.served)
        return sum(start <= end < start + seconds for end in ends) / seconds

    def statuses(self) -> dict[int, int]:
        """The number of answers of each status."""
        return dict(sorted(Counter(each.status for each in self.all).items()))

    def seconds(self, percentile: float) -> float:
        """A percentile of the time that served requests took."""
        times = [each.seconds for each in self.served]
        return float(np.percentile(times, percentile)) if times else float("nan")

    def wrong(self, reference: Sequence[Answer]) -> int:
        """The number of served answers that differ from the reference of their image."""
        return sum(not same(each, reference[each.image]) for each in self.served)


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers to one image are equal."""
    return one.status == other.status and np.allclose(
        one.scores, other.scores, rtol=0, atol=TOLERANCE
    )


@dataclass
class _Reply:
    status: int
    retry_after: float
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection of HTTP/1.1. The service shares the CPU cores with its clients here, and
    common client libraries use as much CPU time for a refused request as the service.
    """

    def __init__(self) -> None:
        self.usable, self.idle_since = True, 0.0
        self._parser = httptools.HttpResponseParser(self)
        self._reply: asyncio.Future[_Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    async def ask(self, request: bytes, body: bytes) -> _Reply:
        """Sends a request. Raises ConnectionError if the connection breaks before the response."""
        self._reply = asyncio.get_running_loop().create_future()
        self._retry_after, self._body = 0.0, b""
        self.transport.writelines([request, body])
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            return await self._reply

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = float(value)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.usable = self._parser.should_keep_alive()
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(
                _Reply(self._parser.get_status_code(), self._retry_after, self._body)
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError("the connection broke"))


class Client:
    """Keeps connections to one or more services, and posts to a given one."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self.answers = Answers()
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.transport.close()

    async def post(self, image: int) -> Answer:
        """Posts one image, once."""
        started = time.monotonic()
        try:
            reply = await self._ask(self._url(), IMAGES[image])
            scores = _scores(json.loads(reply.body)) if reply.status in SERVED else ()
            seconds = time.monotonic() - started
            answer = Answer(image, started, seconds, reply.status, reply.retry_after, scores)
        except (OSError, TimeoutError, ValueError, httptools.HttpParserError):
            answer = Answer(image, started, time.monotonic() - started, LOST)
        self.answers.all.append(answer)
        return answer

    async def _ask(self, url: str, body: bytes) -> _Reply:
        connection = await self._connection(url)
        head = f"POST /v1/analyses HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n"
        about = f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
        try:
            reply = await connection.ask((head + about).encode(), body)
        except BaseException:
            connection.transport.abort()
            raise
        if connection.usable:
            connection.idle_since = time.monotonic()
            self._idle[url].append(connection)
        else:
            connection.transport.close()
        return reply

    async def _connection(self, url: str) -> _Connection:
        idle = self._idle[url]
        while idle:
            connection = idle.pop()
            if connection.usable and time.monotonic() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.transport.close()
        place = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, opened = await loop.create_connection(_Connection, place.hostname, place.port)
        return opened

    async def post_until_served(self, image: int) -> Answer:
        """Posts one image until it is served, and obeys Retry-After."""
        while not (answer := await self.post(image)).served:
            await asyncio.sleep(max(answer.retry_after, 0.1))
        return answer


def _scores(body: dict[str, Any]) -> tuple[float, ...]:
    found = (
        body["prediction"]["probabilities"] if "prediction" in body else body["filter"]["scores"]
    )
    return tuple(found.values())


async def run_closed_loop(client: Client, *, clients: int, seconds: float) -> Answers:
    """Closed loop: each client posts its next image when the last one is answered."""
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


async def run_open_loop(post: Post, *, rate: float, seconds: float, seed: int = 0) -> None:
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
