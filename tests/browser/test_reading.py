"""An image comes in by every way there is, and is read."""

import base64
import io
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import ANALYSES, CLEAR, ENGLISH, OPACITY, PATCHES, TURNED
from tests.browser.relay import relaying
from tests.service.server import Server

_DRAWN = """image => {
  const canvas = new OffscreenCanvas(32, 32);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 32, 32);
  return [...context.getImageData(0, 0, 32, 32).data].filter((_, i) => i % 4 === 0);
}"""


def test_image_that_is_picked_is_analysed(visit: Visit) -> None:
    page = visit()

    hands.pick(page, CLEAR)

    hands.expect_result(page)
    expect(page.locator("#result h2")).to_have_text(outcome_titles())


def test_image_dropped_on_the_page_is_analysed(visit: Visit) -> None:
    page = visit()
    dropped = {"dataTransfer": hands.transfer(page, CLEAR)}

    page.dispatch_event("footer", "dragover", dropped)
    expect(page.locator(".drop")).to_have_attribute("data-over", "")
    page.dispatch_event("footer", "drop", dropped)

    hands.expect_result(page)
    expect(page.locator(".drop")).not_to_have_attribute("data-over", "")


def test_image_that_is_pasted_is_analysed(visit: Visit) -> None:
    page = visit()

    hands.transfer(page, CLEAR).evaluate(
        """clipboardData => document.body.dispatchEvent(
          new ClipboardEvent("paste", { clipboardData, bubbles: true }))"""
    )

    hands.expect_result(page)


def test_photo_of_the_camera_is_analysed(visit: Visit) -> None:
    page = visit()
    camera = page.locator("input[capture=environment]")

    camera.set_input_files(CLEAR)

    hands.expect_result(page)


def test_several_images_are_read_in_their_order(visit: Visit, server: Server) -> None:
    files = [PATCHES, CLEAR, OPACITY]

    with relaying(server.url) as relay:
        page = visit(relay.url)
        hands.read(page, *files)
        expect(page.locator(".visit strong", has_text="%")).to_have_count(len(files))

    assert relay.bodies == [file.read_bytes() for file in files]
    names = page.locator(".visit .open .muted")
    expect(names).to_have_text([re_name(file) for file in reversed(files)])


def test_example_is_said_to_be_synthetic(visit: Visit) -> None:
    page = visit()

    hands.click_example(page, "opacity")

    hands.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])
    expect(page.locator("#intake")).to_contain_text(ENGLISH["examples.synthetic"])


def test_picked_image_is_not_said_to_be_synthetic(visit: Visit) -> None:
    page = visit()

    hands.read(page, CLEAR)

    expect(page.locator("#result")).not_to_contain_text(ENGLISH["result.synthetic"])


def test_preview_shows_before_the_answer(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    page.route(ANALYSES, lambda route: held.append(route))

    hands.pick(page, CLEAR)
    expect(page.locator(".progress")).to_be_visible()
    before = hands.pixels(hands.canvas(page))

    assert brightness(before) > 20
    expect(page.locator("#result")).to_be_hidden()
    held[0].continue_()
    hands.expect_result(page)
    assert hands.pixels(hands.canvas(page)) != before


def test_cancel_while_sending_removes_the_image(visit: Visit) -> None:
    page = visit()
    page.route(ANALYSES, lambda route: None)

    hands.pick(page, CLEAR)
    expect(page.locator(".progress")).to_contain_text("Sending")
    hands.press(page, ENGLISH["progress.cancel"])

    expect_nothing(page)


def test_cancel_while_reading_removes_the_image(visit: Visit, server: Server) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        relay.open.clear()

        hands.pick(page, CLEAR)
        expect(page.locator(".progress")).to_contain_text(ENGLISH["progress.reading"])
        hands.press(page, ENGLISH["progress.cancel"])

        expect_nothing(page)


def test_next_image_is_read_after_one_was_cancelled(visit: Visit, server: Server) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        relay.open.clear()

        hands.pick(page, CLEAR, OPACITY)
        expect(page.locator(".progress")).to_contain_text("1 more waiting.")
        hands.press(page, ENGLISH["progress.cancel"])
        relay.open.set()

        hands.expect_result(page)
        expect(page.locator(".visit")).to_contain_text([OPACITY.name])


def test_three_bars_share_all_of_the_belief(visit: Visit, server: Server) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        hands.read(page, CLEAR)

    shown = [float(text.rstrip("%")) for text in page.locator(".bars .value").all_text_contents()]
    probabilities = json.loads(relay.answers[0])["prediction"]["probabilities"]
    assert shown == pytest.approx([100 * share for share in probabilities.values()], abs=0.06)
    assert sum(shown) == pytest.approx(100, abs=0.15)
    widths = page.locator(".bars .fill").evaluate_all(
        "bars => bars.map((bar) => bar.clientWidth / bar.parentElement.clientWidth)"
    )
    assert widths == pytest.approx(list(probabilities.values()), abs=0.01)


def test_probability_of_any_finding_is_shown_apart_from_the_bars(
    visit: Visit, server: Server
) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        hands.read(page, CLEAR)

    name, value = page.locator("#result dl.abnormal > *").all_text_contents()
    abnormal = json.loads(relay.answers[0])["prediction"]["abnormal"]
    assert name == ENGLISH["result.abnormal"]
    assert float(value.rstrip("%")) == pytest.approx(100 * abnormal, abs=0.06)


def test_result_is_saved_as_it_was_answered(visit: Visit, server: Server, tmp_path: Path) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        hands.read(page, CLEAR)

    with page.expect_download() as saved:
        hands.press(page, ENGLISH["result.json"])

    assert saved.value.suggested_filename == "chestxray.json"
    saved.value.save_as(tmp_path / "result.json")
    assert json.loads((tmp_path / "result.json").read_bytes()) == json.loads(relay.answers[0])


def test_picture_is_saved_with_its_map_in_the_size_that_is_shown(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit()
    hands.read(page, CLEAR)

    with page.expect_download() as saved:
        hands.press(page, ENGLISH["result.png"])

    saved.value.save_as(tmp_path / saved.value.suggested_filename)
    with Image.open(CLEAR) as film, Image.open(tmp_path / saved.value.suggested_filename) as png:
        assert (png.format, png.size) == ("PNG", film.size)
        colours = np.asarray(png.convert("RGB"), np.int16)
    assert (abs(colours[..., 0] - colours[..., 2]) > 20).any()


def test_time_in_the_service_is_shown(visit: Visit, server: Server) -> None:
    with relaying(server.url) as relay:
        page = visit(relay.url)
        hands.read(page, CLEAR)

    answer = json.loads(relay.answers[0], parse_float=Decimal)
    # Browsers round a half up, Python's format to the even neighbour.
    took = Decimal(answer["timing_ms"]["total"]).quantize(Decimal(1), ROUND_HALF_UP)
    expect(page.locator("#result .facts")).to_contain_text(f"{took:,} ms")


def test_turned_film_is_shown_upright_and_can_be_read_so(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    hands.click_example(page, "turned")
    hands.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()
    shown = np.array(page.locator(".upright img").evaluate(_DRAWN)).reshape(32, 32)
    hands.press(page, ENGLISH["problem.upright"])

    with Image.open(TURNED) as film:
        upright = np.asarray(film.convert("L").rotate(90, expand=True).resize((32, 32)), float)
    assert abs(shown - upright).mean() < 6 < abs(shown - np.rot90(upright)).mean()
    hands.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])


def test_result_is_three_actions_away_from_opening_the_page(visit: Visit) -> None:
    page = visit()

    hands.click_example(page, "clear")
    title = page.locator("#result h2")

    expect(title).to_have_text(outcome_titles())
    expect(title).to_be_in_viewport()
    expect(page.locator("#announcer")).to_have_text(title.inner_text())


def outcome_titles() -> "re.Pattern[str]":
    titles = [text for key, text in ENGLISH.items() if re.fullmatch(r"outcome\.\w+\.title", key)]
    return re.compile("|".join(re.escape(title) for title in titles))


def re_name(file: Path) -> "re.Pattern[str]":
    return re.compile(re.escape(file.name))


def brightness(data_url: str) -> float:
    with Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))) as image:
        return float(np.asarray(image.convert("L")).mean())


def expect_nothing(page: Page) -> None:
    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_hidden()
