"""With forced colours, as in Windows' contrast themes, nothing is said by a colour that is gone."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from chestxray.labels import FINDINGS
from tests.browser import job_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, HAND

_ENOUGH = 3.0
"""Contrast that WCAG asks of graphics (1.4.11)."""
_SCHEMES = ["light", "dark"]
_BACKGROUND = "shown => getComputedStyle(shown).backgroundColor"


@pytest.fixture(params=_SCHEMES)
def forced(request: pytest.FixtureRequest) -> dict[str, str]:
    """A visitor's forced colours, on white or on black."""
    return {
        "forced_colors": "active",
        "color_scheme": request.param,
        "reduced_motion": "reduce",
        "expecting": "status of 422",
    }


def picture(shown: Locator) -> np.ndarray:
    """What is seen of an element, (H, W, 3) from 0 to 1."""
    shown.scroll_into_view_if_needed()
    with Image.open(io.BytesIO(shown.screenshot())) as image:
        return np.asarray(image.convert("RGB"), float) / 255


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """The contrast of two areas' median luminances."""
    low, high = sorted(float(np.median(luminance(area))) for area in (one, other))
    return (high + 0.05) / (low + 0.05)


def parts(bar: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The full and the empty part of a bar, without its rounded ends."""
    middle = bar[bar.shape[0] // 3 : -bar.shape[0] // 3]
    edge = round(share * bar.shape[1])
    return middle[:, 6 : edge - 3], middle[:, edge + 3 : -6]


def test_bars_of_the_result_are_visible(visit: Visit, forced: dict[str, str]) -> None:
    page = visit(**forced)
    page_actions.analyse(page, CLEAR)
    bars = page.locator("#result .bars li").all()
    shares = [float(bar.locator(".value").inner_text().rstrip("%")) / 100 for bar in bars]

    seen = [
        parts(picture(bar.locator(".track")), share)
        for bar, share in zip(bars, shares, strict=True)
    ]

    assert any(0.1 < share < 0.9 for share in shares)
    for share, (full, empty) in zip(shares, seen, strict=True):
        if 0.1 < share < 0.9:
            assert contrast(full, empty) >= _ENOUGH


def test_pressed_buttons_differ_from_others(visit: Visit, forced: dict[str, str]) -> None:
    page = visit(**forced)
    page_actions.analyse(page, CLEAR)
    choices = page.locator("#viewer fieldset")

    pressed = picture(choices.locator("button[aria-pressed=true]"))
    other = picture(choices.locator("button[aria-pressed=false]").first)

    assert contrast(pressed[4:8], other[4:8]) >= _ENOUGH  # above the text
    assert np.ptp(luminance(pressed)) > 0.2  # and its text is seen


def test_points_and_legend_of_the_projector_are_visible(
    visit: Visit, forced: dict[str, str]
) -> None:
    page = visit(**forced)
    page.locator("#projector summary").click()
    page_actions.pixels(page.locator(".space canvas"))

    seen = luminance(picture(page.locator(".space canvas")))
    visible = (seen + 0.05) / (float(np.median(seen)) + 0.05) >= _ENOUGH
    assert visible.sum() > 2000

    for dot in page.locator(".filters .dot").all():
        area = picture(dot)
        middle = area[area.shape[0] // 2 - 1 :, area.shape[1] // 2 - 1 :][:2, :2]
        border = area[area.shape[0] // 2, 1:2]
        assert contrast(middle, border) >= _ENOUGH


def finish_job(page: Page, tmp_path: Path) -> None:
    job_actions.send_folder(page, job_actions.folder_of_films(tmp_path))
    job_actions.expect_finished(page, len(job_actions.NAMES))


def test_dots_keep_the_colours_of_their_classes(
    visit_kept: Visit, forced: dict[str, str], tmp_path: Path
) -> None:
    page = visit_kept(**forced)
    finish_job(page, tmp_path)
    expect(job_actions.rows(page).locator("td[data-name]")).to_have_count(9)

    dots = page.locator(".job-films fieldset .dot")

    colours = [dot.evaluate(_BACKGROUND) for dot in dots.all()]
    assert len(set(colours)) == len(colours) > 1


def test_progress_is_visible_while_its_end_is_unknown(visit: Visit, forced: dict[str, str]) -> None:
    page = visit(**forced)
    page.route(ANALYSES, lambda route: None)
    page_actions.choose_files(page, CLEAR)
    bar = page.locator(".progress progress")
    expect(bar).to_be_visible()

    seen = luminance(picture(bar))

    assert (seen.max() + 0.05) / (seen.min() + 0.05) >= _ENOUGH


def test_progress_of_a_job_shows_its_share(
    visit_kept: Visit, forced: dict[str, str], tmp_path: Path
) -> None:
    page = visit_kept(**forced)
    finish_job(page, tmp_path)
    page.locator(".job").evaluate(
        """job => job.append(Object.assign(document.createElement("progress"), { value: 0.4 }))"""
    )

    full, empty = parts(picture(page.locator(".job progress")), 0.4)

    assert contrast(full, empty) >= _ENOUGH


def test_entry_that_is_shown_is_marked_in_the_history(visit: Visit, forced: dict[str, str]) -> None:
    page = visit(**forced)
    page_actions.analyse(page, CLEAR)
    page_actions.analyse_rejected(page, HAND)
    style = "row => getComputedStyle(row).outlineStyle"

    styles = [row.evaluate(style) for row in page.locator(".visit").all()]

    assert styles == ["solid", "none"]


def test_problem_keeps_its_edge(visit: Visit, forced: dict[str, str]) -> None:
    page = visit(**forced)
    page_actions.analyse_rejected(page, HAND)

    seen = picture(page.locator("#result .problem"))

    assert contrast(seen[:, :3], seen[:, 6:12]) >= _ENOUGH  # its edge


def test_classes_are_told_apart_in_the_projector(visit: Visit, forced: dict[str, str]) -> None:
    page: Page = visit(**forced)
    page.locator("#projector summary").click()
    expect(page.locator(".filters .dot")).to_have_count(len(FINDINGS))

    legend = [dot.evaluate(_BACKGROUND) for dot in page.locator(".filters .dot").all()]
    drawn = [dot.evaluate(_BACKGROUND) for dot in page.locator(".space [data-finding]").all()]

    assert legend == drawn
    assert len(set(legend)) == len(FINDINGS)
