"""A classifier pod in its own process: authentication, and pods that start, stop and fail."""

import asyncio
import contextlib
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import ASGIApp

from bentos.covid_classifier.service import ROW
from bentos.http.drain import Drain
from bentos.http.middleware import RequestMiddleware
from bentos.inference import wire
from bentos.inference.server import InferenceServer, create_app
from bentos.inference.wire import Rows
from bentos.settings import Settings
from chestxray.engines import Images
from loadtests.load_generator import free_port
from tests.phantoms import encode, phantom
from tests.service.conftest import NO_SHEDDING
from tests.service.fakes import check_problem, ready
from tests.service.server import Server, serve, start

TOKEN, DIGEST = "a token that is long enough", "sha256:the one"
OLD = "the token of before, as long"
HEADERS = {"Authorization": f"Bearer {TOKEN}", wire.DIGEST_HEADER: DIGEST}
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 1, 224, 224), np.uint8)
POD = ("bentos.cli", "serve-classifier")
NOTICED_SECONDS = 10.0


class FakeModel:
    """A model that returns each image's mean as the probability of the first class."""

    card = SimpleNamespace(name="covid_classifier")
    digest = DIGEST
    parallel = 1

    def __call__(self, images: Images, *, loaded: bool) -> Rows:
        time.sleep(0.01)
        return classify(images)


def classify(images: Images) -> Rows:
    rows = np.zeros(len(images), ROW)
    rows["ok"] = True
    rows["probabilities"][:, 0] = images.mean(axis=(1, 2, 3))
    return rows


def pod_app(**more: Any) -> ASGIApp:
    settings = Settings(pod_token=TOKEN, **more)
    return create_app(InferenceServer(FakeModel(), stage="classify", settings=settings))  # type: ignore[arg-type]


def ask_all(*bodies: bytes, max_images: int = 128, **headers: str) -> list[httpx.Response]:
    app = pod_app(max_images_in_flight=max_images, max_images_per_batch=1)
    return post_all(app, *bodies, **headers)


def post_to(app: ASGIApp, body: bytes, **headers: str) -> httpx.Response:
    return post_all(app, body, **headers)[0]


def post_all(app: ASGIApp, *bodies: bytes, **headers: str) -> list[httpx.Response]:
    async def post() -> list[httpx.Response]:
        transport = httpx.ASGITransport(RequestMiddleware(app, Drain(delay=0, timeout=1), ready))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://pod", headers=HEADERS | headers
        ) as client:
            asked = [client.post(wire.PATH, content=body) for body in bodies]
            return list(await asyncio.gather(*asked))

    return asyncio.run(post())


def ask(body: bytes, *, max_images: int = 128, **headers: str) -> httpx.Response:
    return ask_all(body, max_images=max_images, **headers)[0]


def test_pod_answers_rows_in_the_order_of_the_images() -> None:
    answer = ask(wire.pack_images(IMAGES))

    rows = wire.unpack_rows(answer.content, ROW, 3)
    assert answer.headers["content-type"] == wire.MEDIA_TYPE
    assert np.array_equal(rows, classify(IMAGES))


@pytest.mark.parametrize(
    "given", ["", "Bearer ", "Bearer a token that is long enough!", f"Basic {TOKEN}", TOKEN]
)
def test_request_without_the_token_is_unauthorised(given: str) -> None:
    answer = ask(b"no tensor", Authorization=given)

    check_problem(answer, 401, "unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


@pytest.mark.parametrize(("given", "status"), [(TOKEN, 200), (OLD, 200), (OLD[::-1], 401)])
def test_pod_accepts_the_previous_token_while_it_is_replaced(given: str, status: int) -> None:
    app = pod_app(pod_token_previous=OLD)

    answer = post_to(app, wire.pack_images(IMAGES), Authorization=f"Bearer {given}")

    assert answer.status_code == status


def test_request_with_another_model_digest_is_rejected() -> None:
    answer = ask(wire.pack_images(IMAGES), **{wire.DIGEST_HEADER: "sha256:other"})

    check_problem(answer, 409, "another-model")


@pytest.mark.parametrize(
    "body",
    [b"", pickle.dumps(IMAGES), wire.pack_images(IMAGES[:0]), wire.pack_images(IMAGES)[:-1]],
    ids=["empty", "pickle", "no image", "cut"],
)
def test_body_that_is_not_a_tensor_is_rejected(body: bytes) -> None:
    check_problem(ask(body), 400, "malformed-tensor")


def test_pod_refuses_images_above_its_in_flight_limit() -> None:
    first, second = ask_all(*2 * [wire.pack_images(IMAGES)], max_images=4)

    assert first.status_code == 200
    problem = check_problem(second, 503, "overloaded")
    assert problem.detail == "3 images are in flight; the limit is 4"
    assert second.headers["retry-after"] == "1"


def test_pod_rejects_a_body_larger_than_its_capacity() -> None:
    check_problem(ask(b"x" * 200_000, max_images=2), 413, "body-too-large")


def test_pod_without_a_token_does_not_start(tmp_path: Path) -> None:
    pod = start(tmp_path, free_port(), command=POD, CHESTXRAY_POD_TOKEN="")

    assert pod.process.wait(60) == 2
    assert "set CHESTXRAY_POD_TOKEN" in pod.log.read_text()


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def gateway(
    port: int, tmp_path_factory: pytest.TempPathFactory, passing_filter: Path
) -> Iterator[Server]:
    environment = NO_SHEDDING | {
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
        "CHESTXRAY_CLASSIFIER_PODS": f"localhost:{port}",
        "CHESTXRAY_POD_TIMEOUT_SECONDS": "2",
        "CHESTXRAY_POD_TOKEN": TOKEN,
    }
    with serve(tmp_path_factory.mktemp("gateway"), **environment) as running:
        yield running


@contextlib.contextmanager
def pod(folder: Path, port: int, token: str = TOKEN) -> Iterator[Server]:
    with serve(folder, command=POD, port=port, CHESTXRAY_POD_TOKEN=token) as running:
        yield running


def pods_of(gateway: Server) -> float:
    return gateway.metrics()["chestxray_classifier_pods"]


def wait_for_pods(gateway: Server, count: int) -> None:
    stop = time.monotonic() + NOTICED_SECONDS
    while pods_of(gateway) != count:
        assert time.monotonic() < stop, gateway.log.read_text()[-2000:]
        time.sleep(0.1)


def images_by(gateway: Server, backend: str) -> float:
    wanted = {"model": "covid_classifier", "backend": backend}
    return gateway.total("chestxray_model_images_total", **wanted)


PICTURE = encode(phantom(300, 300), "PNG")


def analyse(gateway: Server) -> httpx.Response:
    files = {"image": ("x.png", PICTURE, "image/png")}
    return httpx.post(f"{gateway.url}/v1/analyses", files=files, timeout=60)


class Load:
    """Posts continuously from two threads and records every status."""

    def __init__(self, gateway: Server) -> None:
        self._gateway, self._stop = gateway, threading.Event()
        self._threads = [threading.Thread(target=self._post) for _ in range(2)]
        self.statuses: list[int] = []

    def _post(self) -> None:
        while not self._stop.is_set():
            self.statuses.append(analyse(self._gateway).status_code)

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_no_request_fails_while_a_pod_starts_and_stops(
    gateway: Server, port: int, tmp_path: Path
) -> None:
    alone = analyse(gateway).json()["prediction"]
    assert images_by(gateway, "pods") == 0

    with Load(gateway) as load:
        with pod(tmp_path, port):
            wait_for_pods(gateway, 1)
            local, before = images_by(gateway, "local"), images_by(gateway, "pods")
            assert analyse(gateway).json()["prediction"] == alone
            time.sleep(1)
            assert images_by(gateway, "pods") > before
            assert images_by(gateway, "local") <= local + 16  # what was on its way
        wait_for_pods(gateway, 0)
        local = images_by(gateway, "local")
        time.sleep(1)
        assert images_by(gateway, "local") > local

    assert set(load.statuses) == {200}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_no_request_fails_when_a_pod_is_killed_or_hangs_under_load(
    gateway: Server, port: int, tmp_path: Path, number: signal.Signals
) -> None:
    with Load(gateway) as load, pod(tmp_path, port) as running:
        wait_for_pods(gateway, 1)
        processes = running.processes()
        for process in processes:
            process.send_signal(number)
        wait_for_pods(gateway, 0)
        time.sleep(1)
        for process in processes:
            with contextlib.suppress(Exception):
                process.send_signal(signal.SIGCONT)
        if number == signal.SIGSTOP:
            wait_for_pods(gateway, 1)

    assert set(load.statuses) == {200}


def test_pod_with_another_token_is_not_used(gateway: Server, port: int, tmp_path: Path) -> None:
    with pod(tmp_path, port, token=TOKEN[::-1]):
        stop = time.monotonic() + NOTICED_SECONDS
        while "it answered 401" not in gateway.log.read_text():
            assert time.monotonic() < stop
            time.sleep(0.1)
        assert pods_of(gateway) == 0
        assert analyse(gateway).status_code == 200

    assert TOKEN not in gateway.log.read_text()
