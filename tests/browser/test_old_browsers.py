"""Browsers as old as the page allows work, and older ones are told so in words."""

import re

import pytest
from playwright.sync_api import expect

from bentos.settings import WEB
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, texts
from tests.service.server import Server

NEEDED = [
    "delete window.OffscreenCanvas",
    "delete window.HTMLDialogElement",
    "delete AbortSignal.timeout",
    "delete Array.prototype.toSorted",
    "delete Array.prototype.findLast",
]
"""Each takes away what the page cannot do without, as in a browser from before it was there."""
YOUNGER = """
for (const [place, names] of [
  [Element.prototype, ["checkVisibility", "setHTMLUnsafe", "moveBefore", "ariaLabel", "ariaBusy"]],
  [Document, ["parseHTMLUnsafe"]],
  [Object, ["groupBy"]],
  [Map, ["groupBy"]],
  [Map.prototype, ["getOrInsert", "getOrInsertComputed"]],
  [Promise, ["withResolvers", "try"]],
  [Array, ["fromAsync"]],
  [String.prototype, ["isWellFormed", "toWellFormed"]],
  [Set.prototype, ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf"]],
  [ArrayBuffer.prototype, ["transfer", "resize"]],
  [Uint8Array, ["fromBase64", "fromHex"]],
  [Uint8Array.prototype, ["toBase64", "toHex"]],
  [Iterator.prototype, ["map", "filter", "take", "drop", "flatMap", "toArray", "some", "find"]],
  [Iterator, ["from"]],
  [RegExp, ["escape"]],
  [Math, ["f16round", "sumPrecise"]],
  [Blob.prototype, ["bytes"]],
  [Response.prototype, ["bytes"]],
  [Request.prototype, ["bytes"]],
  [URL, ["canParse", "parse"]],
  [AbortSignal, ["any"]],
  [HTMLDialogElement.prototype, ["requestClose"]],
  [HTMLElement.prototype, ["showPopover", "hidePopover", "togglePopover"]],
  [window, ["scheduler", "documentPictureInPicture", "navigation"]],
  [Document.prototype, ["startViewTransition", "caretPositionFromPoint"]],
]) for (const name of names) delete place[name];
"""
"""Takes away what came after Safari 16.4, Chrome 111 and Firefox 115. Trusted types stay:
without them this browser would still ask for them."""
_STYLES = re.compile(
    r"light-dark\(|:has\(|@scope|@starting-style|field-sizing|interpolate-size|anchor\(|"
    r":user-valid|^\s+&|subgrid|text-box"
)
"""What styles older browsers drop, with all that depends on it."""


@pytest.mark.parametrize("missing", NEEDED)
def test_browser_that_lacks_what_is_needed_is_told_so(
    visit: Visit, server: Server, missing: str
) -> None:
    page = visit(locale="pt-BR", expecting=".")
    page.add_init_script(missing)

    page.reload()

    expect(page.locator("#too-old")).to_have_text(texts("pt")["page.tooOld"])
    expect(page.locator("#unreachable")).to_be_hidden()
    expect(page.locator("#failed")).to_be_hidden()


def test_present_browser_is_not_called_old(visit: Visit) -> None:
    expect(visit().locator("#too-old")).to_be_hidden()


def test_oldest_browser_that_is_let_in_does_everything(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page.add_init_script(YOUNGER)
    page.reload()
    page.wait_for_selector("html[data-ready]")

    page_actions.analyse(page, CLEAR)
    page_actions.analyse_rejected(page, HAND)
    page.locator("#projector summary").click()
    expect(page.locator(".space canvas")).to_be_visible()
    page.locator(".visit .remove").first.press("Enter")
    expect(page.locator(".visit")).to_have_count(1)
    page_actions.press_button(page, ENGLISH["history.removeAll"])
    expect(page.get_by_role("dialog")).to_be_visible()
    page_actions.press_button(page, ENGLISH["history.no"])
    page_actions.use_language(page, "es")

    page_actions.expect_result(page)
    for place in ("#failed", "#unreachable", "#too-old"):
        expect(page.locator(place)).to_be_hidden()
    label = texts("es")["history.remove"].format(name=CLEAR.name)
    expect(page.locator(".visit .remove")).to_have_attribute("aria-label", label)


def test_styles_need_no_younger_browser() -> None:
    found = [
        f"{path.name}: {line.strip()[:80]}"
        for path in (WEB / "styles").glob("*.css")
        for line in re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S).splitlines()
        if _STYLES.search(line)
    ]

    assert found == []


def test_finder_knows_younger_styles() -> None:
    for style in ("light-dark(#000, #fff)", "body:has(p) {}", "  & p {}"):
        assert _STYLES.search(style)
    assert not _STYLES.search("max-height: min(78vh, 44rem)")
