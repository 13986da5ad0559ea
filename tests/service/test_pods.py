"""Which pods are used, by what a name service says and what they answer; over real connections."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp import web

from bentos.covid_classifier.service import ROW
from bentos.inference import discovery, pool, wire
from bentos.inference.discovery import Discovery
from bentos.inference.errors import BackendError
from bentos.inference.pool import ModelPool
from bentos.inference.wire import Rows
from bentos.settings import Settings
from chestxray.engines import Images

DIGEST = "sha256:the one"
IMAGES = np.full((1, 1, 224, 224), 7, np.uint8)


def rows_of(count: int) -> Rows:
    """The fake classifier's result for any image."""
    rows = np.zeros(count, ROW)
    rows["ok"], rows["probabilities"] = True, (0.25, 0.25, 0.5)
    return rows


@dataclass
class Pod:
    """Responds like a classifier pod, as configured."""

    url: str = ""
    status: int = 200
    body: bytes | None = None
    asked: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    async def answer(self, request: web.Request) -> web.Response:
        images = wire.unpack_images(await request.read())
        self.headers = dict(request.headers)
        self.asked.append(len(images))
        body = wire.pack_rows(rows_of(len(images))) if self.body is None else self.body
        return web.Response(status=self.status, body=body)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Pod"]:
        app = web.Application()
        app.router.add_post(wire.PATH, self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        (host, port), *_ = (each[:2] for each in runner.addresses)
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()


class Own:
    """The gateway's local model."""

    def __init__(self) -> None:
        self.asked, self.away = 0, False

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        self.asked += 1
        if self.away:
            raise BackendError("unreachable", "it is away")
        return rows_of(len(images)), 0.0


class Names:
    """A name service."""

    def __init__(self, *found: Pod) -> None:
        self.found: set[str] = {pod.url for pod in found}
        self.error: int | None = None

    async def __call__(self, name: str, port: int) -> set[str]:
        assert (name, port) == ("classifier", 3001)
        if self.error:
            raise socket.gaierror(self.error, "no")
        return self.found


@dataclass
class World:
    """A gateway's classifiers, as discovery keeps them."""

    names: Names
    own: Own = field(default_factory=Own)
    pod_seconds: float = 0.5

    def __post_init__(self) -> None:
        self.pool = ModelPool(self.own, model="covid_classifier")  # type: ignore[arg-type]
        settings = Settings(
            classifier_pods="classifier:3001",
            pod_token="a token that is long enough",
            pod_timeout_seconds=self.pod_seconds,
        )
        self.discovery = Discovery(
            self.pool, row=ROW, digest=DIGEST, settings=settings, resolve=self.names
        )

    async def ask(self, times: int = 1) -> None:
        for _ in range(times):
            assert np.array_equal(await self.pool(IMAGES), rows_of(1))


def watch(test: Callable[..., Coroutine[None, None, None]], *given: Pod) -> None:
    """Runs a test with these pods, looked for every few milliseconds."""

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for pod in given:
                await stack.enter_async_context(pod.running())
            world = World(Names(*given))
            watching = asyncio.create_task(world.discovery.run())
            try:
                await asyncio.sleep(0.1)
                await test(world, *given)
                assert not watching.done()
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    asyncio.run(main())


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_RESOLVE_SECONDS", 0.02)
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.0)


def test_all_pods_of_a_name_are_asked_and_the_local_model_only_checks_each_once() -> None:
    async def test(world: World, *given: Pod) -> None:
        await world.ask(40)
        assert world.own.asked == len(given)
        assert all(len(pod.asked) > 5 for pod in given)

    watch(test, Pod(), Pod())


def test_pod_is_told_who_asks_for_which_model() -> None:
    async def test(world: World, pod: Pod) -> None:
        assert pod.headers["Authorization"] == "Bearer a token that is long enough"
        assert pod.headers[wire.DIGEST_HEADER] == DIGEST

    watch(test, Pod())


@pytest.mark.parametrize(
    "pod",
    [Pod(status=401), Pod(status=409), Pod(status=503), Pod(body=b"no tensors")],
    ids=["token", "model", "overloaded", "body"],
)
def test_pod_that_refuses_gets_no_image(pod: Pod) -> None:
    async def test(world: World, refusing: Pod) -> None:
        await world.ask(5)
        assert world.own.asked == 5

    watch(test, pod)


def test_pod_that_is_no_longer_named_is_no_longer_asked() -> None:
    async def test(world: World, pod: Pod) -> None:
        world.names.found = set()
        await asyncio.sleep(0.1)
        before = len(pod.asked)
        await world.ask(3)
        assert (world.own.asked, len(pod.asked)) == (3, before)

    watch(test, Pod())


@pytest.mark.parametrize(
    ("error", "kept"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)], ids=["away", "none"]
)
def test_name_service_that_is_away_takes_no_pod_away(error: int, kept: bool) -> None:
    async def test(world: World, pod: Pod) -> None:
        world.names.error = error
        await asyncio.sleep(0.1)
        await world.ask(3)
        assert world.own.asked == (1 if kept else 3)

    watch(test, Pod())


def test_name_service_that_breaks_does_not_end_the_search() -> None:
    async def test(world: World, pod: Pod) -> None:
        found, world.names.found = world.names.found, None  # type: ignore[assignment]
        await asyncio.sleep(0.1)
        world.names.found = found
        await asyncio.sleep(0.1)
        await world.ask()
        assert pod.asked == [1, 1]  # a blank one, to try it, and ours

    watch(test, Pod())


def test_pod_that_fails_is_given_up_until_it_answers_again() -> None:
    async def test(world: World, pod: Pod) -> None:
        await world.ask()
        checks = world.own.asked
        pod.status = 500
        await world.ask(2)
        assert world.own.asked == checks + 2
        pod.status = 200
        await asyncio.sleep(0.1)
        await world.ask(2)
        assert world.own.asked == checks + 3  # its first answer is checked again

    watch(test, Pod())


def test_sample_of_what_pods_answer_is_asked_of_the_local_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.5)

    async def test(world: World, pod: Pod) -> None:
        await world.ask(60)
        assert 10 < world.own.asked < 50

    watch(test, Pod())


def test_local_model_that_is_away_fails_no_check() -> None:
    async def test(world: World, pod: Pod) -> None:
        world.own.away = True
        await world.ask(3)
        assert world.own.asked == 3  # it is asked until it answers
        world.own.away = False
        await world.ask(3)
        assert (world.own.asked, len(pod.asked)) == (4, 7)

    watch(test, Pod())
