"""A visitor is known before it owns anything, so that a lost response loses nothing."""

from collections.abc import Callable

from tests.service.fakes import DARK, check_problem, form
from tests.service.job_steps import JOBS, left, submit
from tests.service.keeping import Gateway

VISITORS = "/v1/visitors"


def test_visitor_that_was_introduced_owns_the_job_whose_response_it_never_got(
    run_keeping: Callable[..., None],
) -> None:
    async def test(gateway: Gateway) -> None:
        visitor = gateway.visitor()
        answer = await visitor.post(VISITORS)
        assert (answer.status_code, answer.content) == (204, b"")
        cookie = answer.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))

        lost = gateway.visitor()
        lost.cookies = visitor.cookies
        await submit(lost, DARK, params={"id": "mine"})

        again = await visitor.post(f"{JOBS}?id=mine", **form(DARK))
        assert again.status_code == 202
        assert [job["id"] for job in (await visitor.get(JOBS)).json()["jobs"]] == ["mine"]
        assert (await left(gateway))[0] == 1

    run_keeping(test)


def test_known_visitor_stays_the_same_one(run_keeping: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        visitor = gateway.visitor()
        await submit(visitor, DARK)
        before = dict(visitor.cookies)

        await visitor.post(VISITORS)

        assert dict(visitor.cookies) == before

    run_keeping(test)


def test_holder_of_a_key_gets_no_cookie(run_keeping: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await (await gateway.holder()).post(VISITORS)

        assert answer.status_code == 204
        assert "set-cookie" not in answer.headers

    run_keeping(test)


def test_nobody_is_introduced_where_a_key_is_needed(run_keeping: Callable[..., None]) -> None:
    async def test(gateway: Gateway) -> None:
        answer = await gateway.visitor().post(VISITORS)

        check_problem(answer, 401, "key-required")
        assert "set-cookie" not in answer.headers

    run_keeping(test, anonymous=False)
