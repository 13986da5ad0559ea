"""Every problem code that is raised is in the one table, with the status it is raised with."""

import ast
import inspect
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from bentos.http.codes import CODES
from chestxray import errors
from tests.conftest import ROOT

SOURCES = [ast.parse(path.read_text()) for path in (ROOT / "bentos").rglob("*.py")]
CORE = {
    each.code
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, errors.AnalysisError)
}


def problem_factories() -> dict[str, int]:
    """The functions and classes that take a `code`, by name, with its position."""
    found = {}
    for node in (node for source in SOURCES for node in ast.walk(source)):
        match node:
            case ast.ClassDef(name=name):
                functions = [each for each in node.body if isinstance(each, ast.FunctionDef)]
                inits = [each for each in functions if each.name == "__init__"]
                positions = [code_position(each) - 1 for each in inits if code_position(each) >= 0]
            case ast.FunctionDef(name=name):
                positions = [code_position(node)] if code_position(node) >= 0 else []
            case _:
                continue
        found.update(dict.fromkeys([name], positions[0]) if positions else {})
    return found


def code_position(function: ast.FunctionDef) -> int:
    names = [argument.arg for argument in function.args.args]
    return names.index("code") if "code" in names else -1


def raised_codes() -> Iterator[tuple[str, list[str]]]:
    """Each code that the source raises, with the statuses in the same call."""
    by_name = problem_factories()
    for node in (node for source in SOURCES for node in ast.walk(source)):
        name = getattr(getattr(node, "func", None), "id", "")
        if isinstance(node, ast.Call) and len(node.args) > by_name.get(name, len(node.args)):
            argument = node.args[by_name[name]]
            if isinstance(argument, ast.Constant):
                statuses = [
                    each.attr
                    for each in node.args
                    if isinstance(each, ast.Attribute) and ast.unparse(each.value) == "HTTPStatus"
                ]
                yield argument.value, statuses


def test_scan_finds_the_problem_factories_and_known_codes() -> None:
    assert {"RequestProblem": 1, "_problem": 1, "_bad": 0}.items() <= problem_factories().items()
    known = {"overloaded", "body-too-large", "internal-error", "not-a-file", "unauthorised"}
    assert known <= {code for code, _ in raised_codes()}


def test_every_raised_code_is_listed_with_its_status() -> None:
    for code, statuses in raised_codes():
        assert code in CODES
        assert all(HTTPStatus[status] == CODES[code].status for status in statuses), code


@pytest.mark.parametrize("code", sorted(CORE))
def test_every_error_code_of_the_core_is_listed(code: str) -> None:
    assert code in CODES


def test_every_code_has_a_meaning_and_advice() -> None:
    for code in CODES.values():
        assert code.status >= HTTPStatus.BAD_REQUEST
        assert code.meaning.endswith(".") and code.advice.endswith(".")
