"""Saves screenshots of the page's main states, and updates the one in the README.

python -m tests.browser.screenshots [folder]
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import film_actions, job_actions, kept_actions, page_actions
from tests.browser.chromium import PATIENCE_MS, chromium, visiting
from tests.conftest import ROOT
from tests.service.server import serve


def empty(page: Page) -> None:
    page.wait_for_load_state("networkidle")


def result(page: Page) -> None:
    page_actions.click_example(page, "patches")
    page_actions.expect_result(page)


def refused(page: Page) -> None:
    page_actions.click_example(page, "turned")
    expect(page.locator(".upright button")).to_be_enabled()


def projector(page: Page) -> None:
    result(page)
    page.locator("#projector summary").click()
    page_actions.pixels(page.locator(".space canvas"))
    page.locator("#projector").scroll_into_view_if_needed()


def kept(page: Page) -> None:
    page.locator("#keep").check()
    page_actions.analyse(page, page_actions.CLEAR, page_actions.PATCHES)
    kept_actions.open_list(page).last.locator(".open").click()
    page_actions.expect_result(page)


def compared(page: Page) -> None:
    page_actions.analyse(page, page_actions.CLEAR, page_actions.PATCHES)
    expect(page.locator(".visit strong", has_text="%")).to_have_count(2)
    page.locator(".compare select").first.select_option(index=1)
    expect(page.locator(".stage .caption:visible")).to_have_count(2)
    film_actions.press(page, "l")
    film_actions.click(page, (0.3, 0.4), (0.4, 0.6))


def keys(page: Page) -> None:
    page_actions.analyse(page, page_actions.CLEAR)
    film_actions.press(page, "?")
    expect(page.locator("dialog.shortcuts")).to_be_visible()


def job(page: Page) -> None:
    with tempfile.TemporaryDirectory() as place:
        job_actions.choose_folder(page, job_actions.folder_of_films(Path(place)))
        page.locator("dialog[open] button.primary").click()
        expect(job_actions.rows(page)).to_have_count(len(job_actions.NAMES))


def report(page: Page) -> None:
    page_actions.analyse(page, page_actions.CLEAR)
    page.evaluate("() => { window.print = () => {}; }")
    language = page.locator("html").get_attribute("lang") or ""
    words = page_actions.texts(language.split("-")[0])
    page_actions.press_button(page, words["result.print"])
    page.emulate_media(media="print")
    expect(page.locator("#report")).to_be_visible()


STATES: list[Callable[[Page], None]] = [
    empty, result, refused, projector, compared, keys, kept, job, report
]  # fmt: skip
KEEPING = (kept, job)
SCREENS = {
    "laptop": {"width": 1366, "height": 768},
    "phone": {"width": 360, "height": 740},
    "4k": {"width": 3840, "height": 2160},
}
SCHEMES = ("light", "dark")
LOCALES = {"en": "en-US", "pt": "pt-BR", "es": "es"}


@dataclass(frozen=True)
class Screenshot:
    """A screenshot of one state on one screen, in one colour scheme and language."""

    state: Callable[[Page], None]
    screen: str
    scheme: str
    language: str

    @property
    def name(self) -> str:
        return f"{self.state.__name__}-{self.screen}-{self.scheme}-{self.language}.png"

    def take(self, browser: Browser, url: str, folder: Path) -> None:
        look = {"viewport": SCREENS[self.screen], "color_scheme": self.scheme}
        language = {"locale": LOCALES[self.language], "reduced_motion": "reduce"}
        cookies = kept_actions.COOKIES if self.state in KEEPING else ()
        more = {"expecting": "status of 422", "cookies": cookies}
        with visiting(browser, url, **more, **look, **language) as page:
            self.state(page)
            page.screenshot(path=folder / self.name, full_page=self.state is not projector)


SHOWN = Screenshot(result, "laptop", "light", "en")
README_PICTURE = ROOT / "docs" / "page.png"
_COLOURS = 256


def all_screenshots() -> Iterator[Screenshot]:
    for state, screen, scheme, language in product(STATES, SCREENS, SCHEMES, LOCALES):
        yield Screenshot(state, screen, scheme, language)


def main(folder: Path) -> None:
    """Starts the service and takes all screenshots."""
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MS)
    with (
        tempfile.TemporaryDirectory() as home,
        serve(Path(home), CHESTXRAY_DATA_FOLDER=f"{home}/data") as server,  # as `make serve`
        sync_playwright() as playwright,
        chromium(playwright) as browser,
    ):
        for screenshot in all_screenshots():
            screenshot.take(browser, server.url, folder)
            print(folder / screenshot.name)
    save_small_copy(folder / SHOWN.name, README_PICTURE)


def save_small_copy(picture: Path, target: Path) -> None:
    """Saves the top of a screenshot in few colours, to keep the repository small."""
    with Image.open(picture) as image:
        top = image.convert("RGB").crop((0, 0, image.width, min(image.height, image.width)))
        # The usual method, by median, leaves too few colours for the map.
        few = top.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE)
        few.save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots"))
