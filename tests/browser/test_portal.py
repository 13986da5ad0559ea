"""The page and its documents in a portal's name and colours."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bentos.portal.folder import PAGES
from tests import portal
from tests.browser import axe, page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import ENGLISH
from tests.service.server import Server, serve

_SCRIPTED = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="run()">
<script>function run() { document.documentElement.setAttribute("data-ran", ""); } run();</script>
<rect width="9" height="9"/></svg>"""
_WIDTH = "document.documentElement.scrollWidth"
_COLOURS = """() => [getComputedStyle(document.body).backgroundColor,
  getComputedStyle(document.querySelector("footer a")).color]"""
_LIGHT = ["rgb(248, 248, 248)", "rgb(19, 81, 180)"]
_DARK = ["rgb(7, 29, 65)", "rgb(157, 195, 255)"]


@pytest.fixture(scope="module")
def themed(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the example's folder, but with scripts in its logo."""
    folder = tmp_path_factory.mktemp("themed")
    place = portal.copy(folder)
    (place / "logo.svg").write_text(_SCRIPTED)
    with serve(folder, OMP_NUM_THREADS="1", CHESTXRAY_PORTAL_FOLDER=str(place)) as running:
        yield running


@pytest.fixture
def read(browser: Browser, themed: Server) -> Iterator[Callable[..., Page]]:
    """Opens a document of the portal that has no script of the page."""
    contexts = []

    def start(path: str, **options: object) -> Page:
        context = browser.new_context(**{"locale": "en-US", **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{themed.url}/{path}")
        return page

    yield start
    for each in contexts:
        each.close()


@pytest.mark.parametrize(("scheme", "colours"), [("light", _LIGHT), ("dark", _DARK)])
@pytest.mark.parametrize("path", ["", "embed", *PAGES])
def test_every_page_has_the_portals_colours_and_no_violation(
    read: Callable[..., Page], path: str, scheme: str, colours: list[str]
) -> None:
    page = read(path, color_scheme=scheme, reduced_motion="reduce")
    if path in ("", "embed"):
        page.wait_for_selector(READY)

    assert page.evaluate(_COLOURS) == colours
    axe.expect_no_violations(page)


@pytest.mark.parametrize("locale", ["en-US", "pt-BR", "es"])
@pytest.mark.parametrize("path", ["", "embed", *PAGES])
def test_every_page_fits_the_smallest_screen(
    read: Callable[..., Page], path: str, locale: str
) -> None:
    page = read(path, locale=locale, viewport={"width": 320, "height": 640})

    assert page.evaluate(_WIDTH) == 320


def test_chosen_colours_and_language_are_those_of_every_document(
    visit: Visit, themed: Server
) -> None:
    page = visit(themed.url)
    page.locator("#scheme").select_option("dark")
    page_actions.use_language(page, "es")
    links = page.locator("footer nav a")
    expect(links.first).to_have_attribute("href", "privacy?lang=es")

    links.first.click()

    expect(page.locator("h1")).to_have_text("Privacidad")
    assert page.evaluate(_COLOURS) == _DARK
    page.goto(f"{themed.url}/terms")  # in a new window, without the parameter
    expect(page.locator("h1")).to_have_text("Términos de uso")
    page.locator(".preferences a", has_text="Português").click()
    expect(page.locator("h1")).to_have_text("Termos de uso")
    page.locator(".brand").click()
    page.wait_for_selector(READY)


def test_no_script_of_a_picture_runs(browser: Browser, themed: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(themed.url)
    page.wait_for_selector(READY)
    logo = page.locator(".brand img")
    assert logo.evaluate("image => image.complete && image.naturalWidth > 0")

    address = logo.evaluate("image => image.src")
    page.goto(address)

    expect(page.locator("rect")).to_have_count(1)
    assert page.locator("svg").get_attribute("data-ran") is None
    context.close()


def test_name_is_that_of_the_installed_page(visit: Visit, themed: Server) -> None:
    page = visit(themed.url)
    address = page.locator("link[rel=manifest]").evaluate("link => link.href")

    manifest = page.request.get(address).json()

    assert manifest["name"] == portal.NAME
    assert page.title().startswith(portal.NAME)
    expect(page.locator(".brand")).to_have_text(portal.NAME)


def test_documents_beside_the_page_do_not_replace_it_without_a_connection(visit: Visit) -> None:
    """The stored page is what opens at its address, whatever was read since."""
    page = visit(service_workers="allow", expecting="ERR_INTERNET_DISCONNECTED")
    page.evaluate("() => navigator.serviceWorker.ready")
    root = page.url
    for path in ("privacy", "embed", "?embed", "docs"):
        page.goto(f"{root}{path}")
    page.context.set_offline(True)

    page.goto(root)

    page.wait_for_selector(READY)
    expect(page.locator(".top nav")).to_be_visible()
    expect(page.locator("h1")).to_have_text(ENGLISH["try.title"])


def test_statements_are_read_without_scripts(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False, locale="pt-BR")
    page = context.new_page()
    page.goto(f"{server.url}/accessibility")

    expect(page.locator("h1")).to_have_text("Acessibilidade")
    page.locator(".preferences a", has_text="English").click()
    expect(page.locator("h1")).to_have_text("Accessibility")
    context.close()


def test_folder_of_the_example_is_no_other_than_the_documented_one() -> None:
    document = (Path(__file__).parents[2] / "docs" / "portal.md").read_text()

    for each in portal.EXAMPLE.rglob("*"):
        if each.is_file():
            name = each.relative_to(portal.EXAMPLE).as_posix()
            assert name.replace(".es.", ".pt.").replace(".en.", ".pt.") in document or (
                name.replace("es.json", "pt.json") in document
            ), name
