"""Every problem is explained in the visitor's language, with advice."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import FilePayload, Page, Route, expect

from chestxray.errors import NotAnXRay
from chestxray.labels import Verdict
from tests.browser import page_actions
from tests.browser.conftest import Visit
from tests.browser.page_actions import ANALYSES, CLEAR, ENGLISH, HAND
from tests.unit.web.test_locales import problem_codes

CODES = sorted(problem_codes() - {NotAnXRay.code})
REJECTING_VERDICTS = [verdict for verdict in Verdict if verdict is not Verdict.FRONTAL_CHEST]
TEMPORARY_PROBLEMS = [
    "overloaded",
    "draining",
    "too-many-connections",
    "not-ready",
    "model-unavailable",
    "deadline-exceeded",
    "body-timeout",
    "header-timeout",
    "internal-error",
    "request-in-progress",
]
LIMIT = 5 * 2**20


def answer_with(page: Page, code: str, *, status: int = 400, **more: Any) -> None:
    """Makes the service answer every image with a problem."""
    headers = {"Content-Type": "application/problem+json", "Retry-After": "7"}
    problem = {"code": code, "status": status, "detail": f"{code} it is", "request_id": "r-1"}
    body = json.dumps(problem | {"limit": LIMIT} | more)
    page.route(ANALYSES, lambda route: route.fulfill(status=status, headers=headers, body=body))


def file_payload(name: str, media_type: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": data}


def fill_placeholders(text: str, megabytes: str) -> str:
    return text.format(seconds=7, bytes=megabytes, found="")


def test_every_problem_is_explained_in_every_language(visit: Visit) -> None:
    page = visit(expecting="status of 400")

    for code in CODES:
        answer_with(page, code)
        page_actions.choose_files(page, CLEAR)
        expect(page.locator("#result details")).to_contain_text(f"{code} it is")
        for language, megabytes in (("pt", "5,0 MB"), ("es", "5,0 MB"), ("en", "5.0 MB")):
            texts = page_actions.texts(language)
            page_actions.use_language(page, texts["language.code"])

            message = page_actions.expect_problem(page, texts[f"problem.{code}.title"])
            advice = fill_placeholders(texts[f"problem.{code}.advice"], megabytes)
            expect(message.locator("p")).to_have_text(advice)
            expect(message.locator("details")).to_contain_text(f"{code} it is")
            expect(message.locator("details")).to_contain_text("r-1")
        page.unroute(ANALYSES)
        page.locator(".visit .remove").click()


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("pt", "pt-BR"), ("es", "es")])
def test_every_verdict_of_the_filter_is_explained(visit: Visit, language: str, locale: str) -> None:
    page, texts = visit(locale=locale, expecting="status of 422"), page_actions.texts(language)

    for verdict in REJECTING_VERDICTS:
        found = {"verdict": verdict, "valid": False, "score": 0.1, "threshold": 0.9, "scores": {}}
        answer_with(page, NotAnXRay.code, status=422, filter=found)
        page_actions.choose_files(page, CLEAR)

        message = page_actions.expect_problem(page, texts[f"verdict.{verdict}.title"])
        expect(message.locator("> p")).to_have_text(texts[f"verdict.{verdict}.advice"])
        upright = page.get_by_role("button", name=texts["problem.upright"])
        expect(upright).to_have_count(int(verdict.startswith("rotated")))
        page.unroute(ANALYSES)


def test_score_just_below_the_threshold_is_not_shown_as_another_verdict(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    scores = {"frontal_chest": 0.9868, "rotated_90": 0.0132}
    found = {"verdict": "rotated_90", "valid": False, "score": 0.9868, "threshold": 0.9876}
    answer_with(page, NotAnXRay.code, status=422, filter=found | {"scores": scores})

    page_actions.choose_files(page, CLEAR)

    page_actions.expect_problem(page, ENGLISH["verdict.frontal_chest.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_have_count(0)


REJECTED_FILES = {
    "text": (
        file_payload("notes.txt", "text/plain", b"no image at all"),
        415,
        "unsupported-format",
    ),
    "JSON": (file_payload("notes.json", "application/json", b"{}"), 415, "unsupported-format"),
    "text called an image": (
        file_payload("notes.jpg", "image/jpeg", b"no image at all"),
        415,
        "unsupported-format",
    ),
    "photo of a phone": (
        file_payload("IMG_1.HEIC", "image/heic", b"\0\0\0\x18ftypheic" + bytes(99)),
        415,
        "unsupported-format",
    ),
    "truncated": (
        file_payload("chest.jpg", "image/jpeg", CLEAR.read_bytes()[:9000]),
        422,
        "truncated-image",
    ),
    "empty": (file_payload("chest.jpg", "image/jpeg", b""), 400, "empty-image"),
}


@pytest.mark.parametrize("name", REJECTED_FILES)
def test_invalid_file_is_rejected_by_the_service(visit: Visit, name: str) -> None:
    file, status, code = REJECTED_FILES[name]
    page = visit(expecting=f"status of {status}")

    page_actions.choose_files(page, file)

    page_actions.expect_problem(page, ENGLISH[f"problem.{code}.title"])


def test_radiograph_of_a_hand_is_rejected_by_the_filter(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    page_actions.choose_files(page, HAND)

    page_actions.expect_problem(page, ENGLISH["verdict.other_xray.title"])
    expect(page.locator(".visit strong")).to_have_text(ENGLISH["verdict.other_xray.title"])


def test_photographic_negative_is_called_one_and_its_positive_is_analysed(
    visit: Visit, tmp_path: Path
) -> None:
    page = visit(expecting="status of 422")
    with Image.open(CLEAR) as film:
        ImageOps.invert(film.convert("L")).save(tmp_path / "negative.png")

    page_actions.choose_files(page, tmp_path / "negative.png")
    page_actions.expect_problem(page, ENGLISH["verdict.inverted.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_have_count(0)
    page_actions.press_button(page, ENGLISH["problem.positive"])

    page_actions.expect_result(page)


@pytest.mark.parametrize("code", TEMPORARY_PROBLEMS)
def test_temporary_problem_can_be_retried(visit: Visit, code: str) -> None:
    page = visit(expecting="status of 503")
    answer_with(page, code, status=503)
    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH[f"problem.{code}.title"])

    page.unroute(ANALYSES)
    page_actions.press_button(page, ENGLISH["problem.retry"])

    page_actions.expect_result(page)
    expect(page.locator(".visit")).to_have_count(1)


def test_permanent_problem_offers_no_retry(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    page_actions.choose_files(page, HAND)

    page_actions.expect_problem(page, ENGLISH["verdict.other_xray.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.retry"])).to_have_count(0)


def test_problem_of_a_retry_is_shown(visit: Visit) -> None:
    page = visit(expecting="status of 503")
    answer_with(page, "overloaded", status=503)
    page_actions.choose_files(page, CLEAR)
    page_actions.expect_problem(page, ENGLISH["problem.overloaded.title"])

    page.unroute(ANALYSES)
    answer_with(page, "model-unavailable", status=503)
    page_actions.press_button(page, ENGLISH["problem.retry"])

    page_actions.expect_problem(page, ENGLISH["problem.model-unavailable.title"])


def test_unknown_problem_shows_the_detail_of_the_service(visit: Visit) -> None:
    page = visit(expecting="status of 400")
    answer_with(page, "moon-too-full")

    page_actions.choose_files(page, CLEAR)

    message = page_actions.expect_problem(page, ENGLISH["problem.unknown"])
    expect(message.locator("p")).to_have_text("moon-too-full it is")


def test_proxy_error_page_is_shown_as_an_internal_error(visit: Visit) -> None:
    page = visit(expecting="status of 502")
    page.route(ANALYSES, lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))

    page_actions.choose_files(page, CLEAR)

    page_actions.expect_problem(page, ENGLISH["problem.internal-error.title"])


def test_aborted_request_can_be_retried(visit: Visit) -> None:
    page = visit(expecting="ERR_FAILED")
    page.route(ANALYSES, abort_request)

    page_actions.choose_files(page, CLEAR)

    page_actions.expect_problem(page, ENGLISH["problem.network.title"])
    page.unroute(ANALYSES)
    page_actions.press_button(page, ENGLISH["problem.retry"])
    page_actions.expect_result(page)


def abort_request(route: Route) -> None:
    route.abort()


def test_next_image_is_analysed_after_a_rejected_one(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    page_actions.choose_files(page, HAND, CLEAR)

    expect(page.locator(".visit").first).to_contain_text(CLEAR.name)
    expect(page.locator(".visit strong").first).to_contain_text("%")
