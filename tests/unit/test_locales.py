"""The page's dictionaries: the same keys and blanks to fill, and all that the page asks for."""

import ast
import inspect
import json
import re

import pytest

from bentos.gateway.problems import _CODE_OF
from bentos.settings import WEB
from chestxray import errors
from chestxray.labels import FINDINGS, Verdict
from tests.conftest import ROOT

LOCALES = {path.stem: json.loads(path.read_text()) for path in (WEB / "locales").glob("*.json")}
ENGLISH = LOCALES["en"]
HTML = (WEB / "index.html").read_text()
SCRIPTS = "\n".join(path.read_text() for path in WEB.glob("*.js"))
GATEWAY = "\n".join(path.read_text() for path in (ROOT / "bentos" / "gateway").glob("*.py"))


@pytest.mark.parametrize("name", sorted(LOCALES))
def test_every_language_has_every_text_with_the_same_blanks(name: str) -> None:
    texts = LOCALES[name]

    assert texts.keys() == ENGLISH.keys()
    for key, text in texts.items():
        assert text.strip(), key
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", ENGLISH[key])), key


def test_portuguese_english_and_spanish_are_there() -> None:
    assert {"en", "pt", "es"} <= set(LOCALES)
    assert LOCALES["pt"]["language.code"] == "pt-BR"


def test_every_text_that_the_page_names_is_there() -> None:
    named = re.findall(r'data-(?:text|label)="([^"]+)"', HTML)
    named += re.findall(r'"((?:[a-z]\w*)(?:\.\w+)+)"', SCRIPTS)

    asked = {key for key in named if key.split(".")[0] in {k.split(".")[0] for k in ENGLISH}}
    assert len(asked) > 100
    assert asked <= set(ENGLISH)


def problem_codes() -> set[str]:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    core = {each.code for each in classes if issubclass(each, errors.AnalysisError)}
    calls = [node for node in ast.walk(ast.parse(GATEWAY)) if isinstance(node, ast.Call)]
    return core | set(_CODE_OF.values()) | {code for call in calls for code in codes_in(call)}


def codes_in(call: ast.Call) -> list[str]:
    """The code that a call makes a problem of: where the makers of problems take it."""
    place = {"RequestProblem": 1, "_bad": 0, "_problem": 1}.get(getattr(call.func, "id", ""))
    if place is None or not isinstance(call.args[place], ast.Constant):
        return []
    return [call.args[place].value]


@pytest.mark.parametrize("code", sorted(problem_codes()))
def test_every_problem_is_explained_with_what_to_do(code: str) -> None:
    if code == errors.NotAnXRay.code:
        keys = [f"verdict.{v}" for v in Verdict if v is not Verdict.FRONTAL_CHEST]
    else:
        keys = [f"problem.{code}"]

    for key in keys:
        assert {f"{key}.title", f"{key}.advice"} <= set(ENGLISH)


def test_known_problems_are_among_those_found() -> None:
    known = {"overloaded", "body-too-large", "internal-error", "not-a-file", "truncated-image"}
    assert known <= problem_codes()


@pytest.mark.parametrize("outcome", [*FINDINGS, "indeterminate"])
def test_every_outcome_has_a_sentence(outcome: str) -> None:
    assert {f"finding.{outcome}", f"outcome.{outcome}.title", f"outcome.{outcome}.text"} <= set(
        ENGLISH
    )


def test_no_figure_of_the_models_is_typed_into_the_page() -> None:
    digits = re.compile(r"\b\d{2}[.,]\d\s?%|0[.,]\d{2,}")

    assert not digits.search(HTML)
    for name, texts in LOCALES.items():
        assert not [key for key, text in texts.items() if digits.search(text)], name
