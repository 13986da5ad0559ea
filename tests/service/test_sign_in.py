"""People sign in at a provider: who they are afterwards, what they may do, and how it ends."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import func, select

from bentos.callers import sessions
from bentos.callers.caller import Scope
from bentos.database.tables import ended_sessions
from bentos.sign_in import attempt
from tests.service import signing_in
from tests.service.fakes import DARK, check_problem, form
from tests.service.faulty_provider import CLIENT, Provider, faulty_provider
from tests.service.keeping import KEEP, Gateway, ids, keep
from tests.service.signing_in import PUBLIC, begin, caller, come_back, person, settings_of, sign_in

Run = Callable[..., None]
EVERYTHING = {"radiologists": ["analyse", "history"], "it": ["admin"]}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with faulty_provider() as running:
        yield running


def test_person_signs_in_keeps_signs_out_and_finds_it_again(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        facts = await caller(browser)
        made = (await keep(browser)).json()["id"]

        assert facts["kind"] == "person"
        assert facts["scopes"] == ["analyse", "history"]
        until = datetime.fromisoformat(facts["signed_in_until"]) - datetime.now(UTC)
        assert timedelta(hours=7.9) < until < timedelta(hours=8.1)
        out = (await browser.post("/sign-out")).json()["end_session_url"]
        assert parse_qs(urlsplit(out).query) == {
            "client_id": [CLIENT],
            "post_logout_redirect_uri": [f"{PUBLIC}/"],
        }
        assert (await caller(browser))["kind"] == "none"
        assert await ids(browser) == []
        elsewhere = await person(gateway, provider, "a subject")
        assert await ids(elsewhere) == [made]

    run_keeping(test, **settings_of(provider))


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


def test_roles_of_the_provider_say_what_a_person_may_do(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        for roles, scopes in (
            (["it"], ["admin"]),
            (["it", "radiologists", "unknown"], ["admin", "analyse", "history"]),
            ("it", ["admin"]),
        ):
            provider.claims = {"realm_access": {"roles": roles}}
            browser = await person(gateway, provider, "a subject")
            assert (await caller(browser))["scopes"] == scopes
        check_problem(
            await (await _with(gateway, provider, ["it"])).post(KEEP, **form(DARK)),
            403,
            "scope-missing",
        )

    run_keeping(
        test,
        **settings_of(provider, oidc_roles_claim="realm_access.roles", oidc_roles=EVERYTHING),
    )


async def _with(gateway: Gateway, provider: Provider, roles: list[str]) -> httpx.AsyncClient:
    provider.claims = {"realm_access": {"roles": roles}}
    return await person(gateway, provider, "a subject")


def test_roles_are_looked_up_in_userinfo_where_the_token_has_none(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        provider.userinfo = {"groups": ["it"]}
        browser = await person(gateway, provider, "a subject")
        assert (await caller(browser))["scopes"] == ["admin"]

        provider.userinfo = {"groups": ["it"], "sub": "somebody else"}
        check_problem(await sign_in(gateway.visitor(), provider), 400, "sign-in-failed")

    run_keeping(test, **settings_of(provider, oidc_roles_claim="groups", oidc_roles=EVERYTHING))


def test_person_without_a_known_role_is_refused(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        browser = gateway.visitor()
        provider.claims = {"groups": ["unknown"]}

        check_problem(await sign_in(browser, provider), 403, "sign-in-refused")
        assert sessions.COOKIE not in browser.cookies

    run_keeping(
        test,
        **settings_of(
            provider, oidc_without_role=False, oidc_roles_claim="groups", oidc_roles=EVERYTHING
        ),
    )


def test_service_for_known_callers_admits_who_has_signed_in(
    run_keeping: Run, provider: Provider
) -> None:
    async def test(gateway: Gateway) -> None:
        assert await caller(gateway.client) == {
            "kind": "none",
            "scopes": [],
            "sign_in": True,
            "signed_in_until": None,
        }
        refused = await gateway.client.post("/v1/analyses", **form(DARK))
        assert "sign in" in check_problem(refused, 401, "key-required").detail
        browser = await person(gateway, provider, "a subject")
        assert (await browser.post("/v1/analyses", **form(DARK))).status_code == 200

    run_keeping(test, anonymous=False, **settings_of(provider))


def test_what_a_visitor_kept_stays_the_visitor_s(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        browser = gateway.visitor()
        before = (await keep(browser)).json()["id"]
        await sign_in(browser, provider)
        assert await ids(browser) == []
        check_problem(await browser.get(f"/v1/analyses/{before}"), 404, "no-such-analysis")

        await browser.post("/sign-out")

        assert await ids(browser) == [before]

    run_keeping(test, **settings_of(provider))


def test_key_in_a_header_comes_before_a_session(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "a subject")
        holder = await gateway.holder(Scope.ADMIN)
        browser.headers["Authorization"] = holder.headers["Authorization"]
        facts = await caller(browser)

        assert (facts["kind"], facts["scopes"]) == ("key", ["admin"])

    run_keeping(test, **settings_of(provider))


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


def test_audit_and_database_have_no_name_address_or_subject(
    run_keeping: Run, provider: Provider, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"

    async def test(gateway: Gateway) -> None:
        browser = await person(gateway, provider, "12345678901")
        await keep(browser)
        await browser.post("/sign-out")
        await come_back(gateway.visitor(), provider.authorise(await begin(browser)))

        lines = [json.loads(each) for each in file.read_text().splitlines()]
        assert [each["event"] for each in lines] == [
            "person.signed_in",
            "analysis.kept",
            "person.signed_out",
            "person.sign_in_refused",
        ]
        assert {each["actor"] for each in lines[:3]} == {lines[0]["actor"]}
        assert lines[0]["actor"].startswith("person:")
        assert lines[3]["actor"] == "unknown"
        for private in ("12345678901", "Maria", "maria@"):
            assert private not in file.read_text()

    run_keeping(test, audit_file=str(file), **settings_of(provider))


def test_without_a_provider_there_is_no_sign_in(run_keeping: Run) -> None:
    async def test(gateway: Gateway) -> None:
        document = (await gateway.client.get("/openapi.json")).json()

        assert (await caller(gateway.client))["sign_in"] is False
        for path in ("/sign-in", "/sign-in/callback", "/sign-out"):
            assert path not in document["paths"]
            assert (await gateway.client.get(path)).status_code == 404
        assert "session" not in document["components"]["securitySchemes"]
        assert "sign-in" not in [each["name"] for each in document["tags"]]

    run_keeping(test)
