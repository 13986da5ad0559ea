"""What the service keeps for a visitor is listed, opened and deleted."""

import json
import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import kept_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, PATCHES
from tests.service.server import Server

PAGE = 20
"""Analyses that the page loads at once."""
BORDER = 150
"""Of black around a film, in pixels."""
ALIKE = 0.97
"""Least correlation between two encodings of one picture."""


def save(page: Page, button: str, path: Path) -> Path:
    """Presses a button that saves a file."""
    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH[button])
    saved.value.save_as(path)
    return path


def picture(page: Page, folder: Path) -> Image.Image:
    """The picture with the map that the page shows."""
    with Image.open(save(page, "result.png", folder / "picture.png")) as saved:
        return saved.convert("RGB")


def likeness(one: Image.Image, other: Image.Image) -> float:
    """The lesser correlation of the grey levels and of the maps of two pictures; the service keeps
    a film with other brightness and contrast, as the model saw it."""
    pairs = []
    for each in (one, other):
        red, green, blue = np.moveaxis(np.asarray(each.resize((224, 224)), np.float64), 2, 0)
        pairs.append((green, red - blue))  # the map alone has colour
    return min(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(*pairs, strict=True))


def test_list_is_newest_first_with_result_and_time_left(visit_kept: Visit) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    kept_actions.keep(page, PATCHES)
    verdicts = page.locator(".visit strong").all_inner_texts()
    kept_actions.reload(page)

    listed = kept_actions.open_list(page)

    expect(listed.locator("strong")).to_have_text(verdicts)
    left = ENGLISH["kept.left"].format(time="23 hours")
    expect(listed.first).to_contain_text(left)


def test_list_is_loaded_only_when_it_is_opened(visit: Visit, keeping_server: Server) -> None:
    page = visit(keeping_server.url)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))

    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "v1/analyses" in url]
    kept_actions.open_list(page)

    assert [url for url in asked if "v1/analyses" in url]


def test_new_analysis_joins_the_open_list(visit_kept: Visit) -> None:
    page = visit_kept()
    listed = kept_actions.open_list(page)
    expect(listed).to_have_count(0)

    kept_actions.keep(page, CLEAR)

    expect(listed).to_have_count(1)
    expect(listed).to_have_attribute("aria-current", "true")


def test_kept_analysis_is_shown_like_a_new_one(visit_kept: Visit, tmp_path: Path) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    kept_actions.keep(page, PATCHES)
    said, drawn = page.locator("#result").inner_text(), picture(page, tmp_path)
    kept_actions.forget_visit(page)

    kept_actions.open_list(page).first.locator(".open").click()

    page_actions.expect_result(page)
    assert page.locator("#result").inner_text() == said
    assert likeness(picture(page, tmp_path), drawn) > ALIKE
    kept_actions.items(page).last.locator(".open").click()
    expect(page.locator("#result")).not_to_have_text(said, use_inner_text=True)
    assert likeness(picture(page, tmp_path), drawn) < ALIKE
    expect(page.locator(".visit")).to_have_count(0)


def test_map_covers_all_of_a_film_that_is_kept_without_its_borders(
    visit_kept: Visit, tmp_path: Path
) -> None:
    with Image.open(PATCHES) as film:
        size = film.width + 2 * BORDER, film.height + 2 * BORDER
        canvas = Image.new("L", size)
        canvas.paste(film.convert("L"), (BORDER, BORDER))
    canvas.save(tmp_path / "borders.png")
    page = visit_kept()
    kept_actions.keep(page, tmp_path / "borders.png")
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.cropped"])
    page_actions.set_slider(page, ENGLISH["viewer.opacity"], 1)
    result = json.loads(save(page, "result.json", tmp_path / "result.json").read_text())
    left, top, right, bottom = result["input"]["film"]
    whole = picture(page, tmp_path)
    film_alone = whole.crop(
        (
            round(left * whole.width),
            round(top * whole.height),
            round(right * whole.width),
            round(bottom * whole.height),
        )
    )

    kept_actions.open_list(page).locator(".open").click()
    expect(page.locator("#result")).not_to_contain_text(ENGLISH["result.cropped"])

    assert (right - left, bottom - top) < (0.95, 0.95)
    assert likeness(picture(page, tmp_path), film_alone) > ALIKE


def test_analysis_that_another_program_kept_with_one_map_can_be_opened(
    visit_kept: Visit,
) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    for heatmap in ("cam", "none"):
        address = f"{page.url}v1/analyses?keep=true&heatmap={heatmap}"
        headers = {"Content-Type": "image/jpeg"}
        answer = page.request.post(address, data=PATCHES.read_bytes(), headers=headers)
        assert answer.status == 201
    kept_actions.forget_visit(page)

    listed = kept_actions.open_list(page)
    for index in (0, 1):
        listed.nth(index).locator(".open").click()

        expect(listed.nth(index)).to_have_attribute("aria-current", "true")
        expect(page.locator("#viewer fieldset button:visible")).to_have_count(1)


def test_further_pages_are_shown_when_asked_for(visit_kept: Visit) -> None:
    page = visit_kept()
    kept_actions.keep(page, CLEAR)
    for _ in range(PAGE):
        answer = page.request.post(f"{page.url}v1/analyses?keep=true", data=CLEAR.read_bytes())
        assert answer.status == 201
    listed = kept_actions.open_list(page)
    expect(listed).to_have_count(PAGE)

    page_actions.press_button(page, ENGLISH["kept.more"])

    expect(listed).to_have_count(PAGE + 1)
    expect(page.get_by_role("button", name=ENGLISH["kept.more"])).to_have_count(0)


def test_time_left_is_counted_down_until_the_analysis_is_gone(visit_kept: Visit) -> None:
    page = visit_kept()
    page.clock.install()
    kept_actions.reload(page)
    kept_actions.keep(page, CLEAR)
    listed = kept_actions.open_list(page)

    for passed, left in (("22:30:00", r"^(89|90) minutes"), ("01:00:00", r"^(29|30) minutes")):
        page.clock.fast_forward(passed)
        expect(listed.locator("span.muted").last).to_have_text(re.compile(left))
    page_actions.press_button(page, ENGLISH["kept.removeAll"])
    page.clock.fast_forward("00:10:00")
    expect(listed.locator("span.muted").last).to_have_text(re.compile(r"^(19|20) minutes"))
    page_actions.press_button(page, ENGLISH["history.no"])
    page.clock.fast_forward("01:00:00")

    expect(listed).to_have_count(0)
