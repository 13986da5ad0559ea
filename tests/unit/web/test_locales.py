"""The page's texts: equal keys and placeholders in all languages, and no missing texts."""

import json
import re

import pytest

from bentos.http.codes import CODES
from bentos.settings import WEB
from chestxray import errors
from chestxray.labels import FINDINGS, Verdict

LOCALES = {path.stem: json.loads(path.read_text()) for path in (WEB / "locales").glob("*.json")}
ENGLISH = LOCALES["en"]
HTML = (WEB / "index.html").read_text()
SCRIPTS = "\n".join(path.read_text() for path in WEB.glob("*.js"))


@pytest.mark.parametrize("name", sorted(LOCALES))
def test_every_language_has_every_text_with_the_same_placeholders(name: str) -> None:
    texts = LOCALES[name]

    assert texts.keys() == ENGLISH.keys()
    for key, text in texts.items():
        assert text.strip(), key
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", ENGLISH[key])), key


def test_page_has_portuguese_english_and_spanish_texts() -> None:
    assert {"en", "pt", "es"} <= set(LOCALES)
    assert LOCALES["pt"]["language.code"] == "pt-BR"


def test_every_text_used_by_the_page_exists() -> None:
    named = re.findall(r'data-(?:text|label)="([^"]+)"', HTML)
    named += re.findall(r'"((?:[a-z]\w*)(?:\.\w+)+)"', SCRIPTS)

    asked = {key for key in named if key.split(".")[0] in {k.split(".")[0] for k in ENGLISH}}
    assert len(asked) > 100
    assert asked <= set(ENGLISH)


def problem_codes() -> set[str]:
    return {name for name, code in CODES.items() if code.public}


@pytest.mark.parametrize("code", sorted(problem_codes()))
def test_every_problem_has_a_title_and_advice(code: str) -> None:
    if code == errors.NotAnXRay.code:
        keys = [f"verdict.{verdict}" for verdict in Verdict]
    else:
        keys = [f"problem.{code}"]

    for key in keys:
        assert {f"{key}.title", f"{key}.advice"} <= set(ENGLISH)


@pytest.mark.parametrize("outcome", [*FINDINGS, "indeterminate"])
def test_every_outcome_has_a_title_and_text(outcome: str) -> None:
    assert {f"finding.{outcome}", f"outcome.{outcome}.title", f"outcome.{outcome}.text"} <= set(
        ENGLISH
    )


def test_page_contains_no_hard_coded_model_figures() -> None:
    digits = re.compile(r"\b\d{2}[.,]\d\s?%|0[.,]\d{2,}")

    assert not digits.search(HTML)
    for name, texts in LOCALES.items():
        assert not [key for key, text in texts.items() if digits.search(text)], name
