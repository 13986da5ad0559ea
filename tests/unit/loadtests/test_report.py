"""A load test leaves its verdict as JSON and as JUnit test cases."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from loadtests import objectives, report
from tests.conftest import ROOT

ROUTE = "/v1/analyses"
WINDOWS: list[dict[str, Any]] = [
    {"seconds": 10, ROUTE: {"requests": 50, "missed": {}}},
    {"seconds": 10, ROUTE: {"requests": 50, "missed": {"p99_ms": (2600.0, 2500.0)}}},
]


def write(folder: Path, failure: str = "") -> ElementTree.Element:
    """Writes a report and returns its JUnit suite."""
    verdict = {"verdict": "missed", "windows": WINDOWS}
    report.write(folder / "new", verdict, objectives.read().routes, failure)
    assert json.loads((folder / "new" / "verdict.json").read_text())["verdict"] == "missed"
    return ElementTree.parse(folder / "new" / "junit.xml").getroot()


def test_each_objective_is_a_test_case_and_a_miss_its_failure(tmp_path: Path) -> None:
    suite = write(tmp_path)

    failed = [case for case in suite if case.find("failure") is not None]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("10", "1", "0")
    assert len(suite) == 10
    assert [(case.get("classname"), case.get("name")) for case in failed] == [
        (ROUTE, "p99_ms <= 2500")
    ]
    assert failed[0][0].get("message") == "window 2: 2600"


def test_run_without_a_verdict_is_an_error(tmp_path: Path) -> None:
    suite = write(tmp_path, failure="unreachable")

    assert suite.get("errors") == "1"
    assert suite[0][0].get("message") == "unreachable"


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_recipe_for_a_ci_system_uses_targets_that_exist(name: str) -> None:
    recipe = (ROOT / "loadtests/ci" / name).read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))

    assert yaml.safe_load(recipe)
    assert {"serve", "loadtest"} <= set(re.findall(r"make ([a-z-]+)", recipe)) <= targets
    assert "build/loadtest" in recipe
