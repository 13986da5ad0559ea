"""The page shows the figures of what it answers first, and names what it saves by its answer."""

import json

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import film_actions, page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH
from tests.service.server import Server


def percentages(page: Page, caption: str) -> list[float]:
    """What the last row of a table says."""
    row = page.locator("#performance table", has_text=caption).locator("tbody tr").last
    shares = row.locator("td:has(.interval) > span").evaluate_all(
        "cells => cells.map((cell) => cell.firstChild.textContent)"
    )
    return [float(each.rstrip("%")) for each in shares]


def test_tables_show_what_the_page_answers_before_the_largest_scores(
    visit: Visit, server: Server
) -> None:
    page = visit()
    models = httpx.get(f"{server.url}/v1/models").json()["models"]
    answered = models[1]["metrics"]["answered"]
    assert {"test_siim", "external"} <= set(answered)

    for part, found in answered.items():
        caption = f"{ENGLISH['performance.answers']}: {ENGLISH[f'performance.{part}']}"
        wanted = [100 * found[each]["value"] for each in ("share", "right")]
        assert percentages(page, caption) == pytest.approx(wanted, abs=0.051)
    first = page.locator("#performance table").first
    expect(first).to_contain_text(ENGLISH["performance.answers"])
    largest = page.locator("#performance details", has_text=ENGLISH["performance.largest"])
    expect(largest.locator("table").first).to_be_hidden()


def test_what_is_saved_is_named_by_the_answer_at_the_threshold(visit: Visit) -> None:
    def answer_unsurely(route: Route) -> None:
        headers = {"Content-Type": "image/jpeg"}  # the body of a file is not given to a test
        answer = httpx.post(route.request.url, content=CLEAR.read_bytes(), headers=headers).json()
        shares = {"no_finding": 0.34, "lung_opacity": 0.33, "covid19": 0.33}
        answer["prediction"] |= {"label": "no_finding", "probabilities": shares}
        route.fulfill(body=json.dumps(answer), content_type="application/json")

    page = visit()
    page.route("**/v1/analyses?*", answer_unsurely)
    page_actions.analyse(page, CLEAR)
    expect(page.locator("#result h2")).to_have_text(ENGLISH["finding.indeterminate"])

    with page.expect_download() as saved:
        page_actions.press_button(page, ENGLISH["result.json"])

    assert saved.value.suggested_filename == "clear-chestxray-indeterminate.json"


def test_keys_of_the_film_work_on_its_controls(visit: Visit) -> None:
    page = visit()
    film_actions.open_film(page, CLEAR)
    before = film_actions.drawn(page)

    page.get_by_role("button", name=ENGLISH["viewer.flip"], exact=True).focus()
    page.keyboard.press("i")

    assert not np.array_equal(film_actions.drawn(page), before)
    page.keyboard.press("i")
    film_actions.expect_drawn(page, before)
