"""The page's texts use the terms of the glossary, and none that it rules out."""

import json
import re

import pytest

from bentos.settings import WEB

FOLDER = WEB / "locales"
LANGUAGES = ["en", "pt", "es"]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (FOLDER / "GLOSSARY.md").read_text().splitlines()
    if line.startswith("|")
][2:]


def texts(language: str) -> str:
    """All texts of a language, in lower case."""
    found = json.loads((FOLDER / f"{language}.json").read_text())
    return "\n".join(found.values()).lower()


def terms(column: int) -> list[str]:
    """The terms of a column, in lower case."""
    return [term.strip().lower() for row in ROWS for term in row[column].split(";") if term.strip()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_terms_are_used(language: str) -> None:
    said = texts(language)
    wanted = terms(LANGUAGES.index(language))

    assert len(wanted) >= len(ROWS) > 10
    assert [term for term in wanted if not re.search(rf"\b{re.escape(term)}\b", said)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_terms_that_are_ruled_out_are_not_used(language: str) -> None:
    said = texts(language)
    unwanted = terms(len(LANGUAGES) + LANGUAGES.index(language))

    assert len(unwanted) > 5
    assert [term for term in unwanted if re.search(rf"\b{re.escape(term)}\b", said)] == []
