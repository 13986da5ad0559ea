"""The page's main paths in Firefox, by the tests that Chromium passes as well.

WebDriver BiDi has neither file choosers nor downloads yet, nor files for frames of other sites:
tests of these are left out.
"""

import pytest
from playwright.sync_api import expect

from tests.browser import page_actions, test_films
from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR
from tests.browser.test_history import (
    test_all_history_entries_are_deleted_after_confirmation,
    test_history_keeps_image_and_verdict_across_a_reload,
)
from tests.browser.test_keyboard import (
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
from tests.browser.test_storage import test_images_that_were_not_answered_survive_a_reload


@pytest.mark.parametrize("name", ["PNG, 16 bits", "TIFF, 16 bits", "DICOM"])
def test_film_is_shown_in_its_full_depth(visit: Visit, name: str) -> None:
    test_films.test_film_is_shown_in_its_full_depth(visit, name)


def test_result_is_used_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit()
    page_actions.analyse(page, CLEAR)

    use_result_by_keyboard(page)

    expect(page.locator("#history")).to_be_hidden()
