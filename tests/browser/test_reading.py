"""Images are submitted in every way and analysed."""

import base64
import hashlib
import io
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH, OPACITY, PATCHES, TURNED
from tests.browser.relay import run_relay
from tests.service.server import Server
from tests.waiting import until

_DRAWN = """image => {
  const canvas = new OffscreenCanvas(32, 32);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, 32, 32);
  return [...context.getImageData(0, 0, 32, 32).data].filter((_, i) => i % 4 === 0);
}"""


def test_chosen_image_is_analysed(visit: Visit) -> None:
    page = visit()

    page_actions.choose_files(page, CLEAR)

    page_actions.expect_result(page)
    expect(page.locator("#result h2")).to_have_text(outcome_titles())


def test_dropped_image_is_analysed(visit: Visit) -> None:
    page = visit()
    dropped = {"dataTransfer": page_actions.transfer(page, CLEAR)}

    page.dispatch_event("footer", "dragover", dropped)
    expect(page.locator(".drop")).to_have_attribute("data-over", "")
    page.dispatch_event("footer", "drop", dropped)

    page_actions.expect_result(page)
    expect(page.locator(".drop")).not_to_have_attribute("data-over", "")


def test_pasted_image_is_analysed(visit: Visit) -> None:
    page = visit()

    page_actions.transfer(page, CLEAR).evaluate(
        """clipboardData => document.body.dispatchEvent(
          new ClipboardEvent("paste", { clipboardData, bubbles: true }))"""
    )

    page_actions.expect_result(page)


def test_camera_photo_is_analysed(visit: Visit) -> None:
    page = visit()
    camera = page.locator("input[capture=environment]")

    camera.set_input_files(CLEAR)

    page_actions.expect_result(page)


def test_several_images_are_analysed_in_order(visit: Visit, server: Server) -> None:
    files = [PATCHES, CLEAR, OPACITY]

    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, *files)
        expect(page.locator(".visit strong", has_text="%")).to_have_count(len(files))

    assert relay.bodies == [file.read_bytes() for file in files]
    names = page.locator(".visit .open .muted")
    expect(names).to_have_text([name_pattern(file) for file in reversed(files)])


def test_example_is_labelled_as_synthetic(visit: Visit) -> None:
    page = visit()

    page_actions.click_example(page, "opacity")

    page_actions.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])
    expect(page.locator("#intake")).to_contain_text(ENGLISH["examples.synthetic"])


def test_chosen_image_is_not_labelled_as_synthetic(visit: Visit) -> None:
    page = visit()

    page_actions.analyse(page, CLEAR)

    expect(page.locator("#result")).not_to_contain_text(ENGLISH["result.synthetic"])


def test_preview_is_shown_before_the_result(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    page.route(ANALYSES, lambda route: held.append(route))

    page_actions.choose_files(page, CLEAR)
    expect(page.locator(".progress")).to_be_visible()
    until(lambda: brightness(page_actions.pixels(page_actions.canvas(page))) > 20)
    before = page_actions.pixels(page_actions.canvas(page))
    expect(page.locator("#result")).to_be_hidden()
    held[0].continue_()
    page_actions.expect_result(page)
    assert page_actions.pixels(page_actions.canvas(page)) != before


def test_cancelling_an_upload_removes_the_image(visit: Visit) -> None:
    page = visit()
    page.route(ANALYSES, lambda route: None)

    page_actions.choose_files(page, CLEAR)
    expect(page.locator(".progress")).to_contain_text("Sending")
    page_actions.press_button(page, ENGLISH["progress.cancel"])

    expect_nothing(page)


def test_cancelling_an_analysis_removes_the_image(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        relay.open.clear()

        page_actions.choose_files(page, CLEAR)
        expect(page.locator(".progress")).to_contain_text(ENGLISH["progress.reading"])
        page_actions.press_button(page, ENGLISH["progress.cancel"])

        expect_nothing(page)


def test_next_image_is_analysed_after_a_cancelled_one(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        relay.open.clear()

        page_actions.choose_files(page, CLEAR, OPACITY)
        expect(page.locator(".progress")).to_contain_text("1 more waiting.")
        page_actions.press_button(page, ENGLISH["progress.cancel"])
        relay.open.set()

        page_actions.expect_result(page)
        expect(page.locator(".visit")).to_contain_text([OPACITY.name])


def test_three_bars_show_the_probabilities(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, CLEAR)

    shown = [float(text.rstrip("%")) for text in page.locator(".bars .value").all_text_contents()]
    probabilities = json.loads(relay.answers[0])["prediction"]["probabilities"]
    assert shown == pytest.approx([100 * share for share in probabilities.values()], abs=0.06)
    assert sum(shown) == pytest.approx(100, abs=0.15)
    widths = page.locator(".bars .fill").evaluate_all(
        "bars => bars.map((bar) => bar.clientWidth / bar.parentElement.clientWidth)"
    )
    assert widths == pytest.approx(list(probabilities.values()), abs=0.01)


def test_probability_of_any_finding_is_shown_separately(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, CLEAR)

    name, value = page.locator("#result dl.abnormal > *").all_text_contents()
    abnormal = json.loads(relay.answers[0])["prediction"]["abnormal"]
    assert name == ENGLISH["result.abnormal"]
    assert float(value.rstrip("%")) == pytest.approx(100 * abnormal, abs=0.06)


def test_saved_json_is_the_response_and_names_the_film(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, CLEAR)

    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH["result.json"])

    assert re.fullmatch(r"clear-chestxray-\w+\.json", saved.value.suggested_filename)
    saved.value.save_as(tmp_path / "result.json")
    found = json.loads((tmp_path / "result.json").read_bytes())
    digest = hashlib.sha256(CLEAR.read_bytes()).hexdigest()
    assert found.pop("film") == {"name": CLEAR.name, "sha256": digest}
    assert found == json.loads(relay.answers[0])


def test_saved_image_contains_the_heatmap_at_original_size(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH["result.png"])

    saved.value.save_as(tmp_path / saved.value.suggested_filename)
    with Image.open(CLEAR) as film, Image.open(tmp_path / saved.value.suggested_filename) as png:
        assert (png.format, png.size) == ("PNG", film.size)
        colours = np.asarray(png.convert("RGB"), np.int16)
    assert (abs(colours[..., 0] - colours[..., 2]) > 20).any()


def test_processing_time_is_shown(visit: Visit, server: Server) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        page_actions.analyse(page, CLEAR)

    answer = json.loads(relay.answers[0], parse_float=Decimal)
    # Browsers round a half up, Python's format to the even neighbour.
    took = Decimal(answer["timing_ms"]["total"]).quantize(Decimal(1), ROUND_HALF_UP)
    expect(page.locator("#result .facts")).to_contain_text(f"{took:,} ms")


def test_rotated_image_is_shown_upright_and_can_be_analysed(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    page_actions.click_example(page, "turned")
    page_actions.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()
    shown = np.array(page.locator(".upright img").evaluate(_DRAWN)).reshape(32, 32)
    page_actions.press_button(page, ENGLISH["problem.upright"])

    with Image.open(TURNED) as film:
        upright = np.asarray(film.convert("L").rotate(90, expand=True).resize((32, 32)), float)
    assert abs(shown - upright).mean() < 6 < abs(shown - np.rot90(upright)).mean()
    page_actions.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])


def test_example_result_is_shown_after_one_click(visit: Visit) -> None:
    page = visit()

    page_actions.click_example(page, "clear")
    title = page.locator("#result h2")

    expect(title).to_have_text(outcome_titles())
    expect(title).to_be_in_viewport()
    expect(page.locator("#announcer")).to_contain_text(title.inner_text())


def outcome_titles() -> "re.Pattern[str]":
    titles = [text for key, text in ENGLISH.items() if re.fullmatch(r"outcome\.\w+\.title", key)]
    return re.compile("|".join(re.escape(title) for title in titles))


def name_pattern(file: Path) -> "re.Pattern[str]":
    return re.compile(re.escape(file.name))


def brightness(data_url: str) -> float:
    with Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))) as image:
        return float(np.asarray(image.convert("L")).mean())


def expect_nothing(page: Page) -> None:
    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_hidden()
