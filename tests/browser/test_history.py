"""The history of a visit is kept in the browser until it is deleted or the tab is closed."""

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser import film_actions, page_actions
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH, HAND, OPACITY

_KEPT = """() => new Promise((resolve) => {
  const request = indexedDB.open("chestxray");
  request.onsuccess = () => {
    const database = request.result;
    const count = database.transaction("entries").objectStore("entries").count();
    count.onsuccess = () => { database.close(); resolve(count.result); };
  };
})"""


def stored_entries(page: Page) -> int:
    """The number of entries in the browser's database."""
    return int(page.evaluate(_KEPT))


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(READY)


def open_second_tab(page: Page) -> Page:
    """Opens the page in another tab of the same browser."""
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(READY)
    return other


def verdicts(page: Page) -> list[str]:
    return page.locator(".visit strong").all_inner_texts()


def test_history_keeps_image_and_verdict_across_a_reload(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    before, verdict = film_actions.drawn(page), verdicts(page)

    reload(page)

    page_actions.expect_result(page)
    assert verdicts(page) == verdict != []
    film_actions.expect_drawn(page, before)
    loaded = "image => image.decode().then(() => image.naturalWidth)"
    assert page.locator(".visit img").evaluate(loaded) > 50


def test_rejected_image_can_be_rotated_after_a_reload(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page_actions.click_example(page, "turned")
    page_actions.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()

    reload(page)
    page_actions.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    page_actions.press_button(page, ENGLISH["problem.upright"])

    page_actions.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])


def test_history_entry_can_be_reopened(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    first, told = film_actions.drawn(page), page.locator("#result").inner_text()
    page_actions.analyse(page, OPACITY)
    second = film_actions.drawn(page)

    page.locator(".visit .open", has_text=CLEAR.name).click()

    expect(page.locator(".visit[aria-current]")).to_contain_text(CLEAR.name)
    film_actions.expect_drawn(page, first)
    assert page.locator("#result").inner_text() == told
    assert not np.array_equal(first, second)


def test_single_history_entry_can_be_deleted(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR, OPACITY)
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])

    page_actions.press_button(page, ENGLISH["history.remove"].format(name=CLEAR.name))

    expect(page.locator(".visit")).to_have_count(1)
    expect(page.locator(".visit")).to_contain_text(OPACITY.name)
    assert stored_entries(page) == 1


def test_all_history_entries_are_deleted_after_confirmation(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    page_actions.analyse(page, CLEAR, HAND)

    page_actions.press_button(page, ENGLISH["history.removeAll"])
    dialog = page.get_by_role("dialog", name=ENGLISH["history.question"])
    dialog.get_by_role("button", name=ENGLISH["history.yes"]).click()

    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_hidden()
    assert stored_entries(page) == 0


def test_history_entries_are_kept_when_deletion_is_declined(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    for answer in ("click", "Escape"):
        page_actions.press_button(page, ENGLISH["history.removeAll"])
        if answer == "click":
            page_actions.press_button(page, ENGLISH["history.no"])
        else:
            page.keyboard.press(answer)
        expect(page.get_by_role("dialog")).to_be_hidden()

    expect(page.locator(".visit")).to_have_count(1)
    assert stored_entries(page) == 1


def test_new_visit_starts_with_an_empty_history(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    assert stored_entries(page) == 1
    blank = page.context.new_page()
    address = page.url

    page.close()
    blank.goto(address)
    blank.wait_for_selector(READY)

    expect(blank.locator("#history")).to_be_hidden()
    assert stored_entries(blank) == 0


def test_second_tab_has_its_own_history(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    other = open_second_tab(page)

    expect(other.locator("#history")).to_be_hidden()
    assert stored_entries(other) == 1
    reload(page)
    expect(page.locator(".visit")).to_have_count(1)


def test_only_language_and_colour_scheme_are_stored_permanently(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)
    page_actions.use_language(page, "pt-BR")
    page.locator("#scheme").select_option("dark")

    assert page.evaluate("Object.entries(localStorage).sort()") == [
        ["language", "pt-BR"],
        ["scheme", "dark"],
    ]
    assert page.evaluate("Object.keys(sessionStorage)") == ["visit"]


def test_name_of_an_example_follows_the_language(visit: Visit) -> None:
    page = visit()
    page_actions.click_example(page, "clear")
    page_actions.expect_result(page)
    expect(page.locator(".visit")).to_contain_text(ENGLISH["examples.clear"])

    for code, name in (("pt-BR", "pt"), ("es", "es")):
        page_actions.use_language(page, code)

        expect(page.locator(".visit")).to_contain_text(page_actions.texts(name)["examples.clear"])
    reload(page)
    expect(page.locator(".visit")).to_contain_text(page_actions.texts("es")["examples.clear"])


def test_refused_image_costs_one_line_of_the_console(visit: Visit) -> None:
    """That of the browser itself, which no page can keep away."""
    page = visit(expecting="status of 422")
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))

    page_actions.analyse_rejected(page, HAND)
    expect(page.locator(".visit img")).to_have_count(1)

    assert len(lines) == 1
