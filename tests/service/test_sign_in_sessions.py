"""The cookie of a session: what ends it, what it is not good for, and where it is sent."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select

from bentos.callers import sessions
from bentos.database.tables import ended_sessions
from bentos.sign_in import attempt
from tests.service import signing_in
from tests.service.fakes import check_problem
from tests.service.faulty_provider import Provider
from tests.service.keeping import Gateway, ids, keep
from tests.service.signing_in import PUBLIC, caller, person, settings_of

Run = Callable[..., None]
EVERYTHING = {"radiologists": ["analyse", "history"], "it": ["admin"]}


def test_session_that_was_ended_opens_nothing_in_any_gateway(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway, other: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        thief, elsewhere = gateway.visitor(), other.visitor()
        for copy in (thief, elsewhere):
            copy.cookies.set(sessions.COOKIE, browser.cookies[sessions.COOKIE])
            assert (await caller(copy))["kind"] == "person"

        for copy in (browser, thief):  # the second changes nothing
            assert (await copy.post("/sign-out")).status_code == 200

        assert (await caller(thief))["kind"] == "none"
        thief.cookies.set(sessions.COOKIE, elsewhere.cookies[sessions.COOKIE])
        assert (await caller(thief))["kind"] == "none"
        await asyncio.sleep(5.1)  # a gateway remembers a session for some seconds
        assert (await caller(elsewhere))["kind"] == "none"

    run_keeping(test, count=2, **settings_of(provider))


def test_ended_sessions_are_forgotten_once_they_are_over(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        for subject in "abc":
            browser = await person(gateway, provider, subject)
            await browser.post("/sign-out")
        assert gateway.history.sign_in
        gateway.history.sign_in.sessions._now = lambda: datetime.now(UTC) + timedelta(hours=9)
        browser = await person(gateway, provider, "d")
        await browser.post("/sign-out")

        async with gateway.history.database.reading() as connection:
            counted = await connection.execute(select(func.count()).select_from(ended_sessions))
            assert counted.scalar_one() == 1

    run_keeping(test, **settings_of(provider))


def test_session_expires(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        assert gateway.history.sign_in
        gateway.history.sign_in.sessions._now = lambda: datetime.now(UTC) + timedelta(hours=8.1)

        assert (await caller(browser))["kind"] == "none"

    run_keeping(test, **settings_of(provider))


def test_session_that_was_changed_is_none(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        value = (await person(gateway, provider, "a subject")).cookies[sessions.COOKIE]
        for at in (0, len(value) // 2, len(value) - 2):
            changed = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
            forger = gateway.visitor()
            forger.cookies.set(sessions.COOKIE, changed)

            assert (await caller(forger))["kind"] == "none", at

    run_keeping(test, **settings_of(provider))


def test_session_of_another_issuer_or_secret_is_none(run_keeping: Run, provider: Provider) -> None:
    cookies: list[str] = []

    async def make(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        cookies.append(browser.cookies[sessions.COOKIE])

    async def present(gateway: Gateway) -> None:
        browser = gateway.visitor()
        browser.cookies.set(sessions.COOKIE, cookies[0])
        assert (await caller(browser))["kind"] == "none"

    run_keeping(make, **settings_of(provider))
    run_keeping(present, **settings_of(provider, oidc_issuer=f"{provider.issuer}/other"))
    run_keeping(present)


ELSEWHERE: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": PUBLIC, "Sec-Fetch-Site": "cross-site"},
]


def test_page_of_another_origin_changes_nothing(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        made = (await keep(browser, headers={"Origin": PUBLIC})).json()["id"]
        for method, path in (
            ("POST", "/v1/analyses?keep=true"),
            ("DELETE", f"/v1/analyses/{made}"),
            ("DELETE", "/v1/analyses"),
            ("POST", "/sign-out"),
        ):
            for headers in ELSEWHERE:
                answer = await browser.request(method, path, headers=headers)
                check_problem(answer, 403, "cross-site-request")

        assert await ids(browser) == [made]
        assert (await browser.post("/sign-out", headers=signing_in.BROWSER)).status_code == 200

    run_keeping(test, **settings_of(provider))


@pytest.mark.parametrize(
    ("public", "path", "secure"),
    [(PUBLIC, "", False), ("https://portal.example/xray/", "/xray", True)],
)
def test_cookies_are_for_this_service_alone(
    run_keeping: Run, provider: Provider, public: str, path: str, secure: bool
) -> None:
    async def test(gateway: Gateway) -> None:
        browser = gateway.visitor()
        begun = await browser.get("/sign-in", headers={"Host": "evil.example"})
        (back,) = parse_qs(urlsplit(begun.headers["location"]).query)["redirect_uri"]
        leaving = begun.headers["set-cookie"]
        value = leaving.partition("=")[2].partition(";")[0]
        query = urlsplit(provider.authorise(begun.headers["location"])).query
        ended = await browser.get(
            f"/sign-in/callback?{query}",
            headers={"Cookie": f"{attempt.COOKIE}={value}", "Host": "evil.example"},
        )
        session, deleted = ended.headers.get_list("set-cookie")

        assert back == f"{public.rstrip('/')}/sign-in/callback"
        assert ended.headers["location"] == f"{public.rstrip('/')}/"
        assert "HttpOnly" in leaving and "SameSite=lax" in leaving
        assert f"Path={path}/sign-in/callback" in leaving and "Max-Age=600" in leaving
        assert "HttpOnly" in session and "SameSite=strict" in session
        assert f"Path={path}/;" in session and "Max-Age=28800" in session
        assert "Max-Age=0" in deleted
        assert [("Secure" in each) for each in (leaving, session)] == [secure, secure]

    run_keeping(test, **settings_of(provider, public_url=public))
