"""The whole page is shown in the visitor's language, and a chosen language is kept."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, HAND, texts
from tests.service.server import Server

LANGUAGES = ["en", "es", "pt"]
CODES = {name: texts(name)["language.code"] for name in LANGUAGES}
_SAID = """() => {
  const said = [document.title];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const within = walker.currentNode.parentElement.closest(":not(.term)");
    const whole = within.querySelector(":scope > .term") ? within : walker.currentNode;
    if (within.checkVisibility()) said.push(whole.textContent.trim());
  }
  for (const name of ["aria-label", "title", "alt"]) {
    for (const place of document.querySelectorAll(`[${name}]`)) {
      if (place.checkVisibility()) said.push(place.getAttribute(name));
    }
  }
  return said.filter(Boolean);
}"""

_BROKEN = """() => {
  const broken = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, within = node.parentElement;
    const text = within.closest("h1, h2, h3, p, button, li, dt, dd, th, td");
    if (!text || !within.checkVisibility()) continue;
    const terms = node.textContent.matchAll(/\\b(COVID-19|COVID-like|X-rays?)\\b/g);
    for (const { 0: term, index } of terms) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + term.length);
      if (range.getClientRects().length > 1) broken.push(within.textContent);
    }
  }
  return broken;
}"""


@pytest.mark.parametrize(
    ("locale", "code"),
    [("pt-BR", "pt-BR"), ("pt-PT", "pt-BR"), ("es-MX", "es"), ("en-GB", "en"), ("de-DE", "en")],
)
def test_page_uses_the_browsers_language(visit: Visit, locale: str, code: str) -> None:
    name = next(name for name in LANGUAGES if CODES[name] == code)

    page = visit(locale=locale)

    expect(page.locator("html")).to_have_attribute("lang", code)
    expect(page.locator("h1")).to_have_text(texts(name)["try.title"])
    expect(page).to_have_title(texts(name)["page.title"])


@pytest.mark.parametrize("name", LANGUAGES)
def test_chosen_language_applies_to_the_whole_page(visit: Visit, name: str) -> None:
    first = "pt-BR" if name == "en" else "en"
    page = visit(locale=first, expecting="status of 422")
    page_actions.analyse(page, CLEAR)
    page_actions.analyse_rejected(page, HAND)
    page.locator(".visit .open", has_text=CLEAR.name).click()
    page.locator("#projector summary").click()
    expect(page.locator(".space")).to_be_visible()

    page_actions.use_language(page, CODES[name])

    assert texts_of_other_languages(page, name) == []
    page.locator(".visit .open", has_text=HAND.name).click()
    page_actions.expect_problem(page, texts(name)["verdict.other_xray.title"])
    assert texts_of_other_languages(page, name) == []


def texts_of_other_languages(page: Page, name: str) -> list[str]:
    """Texts of the page that occur only in the other language's dictionary."""
    own = [re.compile(pattern(text)) for text in texts(name).values()]
    others = [
        re.compile(pattern(text))
        for other in LANGUAGES
        for key, text in texts(other).items()
        if other != name and not key.startswith("language.") and re.search(r"\w", text)
    ]
    names = {texts(each)["language.name"] for each in LANGUAGES}
    said = [text for text in page.evaluate(_SAID) if text not in names]
    return [
        text
        for text in said
        if any(each.fullmatch(text) for each in others)
        and not any(each.fullmatch(text) for each in own)
    ]


def pattern(text: str) -> str:
    return re.sub(r"\\{\w+\\}", ".+", re.escape(text))


def test_chosen_language_is_kept_across_a_reload(visit: Visit) -> None:
    page = visit()
    page_actions.use_language(page, "es")

    page.reload()
    page.wait_for_selector(READY)

    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("#language")).to_have_value("es")
    expect(page.locator("h1")).to_have_text(texts("es")["try.title"])


def test_numbers_are_formatted_for_the_language(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    values = page.locator(".bars .value")
    expect(values).to_have_text([re.compile(r"^\d+\.\d%$")] * 3)

    page_actions.use_language(page, "pt-BR")

    expect(values).to_have_text([re.compile(r"^\d+,\d%$")] * 3)
    expect(page.locator("#performance .interval").first).to_have_text(re.compile(r"^\d+,\d%"))


def test_language_switch_keeps_the_focus(visit: Visit) -> None:
    page = visit()
    page.locator("#language").focus()

    page_actions.use_language(page, "es")

    expect(page.locator("#language")).to_be_focused()


def test_first_words_are_in_the_visitors_language_without_a_script(
    browser: Browser, server: Server
) -> None:
    with browser.new_context(java_script_enabled=False, locale="pt-BR") as context:
        page = context.new_page()
        page.goto(server.url)

        expect(page.locator("h1")).to_have_text(texts("pt")["try.title"])
        assert texts("pt")["page.needsScript"] in page.locator("noscript").inner_html()


def test_address_names_the_language(visit: Visit, server: Server) -> None:
    page = visit(f"{server.url}/?lang=es", locale="pt-BR")

    expect(page.locator("html")).to_have_attribute("lang", "es")
    page_actions.use_language(page, "en")
    expect(page).to_have_url(re.compile(r"\?lang=en$"))


def test_chosen_language_is_that_of_the_next_visit(visit: Visit, server: Server) -> None:
    page = visit(f"{server.url}/#limits")
    page_actions.use_language(page, "es")

    page.goto(f"{server.url}/#limits")
    page.wait_for_selector(READY)

    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page).to_have_url(re.compile(r"\?lang=es#limits$"))


@pytest.mark.parametrize("name", LANGUAGES)
def test_no_term_is_broken_at_its_hyphen(visit: Visit, name: str) -> None:
    page = visit(viewport={"width": 360, "height": 740}, locale=CODES[name])
    page_actions.click_example(page, "patches")
    page_actions.expect_result(page)

    for width in range(320, 420, 4):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(_BROKEN) == [], width
