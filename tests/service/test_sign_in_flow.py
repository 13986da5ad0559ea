"""The whole sign-in at a provider that others wrote, and what nobody else sees of a person's."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from bentos.callers.sessions import COOKIE
from bentos.database.errors import StorageUnavailable
from tests.service.fakes import DARK, check_problem, form
from tests.service.keeping import Gateway, ids, keep
from tests.service.oidc_provider import RealProvider, real_provider
from tests.service.signing_in import PUBLIC, begin, caller

Run = Callable[..., None]


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with real_provider() as running:
        running.add("radiologist", groups=["radiologists"], name="Maria Silva")
        running.add("operator", groups=["it"])
        running.add("stranger", groups=["visitors"])
        yield running


def settings_of(provider: RealProvider) -> dict[str, Any]:
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": "chestxray",
        "oidc_client_secret": "any secret will do there",
        "oidc_roles_claim": "groups",
        "oidc_roles": {"radiologists": ["analyse", "history"], "it": ["admin"]},
        "oidc_scopes": "profile",
        "public_url": PUBLIC,
    }


async def come_in(gateway: Gateway, provider: RealProvider, subject: str, place: str = "/") -> Any:
    """Signs in with a new browser; returns it with the last answer."""
    browser = gateway.visitor()
    back = provider.authorise(await begin(browser, place), subject)
    assert back.startswith(f"{PUBLIC}/sign-in/callback?")
    return browser, await browser.get(f"/sign-in/callback?{urlsplit(back).query}")


def test_people_sign_in_at_a_provider_and_see_their_own_alone(
    run_keeping: Run, provider: RealProvider
) -> None:
    async def test(gateway: Gateway) -> None:
        maria, answer = await come_in(gateway, provider, "radiologist", "/#kept")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{PUBLIC}/#kept")
        assert (await caller(maria))["scopes"] == ["analyse", "history"]
        made = (await keep(maria)).json()["id"]

        operator, _ = await come_in(gateway, provider, "operator")
        assert (await caller(operator))["scopes"] == ["admin"]
        check_problem(await operator.get("/v1/analyses"), 403, "scope-missing")
        stranger, refused = await come_in(gateway, provider, "stranger")
        check_problem(refused, 403, "sign-in-refused")
        assert COOKIE not in stranger.cookies
        again, _ = await come_in(gateway, provider, "radiologist")
        assert await ids(again) == [made]

    run_keeping(test, **settings_of(provider))


def test_person_who_goes_on_works_while_the_provider_is_gone(run_keeping: Run) -> None:
    with real_provider() as provider:
        provider.add("radiologist", groups=["radiologists"])

        async def test(gateway: Gateway, started: Gateway) -> None:
            browser, _ = await come_in(gateway, provider, "radiologist")
            provider.stop()
            assert (await browser.post("/v1/analyses", **form(DARK))).status_code == 200
            await keep(browser)

            for visitor, accept in ((started.visitor(), "*/*"), (started.visitor(), "text/html")):
                headers = {"Accept": accept, "Accept-Language": "pt"}
                answer = await visitor.get("/sign-in", headers=headers)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
                if accept == "*/*":
                    check_problem(answer, 503, "sign-in-unavailable")
                else:
                    assert answer.headers["content-type"].startswith("text/html")
                    assert answer.headers["content-language"] == "pt-BR"
                    assert "<h1>Não é possível entrar no momento</h1>" in answer.text
                    assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert (await browser.post("/sign-out")).status_code == 200

        run_keeping(test, count=2, **settings_of(provider))


def test_session_without_the_database_is_not_known_to_a_gateway_that_never_saw_it(
    run_keeping: Run, provider: RealProvider
) -> None:
    async def test(gateway: Gateway) -> None:
        browser, _ = await come_in(gateway, provider, "radiologist")
        assert gateway.history.sign_in

        async def gone(identifier: str) -> bool:
            raise StorageUnavailable("gone")

        gateway.history.sign_in.sessions._is_listed = gone  # type: ignore[method-assign]
        answer = await browser.post("/v1/analyses", **form(DARK))
        check_problem(answer, 503, "storage-unavailable")
        check_problem(await browser.get("/v1/caller"), 503, "storage-unavailable")

    run_keeping(test, **settings_of(provider))
