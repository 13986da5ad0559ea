"""People sign in at a provider: who they are afterwards, what they may do, and how it ends."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from bentos.callers import sessions
from bentos.callers.caller import Scope
from tests.service.fakes import DARK, check_problem, form
from tests.service.faulty_provider import CLIENT, Provider
from tests.service.keeping import KEEP, Gateway, ids, keep
from tests.service.signing_in import PUBLIC, begin, caller, come_back, person, settings_of, sign_in

Run = Callable[..., None]
EVERYTHING = {"radiologists": ["analyse", "history"], "it": ["admin"]}


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


def test_document_describes_the_sign_in(run_keeping: Run, provider: Provider) -> None:
    async def test(gateway: Gateway) -> None:
        document = (await gateway.client.get("/openapi.json")).json()
        paths, known = document["paths"], [{"apiKey": []}, {"session": []}]

        assert "303" in paths["/sign-in"]["get"]["responses"]
        assert {"303", "403"} <= set(paths["/sign-in/callback"]["get"]["responses"])
        assert "200" in paths["/sign-out"]["post"]["responses"]
        assert paths["/v1/analyses"]["get"]["security"] == known
        assert paths["/v1/caller"]["get"]["security"] == [*known, {}]
        assert document["components"]["securitySchemes"]["session"]["in"] == "cookie"

    run_keeping(test, anonymous=False, **settings_of(provider))


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
