"""Who may store DICOM objects, and how many; a queue that takes nothing is told from success."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from chestxray import related
from tests.service.fakes import check_problem
from tests.service.storing import BODY, DICOM, FULL, KIND, STUDIES, failures, film

Run = Callable[..., None]
LOCAL = ("*@127.0.0.1",)


def test_service_without_a_queue_stores_nothing(run: Run) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(STUDIES, content=BODY, headers={"Content-Type": KIND})

        check_problem(answer, 404, "storage-disabled")
        assert STUDIES not in (await client.get("/openapi.json")).json()["paths"]

    run(test, dicom_peers=LOCAL)


@pytest.mark.parametrize("peers", [(), ("PACS@192.0.2.1", "*@2001:db8::/32")])
def test_nobody_but_peers_may_store(run: Run, tmp_path: Path, peers: tuple[str, ...]) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(STUDIES, content=BODY, headers={"Content-Type": KIND})

        check_problem(answer, 403, "sender-not-allowed")

    run(test, dicom_queue=str(tmp_path), dicom_peers=peers)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "status"),
    [
        (["127.0.0.0/8"], "192.0.2.7", 200),
        (["127.0.0.0/8"], "192.0.2.7, 198.51.100.1", 403),
        (["127.0.0.0/8"], "2001:db8::7", 200),
        (["127.0.0.0/8"], "2001:db8::8", 403),
        ([], "192.0.2.7", 403),
    ],
)
def test_sender_behind_a_trusted_proxy_is_known_by_its_own_address(
    run: Run, tmp_path: Path, proxies: list[str], forwarded: str, status: int
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        headers = {"Content-Type": KIND, "X-Forwarded-For": forwarded}
        answer = await client.post(STUDIES, content=BODY, headers=headers)

        assert answer.status_code == status

    peers = ("*@192.0.2.0/24", "*@2001:db8::7")
    run(test, dicom_queue=str(tmp_path), dicom_peers=peers, trusted_proxies=proxies)


def test_full_queue_is_answered_503_with_retry_after(run: Run, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(STUDIES, content=BODY, headers={"Content-Type": KIND})

        check_problem(answer, 503, "storage-unavailable")
        assert int(answer.headers["retry-after"]) > 0

    run(test, dicom_queue=str(tmp_path), dicom_peers=LOCAL, dicom_max_queue_bytes=1000)


def test_queue_that_is_full_after_one_object_refuses_the_other(run: Run, tmp_path: Path) -> None:
    first, second = film(), film()

    async def test(client: httpx.AsyncClient) -> None:
        body = related.body_of([first, second], "XbX", of_type=DICOM)
        answer = await client.post(STUDIES, content=body, headers={"Content-Type": KIND})

        assert failures(answer, 202) == [FULL]

    most = len(first) + len(second) - 1
    run(test, dicom_queue=str(tmp_path), dicom_peers=LOCAL, dicom_max_queue_bytes=most)


def test_queue_that_cannot_be_written_is_answered_503(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        (tmp_path / "incoming").rmdir()
        answer = await client.post(STUDIES, content=BODY, headers={"Content-Type": KIND})

        check_problem(answer, 503, "storage-unavailable")

    run(test, dicom_queue=str(tmp_path), dicom_peers=LOCAL)
    assert "an object could not be stored" in caplog.text
    assert "SILVA" not in caplog.text


def test_large_body_is_answered_413(run: Run, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.post(STUDIES, content=BODY, headers={"Content-Type": KIND})

        check_problem(answer, 413, "body-too-large")

    bounds = {"max_image_bytes": 1000, "max_batch_bytes": 2000}
    run(test, dicom_queue=str(tmp_path), dicom_peers=LOCAL, **bounds)


def test_bytes_in_flight_are_bounded(run: Run, tmp_path: Path) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, size, size // 10):
                yield BODY[start : start + size // 10]

        answer = await client.post(STUDIES, content=chunks(), headers={"Content-Type": KIND})

        check_problem(answer, 503, "overloaded")

    size = len(BODY)
    bounds = {"max_image_bytes": size, "max_batch_bytes": size, "max_bytes_in_flight": size}
    run(test, dicom_queue=str(tmp_path), dicom_peers=LOCAL, **bounds)
