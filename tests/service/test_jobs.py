"""Jobs: many images that are stored, analysed once each, and deleted."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select, update

from bentos.callers.caller import Scope
from bentos.database.tables import ItemState, JobState, job_items, jobs
from bentos.jobs import queue as job_queue
from chestxray.errors import ModelUnavailable
from tests.service.fakes import BRIGHT, DARK, check_problem, form
from tests.service.job_steps import JOBS, ZIP, finished, labels, left, submit, working, zip_of
from tests.service.keeping import Gateway

Run = Callable[..., None]


def test_items_have_a_result_or_a_problem_each_in_order(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        images = (DARK, BRIGHT, b"no image", b"", DARK)
        async with working(gateway):
            job = await submit(client, *images)
            items = await finished(client, job)

        assert [each["position"] for each in items] == list(range(5))
        assert labels(items) == [
            "covid19",
            "not-a-frontal-chest-xray",
            "unsupported-format",
            "empty-image",
            "covid19",
        ]
        assert items[0]["digest"] == hashlib.sha256(DARK).hexdigest()
        status = (await client.get(job)).json()
        assert (status["state"], status["total"], status["done"]) == ("finished", 5, 5)
        assert await left(gateway) == (1, 5, 0)  # images are deleted as soon as they have a result

    run_keeping(test)


def test_job_with_the_caller_s_own_id_is_made_once(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        mine, other = await gateway.holder(), await gateway.holder()
        made = [await mine.post(f"{JOBS}?id=night", **form(DARK)) for _ in range(3)]
        others = await other.post(f"{JOBS}?id=night", **form(DARK, DARK))

        assert len({each.text for each in made}) == 1
        assert {each.headers["location"] for each in made} == {"/v1/jobs/night"}
        assert others.json()["total"] == 2
        assert (await left(gateway))[0] == 2
        assert await mine.delete("/v1/jobs/night")
        assert (await mine.post(f"{JOBS}?id=night", **form(DARK, DARK))).json()["total"] == 2

    run_keeping(test)


def test_two_gateways_analyse_each_item_once(run_keeping: Run) -> None:
    async def test(one: Gateway, two: Gateway) -> None:
        client = await one.holder()
        job = await submit(client, *[DARK] * 20)
        async with working(one, two):
            items = await finished(client, job)

        assert labels(items) == ["covid19"] * 20
        calls = [len([c for c in each.models.calls if c[0] == "classify"]) for each in (one, two)]
        assert sum(calls) == 20
        assert all(calls)

    run_keeping(test, count=2)


def test_item_of_a_worker_that_died_is_analysed_by_another(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        job = await submit(client, DARK)
        now = datetime.now(UTC)
        dead = await gateway.jobs.queue.claim(now=now - 2 * job_queue.LEASE)
        assert dead

        async with working(gateway):
            items = await finished(client, job)

        assert labels(items) == ["covid19"]
        assert not await gateway.jobs.queue.finish(dead, {"late": True})
        assert (await client.get(job)).json()["done"] == 1

    run_keeping(test)


def test_item_that_kills_its_workers_is_given_up(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        job = await submit(client, DARK)
        for turn in range(job_queue.MAX_ATTEMPTS):
            long_ago = datetime.now(UTC) - (10 - turn) * job_queue.LEASE
            assert await gateway.jobs.queue.claim(now=long_ago)

        async with working(gateway):
            items = await finished(client, job)

        assert labels(items) == ["analysis-failed"]
        assert gateway.models.calls == []

    run_keeping(test)


def test_model_that_is_gone_delays_a_job_and_harms_no_item(
    run_keeping: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bentos.jobs.worker._IDLE_SECONDS", 0.05)

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        gateway.models.failure = ModelUnavailable("no model")
        async with working(gateway):
            job = await submit(client, DARK, DARK)
            await asyncio.sleep(1)
            assert (await client.get(job)).json()["done"] == 0
            gateway.models.failure = None
            items = await finished(client, job)

        assert labels(items) == ["covid19"] * 2

    run_keeping(test)


def test_bug_in_the_analysis_of_one_item_does_not_end_the_worker(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        gateway.models.failure = RuntimeError("a bug")
        async with working(gateway):
            assert labels(await finished(client, await submit(client, DARK))) == ["analysis-failed"]
            gateway.models.failure = None
            assert labels(await finished(client, await submit(client, DARK))) == ["covid19"]

    run_keeping(test)


def test_cancelled_job_keeps_its_results_and_gets_no_more(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        job = await submit(client, DARK, DARK)
        claim = await gateway.jobs.queue.claim(now=datetime.now(UTC))
        assert claim
        assert (await client.post(f"{job}/cancel")).json()["state"] == "cancelled"

        assert await gateway.jobs.queue.finish(claim, {"code": "x", **PROBLEM})
        async with working(gateway):
            await asyncio.sleep(0.5)
            page = (await client.get(f"{job}/results")).json()
        assert [each["state"] for each in page["items"]] == ["done", "cancelled"]
        assert [name async for some in gateway.history.job_images.names() for name in some] == [
            f"{claim.job}/{claim.position}"
        ]
        assert gateway.models.calls == []

    run_keeping(test)


PROBLEM = {"type": "x", "title": "x", "status": 422, "detail": "x", "request_id": ""}


def test_deleted_and_expired_jobs_leave_nothing(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        deleted, expired, kept = [await submit(client, DARK, DARK) for _ in range(3)]
        assert (await client.delete(deleted)).status_code == 204
        past = datetime.now(UTC) - timedelta(seconds=1)
        identifier = expired.rpartition("/")[2]
        async with gateway.history.database.writing() as connection:
            changed = update(jobs).where(jobs.c.id == identifier).values(expires_at=past)
            await connection.execute(changed)

        for gone in (deleted, expired):
            for path in (gone, f"{gone}/results"):
                check_problem(await client.get(path), 404, "no-such-job")
            check_problem(await client.delete(gone), 404, "no-such-job")
        await gateway.jobs.worker.sweep()
        assert await left(gateway) == (1, 2, 2)
        assert [each["id"] for each in (await client.get(JOBS)).json()["jobs"]] == [
            kept.rpartition("/")[2]
        ]

    run_keeping(test)


def test_abandoned_upload_of_a_dead_process_is_replaced(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        (key,) = await gateway.history.keys.list()
        await gateway.jobs.intake.begin(
            key.caller.owner, "1", heatmap="none", lasts=timedelta(hours=1)
        )
        refused = await client.post(f"{JOBS}?id=1", **form(DARK))
        check_problem(refused, 409, "request-in-progress")

        long_ago = datetime.now(UTC) - 2 * job_queue.ABANDONED
        async with gateway.history.database.writing() as connection:
            await connection.execute(update(jobs).values(claimed_at=long_ago))
        assert (await client.post(f"{JOBS}?id=1", **form(DARK))).status_code == 202

    run_keeping(test)


def test_job_of_another_cannot_be_told_from_none(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        owner, stranger = await gateway.holder(), await gateway.holder(*Scope)
        job = await submit(owner, DARK)

        for method, path in (
            ("GET", job),
            ("GET", f"{job}/results"),
            ("POST", f"{job}/cancel"),
            ("DELETE", job),
        ):
            check_problem(await stranger.request(method, path), 404, "no-such-job")
        assert (await stranger.get(JOBS)).json()["jobs"] == []
        assert (await owner.get(job)).json()["state"] == "queued"

    run_keeping(test)


def test_stored_jobs_have_no_file_names_and_their_images_are_encrypted(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        await client.post(JOBS, content=zip_of(DARK), headers=ZIP)

        async with gateway.history.database.reading() as connection:
            rows = [
                str((await connection.execute(select(table))).mappings().all())
                for table in (jobs, job_items)
            ]
        assert "Maria" not in "".join(rows)
        (names,) = [some async for some in gateway.history.job_images.names()]
        assert "Maria" not in names[0]
        gateway.history.job_images.keyring = type(gateway.history.job_images.keyring)({})
        with pytest.raises(Exception, match="not among"):
            await gateway.history.job_images.get(names[0], encrypted=True)

    run_keeping(test, encryption_keys=f"one:{'A' * 43}=")


def test_jobs_wait_while_interactive_images_are_in_flight(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        gateway.models.gate = asyncio.Event()
        interactive = asyncio.create_task(client.post("/v1/analyses", **form(DARK)))
        async with asyncio.timeout(30):
            while not gateway.models.calls:
                await asyncio.sleep(0.01)
        async with working(gateway):
            job = await submit(client, DARK)
            await asyncio.sleep(1)
            items = (await client.get(f"{job}/results")).json()["items"]
            assert items[0]["state"] == ItemState.QUEUED
            gateway.models.gate.set()
            assert (await interactive).status_code == 200
            assert labels(await finished(client, job)) == ["covid19"]
        assert (await client.get(job)).json()["state"] == JobState.FINISHED

    run_keeping(test)


def test_one_worker_goes_on_for_a_while_after_an_interactive_image(run_keeping: Run) -> None:
    """So that the next one finds a core free."""

    async def running(client: httpx.AsyncClient, job: str) -> int:
        items = (await client.get(f"{job}/results")).json()["items"]
        return sum(each["state"] == ItemState.RUNNING for each in items)

    async def test(gateway: Gateway) -> None:
        client = await gateway.holder()
        job = await submit(client, *[DARK] * 4)
        gateway.models.gate = asyncio.Event()
        gateway.jobs.worker._interactive_at = time.monotonic()
        async with working(gateway):
            await asyncio.sleep(1)
            assert await running(client, job) == 1
            await asyncio.sleep(2)
            assert await running(client, job) == 2
            gateway.models.gate.set()
            assert labels(await finished(client, job)) == ["covid19"] * 4

    run_keeping(test)
