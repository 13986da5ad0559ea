"""A person signs in at a provider, sees what is kept for it alone, and signs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from loadtests.load_generator import free_port
from tests.browser import kept_actions, page_actions
from tests.browser.chromium import PATIENCE_MS, READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, texts
from tests.service.oidc_provider import RealProvider, real_provider
from tests.service.server import Server, serve


class Portal(NamedTuple):
    """A service at which only known people and programs may do anything, and their provider."""

    server: Server
    provider: RealProvider


@pytest.fixture(scope="module")
def portal(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder, port = tmp_path_factory.mktemp("portal"), free_port()
    with real_provider() as provider:
        provider.add("maria", groups=["radiologists"])
        provider.add("stranger", groups=[])
        environment = {
            "CHESTXRAY_DATA_FOLDER": str(folder / "data"),
            "CHESTXRAY_ANONYMOUS": "false",
            "CHESTXRAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CHESTXRAY_OIDC_ISSUER": provider.issuer,
            "CHESTXRAY_OIDC_CLIENT_ID": "chestxray",
            "CHESTXRAY_OIDC_CLIENT_SECRET": "a secret",
            "CHESTXRAY_OIDC_ROLES_CLAIM": "groups",
            "CHESTXRAY_OIDC_ROLES": '{"radiologists": ["analyse", "history"]}',
        }
        with serve(folder, port=port, OMP_NUM_THREADS="1", **environment) as running:
            yield Portal(running, provider)


@contextmanager
def visiting(browser: Browser, portal: Portal, *, locale: str = "en-US") -> Iterator[Page]:
    """Opens the page in a new browser, which may go to the provider, too."""
    context = browser.new_context(locale=locale)
    context.set_default_timeout(PATIENCE_MS)
    try:
        page = context.new_page()
        page.goto(portal.server.url)
        page.wait_for_selector(READY)
        yield page
    finally:
        context.close()


def sign_in(page: Page, subject: str, *, place: str = "#sign-in", language: str = "en") -> None:
    """Follows the link, and agrees at the provider."""
    page.locator(place).get_by_role("link", name=texts(language)["signIn.start"]).click()
    page.get_by_placeholder("sub").fill(subject)
    page.get_by_role("button", name="Authorize").click()


def test_person_signs_in_keeps_signs_out_and_finds_it_elsewhere(
    browser: Browser, portal: Portal
) -> None:
    with visiting(browser, portal) as page:
        page_actions.choose_files(page, CLEAR)
        page_actions.expect_problem(page, ENGLISH["problem.key-required.signIn.title"])
        sign_in(page, "maria", place="#result")
        page.wait_for_selector(READY)
        expect(page.locator("#sign-in")).to_contain_text(ENGLISH["signIn.is"])
        expect(page.locator("#keep-meaning")).to_contain_text(ENGLISH["keep.wherePerson"])
        kept_actions.keep(page, CLEAR)
        expect(kept_actions.open_list(page)).to_have_count(1)
        expect(page.locator("#kept")).to_contain_text(ENGLISH["kept.notePerson"])
        page_actions.use_language(page, "es")
        expect(page.locator("#sign-in")).to_contain_text(texts("es")["signIn.is"])
        page_actions.use_language(page, "en")
        (session,) = (c for c in page.context.cookies() if c["name"] == "chestxray_session")
        assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")

        page.locator("#sign-out").click()
        page.get_by_role("button", name="End session").click()  # at the provider
        page.wait_for_selector(READY)
        expect(page.get_by_role("link", name=ENGLISH["signIn.start"])).to_be_visible()
        assert page.context.cookies() == []

    with visiting(browser, portal) as elsewhere:
        sign_in(elsewhere, "maria")
        elsewhere.wait_for_selector(READY)
        expect(kept_actions.open_list(elsewhere)).to_have_count(1)


@pytest.mark.parametrize(("locale", "language"), [("en-US", "en"), ("pt-BR", "pt"), ("es", "es")])
def test_person_without_a_role_reads_why_in_their_language(
    browser: Browser, portal: Portal, locale: str, language: str
) -> None:
    words = texts(language)
    with visiting(browser, portal, locale=locale) as page:
        sign_in(page, "stranger", language=language)

        title = words["problem.sign-in-refused.title"]
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page.locator(".brand img")).to_be_visible()
        page.get_by_role("link", name=words["signIn.back"]).click()
        page.wait_for_selector(READY)
        expect(page.get_by_role("link", name=words["signIn.start"])).to_be_visible()


def test_page_of_a_service_without_a_provider_has_no_sign_in(visit_keeping: Visit) -> None:
    page = visit_keeping()

    expect(page.locator("#sign-in")).to_be_hidden()
    expect(page.locator("#privacy-sign-in")).to_be_hidden()
