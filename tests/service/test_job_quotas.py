"""A caller sends as many images in jobs in a day as its quota allows, apart from all others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service import redis_server
from tests.service.fakes import DARK, check_problem, form
from tests.service.job_steps import JOBS, ZIP, left, zip_of
from tests.service.keeping import Gateway
from tests.windows import Clock

Run = Callable[..., None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def submit(client: httpx.AsyncClient, count: int, **more: Any) -> httpx.Response:
    return await client.post(JOBS, **form(*count * [DARK]), **more)


def remaining(answer: httpx.Response) -> int:
    found = re.match(r'"job-images";r=(\d+)', answer.headers["ratelimit"])
    assert found, answer.headers
    return int(found[1])


def check_refused(answer: httpx.Response) -> None:
    problem = check_problem(answer, 429, "quota-exceeded")
    assert (problem.model_extra or {})["violated-policies"] == ["job-images"]
    assert 1 <= int(answer.headers["retry-after"]) <= 2 * 24 * 60 * 60


def test_images_of_jobs_are_counted_and_those_of_a_refused_job_deleted(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        busy, other = await gateway.holder(), await gateway.holder()
        first = await submit(busy, 2)
        assert (first.status_code, remaining(first)) == (202, 2)
        assert first.headers["ratelimit-policy"] == '"job-images";q=4;w=86400'

        refused = [
            await submit(busy, 3),
            await busy.post(JOBS, content=zip_of(*3 * [DARK]), headers=ZIP),
        ]
        for answer in refused:
            check_refused(answer)
            assert remaining(answer) == 2  # it costs nothing
        await gateway.jobs.worker.sweep()
        assert await left(gateway) == (1, 2, 2)
        assert len((await busy.get(JOBS)).json()["jobs"]) == 1
        assert remaining(await submit(busy, 2)) == 0
        check_refused(await submit(busy, 1))
        assert remaining(await submit(other, 1)) == 3

    run_keeping(test, key_job_images_per_day=4)


def test_jobs_and_interactive_requests_do_not_use_up_each_other_s_quota(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder(requests_per_minute=1)
        assert (await submit(holder, 2)).status_code == 202
        check_refused(await submit(holder, 1))

        answer = await holder.post("/v1/analyses", **form(DARK))
        assert answer.headers["ratelimit"].startswith('"images";r=0')
        assert answer.status_code == 200

    run_keeping(test, key_job_images_per_day=2)


def test_job_that_no_day_allows_is_refused_for_good(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder()
        answer = await submit(holder, 3)

        assert check_problem(answer, 400, "too-many-images").limit == 2
        assert remaining(await submit(holder, 2)) == 0

    run_keeping(test, key_job_images_per_day=2)


def test_visitors_jobs_are_counted_by_address_and_a_repetition_is_free(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        visitor, elsewhere = gateway.visitor(), {"x-forwarded-for": "2001:db8:1::1"}
        here = {"x-forwarded-for": "2001:db8::1"}
        for _ in range(2):
            again = await submit(visitor, 2, headers=here, params={"id": "mine"})
            assert again.status_code == 202
        check_refused(await submit(gateway.visitor(), 1, headers=here))
        assert (await submit(gateway.visitor(), 1, headers=elsewhere)).status_code == 202
        holder = await gateway.holder()
        answer = await submit(holder, 3, headers=here)
        assert (answer.status_code, "ratelimit" in answer.headers) == (202, False)

    run_keeping(test, visitor_job_images_per_day=2, trusted_proxies=("127.0.0.1/32",))


def test_quota_comes_back_with_the_days(run_keeping: Run, clock: Clock) -> None:
    async def test(gateway: Gateway) -> None:
        holder = await gateway.holder()
        assert (await submit(holder, 2)).status_code == 202
        refused = await submit(holder, 1)
        check_refused(refused)

        clock.now += int(refused.headers["retry-after"])
        assert (await submit(holder, 1)).status_code == 202

    run_keeping(test, key_job_images_per_day=2)


@redis_server.needed()
def test_gateways_share_the_quota_in_redis(run_keeping: Run, tmp_path: Path) -> None:
    async def test(first: Gateway, second: Gateway) -> None:
        holder = await first.holder()
        same = second.visitor()
        same.headers["Authorization"] = holder.headers["Authorization"]

        assert remaining(await submit(holder, 2)) == 1
        assert remaining(await submit(same, 1)) == 0
        check_refused(await submit(holder, 1))

    with redis_server.redis_server(tmp_path) as shared:
        run_keeping(test, count=2, quota_store=shared.url, key_job_images_per_day=3)
