"""The page's main paths in Firefox, by the tests that Chromium passes as well.

WebDriver BiDi has neither file choosers nor downloads yet, so that tests of these are left out.
"""

from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_films import test_film_is_shown_in_its_full_depth
from tests.browser.test_focus_order import (
    test_focus_follows_the_lines_of_the_page,
    test_opening_an_entry_scrolls_to_its_result_and_focuses_it,
)
from tests.browser.test_history import (
    test_all_history_entries_are_deleted_after_confirmation,
    test_history_keeps_image_and_verdict_across_a_reload,
)
from tests.browser.test_keyboard import (
    tab_to,
    test_delete_dialog_traps_the_focus_and_restores_it,
    test_focus_is_kept_when_an_entry_is_deleted,
    test_skip_link_is_focused_first_and_moves_focus_to_the_content,
    use_result_by_keyboard,
)
from tests.browser.test_languages import test_chosen_language_applies_to_the_whole_page
from tests.browser.test_reading import (
    test_cancelling_an_analysis_removes_the_image,
    test_rotated_image_is_shown_upright_and_can_be_analysed,
)
from tests.browser.test_storage import (
    framed_server,
    test_images_that_were_not_answered_survive_a_reload,
    test_page_works_in_the_frame_of_another_site,
)


def test_example_is_read_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()

    tab_to(page, ".examples button")
    page.keyboard.press("Enter")
    use_result_by_keyboard(page)

    expect(page.locator("#history")).to_be_hidden()
