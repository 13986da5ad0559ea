"""The files that a load test leaves: the verdict for programs, and for a CI system."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from loadtests.objectives import Objective

HTML = "report.html"
"""Written by Locust itself."""
_JSON, _JUNIT = "verdict.json", "junit.xml"


def write(
    folder: Path, verdict: Mapping[str, Any], objectives: Mapping[str, Objective], failure: str = ""
) -> None:
    """Writes the verdict, and each objective of each route as a JUnit test case.

    `failure` is why there is no verdict on the objectives, or empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _JSON).write_text(json.dumps(verdict, indent=1) + "\n")
    suite = ElementTree.Element("testsuite", name="load test", tests="0", failures="0", errors="0")
    if failure:
        _add(suite, "load test", "verdict", error=failure)
    for route, objective in objectives.items():
        for name, bound in vars(objective).items():
            _add(suite, route, f"{name} <= {bound:g}", failures=_misses(verdict, route, name))
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(folder / _JUNIT, "utf-8", xml_declaration=True)


def _misses(verdict: Mapping[str, Any], route: str, name: str) -> list[str]:
    """The windows in which an objective was missed."""
    misses = (
        (number, window.get(route, {}).get("missed", {}).get(name))
        for number, window in enumerate(verdict["windows"], 1)
    )
    return [f"window {number}: {found[0]:g}" for number, found in misses if found]


def _add(
    suite: ElementTree.Element, route: str, name: str, failures: Sequence[str] = (), error: str = ""
) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=route, name=name)
    suite.set("tests", str(len(suite)))
    for kind, message in (("failure", "; ".join(failures)), ("error", error)):
        if message:
            ElementTree.SubElement(case, kind, message=message)
            suite.set(f"{kind}s", str(len(suite.findall(f"testcase/{kind}"))))
