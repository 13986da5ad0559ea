"""`chestxray.client` against a running service, also one that is at capacity."""

import asyncio
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydicom
import pytest
from PIL import Image

from bentos.settings import SHIPPED_EXAMPLES
from chestxray.client import (
    Analysis,
    AsyncClient,
    Client,
    ConnectionFailed,
    DeadlineExceeded,
    Problem,
    ProblemError,
    Retries,
)
from chestxray.labels import FINDINGS
from tests import results_in_study
from tests.phantoms import encode, phantom
from tests.service.server import Server, serve
from tests.waiting import until

CHEST, HAND = SHIPPED_EXAMPLES / "clear.jpg", SHIPPED_EXAMPLES / "hand.jpg"
ALL = 4
"""Images that the busy server admits."""
ONCE = Retries(tries=1)
PATIENT = Retries(tries=20)


def call_sync(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    with Client(url, **options) as client:
        return getattr(client, method)(*arguments)


def call_async(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    async def main() -> Any:
        async with AsyncClient(url, **options) as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(main())


Call = Callable[..., Any]
both = pytest.mark.parametrize("call", [call_sync, call_async])


@both
def test_image_is_analysed(server: Server, call: Call) -> None:
    found = call(server.url, "analyze", CHEST)

    assert isinstance(found, Analysis)
    assert found.filter.valid
    assert set(found.prediction.probabilities) == set(FINDINGS)
    assert found.heatmap is not None
    assert [len(row) for row in found.heatmap.grid] == [14] * 14
    assert (found.input.format, found.input.mislabelled) == ("JPEG", False)


@both
def test_rejected_image_raises_its_problem(server: Server, call: Call) -> None:
    with pytest.raises(ProblemError) as raised:
        call(server.url, "analyze", HAND)

    assert (raised.value.status, raised.value.code) == (422, "not-a-frontal-chest-xray")
    assert raised.value.problem.filter is not None
    assert raised.value.request_id


@both
def test_batch_has_an_analysis_or_a_problem_of_each_image(server: Server, call: Call) -> None:
    first, second, third = call(server.url, "analyze_batch", [CHEST, HAND, b"text"])

    assert isinstance(first, Analysis)
    assert isinstance(second, Problem)
    assert isinstance(third, Problem)
    assert [second.code, third.code] == ["not-a-frontal-chest-xray", "unsupported-format"]


@both
def test_heatmap_is_a_picture(server: Server, call: Call) -> None:
    with Image.open(io.BytesIO(call(server.url, "heatmap", CHEST))) as drawn:
        assert (drawn.format, drawn.mode) == ("PNG", "RGB")


@both
def test_objects_of_a_radiograph_are_dicom_files(open_server: Server, call: Call) -> None:
    film = results_in_study.film()

    objects = [
        pydicom.dcmread(io.BytesIO(each)) for each in call(open_server.url, "dicom_objects", film)
    ]
    report = pydicom.dcmread(io.BytesIO(call(open_server.url, "report", film)))

    assert [each.Modality for each in objects] == ["SR", "OT", "PR"]
    assert {each.StudyInstanceUID for each in [*objects, report]} == {
        results_in_study.IN_A_STUDY["StudyInstanceUID"]
    }


@both
def test_picture_has_no_objects(server: Server, call: Call) -> None:
    with pytest.raises(ProblemError) as raised:
        call(server.url, "dicom_objects", CHEST)

    assert (raised.value.status, raised.value.code) == (406, "not-acceptable")


def test_one_async_client_has_many_calls_at_once(server: Server) -> None:
    async def main() -> list[Analysis]:
        async with AsyncClient(server.url) as client:
            return await asyncio.gather(*(client.analyze(CHEST) for _ in range(8)))

    assert len({found.id for found in asyncio.run(main())}) == 8


@pytest.fixture(scope="module")
def busy_server(passing_filter: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that admits four images at a time, which it needs to warm up."""
    environment = {
        "CHESTXRAY_MAX_IMAGES_IN_FLIGHT": str(ALL),
        "CHESTXRAY_MAX_IMAGES_PER_BATCH": str(ALL),
        "CHESTXRAY_MAX_QUEUE_SECONDS": "60",
        "CHESTXRAY_HEARTBEAT_TIMEOUT_SECONDS": "60",  # a model is stopped for seconds
        "CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter),
    }
    with serve(tmp_path_factory.mktemp("busy"), **environment) as running:
        yield running


def in_flight(server: Server) -> float:
    return server.total("chestxray_in_flight", stage="admitted")


def shed(server: Server) -> float:
    return server.total("chestxray_shed_total", reason="images")


@both
def test_service_at_capacity_is_asked_again_until_it_answers(
    busy_server: Server, call: Call
) -> None:
    film = encode(phantom(400, 480), "PNG")
    model = busy_server.worker("XRayFilter")
    with ThreadPoolExecutor(2) as threads:
        model.suspend()
        try:
            first = threads.submit(call, busy_server.url, "analyze_batch", [film] * ALL)
            until(lambda: in_flight(busy_server) == ALL)
            with pytest.raises(ProblemError) as raised:
                call(busy_server.url, "analyze", film, retries=ONCE)
            before = shed(busy_server)
            second = threads.submit(call, busy_server.url, "analyze", film, retries=PATIENT)
            until(lambda: shed(busy_server) > before)
        finally:
            model.resume()

        assert [type(each) for each in first.result(60)] == [Analysis] * ALL
        assert isinstance(second.result(60), Analysis)

    assert (raised.value.status, raised.value.code) == (503, "overloaded")
    assert raised.value.retry_after is not None
    assert raised.value.retry_after >= 1


@both
def test_deadline_of_the_call_ends_it_in_the_service(busy_server: Server, call: Call) -> None:
    model = busy_server.worker("XRayFilter")
    film = encode(phantom(400, 480), "PNG")
    model.suspend()
    try:
        with pytest.raises(DeadlineExceeded):
            call(busy_server.url, "analyze", film, timeout=1)
        until(lambda: in_flight(busy_server) == 0)
    finally:
        model.resume()

    assert call(busy_server.url, "analyze", film, retries=PATIENT).prediction


@both
def test_service_that_is_gone_is_a_failed_connection(call: Call) -> None:
    with pytest.raises(ConnectionFailed):
        call("http://127.0.0.1:1", "analyze", CHEST, retries=ONCE)
