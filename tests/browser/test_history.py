"""The history of a visit stays in this browser until it is deleted or the tab is closed."""

from playwright.sync_api import Page, expect

from tests.browser import hands
from tests.browser.chromium import READY
from tests.browser.conftest import Visit
from tests.browser.hands import CLEAR, ENGLISH, HAND, OPACITY

_KEPT = """() => new Promise((resolve) => {
  const request = indexedDB.open("chestxray");
  request.onsuccess = () => {
    const database = request.result;
    const count = database.transaction("entries").objectStore("entries").count();
    count.onsuccess = () => { database.close(); resolve(count.result); };
  };
})"""


def kept(page: Page) -> int:
    """How many entries lie in the browser's database."""
    return int(page.evaluate(_KEPT))


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(READY)


def reopen(page: Page) -> Page:
    """Another tab of the same browser."""
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(READY)
    return other


def verdicts(page: Page) -> list[str]:
    return page.locator(".visit strong").all_inner_texts()


def test_history_survives_a_reload_with_picture_and_verdict(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)
    before, verdict = hands.pixels(hands.canvas(page)), verdicts(page)

    reload(page)

    hands.expect_result(page)
    assert verdicts(page) == verdict != []
    assert hands.pixels(hands.canvas(page)) == before
    loaded = "image => image.decode().then(() => image.naturalWidth)"
    assert page.locator(".visit img").evaluate(loaded) > 50


def test_refused_image_survives_a_reload_and_can_be_turned(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    hands.click_example(page, "turned")
    hands.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    expect(page.get_by_role("button", name=ENGLISH["problem.upright"])).to_be_enabled()

    reload(page)
    hands.expect_problem(page, ENGLISH["verdict.rotated_90.title"])
    hands.press(page, ENGLISH["problem.upright"])

    hands.expect_result(page)
    expect(page.locator("#result")).to_contain_text(ENGLISH["result.synthetic"])


def test_entry_is_opened_again(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)
    first = page.locator("#result").inner_text(), hands.pixels(hands.canvas(page))
    hands.read(page, OPACITY)
    second = hands.pixels(hands.canvas(page))

    page.locator(".visit .open", has_text=CLEAR.name).click()

    expect(page.locator(".visit[aria-current]")).to_contain_text(CLEAR.name)
    assert (page.locator("#result").inner_text(), hands.pixels(hands.canvas(page))) == first
    assert first[1] != second


def test_one_entry_is_deleted(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR, OPACITY)
    expect(page.locator(".visit strong")).to_contain_text(["%", "%"])

    hands.press(page, ENGLISH["history.remove"].format(name=CLEAR.name))

    expect(page.locator(".visit")).to_have_count(1)
    expect(page.locator(".visit")).to_contain_text(OPACITY.name)
    assert kept(page) == 1


def test_all_entries_are_deleted_after_a_question(visit: Visit) -> None:
    page = visit(expecting="status of 422")
    hands.read(page, CLEAR, HAND)

    hands.press(page, ENGLISH["history.removeAll"])
    dialog = page.get_by_role("dialog", name=ENGLISH["history.question"])
    dialog.get_by_role("button", name=ENGLISH["history.yes"]).click()

    expect(page.locator("#history")).to_be_hidden()
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#viewer")).to_be_hidden()
    assert kept(page) == 0


def test_entries_are_kept_where_the_answer_is_no(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)

    for answer in ("click", "Escape"):
        hands.press(page, ENGLISH["history.removeAll"])
        if answer == "click":
            hands.press(page, ENGLISH["history.no"])
        else:
            page.keyboard.press(answer)
        expect(page.get_by_role("dialog")).to_be_hidden()

    expect(page.locator(".visit")).to_have_count(1)
    assert kept(page) == 1


def test_new_visit_starts_empty_and_the_old_one_is_gone(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)
    assert kept(page) == 1
    blank = page.context.new_page()
    address = page.url

    page.close()
    blank.goto(address)
    blank.wait_for_selector(READY)

    expect(blank.locator("#history")).to_be_hidden()
    assert kept(blank) == 0


def test_second_tab_has_a_history_of_its_own(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)

    other = reopen(page)

    expect(other.locator("#history")).to_be_hidden()
    assert kept(other) == 1
    reload(page)
    expect(page.locator(".visit")).to_have_count(1)


def test_only_language_and_colours_outlive_the_visit(visit: Visit) -> None:
    page = visit()
    hands.read(page, CLEAR)
    hands.use_language(page, "pt-BR")
    page.locator("#scheme").select_option("dark")

    assert page.evaluate("Object.entries(localStorage).sort()") == [
        ["language", "pt-BR"],
        ["scheme", "dark"],
    ]
    assert page.evaluate("Object.keys(sessionStorage)") == ["visit"]
