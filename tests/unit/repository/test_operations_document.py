"""The page of operations names what exists."""

import re

from bentos.settings import PREFIX, Settings
from tests.conftest import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()


def test_links_of_the_operations_page_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)(#[\w-]+)?\)", PAGE)

    assert links
    for path, anchor in links:
        target = ROOT / "docs" / path
        assert target.exists(), path
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M) if anchor else []
        anchors = {
            f"#{re.sub(r'[^a-z0-9 -]', '', each.lower()).replace(' ', '-')}" for each in headings
        }
        assert not anchor or anchor in anchors, (path, anchor)


def test_commands_of_the_operations_page_name_targets_and_settings_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z0-9-]+)", PAGE, re.M)
    settings = re.findall(rf"{PREFIX}([A-Z_]+)", PAGE)

    assert targets and settings
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target
    assert {each.lower() for each in settings} <= set(Settings.model_fields)
