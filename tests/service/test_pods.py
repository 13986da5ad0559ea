"""Discovery uses the pods that the name service lists and that answer correctly."""

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
from tests import waiting

DIGEST = "sha256:the one"
IMAGES = np.full((1, 1, 224, 224), 7, np.uint8)


def rows_of(count: int) -> Rows:
    """The fake classifier's rows for this many images."""
    rows = np.zeros(count, ROW)
    rows["ok"], rows["probabilities"] = True, (0.25, 0.25, 0.5)
    return rows


@dataclass
class FakePod:
    """A fake classifier pod with a configurable response."""

    url: str = ""
    port: int = 0
    status: int = 200
    body: bytes | None = None
    requests: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return self.status == 200 and self.body is None

    async def answer(self, request: web.Request) -> web.Response:
        images = wire.unpack_images(await request.read())
        self.headers = dict(request.headers)
        self.requests.append(len(images))
        body = wire.pack_rows(rows_of(len(images))) if self.body is None else self.body
        return web.Response(status=self.status, body=body)

    @contextlib.asynccontextmanager
    async def running(self, address: str = "127.0.0.1") -> AsyncIterator["FakePod"]:
        app = web.Application()
        app.router.add_post(wire.PATH, self.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, address, 0)
        await site.start()
        (self.port,) = (each[1] for each in runner.addresses)
        self.url = f"http://{address}:{self.port}"
        try:
            yield self
        finally:
            await runner.cleanup()


class LocalModel:
    """The fake local model of the gateway."""

    def __init__(self) -> None:
        self.requests, self.unavailable = 0, False

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        self.requests += 1
        if self.unavailable:
            raise BackendError("unreachable", "it is unavailable")
        return rows_of(len(images)), 0.0


class NameService:
    """A fake name service."""

    def __init__(self, *found: FakePod) -> None:
        self.found: set[str] = {pod.url for pod in found}
        self.error: int | None = None
        self.asked = 0

    async def __call__(self, name: str, port: int) -> set[str]:
        assert (name, port) == ("classifier", 3001)
        self.asked += 1
        if self.error:
            raise socket.gaierror(self.error, "no")
        return self.found


@dataclass
class GatewayPods:
    """A gateway's pool of classifier pods, kept by discovery."""

    names: NameService
    local: LocalModel = field(default_factory=LocalModel)
    pod_seconds: float = 10

    def __post_init__(self) -> None:
        self.pool = ModelPool(self.local, model="covid_classifier")  # type: ignore[arg-type]
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

    async def used(self, count: int) -> None:
        """Returns once this many pods are in use."""
        await waiting.until_async(lambda: self.pool.pods == count)

    async def looked_up(self) -> None:
        """Returns once what the name service now says has been handled."""
        asked = self.names.asked
        await waiting.until_async(lambda: self.names.asked > asked + 1)


def run_with_pods(test: Callable[..., Coroutine[None, None, None]], *given: FakePod) -> None:
    """Runs a test with these pods; discovery resolves their name every few milliseconds."""

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for pod in given:
                await stack.enter_async_context(pod.running())
            pods = GatewayPods(NameService(*given))
            watching = asyncio.create_task(pods.discovery.run())
            try:
                await pods.used(sum(pod.works for pod in given))
                await waiting.until_async(  # the second probe comes after the first has failed
                    lambda: all(pod.works or len(pod.requests) > 1 for pod in given)
                )
                await test(pods, *given)
                assert not watching.done()
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    asyncio.run(main())


@pytest.fixture(autouse=True)
def fast_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_RESOLVE_SECONDS", 0.02)
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.0)


def test_all_pods_are_used_and_the_local_model_checks_each_pod_once() -> None:
    async def test(pods: GatewayPods, *given: FakePod) -> None:
        await pods.ask(40)
        assert pods.local.requests == len(given)
        assert all(len(pod.requests) > 1 for pod in given)  # the first is its probe

    run_with_pods(test, FakePod(), FakePod())


def test_request_to_a_pod_carries_the_token_and_the_model_digest() -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        assert pod.headers["Authorization"] == "Bearer a token that is long enough"
        assert pod.headers[wire.DIGEST_HEADER] == DIGEST

    run_with_pods(test, FakePod())


@pytest.mark.parametrize(
    "pod",
    [FakePod(status=401), FakePod(status=409), FakePod(status=503), FakePod(body=b"no tensors")],
    ids=["token", "model", "overloaded", "body"],
)
def test_pod_that_fails_its_probe_gets_no_image(pod: FakePod) -> None:
    async def test(pods: GatewayPods, refusing: FakePod) -> None:
        await pods.ask(5)
        assert pods.local.requests == 5

    run_with_pods(test, pod)


def test_pod_removed_from_the_name_service_is_no_longer_used() -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        pods.names.found = set()
        await pods.used(0)
        before = len(pod.requests)
        await pods.ask(3)
        assert (pods.local.requests, len(pod.requests)) == (3, before)

    run_with_pods(test, FakePod())


@pytest.mark.parametrize(
    ("error", "kept"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)], ids=["away", "none"]
)
def test_pods_are_kept_while_the_name_service_is_unavailable(error: int, kept: bool) -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        pods.names.error = error
        await pods.looked_up()
        await pods.ask(3)
        assert pods.local.requests == (1 if kept else 3)

    run_with_pods(test, FakePod())


def test_discovery_continues_after_an_error_of_the_name_service() -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        found, pods.names.found = pods.names.found, None  # type: ignore[assignment]
        await pods.looked_up()
        pods.names.found = found
        await pods.looked_up()
        await pods.ask()
        assert pod.requests == [1, 1]  # a blank one, to try it, and ours

    run_with_pods(test, FakePod())


def test_failing_pod_is_not_used_until_it_answers_again() -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        await pods.ask()
        checks = pods.local.requests
        pod.status = 500
        await pods.ask(2)
        assert pods.local.requests == checks + 2
        pod.status = 200
        await pods.used(1)
        await pods.ask(2)
        assert pods.local.requests == checks + 3  # its first answer is checked again

    run_with_pods(test, FakePod())


def test_sample_of_pod_answers_is_checked_by_the_local_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_CHECKED_SHARE", 0.5)

    async def test(pods: GatewayPods, pod: FakePod) -> None:
        await pods.ask(60)
        assert 10 < pods.local.requests < 50

    run_with_pods(test, FakePod())


def test_unavailable_local_model_postpones_the_check_of_a_pod() -> None:
    async def test(pods: GatewayPods, pod: FakePod) -> None:
        pods.local.unavailable = True
        await pods.ask(3)
        assert pods.local.requests == 3  # it is asked until it answers
        pods.local.unavailable = False
        await pods.ask(3)
        assert (pods.local.requests, len(pod.requests)) == (4, 7)

    run_with_pods(test, FakePod())
