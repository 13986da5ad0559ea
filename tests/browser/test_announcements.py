"""What becomes of an image is said to those who do not see the page, in few words."""

import json
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from chestxray.labels import FINDINGS
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import (
    ANALYSES,
    CLEAR,
    ENGLISH,
    HAND,
    OPACITY,
    PATCHES,
    listen,
    said,
)
from tests.browser.relay import run_relay
from tests.service.server import Server

_REGIONS = """async ([heatmaps, finding]) => {
  const { src } = document.querySelector("script[type=module]");
  return (await import(new URL("regions.js", src))).brightRegions(heatmaps, finding);
}"""
_SIDE = 14


def test_reading_and_answer_are_said_with_share_and_bright_part(
    visit: Visit, server: Server
) -> None:
    with run_relay(server.url) as relay:
        page = visit(relay.url)
        listen(page)
        page_actions.analyse(page, CLEAR)

    first, last = said(page)[0], said(page)[-1]
    prediction = json.loads(relay.answers[0])["prediction"]
    finding = ENGLISH[f"finding.{prediction['label']}"]
    share = round(100 * prediction["probabilities"][prediction["label"]])
    assert first == ENGLISH["progress.reading"]
    assert last.startswith(page.locator("#result h2").inner_text())
    assert f"{finding}: {share}%" in last
    where = page.locator("#result .where").inner_text()
    assert last.endswith(where.removesuffix(ENGLISH["where.sides"]).strip())
    assert len(said(page)) == 2


def test_refusal_is_said_with_its_advice(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    listen(page)

    page_actions.analyse_rejected(page, HAND)

    title, advice = (ENGLISH[f"verdict.other_xray.{part}"] for part in ("title", "advice"))
    assert said(page)[-1] == f"{title}. {advice}"


def test_several_images_are_summed_up(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    listen(page)

    page_actions.choose_files(page, CLEAR, HAND, OPACITY, PATCHES)
    expect(page.locator("#announcer")).to_contain_text("All 4 images are done.")

    waiting = ENGLISH["progress.waiting"].format(count=3)
    assert said(page)[0] == f"{ENGLISH['progress.reading']} {waiting}"
    assert f"{ENGLISH['jobs.outcome.refused']}: 1" in said(page)[-1]
    assert len(said(page)) <= 4


def test_many_images_do_not_flood(visit: Visit) -> None:
    page = visit(expecting="status of 503")
    page.route(ANALYSES, lambda route: route.fulfill(status=503, json={"code": "overloaded"}))
    listen(page)

    page_actions.choose_files(page, *[CLEAR] * 40)
    expect(page.locator("#announcer")).to_contain_text("All 40 images are done.")

    seconds = page.evaluate("performance.now()") / 1000
    assert len(said(page)) <= 2 + seconds / 5


def test_how_far_many_images_are_is_said_on_the_way(visit: Visit) -> None:
    page = visit(expecting="status of 503")
    held: list[Route] = []
    page.route(ANALYSES, lambda route: held.append(route))
    page.clock.install()
    listen(page)
    page_actions.choose_files(page, CLEAR, OPACITY, PATCHES)

    for ended in (1, 2):
        expect(page.locator(".progress")).to_be_visible()
        page.clock.fast_forward(6000)
        while len(held) < ended:
            page.wait_for_timeout(20)
        held[ended - 1].fulfill(status=503, json={"code": "overloaded"})
        expect(page.locator("#announcer")).to_have_text(f"{ended} of 3 images are analysed.")


def test_cancelled_image_is_not_said_to_be_answered(visit: Visit) -> None:
    page = visit()
    page.route(ANALYSES, lambda route: None)
    page_actions.choose_files(page, CLEAR)
    expect(page.locator("#announcer")).to_have_text(ENGLISH["progress.reading"])

    page_actions.press_button(page, ENGLISH["progress.cancel"])

    expect(page.locator("#announcer")).to_have_text("")


def test_bright_part_is_that_of_the_class_whose_map_is_shown(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, PATCHES)
    where = page.locator("#result .where")

    for finding in FINDINGS:
        name = ENGLISH[f"finding.{finding}"]
        page.locator("#viewer fieldset").get_by_role("button", name=name, exact=True).click()

        expect(where).to_contain_text(f"“{name}”")
    page_actions.use_language(page, "pt-BR")
    expect(where).to_contain_text(page_actions.texts("pt")["where.sides"])


def heatmaps(*bright: tuple[int, int], level: float = 1.0, strongest: float = 1.0) -> Any:
    """A map of one class with these bright cells (row, column) on dark ground."""
    grid = [[-0.5] * _SIDE for _ in range(_SIDE)]
    for row, column in bright:
        grid[row][column] = level
    other = {"label": "no_finding", "grid": grid, "range": [-0.5, strongest]}
    return {"covid19": {"label": "covid19", "grid": grid, "range": [-0.5, level]}, "other": other}


@pytest.mark.parametrize(
    ("cells", "names", "is_spread"),
    [
        ([(12, 1)], ["lower.left"], False),
        ([(0, 13)], ["upper.right"], False),
        ([(7, 7)], ["middle.centre"], False),
        ([(12, 1), (12, 2), (7, 12)], ["lower.left"], False),
        ([(7, 1), (7, 12)], ["middle.left", "middle.right"], False),
        ([(row, column) for row in (1, 7, 12) for column in (1, 7, 12)], ["upper.left"], True),
        ([], [], False),
    ],
)
def test_bright_cells_are_named_by_their_ninth(
    visit: Visit, cells: list[tuple[int, int]], names: list[str], is_spread: bool
) -> None:
    found = visit().evaluate(_REGIONS, [heatmaps(*cells), "covid19"])

    assert found == {"names": names, "isSpread": is_spread}


def test_evidence_that_is_weak_beside_another_class_is_not_called_bright(visit: Visit) -> None:
    weak = heatmaps((12, 1), level=0.4, strongest=1.0)

    assert visit().evaluate(_REGIONS, [weak, "covid19"]) == {"names": [], "isSpread": False}
