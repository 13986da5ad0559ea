"""The model pool chooses a server, retries, and handles failing servers."""

import asyncio

import numpy as np
import pytest

from bentos.admission.ledger import Ledger, serving
from bentos.covid_classifier.service import ROW
from bentos.inference import pool as pool_module
from bentos.inference.errors import BackendError
from bentos.inference.pool import ModelPool, Pod
from bentos.inference.wire import Rows
from bentos.metric_labels import PodFailureReason
from chestxray.engines import Images
from chestxray.errors import ModelUnavailable

CRASHING_IMAGE = 99


def image(value: int) -> np.ndarray:
    return np.full((1, 1, 224, 224), value, np.uint8)


def rows_of(images: Images) -> Rows:
    rows = np.zeros(len(images), ROW)
    rows["ok"], rows["probabilities"] = True, (1, 0, 0)
    rows["projection"][:, 0] = images[:, 0, 0, 0]
    return rows


class FakeServer:
    """A model server, with the interface of its client."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.asked: list[int] = []
        self.sizes: list[int] = []
        self.alone: list[int] = []
        self.error: BackendError | None = None
        self.failures = 0  # of the next requests, by a lost connection
        self.ready = True
        self._seconds = seconds

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        value = int(images[0, 0, 0, 0])
        (self.alone if alone else self.asked).append(value)
        self.sizes.append(len(images))
        await asyncio.sleep(self._seconds)
        if self.error:
            raise self.error
        if self.failures:
            self.failures -= 1
            raise BackendError("unreachable", "it closed the connection")
        return rows_of(images), 0.02

    async def is_ready(self) -> bool:
        return self.ready


class CrashingServer(FakeServer):
    """A server whose process dies from one image, with all requests in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.crash_count = 0

    async def __call__(self, images: Images, *, alone: bool = False) -> tuple[Rows, float]:
        crash_count, crashes = self.crash_count, (images == CRASHING_IMAGE).any()
        await asyncio.sleep(0.01 if crashes else 0.03)
        self.crash_count += crashes
        if self.crash_count != crash_count:
            raise BackendError("unreachable", "it died")
        return rows_of(images), 0.0


def pool_over(local: FakeServer, *pods: FakeServer) -> ModelPool:
    pool = ModelPool(local, model="covid_classifier")  # type: ignore[arg-type]
    for server in pods:
        pod = Pod(server, lambda error, server=server: drop(pool, server))  # type: ignore
        pod.checked = True
        pool.add(pod)
    return pool


def drop(pool: ModelPool, server: FakeServer) -> None:
    for pod in [each for each in pool._pods if each.client is server]:
        pool.remove(pod)


@pytest.fixture(autouse=True)
def no_checked_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_CHECKED_SHARE", 0.0)


async def ask(pool: ModelPool, *values: int) -> list[float]:
    answers = await asyncio.gather(*(pool(image(value)) for value in values))
    return [float(rows["projection"][0, 0]) for rows in answers]


def test_lost_connection_is_retried_in_its_own_batch() -> None:
    """Trap 2: a connection that is kept alive may close under the next request."""
    local = FakeServer()
    local.failures = 2

    assert asyncio.run(ask(pool_over(local), 7)) == [7]
    assert (local.asked, local.alone) == ([7], [7, 7])


def test_model_that_keeps_losing_connections_is_unavailable() -> None:
    local = FakeServer()
    local.failures = 99

    with pytest.raises(ModelUnavailable):
        asyncio.run(ask(pool_over(local), 7))


@pytest.mark.parametrize("reason", ["timeout", "busy", "refused", "malformed"])
def test_error_that_a_retry_cannot_fix_is_not_retried(reason: PodFailureReason) -> None:
    local = FakeServer()
    local.error = BackendError(reason, "so it is")

    with pytest.raises(ModelUnavailable):
        asyncio.run(ask(pool_over(local), 7))

    assert (local.asked, local.alone) == ([7], [])


def test_image_that_kills_the_model_fails_no_other_image() -> None:
    async def main() -> list[object]:
        pool = pool_over(CrashingServer())
        asked = [pool(image(value)) for value in (*range(12), CRASHING_IMAGE, *range(13, 30))]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    answers = asyncio.run(main())

    assert isinstance(answers.pop(12), ModelUnavailable)
    assert all(isinstance(rows, np.ndarray) for rows in answers)


@pytest.mark.parametrize(
    "wrong", [image(1)[:, :, :-1], image(1).astype(np.float32)], ids=["shape", "type"]
)
def test_request_of_a_wrong_shape_or_type_reaches_no_server(wrong: np.ndarray) -> None:
    local = FakeServer()

    with pytest.raises(ValueError, match="a model takes"):
        asyncio.run(pool_over(local)(wrong))

    assert not local.asked


def test_local_model_is_not_used_while_there_is_a_pod() -> None:
    async def main() -> None:
        pool = pool_over(local, pod)
        await ask(pool, 1, 2, 3)
        drop(pool, pod)
        await ask(pool, 4)

    local, pod = FakeServer(), FakeServer()
    asyncio.run(main())

    assert (local.asked, pod.asked) == ([4], [1, 2, 3])


def test_faster_pod_gets_more_images() -> None:
    async def main() -> None:
        pool = pool_over(FakeServer(), fast, slow)
        await asyncio.gather(*(ask(pool, *[1] * 30) for _ in range(2)))
        for _ in range(10):
            await ask(pool, *[1] * 8)

    fast, slow = FakeServer(0.01), FakeServer(0.1)
    asyncio.run(main())

    assert len(fast.asked) > 2 * len(slow.asked) > 0


def test_busy_pod_is_kept_while_the_local_model_answers() -> None:
    async def main() -> None:
        pool = pool_over(local, pod)
        assert await ask(pool, 1) == [1]
        assert (local.asked, pool.pods) == ([1], 1)
        await ask(pool, 2)
        assert pod.asked == [1]  # it is left alone for a moment
        pod.error = None
        await asyncio.sleep(pool_module._BUSY_SECONDS)
        await ask(pool, 3)
        assert pod.asked == [1, 3]

    local, pod = FakeServer(), FakeServer()
    pod.error = BackendError("busy", "it answered 503")
    asyncio.run(main())


def test_failing_pod_is_removed_and_other_servers_answer() -> None:
    async def main() -> tuple[list[float], int]:
        pool = pool_over(local, bad, good)
        return await ask(pool, 1, 2, 3, 4), pool.pods

    local, bad, good = FakeServer(), FakeServer(), FakeServer()
    bad.error = BackendError("malformed", "no tensors")

    assert asyncio.run(main()) == ([1, 2, 3, 4], 1)
    assert sorted(local.asked + good.asked) == [1, 2, 3, 4]


def test_model_time_is_charged_to_the_client() -> None:
    async def main() -> float:
        ledger = Ledger()
        with serving(ledger.account("someone")):
            await ask(pool_over(FakeServer()), 1, 2)
        return ledger.account("someone").usage

    assert asyncio.run(main()) == pytest.approx(0.04, rel=0.1)


@pytest.mark.parametrize("most", [1, 3, 128])
def test_warm_up_sends_no_more_images_than_a_server_takes(most: int) -> None:
    server = FakeServer()
    asyncio.run(pool_over(server).warm_up(most=most))

    assert 0 < sum(server.sizes) <= most


def test_pool_is_ready_only_after_the_warm_up() -> None:
    async def main() -> list[bool]:
        local.ready = False
        pool = pool_over(local)
        warming = asyncio.create_task(pool.warm_up(most=128))
        await asyncio.sleep(0.1)
        before = await pool.ready()
        local.ready = True
        async with asyncio.timeout(5):
            await warming
        during = await pool.ready()
        local.ready = False
        return [before, during, await pool.ready()]

    local = FakeServer()

    assert asyncio.run(main()) == [False, True, False]


def test_expected_delay_of_a_pod_counts_outstanding_images() -> None:
    pod = Pod(FakeServer(), lambda error: None)  # type: ignore[arg-type]
    pod.seconds_per_image, pod.outstanding = 0.1, 3

    assert pod.expected_delay == pytest.approx(0.4)
