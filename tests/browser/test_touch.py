"""On phones and tablets everything is large enough for a finger, and nothing speaks of dropping."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import job_actions, kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, PATCHES, texts
from tests.browser.test_accessibility import show_projector, show_rejection, show_result

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
_LEAST = 44
_ROUNDING = 0.5
_EXPECTED = "status of 422"
_BOXES = """() => [...document.querySelectorAll(
  "a[href], button, select, summary, input, [role=button], [tabindex='0']"
)].filter((each) => each.checkVisibility() && !each.matches("p > a, li > a, .skip")).map((each) => {
  const label = each.matches("[type=file], [type=checkbox], [type=radio]") && each.labels[0];
  const { width, height } = (label || each).getBoundingClientRect();
  return [each.outerHTML.slice(0, 90), width, height];
})"""
_DROPPING = re.compile(r"\b(drop|wheel|solt|arrast|suelt)", re.IGNORECASE)


def too_small(page: Page) -> list[Any]:
    boxes = page.evaluate(_BOXES)
    assert len(boxes) > 10
    return [each for each in boxes if min(each[1:]) < _LEAST - _ROUNDING]


STATES = [show_result, show_rejection, show_projector]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_targets_are_large_enough(visit: Visit, state: Callable[[Page], None], device: str) -> None:
    page = visit(expecting=_EXPECTED, **(PHONE if device == "phone" else {}))
    state(page)

    found = too_small(page)

    sliders = [each for each in found if 'type="range"' in each[0]]
    assert [each for each in found if each not in sliders or device == "phone"] == []


def test_targets_of_what_is_kept_and_of_jobs_are_large_enough(
    visit_kept: Visit, tmp_path: Path
) -> None:
    page = visit_kept(expecting=_EXPECTED, **PHONE)
    kept_actions.keep(page, CLEAR, PATCHES)
    expect(kept_actions.open_list(page)).to_have_count(2)
    job_actions.choose_zip(page, job_actions.zip_of_films(tmp_path))
    job_actions.answer(page, "jobs.offer.send")
    job_actions.expect_finished(page, len(job_actions.NAMES))
    expect(job_actions.rows(page).locator("td[data-name]")).to_have_count(9)

    assert too_small(page) == []


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("pt", "pt-BR"), ("es", "es")])
def test_phone_is_not_asked_to_drop_anything(visit: Visit, language: str, locale: str) -> None:
    page = visit(locale=locale, **PHONE)

    shown = page.locator("#intake").inner_text()

    assert texts(language)["intake.titleTouch"] in shown
    assert not _DROPPING.search(shown)


def test_desktop_is_told_that_images_can_be_dropped(visit: Visit) -> None:
    page = visit()

    expect(page.locator("#intake")).to_contain_text(texts("en")["intake.title"])


def test_empty_list_of_jobs_does_not_speak_of_dropping() -> None:
    for language in ("en", "pt", "es"):
        assert not _DROPPING.search(texts(language)["jobs.empty"])


def test_page_fits_a_phone(visit: Visit) -> None:
    page = visit(**PHONE)
    page_actions.analyse(page, CLEAR)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
