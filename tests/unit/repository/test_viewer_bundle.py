"""The bundled decoders of the page's viewer are what their sources and their lock make."""

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bentos.page.files import Files
from bentos.page.service_worker import service_worker
from bentos.settings import WEB
from tests.conftest import ROOT

SOURCES, TARGET = ROOT / "tools" / "viewer_bundle", WEB / "vendor"
BUILT: dict[str, dict[str, str]] = json.loads((SOURCES / "built.json").read_text())
LOCK: dict[str, Any] = json.loads((SOURCES / "package-lock.json").read_text())
FORBIDDEN = ("new Function(", "eval(", "importScripts(", "new Worker(", ".innerHTML")
"""Text as code, workers from plain strings, markup from text."""


def digests(folder: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_bundle_is_made_of_the_sources_that_are_here() -> None:
    folders = [SOURCES / "entries", SOURCES / "notices"]
    inside = [f"{folder.name}/{each.name}" for folder in folders for each in folder.iterdir()]
    names = ["package.json", "package-lock.json", "build.mjs", *inside]

    assert BUILT["inputs"] == digests(SOURCES, names), "run `make viewer-bundle`"


def test_bundle_is_what_was_built() -> None:
    names = sorted(each.name for each in TARGET.iterdir())

    assert BUILT["outputs"] == digests(TARGET, names), "run `make viewer-bundle`"


def test_lock_pins_every_package_by_its_hash_and_names_no_host() -> None:
    packages = {name: each for name, each in LOCK["packages"].items() if name}

    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())


def test_licences_of_the_bundle_are_allowed_and_shipped() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    allowed = project["tool"]["chestxray"]["licences"]["allow"]
    shipped = (TARGET / "LICENSES.txt").read_text()

    for package, licence in BUILT["packages"].items():
        assert set(re.split(r" AND |[()]", licence)) - {""} <= set(allowed), package
        assert f"{package} ({licence})" in shipped


@pytest.mark.parametrize("name", [each.name for each in TARGET.glob("*.js")])
def test_bundle_has_nothing_that_the_policy_of_the_page_forbids(name: str) -> None:
    script = (TARGET / name).read_text()

    assert not [each for each in FORBIDDEN if re.search(rf"(?<![\w$]){re.escape(each)}", script)]


def test_decoders_are_not_stored_before_a_browser_needs_them() -> None:
    script = service_worker(Files(WEB, {}), without=()).body.decode()

    assert "/viewer.js" in script
    assert "/vendor/" not in script
