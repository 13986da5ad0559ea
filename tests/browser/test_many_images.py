"""Many large photos at once: the page answers at once, and holds one decoded photo at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH
from tests.browser.unrecorded_page import UnrecordedPage
from tests.service.server import Server, while_running
from tests.waiting import until

PHOTO = 3464, 3464
MANY = 60
VERY_MANY = 200
FIRST_SIGN_MS = 500
MOST_MEMORY = 300 * 2**20
_WATCH = """() => {
  const list = document.querySelector(".visits");
  document.addEventListener("change", () => { window.chosen = performance.now(); }, true);
  new MutationObserver(() => { window.seen ??= performance.now(); })
    .observe(list, { childList: true });
}"""
_COUNT_CHANGES = """() => {
  window.changes = 0;
  const listener = new MutationObserver((records) => {
    window.changes += records.reduce((sum, each) => sum + each.removedNodes.length, 0);
  });
  listener.observe(document.querySelector(".visits"), { childList: true });
}"""
_COUNT_REBUILDS = """() => {
  window.rebuilds = 0;
  new MutationObserver((records) => {
    const removed = records.reduce((sum, each) => sum + each.removedNodes.length, 0);
    if (removed > 100) window.rebuilds++;
  }).observe(document.querySelector(".visits"), { childList: true });
}"""
_LISTED = "document.querySelectorAll('.visit').length"
_ANALYSED = """[...document.querySelectorAll(".visit:has(img) strong")]
  .filter(({ textContent }) => textContent.includes("%")).length"""
_RENDERER = "--type=renderer"


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of a film, of twelve megapixels with grain, as a phone makes it."""
    with Image.open(CLEAR) as film:
        greys = np.asarray(film.convert("L").resize(PHOTO), np.int16)
    grain = np.random.default_rng(0).integers(-12, 12, greys.shape)
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Image.fromarray((greys + grain).clip(0, 255).astype(np.uint8)).save(path, quality=80)
    return path


def renderer_memory() -> int:
    """Private bytes of the largest process that draws a page."""
    children = psutil.Process().children(recursive=True)
    renderers = [each for each in children if _RENDERER in while_running(each.cmdline, ended=[])]
    return max((while_running(_private, each, ended=0) for each in renderers), default=0)


def _private(process: psutil.Process) -> int:
    return int(process.memory_full_info().uss)


@contextmanager
def highest(measure: Callable[[], int]) -> Iterator[list[int]]:
    """Measures again and again; afterwards the list has the highest figure."""
    found, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            found[0] = max(found[0], measure())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        stop.set()
        watcher.join()


@pytest.mark.alone
def test_sixty_photos_are_listed_at_once_and_decoded_one_at_a_time(
    browser: Browser, server: Server, photo: Path
) -> None:
    with closing(UnrecordedPage(browser, server.url)) as page:
        page.evaluate(f"({_WATCH})()")

        with highest(renderer_memory) as memory:
            page.choose_files("[id='intake.pick']", *[photo] * MANY)
            until(lambda: page.evaluate(_LISTED) == MANY)
            until(lambda: page.evaluate(_ANALYSED) == MANY)
        first = page.evaluate("window.seen - window.chosen")

    assert first < FIRST_SIGN_MS
    assert 0 < memory[0] < MOST_MEMORY


def add_many(page: Page, count: int) -> None:
    """Has so many images refused by the service."""
    page.route(ANALYSES, lambda route: route.fulfill(status=503, json={"code": "overloaded"}))
    page_actions.choose_files(page, *[CLEAR] * count)
    refused = page.locator(".visit", has_text=ENGLISH["problem.overloaded.title"])
    expect(refused).to_have_count(count)
    expect(page.locator(".visit img")).to_have_count(count)


def test_deleting_all_of_many_changes_the_list_once(visit: Visit) -> None:
    page = visit()
    page.route(ANALYSES, lambda route: None)
    page_actions.choose_files(page, *[CLEAR] * VERY_MANY)
    expect(page.locator(".visit")).to_have_count(VERY_MANY)
    page.evaluate(_COUNT_REBUILDS)

    page_actions.press_button(page, ENGLISH["history.removeAll"])
    page.get_by_role("dialog").get_by_role("button", name=ENGLISH["history.yes"]).click()
    expect(page.locator(".visit")).to_have_count(0)

    assert page.evaluate("window.rebuilds") == 1


def test_one_more_image_leaves_the_other_rows_alone(visit: Visit) -> None:
    page = visit(expecting="status of 503")
    add_many(page, 20)
    page.evaluate(_COUNT_CHANGES)

    page_actions.choose_files(page, CLEAR)
    expect(page.locator(".visit img")).to_have_count(21)

    assert page.evaluate("window.changes") < 10
