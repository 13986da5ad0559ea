"""Every problem is said in the visitor's language, with what to do about it."""

import json
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from chestxray.errors import NotAnXRay
from chestxray.labels import Verdict
from tests.browser import hands
from tests.browser.conftest import Visit
from tests.browser.hands import ANALYSES, CLEAR, ENGLISH, HAND
from tests.unit.web.test_locales import problem_codes

CODES = sorted(problem_codes() - {NotAnXRay.code})
REFUSING = [verdict for verdict in Verdict if verdict is not Verdict.FRONTAL_CHEST]
PASSING = [
    "overloaded",
    "draining",
    "too-many-connections",
    "not-ready",
    "model-unavailable",
    "deadline-exceeded",
    "body-timeout",
    "header-timeout",
    "internal-error",
]
LIMIT = 5 * 2**20


def answer_with(page: Page, code: str, *, status: int = 400, **more: Any) -> None:
    """Has the service answer every image with a problem."""
    headers = {"Content-Type": "application/problem+json", "Retry-After": "7"}
    problem = {"code": code, "status": status, "detail": f"{code} it is", "request_id": "r-1"}
    body = json.dumps(problem | {"limit": LIMIT} | more)
    page.route(ANALYSES, lambda route: route.fulfill(status=status, headers=headers, body=body))


def file_of(name: str, media_type: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": media_type, "buffer": data}


def filled(text: str, megabytes: str) -> str:
    return text.format(seconds=7, bytes=megabytes, found="")


@pytest.mark.parametrize(
    ("language", "locale", "megabytes"),
    [("en", "en-US", "5.0 MB"), ("pt", "pt-BR", "5,0 MB"), ("es", "es", "5,0 MB")],
)
def test_every_problem_is_explained(
    visit: Visit, language: str, locale: str, megabytes: str
) -> None:
    page, texts = visit(locale=locale, expecting="status of 400"), hands.texts(language)

    for code in CODES:
        answer_with(page, code)
        hands.pick(page, CLEAR)

        message = hands.expect_problem(page, texts[f"problem.{code}.title"])
        advice = filled(texts[f"problem.{code}.advice"], megabytes)
        expect(message.locator("p")).to_have_text(advice)
        expect(message.locator("details")).to_contain_text(f"{code} it is")
        expect(message.locator("details")).to_contain_text("r-1")
        page.unroute(ANALYSES)


@pytest.mark.parametrize(("language", "locale"), [("en", "en-US"), ("pt", "pt-BR"), ("es", "es")])
def test_every_verdict_of_the_filter_is_explained(visit: Visit, language: str, locale: str) -> None:
    page, texts = visit(locale=locale, expecting="status of 422"), hands.texts(language)

    for verdict in REFUSING:
        found = {"verdict": verdict, "valid": False, "score": 0.1, "threshold": 0.9, "scores": {}}
        answer_with(page, NotAnXRay.code, status=422, filter=found)
        hands.pick(page, CLEAR)

        message = hands.expect_problem(page, texts[f"verdict.{verdict}.title"])
        expect(message.locator("> p")).to_have_text(texts[f"verdict.{verdict}.advice"])
        upright = page.get_by_role("button", name=texts["problem.upright"])
        expect(upright).to_have_count(int(verdict.startswith("rotated")))
        page.unroute(ANALYSES)


def test_film_just_under_the_threshold_is_not_called_something_else(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    scores = {"frontal_chest": 0.9868, "rotated_90": 0.0132}
    found = {"verdict": "rotated_90", "valid": False, "score": 0.9868, "threshold": 0.9876}
    answer_with(page, NotAnXRay.code, status=422, filter=found | {"scores": scores})

    hands.pick(page, CLEAR)

    hands.expect_problem(page, ENGLISH["verdict.frontal_chest.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_have_count(0)


REFUSED = {
    "text": (file_of("notes.txt", "text/plain", b"no image at all"), 415, "unsupported-format"),
    "JSON": (file_of("notes.json", "application/json", b"{}"), 415, "unsupported-media-type"),
    "text called an image": (
        file_of("notes.jpg", "image/jpeg", b"no image at all"),
        415,
        "unsupported-format",
    ),
    "photo of a phone": (
        file_of("IMG_1.HEIC", "image/heic", b"\0\0\0\x18ftypheic" + bytes(99)),
        415,
        "unsupported-format",
    ),
    "truncated": (
        file_of("chest.jpg", "image/jpeg", CLEAR.read_bytes()[:9000]),
        422,
        "truncated-image",
    ),
    "empty": (file_of("chest.jpg", "image/jpeg", b""), 400, "empty-image"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_file_is_refused_by_the_service(visit: Visit, name: str) -> None:
    file, status, code = REFUSED[name]
    page = visit(expecting=f"status of {status}")

    hands.pick(page, file)

    hands.expect_problem(page, ENGLISH[f"problem.{code}.title"])


def test_hand_is_refused_by_the_filter(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    hands.pick(page, HAND)

    hands.expect_problem(page, ENGLISH["verdict.other_xray.title"])
    expect(page.locator(".visit strong")).to_have_text(ENGLISH["verdict.other_xray.title"])


@pytest.mark.parametrize("code", PASSING)
def test_passing_problem_can_be_tried_again(visit: Visit, code: str) -> None:
    page = visit(expecting="status of 503")
    answer_with(page, code, status=503)
    hands.pick(page, CLEAR)
    hands.expect_problem(page, ENGLISH[f"problem.{code}.title"])

    page.unroute(ANALYSES)
    hands.press(page, ENGLISH["problem.retry"])

    hands.expect_result(page)
    expect(page.locator(".visit")).to_have_count(1)


def test_lasting_problem_offers_no_second_try(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    hands.pick(page, HAND)

    hands.expect_problem(page, ENGLISH["verdict.other_xray.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.retry"])).to_have_count(0)


def test_problem_again_after_the_second_try_is_shown_again(visit: Visit) -> None:
    page = visit(expecting="status of 503")
    answer_with(page, "overloaded", status=503)
    hands.pick(page, CLEAR)
    hands.expect_problem(page, ENGLISH["problem.overloaded.title"])

    page.unroute(ANALYSES)
    answer_with(page, "model-unavailable", status=503)
    hands.press(page, ENGLISH["problem.retry"])

    hands.expect_problem(page, ENGLISH["problem.model-unavailable.title"])


def test_problem_newer_than_the_page_is_told_in_the_words_of_the_service(visit: Visit) -> None:
    page = visit(expecting="status of 400")
    answer_with(page, "moon-too-full")

    hands.pick(page, CLEAR)

    message = hands.expect_problem(page, ENGLISH["problem.unknown"])
    expect(message.locator("p")).to_have_text("moon-too-full it is")


def test_page_of_a_proxy_is_told_as_a_failure_of_the_service(visit: Visit) -> None:
    page = visit(expecting="status of 502")
    page.route(ANALYSES, lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"))

    hands.pick(page, CLEAR)

    hands.expect_problem(page, ENGLISH["problem.internal-error.title"])


def test_answer_that_is_cut_off_can_be_tried_again(visit: Visit) -> None:
    page = visit(expecting="ERR_FAILED")
    page.route(ANALYSES, cut_off)

    hands.pick(page, CLEAR)

    hands.expect_problem(page, ENGLISH["problem.network.title"])
    page.unroute(ANALYSES)
    hands.press(page, ENGLISH["problem.retry"])
    hands.expect_result(page)


def cut_off(route: Route) -> None:
    route.abort()


def test_next_image_is_read_after_a_refused_one(visit: Visit) -> None:
    page = visit(expecting="status of 422")

    hands.pick(page, HAND, CLEAR)

    expect(page.locator(".visit").first).to_contain_text(CLEAR.name)
    expect(page.locator(".visit strong").first).to_contain_text("%")
