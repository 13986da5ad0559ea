"""Images of jobs arrive in forms and zip files, however damaged or large."""

import io
import zipfile
from collections.abc import Callable

import httpx
import pytest

from tests.service.fakes import BRIGHT, DARK, check_problem, form
from tests.service.job_steps import JOBS, ZIP, finished, labels, left, submit, working, zip_of
from tests.service.keeping import Gateway

Run = Callable[..., None]


def test_zip_is_read_in_its_order_without_what_is_no_image(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.mkdir("films")
            bundle.writestr("films/2.png", BRIGHT)
            bundle.writestr("__MACOSX/films/._2.png", b"x")
            bundle.writestr("films/.DS_Store", b"x")
            bundle.writestr("films/DICOMDIR", b"x")
            bundle.writestr("films/1.png", DARK)
        async with working(gateway):
            answer = await client.post(JOBS, content=file.getvalue(), headers=ZIP)
            items = await finished(client, answer.headers["location"])

        assert labels(items) == ["not-a-frontal-chest-xray", "covid19"]

    run_keeping(test)


def test_upload_that_breaks_off_leaves_nothing_and_frees_its_id(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        whole = httpx.Request("POST", "http://test", **form(DARK, DARK)).read()
        kind = httpx.Request("POST", "http://test", **form(DARK, DARK)).headers["content-type"]
        boundary = whole[2 : whole.index(b"\r\n")].decode()
        kind = f"multipart/form-data; boundary={boundary}"
        broken = whole[: len(whole) // 2 + 100]

        answer = await client.post(f"{JOBS}?id=1", content=broken, headers={"Content-Type": kind})
        check_problem(answer, 400, "malformed-form")
        assert (await client.get(JOBS)).json()["jobs"] == []
        await gateway.jobs.worker.sweep()
        assert await left(gateway) == (0, 0, 0)
        assert (await client.post(f"{JOBS}?id=1", **form(DARK))).status_code == 202

    run_keeping(test)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"PK\x03\x04 and no end", 400, "malformed-zip"),
        (zip_of(DARK)[:-30], 400, "malformed-zip"),
        (zip_of(*[DARK] * 4), 400, "too-many-images"),
        (zip_of(b"\0" * 90_000, b"\0" * 90_000), 413, "body-too-large"),
        (zip_of(), 400, "missing-image"),
        (b"", 400, "malformed-zip"),
    ],
)
def test_zip_that_is_none_or_too_much_is_refused_and_leaves_nothing(
    run_keeping: Run, body: bytes, status: int, code: str
) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()

        check_problem(await client.post(JOBS, content=body, headers=ZIP), status, code)
        await gateway.jobs.worker.sweep()
        assert await left(gateway) == (0, 0, 0)

    run_keeping(test, max_job_images=3, max_job_bytes=100_000)


def test_bomb_in_a_zip_is_one_item_s_problem(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        bomb = zip_of(DARK, b"\0" * 5_000_000, DARK)
        async with working(gateway):
            answer = await client.post(JOBS, content=bomb, headers=ZIP)
            items = await finished(client, answer.headers["location"])

        assert labels(items) == ["covid19", "image-too-large", "covid19"]

    run_keeping(test, max_image_bytes=1_000_000)


def test_image_of_a_form_that_is_too_large_is_one_item_s_problem(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        async with working(gateway):
            items = await finished(client, await submit(client, DARK, b"\0" * 1_200_000, DARK))

        assert labels(items) == ["covid19", "image-too-large", "covid19"]

    run_keeping(test, max_image_bytes=1_000_000)
