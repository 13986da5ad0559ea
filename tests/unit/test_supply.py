"""What the service is made of is told whole; licences and advisories that forbid it are seen."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply import audit, closure, licences, sbom
from tests.conftest import ROOT


def installed(folder: Path, name: str, *lines: str) -> Distribution:
    path = folder / f"{name}-1.0.dist-info"
    path.mkdir()
    facts = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]
    (path / "METADATA").write_text("\n".join(facts) + "\n")
    return Distribution.at(path)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sbom.render())
    return loaded


def versions(document: dict[str, Any], kind: str) -> dict[str, str]:
    found = [each for each in document["components"] if each["type"] == kind]
    return {canonicalize_name(each["name"]): each["version"] for each in found}


def test_extra_counts_only_where_it_is_asked_for(site: Path) -> None:
    extras = ["Requires-Dist: beta[fast]", "Requires-Dist: delta; extra == 'tests'"]
    installed(site, "alpha", *extras)
    installed(site, "beta", "Requires-Dist: gamma; extra == 'fast'", "Requires-Dist: beta[fast]")
    installed(site, "gamma", "Requires-Dist: delta; python_version < '3'")

    found = closure.walk("alpha")

    assert {name: package.needs for name, package in found.items()} == {
        "alpha": {"beta"},
        "beta": {"gamma"},
        "gamma": set(),
    }


def test_pin_has_no_local_version() -> None:
    assert re.search(r"^torch==[0-9.]+$", closure.pins(), re.M)


def test_bill_names_every_requirement_in_a_version_that_is_allowed(
    document: dict[str, Any],
) -> None:
    libraries = versions(document, "library")
    lines = (ROOT / "bentos" / "requirements.txt").read_text().splitlines()

    for requirement in [Requirement(line) for line in lines if not line.startswith("#")]:
        assert requirement.specifier.contains(libraries[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("name", ["pytest", "locust", "playwright", "cyclonedx-bom", "scipy"])
def test_bill_has_no_tool_of_developers(document: dict[str, Any], name: str) -> None:
    assert distribution(name)
    assert name not in versions(document, "library")


def test_bill_has_the_shipped_models(document: dict[str, Any]) -> None:
    models = [each for each in document["components"] if each["type"] == "machine-learning-model"]

    assert {each["name"] for each in models} == {"covid_classifier", "xray_filter"}
    for model in models:
        assert model["version"]
        assert [each["alg"] for each in model["hashes"]] == ["SHA-256"]


def test_bill_says_what_needs_what(document: dict[str, Any]) -> None:
    needs = {each["ref"]: set(each.get("dependsOn", ())) for each in document["dependencies"]}
    root = document["metadata"]["component"]["bom-ref"]
    reached, waiting = set(), [root]
    while waiting:
        reference = waiting.pop()
        waiting += needs[reference] - reached
        reached |= {reference} | needs[reference]

    assert reached == {root} | {each["bom-ref"] for each in document["components"]}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["License-Expression: AGPL-3.0-only"],
        ["License-Expression: MIT AND GPL-3.0-only"],
        ["License-Expression: (MIT OR Apache-2.0) AND GPL-3.0-or-later"],
        ["License-Expression: GPL-2.0-only WITH Classpath-exception-2.0"],
        ["Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
        [
            "License: Do what we say, all of it",
            "Classifier: License :: OSI Approved :: MIT License",
        ],
        ["License: MIT (", "Classifier: License :: OSI Approved :: MIT License"],
    ],
)
def test_licence_that_is_not_allowed_is_refused(tmp_path: Path, lines: list[str]) -> None:
    assert licences.refused(installed(tmp_path, "fake", *lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: MIT OR GPL-3.0-only"],
        ["License-Expression: Apache-2.0 WITH LLVM-exception AND (MIT OR BSD-2-Clause)"],
        ["License: MIT", "Classifier: License :: OSI Approved :: MIT License"],
    ],
)
def test_licence_that_is_allowed_passes(tmp_path: Path, lines: list[str]) -> None:
    assert not licences.refused(installed(tmp_path, "fake", *lines))


def test_forbidden_licence_far_below_ends_the_command_with_its_name(tmp_path: Path) -> None:
    installed(tmp_path, "alpha", "License-Expression: MIT", "Requires-Dist: beta")
    installed(tmp_path, "beta", "License-Expression: AGPL-3.0-only")
    command = [sys.executable, "-m", "supply.licences", "alpha"]

    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert re.search(r"^alpha +1\.0 +MIT$", done.stdout, re.M)
    assert re.search(r"not allowed .*: beta$", done.stderr.strip())


def test_exception_is_for_its_package_alone(tmp_path: Path) -> None:
    cuda = "License-Expression: LicenseRef-NVIDIA-Proprietary"

    assert not licences.refused(installed(tmp_path, "nvidia-cublas", cuda))
    assert not licences.refused(installed(tmp_path, "cuda-toolkit"))
    assert licences.refused(installed(tmp_path, "fake", cuda))


def test_every_licence_of_the_service_is_listed_and_allowed() -> None:
    packages = [package.distribution for package in closure.walk().values()]

    assert re.search(r"^numpy +2\S+ +BSD-3-Clause AND", licences.table(packages), re.M)
    assert [each.name for each in packages if licences.refused(each)] == []


FINE = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = FINE | {"vulns": [{"id": "X-1", "fix_versions": ["2.4.7"]}]}
UNKNOWN = {"name": "torch", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([FINE], 0, "no advisory"),
        ([FINE, HOLE], audit.HOLES, r"X-1.*2\.4\.7"),
        ([UNKNOWN, HOLE], audit.HOLES, "torch"),
        ([FINE, UNKNOWN], audit.NO_ANSWER, "not audited.*torch"),
        ([UNKNOWN], audit.NO_ANSWER, "nothing was audited"),
        ([], audit.NO_ANSWER, "nothing was audited"),
    ],
)
def test_audit_passes_only_what_was_looked_up(
    packages: list[dict[str, Any]], status: int, said: str
) -> None:
    found, message = audit.verdict(json.dumps({"dependencies": packages}))

    assert found == status
    assert re.search(said, message)


def test_audit_without_a_database_says_so() -> None:
    # Port 9 of this machine: nobody listens.
    options = ["--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/v1/query"]

    status, message = audit.main(options)

    assert status == audit.NO_ANSWER
    assert "no database of advisories answered" in message
    assert "Traceback" not in message
