"""A repeated request with the same Idempotency-Key keeps once."""

import asyncio
import io
from collections.abc import Callable

import pydicom

from tests.phantoms import encode, phantom
from tests.results_in_study import IN_A_STUDY, film
from tests.service.fakes import DARK, check_problem, form
from tests.service.keeping import KEEP, Gateway, keep, left

Run = Callable[..., None]
PNG = b"\x89PNG"


def test_retry_with_the_same_idempotency_key_keeps_once(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        headers = {"Idempotency-Key": "first"}

        answers = [await keep(client, headers=headers) for _ in range(3)]

        assert len({answer.text for answer in answers}) == 1
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert await left(gateway) == (1, 2)
        judged = [name for name, _ in gateway.models.calls if name == "judge"]
        assert len(judged) == 1
        png = await client.post(KEEP, **form(DARK), headers=headers | {"Accept": "image/png"})
        assert (png.status_code, png.content[:4]) == (201, PNG)
        other = encode(phantom(300, 310), "PNG")
        check_problem(
            await client.post(KEEP, **form(other), headers=headers), 422, "idempotency-conflict"
        )
        await client.delete(answers[0].headers["location"])
        assert (await keep(client, headers=headers)).json()["id"] != answers[0].json()["id"]

    run_keeping(test)


def test_retries_at_the_same_time_keep_once(run_keeping: Run) -> None:
    async def test(one: Gateway, two: Gateway) -> None:
        first = await one.holder()
        second = two.visitor()
        second.headers["Authorization"] = first.headers["Authorization"]
        headers = {"Idempotency-Key": "same"}

        async with asyncio.TaskGroup() as tasks:
            posted = [
                tasks.create_task(client.post(KEEP, **form(DARK), headers=headers))
                for client in (first, second) * 4
            ]

        statuses = [each.result().status_code for each in posted]
        assert set(statuses) <= {201, 409}
        assert len({e.result().json()["id"] for e in posted if e.result().status_code == 201}) == 1
        for each in posted:
            if each.result().status_code == 409:
                check_problem(each.result(), 409, "request-in-progress")
                assert each.result().headers["retry-after"]
        assert await left(one) == (1, 2)

    run_keeping(test, count=2)


def test_idempotency_keys_of_two_callers_are_apart(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        clients = [await gateway.holder() for _ in range(2)]

        made = [await keep(each, headers={"Idempotency-Key": "1"}) for each in clients]

        assert len({each.json()["id"] for each in made}) == 2

    run_keeping(test)


def test_objects_of_a_kept_analysis_are_written_when_its_image_is_sent_again(
    run_keeping: Run,
) -> None:
    """No DICOM header is kept, so that only the image can say which study they belong to."""
    dark = film()

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        headers = {"Idempotency-Key": "film"}
        kept = await keep(client, dark, headers=headers)
        report = await client.post(
            KEEP, **form(dark), headers=headers | {"Accept": "application/dicom"}
        )

        assert (report.status_code, report.headers["content-type"]) == (201, "application/dicom")
        assert report.headers["location"] == kept.headers["location"]
        written = pydicom.dcmread(io.BytesIO(report.content))
        assert written.StudyInstanceUID == IN_A_STUDY["StudyInstanceUID"]
        assert await left(gateway) == (1, 2)
        check_problem(
            await client.get(kept.headers["location"], headers={"Accept": "application/dicom"}),
            406,
            "not-acceptable",
        )

    run_keeping(test)
