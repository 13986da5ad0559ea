"""The browser denies storage, or it is full: images are analysed all the same."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH, OPACITY, PATCHES
from tests.service.server import Server, serve

DENIED = {
    "no databases": "delete globalThis.indexedDB",
    "databases throw": """Object.defineProperty(globalThis, "indexedDB", {
      get() { throw new DOMException("denied", "SecurityError"); } })""",
    "opening throws": """IDBFactory.prototype.open = () => {
      throw new DOMException("The operation is insecure.", "SecurityError"); }""",
    "opening fails": """IDBFactory.prototype.open = () => {
      const request = {}; setTimeout(() => request.onerror?.()); return request; }""",
    "opening never ends": "IDBFactory.prototype.open = () => ({})",
    "no blobs": """IDBObjectStore.prototype.put = () => {
      throw new DOMException("BlobURLs are not yet supported", "DataCloneError"); }""",
    "broken later": """{ const { transaction } = IDBDatabase.prototype; let calls = 0;
      IDBDatabase.prototype.transaction = function (...given) {
        if (++calls > 4) throw new DOMException("closing", "InvalidStateError");
        return transaction.apply(this, given); } }""",
}
DENIED_OTHERWISE = {
    "sessionStorage": """Object.defineProperty(globalThis, "sessionStorage", {
      get() { throw new DOMException("denied", "SecurityError"); } })""",
    "localStorage": """Object.defineProperty(globalThis, "localStorage", {
      get() { throw new DOMException("denied", "SecurityError"); } })""",
    "locks": """for (const name of ["query", "request"]) LockManager.prototype[name] =
      () => Promise.reject(new DOMException("denied", "SecurityError"))""",
}


def expect_both_analysed(page: Page) -> None:
    page_actions.choose_files(page, CLEAR, OPACITY)
    expect(page.locator(".visit")).to_have_count(2)
    waiting = re.compile(
        "|".join(ENGLISH[f"history.{k}"] for k in ("waiting", "sending", "reading"))
    )
    expect(page.locator(".visit", has_text=waiting)).to_have_count(0)
    page_actions.expect_result(page)
    expect(page.locator("#unreachable")).to_be_hidden()
    expect(page.locator("#failed")).to_be_hidden()


@pytest.mark.parametrize("script", DENIED.values(), ids=DENIED)
def test_images_are_analysed_where_the_database_is_denied(visit: Visit, script: str) -> None:
    page = visit()
    page.add_init_script(f"{{ {script} }}")
    page.reload()
    page.wait_for_selector(READY)

    expect_both_analysed(page)

    expect(page.locator("#history")).to_contain_text(ENGLISH["history.noteNotStored"])


@pytest.mark.parametrize("script", DENIED_OTHERWISE.values(), ids=DENIED_OTHERWISE)
def test_images_are_analysed_where_other_storage_is_denied(visit: Visit, script: str) -> None:
    page = visit()
    page.add_init_script(f"{{ {script} }}")
    page.reload()
    page.wait_for_selector(READY)

    expect_both_analysed(page)


def test_images_are_analysed_where_the_quota_is_used_up(visit: Visit, server: Server) -> None:
    page = visit()
    limits = page.context.new_cdp_session(page)
    limits.send("Storage.overrideQuotaForOrigin", {"origin": server.url, "quotaSize": 1})

    expect_both_analysed(page)

    expect(page.locator("#history")).to_contain_text(ENGLISH["history.noteNotStored"])


@pytest.fixture
def framed_server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path, OMP_NUM_THREADS="1", CHESTXRAY_FRAME_ANCESTORS=PORTALS) as running:
        yield running


PORTALS = "http://localhost:*"
"""Another site than 127.0.0.1, where the service is."""


@contextmanager
def portal(folder: Path, document: str) -> Iterator[str]:
    """Serves a page of a portal, at loopback too: browsers keep others from loopback."""
    (folder / "index.html").write_text(document)
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


@pytest.mark.parametrize("sandbox", ["", 'sandbox="allow-scripts allow-same-origin"'])
def test_page_works_in_the_frame_of_another_site(
    browser: Browser, framed_server: Server, tmp_path: Path, sandbox: str
) -> None:
    document = f'<!doctype html><iframe {sandbox} width=900 height=900 src="{framed_server.url}">'
    with (
        portal(tmp_path, document) as address,
        browser.new_context(locale="en-US", service_workers="block") as context,
    ):
        page = context.new_page()
        page.goto(address)
        frame = page.frame_locator("iframe")
        frame.locator(READY).wait_for()

        frame.locator("[id='intake.pick']").set_input_files([CLEAR])

        expect(frame.locator("#result .bars")).to_be_visible()
        expect(frame.locator("#unreachable")).to_be_hidden()
        expect(frame.locator("#failed")).to_be_hidden()


def test_images_that_were_not_answered_survive_a_reload(visit: Visit) -> None:
    page = visit()
    page.on("dialog", lambda dialog: dialog.accept())
    page.route(ANALYSES, lambda route: None)
    page_actions.choose_files(page, CLEAR, OPACITY, PATCHES)
    expect(page.locator(".visit")).to_have_count(3)
    expect(page.locator(".visit img")).to_have_count(3)
    page.unroute(ANALYSES)

    page.reload()
    page.wait_for_selector(READY)

    expect(page.locator(".visit")).to_have_count(3)
    for key in ("waiting", "sending", "reading"):
        expect(page.locator(".visit", has_text=ENGLISH[f"history.{key}"])).to_have_count(0)
    page_actions.expect_result(page)


def test_page_asks_before_images_that_were_not_answered_are_thrown_away(visit: Visit) -> None:
    page = visit()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page_actions.analyse(page, CLEAR)
    page.reload()
    page.wait_for_selector(READY)
    assert asked == []

    page.route(ANALYSES, lambda route: None)
    page_actions.choose_files(page, OPACITY)
    expect(page.locator(".visit")).to_have_count(2)
    page.unroute(ANALYSES)
    page.reload()

    assert asked == ["beforeunload"]


def test_file_that_is_gone_is_no_problem_of_the_network(visit: Visit, tmp_path: Path) -> None:
    page = visit(expecting="ERR_|upload", service_workers="block")
    gone = tmp_path / "gone.jpg"
    gone.write_bytes(OPACITY.read_bytes())
    held: list[Route] = []
    page.route(ANALYSES, lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(ANALYSES):
        page_actions.choose_files(page, CLEAR, gone)
    expect(page.locator(".visit")).to_have_count(2)
    gone.unlink()
    held[0].continue_()

    page.locator(".visit .open", has_text="gone.jpg").click()

    page_actions.expect_problem(page, ENGLISH["problem.file-unreadable.title"])


_COUNTING = """{
  const decode = createImageBitmap;
  let now = 0;
  globalThis.most = 0;
  globalThis.createImageBitmap = async (...given) => {
    globalThis.most = Math.max(most, ++now);
    try { return await decode(...given); } finally { now -= 1; }
  };
}"""


def test_pictures_of_many_files_are_decoded_one_after_another(visit: Visit) -> None:
    """Sixty photos of 12 megapixels at once would take 3 GB."""
    page = visit()
    page.add_init_script(_COUNTING)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.wait_for_selector(READY)
    page.route(ANALYSES, lambda route: None)

    page_actions.choose_files(page, *[CLEAR] * 20)

    expect(page.locator(".visit img")).to_have_count(20)
    assert page.evaluate("most") == 1  # though the copy that is sent is made meanwhile
