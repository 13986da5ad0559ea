"""The report that is printed: one page with all that another reader needs."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, texts

LOCALES = {"en-US": "en", "pt-BR": "pt", "es-MX": "es"}
_PAGE_OF_PDF = re.compile(rb"/Type\s*/Page\b")


def print_report(page: Page, name: str) -> None:
    """Has the report made; the browser's own dialog is left out."""
    page.evaluate("() => { window.print = () => {}; }")
    page_actions.press_button(page, texts(name)["result.print"])
    expect(page).to_have_title(f"chestxray {CLEAR.name}")


@pytest.mark.parametrize("locale", LOCALES)
def test_report_is_one_page_with_all_that_another_reader_needs(visit: Visit, locale: str) -> None:
    name = LOCALES[locale]
    page = visit(locale=locale)
    page_actions.analyse(page, CLEAR)
    expect(page.locator("#report")).to_have_count(0)

    print_report(page, name)

    report = page.locator("#report")
    expect(report).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator("main")).to_be_hidden()
    expect(report.locator("img")).to_have_count(2)
    expect(report.locator(".legend canvas")).to_be_visible()
    digest = hashlib.sha256(CLEAR.read_bytes()).hexdigest()
    for told in ("disclaimer.short", "limits.scope", "report.signature", "report.threshold"):
        expect(report).to_contain_text(texts(name)[told])
    for told in (CLEAR.name, digest, "sha256:", "%"):
        expect(report).to_contain_text(told)

    assert len(_PAGE_OF_PDF.findall(page.pdf(prefer_css_page_size=True))) == 1
    expect(report).to_have_count(0)


@pytest.mark.parametrize("locale", LOCALES)
def test_report_is_saved_as_a_picture_of_one_page(
    visit: Visit, tmp_path: Path, locale: str
) -> None:
    page = visit(locale=locale)
    page_actions.analyse(page, CLEAR)

    with page.expect_download() as saved:
        page_actions.press_button(page, texts(LOCALES[locale])["result.sheet"])

    assert re.fullmatch(r"clear-chestxray-report-\w+\.png", saved.value.suggested_filename)
    saved.value.save_as(tmp_path / "report.png")
    with Image.open(tmp_path / "report.png") as file:
        sheet = np.asarray(file.convert("RGB")).astype(int)
    height, width, _ = sheet.shape
    assert height / width == pytest.approx(2**0.5, abs=0.01)
    margin = width // 16
    assert sheet[:, :margin].min() == sheet[:, -margin:].min() == sheet[-margin:].min() == 255
    film, mapped = (sheet[:, width // 2 * side :][:, : width // 2] for side in (0, 1))
    coloured = [np.ptp(half, axis=2).max() for half in (film[:, margin:], mapped[:, :-margin])]
    assert coloured[0] < 30 < coloured[1]


def test_page_itself_is_printed_without_controls(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    page.emulate_media(media="print")

    expect(page.locator("#result .bars")).to_be_visible()
    expect(page.locator("#intake")).to_be_hidden()
    expect(page.locator("#result button").first).to_be_hidden()
