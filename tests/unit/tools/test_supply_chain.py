"""Lock files, bill of materials, licences and audit of the service's dependencies."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tools import audit_dependencies, closure, licences, locks, sbom


def install_fake_package(folder: Path, name: str, *lines: str) -> Distribution:
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


def test_extra_dependencies_count_only_if_requested(site: Path) -> None:
    extras = ["Requires-Dist: beta[fast]", "Requires-Dist: delta; extra == 'tests'"]
    install_fake_package(site, "alpha", *extras)
    install_fake_package(
        site, "beta", "Requires-Dist: gamma; extra == 'fast'", "Requires-Dist: beta[fast]"
    )
    install_fake_package(site, "gamma", "Requires-Dist: delta; python_version < '3'")

    found = closure.walk("alpha")

    assert {name: package.needs for name, package in found.items()} == {
        "alpha": {"beta"},
        "beta": {"gamma"},
        "gamma": set(),
    }


def test_pins_have_no_local_version() -> None:
    assert re.search(r"^torch==[0-9.]+$", closure.pins(), re.M)


def test_bill_of_materials_lists_every_locked_package_and_version(
    document: dict[str, Any],
) -> None:
    libraries = versions(document, "library")
    locked = locks.read("serving-cpu").versions

    assert {name: libraries[name] for name in locked} == {n: str(v) for n, v in locked.items()}


def test_lock_files_match_pyproject_and_the_installed_versions() -> None:
    assert list(locks.complaints()) == []


@pytest.mark.parametrize("extra", locks.EXTRAS)
def test_lock_file_has_hashes_and_no_urls(extra: str) -> None:
    text = (locks.LOCKS / f"{extra}.txt").read_text()

    assert len(locks.read(extra).versions) > 20
    assert not re.search(r"://|^-|^ +-(?!-hash=sha256:)", text, re.M)


@pytest.fixture
def copied_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the lock files that tests may change."""
    shutil.copytree(locks.LOCKS, tmp_path / "lock")
    monkeypatch.setattr(locks, "LOCKS", tmp_path / "lock")
    return tmp_path / "lock"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert re.search(old, text, re.M)
    path.write_text(re.sub(old, new, text, count=1, flags=re.M))


@pytest.mark.parametrize(
    ("extra", "old", "new", "said"),
    [
        ("serving-cpu", r"^pillow==\S+", "pillow==1.0", "has pillow 1.0, not pillow=="),
        ("serving-cpu", r"^h11==\S+", "h11==0.1", "has h11 0.1, not h11>="),
        ("serving-cpu", r"^starlette==\S+", "starlette==1.9.99", "is installed"),
        ("serving", r"^torch==", "tarch==", "has torch None, not torch=="),
        ("materials", r"^packaging==\S+", "packaging==20.0", "has packaging 20.0"),
    ],
    ids=["direct", "transitive", "untested", "missing", "tools"],
)
def test_outdated_lock_file_is_detected(
    copied_locks: Path, extra: str, old: str, new: str, said: str
) -> None:
    change(copied_locks / f"{extra}.txt", old, new)

    assert any(said in each and extra in each for each in locks.complaints())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r" \\\n    --hash=sha256:.*(\n    --hash=sha256:.*)*", ""),
        (r"^pillow==", "--index-url https://example.org\npillow=="),
        (r"--hash=sha256:", "--hash=md5:"),
    ],
    ids=["no hash", "index", "weak hash"],
)
def test_lock_line_without_pin_and_sha256_is_rejected(
    copied_locks: Path, old: str, new: str
) -> None:
    change(copied_locks / "serving-cpu.txt", old, new)

    with pytest.raises(ValueError, match="more than pins with hashes"):
        locks.read("serving-cpu")


def test_dockerfile_pins_base_image_and_packages_by_digest() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    stages = re.findall(r"^FROM .* AS (\S+)$", dockerfile, re.M)
    bases = [base for base in re.findall(r"^FROM (\S+)", dockerfile, re.M) if base not in stages]
    serving = (
        dockerfile[: dockerfile.index("AS training")]
        + dockerfile[dockerfile.index("AS serving\n") :]
    )

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", bases[0])
    installs = re.findall(r"pip install (.*?)(?: \\)?$", serving, re.M)
    assert len(installs) == 3
    assert all("--require-hashes" in each or "--no-deps" in each for each in installs)


@pytest.mark.parametrize("name", ["pytest", "locust", "playwright", "cyclonedx-bom", "scipy"])
def test_bill_of_materials_has_no_development_tools(document: dict[str, Any], name: str) -> None:
    assert distribution(name)
    assert name not in versions(document, "library")


def test_bill_of_materials_lists_the_shipped_models(document: dict[str, Any]) -> None:
    models = [each for each in document["components"] if each["type"] == "machine-learning-model"]

    assert {each["name"] for each in models} == {"covid_classifier", "xray_filter"}
    for model in models:
        assert model["version"]
        assert [each["alg"] for each in model["hashes"]] == ["SHA-256"]


def test_bill_of_materials_connects_all_dependencies(document: dict[str, Any]) -> None:
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
def test_forbidden_licence_is_rejected(tmp_path: Path, lines: list[str]) -> None:
    assert licences.refused(install_fake_package(tmp_path, "fake", *lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["License-Expression: MIT OR GPL-3.0-only"],
        ["License-Expression: Apache-2.0 WITH LLVM-exception AND (MIT OR BSD-2-Clause)"],
        ["License: MIT", "Classifier: License :: OSI Approved :: MIT License"],
    ],
)
def test_allowed_licence_is_accepted(tmp_path: Path, lines: list[str]) -> None:
    assert not licences.refused(install_fake_package(tmp_path, "fake", *lines))


def test_licence_command_names_a_forbidden_transitive_dependency(tmp_path: Path) -> None:
    install_fake_package(tmp_path, "alpha", "License-Expression: MIT", "Requires-Dist: beta")
    install_fake_package(tmp_path, "beta", "License-Expression: AGPL-3.0-only")
    command = [sys.executable, "-m", "tools.licences", "alpha"]

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


def test_licence_exception_applies_to_its_package_only(tmp_path: Path) -> None:
    cuda = "License-Expression: LicenseRef-NVIDIA-Proprietary"

    assert not licences.refused(install_fake_package(tmp_path, "nvidia-cublas", cuda))
    assert not licences.refused(install_fake_package(tmp_path, "cuda-toolkit"))
    assert licences.refused(install_fake_package(tmp_path, "fake", cuda))


def test_all_licences_of_the_service_are_listed_and_allowed() -> None:
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
        ([FINE, HOLE], audit_dependencies.VULNERABLE, r"X-1.*2\.4\.7"),
        ([UNKNOWN, HOLE], audit_dependencies.VULNERABLE, "torch"),
        ([FINE, UNKNOWN], audit_dependencies.UNKNOWN, "not audited.*torch"),
        ([UNKNOWN], audit_dependencies.UNKNOWN, "nothing was audited"),
        ([], audit_dependencies.UNKNOWN, "nothing was audited"),
    ],
)
def test_audit_passes_only_if_every_package_was_audited(
    packages: list[dict[str, Any]], status: int, said: str
) -> None:
    found, message = audit_dependencies.verdict(json.dumps({"dependencies": packages}))

    assert found == status
    assert re.search(said, message)


def test_audit_reports_an_unreachable_database() -> None:
    # Port 9 of this machine: nobody listens.
    options = ["--vulnerability-service", "osv", "--osv-url", "http://127.0.0.1:9/v1/query"]

    status, message = audit_dependencies.main(options)

    assert status == audit_dependencies.UNKNOWN
    assert "no database of advisories answered" in message
    assert "Traceback" not in message
