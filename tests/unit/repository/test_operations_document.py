"""The pages for operators name what exists."""

import argparse
import re
import shlex

import pytest

from bentos.administration import arguments
from bentos.settings import PREFIX, Settings
from tests.conftest import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
PAGES = ("operations.md", "privacy.md", "webhooks.md")


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]*)(#[\w-]+)?\)", (ROOT / "docs" / name).read_text())

    assert links
    for path, anchor in links:
        target = ROOT / "docs" / (path or name)
        assert target.exists(), path
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M) if anchor else []
        anchors = {
            f"#{re.sub(r'[^a-z0-9 -]', '', each.lower()).replace(' ', '-')}" for each in headings
        }
        assert not anchor or anchor in anchors, (path, anchor)


@pytest.mark.parametrize("name", PAGES)
def test_settings_exist(name: str) -> None:
    settings = re.findall(rf"{PREFIX}([A-Z_]+)", (ROOT / "docs" / name).read_text())

    assert settings
    assert {each.lower() for each in settings} <= set(Settings.model_fields)


def test_commands_name_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z0-9-]+)", PAGE, re.M)

    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_commands_of_the_operator_are_understood() -> None:
    parser = argparse.ArgumentParser()
    arguments.add_to(parser.add_subparsers(dest="command", required=True))
    commands = re.findall(rf"^chestxray ((?:{'|'.join(arguments.COMMANDS)})\b.*)$", PAGE, re.M)

    assert len(commands) > len(arguments.COMMANDS)
    for each in commands:
        parser.parse_args(shlex.split(each.partition(">")[0], comments=True))
