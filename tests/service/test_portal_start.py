"""A folder that cannot be shown stops the start, and `chestxray doctor` finds it."""

import json
import subprocess
import sys
from pathlib import Path

from bentos.administration import portal_checks
from bentos.administration.findings import Level
from bentos.settings import Settings
from loadtests.load_generator import free_port
from tests import portal
from tests.conftest import ROOT


def chestxray(*arguments: str, folder: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bentos.cli", *arguments],
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "BENTOML_HOME": str(home),
            "CHESTXRAY_PORTAL_FOLDER": str(folder),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_bad_folder_stops_the_start_with_a_line_for_each_fault(tmp_path: Path) -> None:
    place = portal.copy(tmp_path)
    (place / "locales" / "pt.json").write_text('{"nav.tri": "x"}')
    (place / "privacy.br.md").write_text("# x")

    done = chestxray("serve", "--port", str(free_port()), folder=place, home=tmp_path)

    assert done.returncode == 2
    lines = (done.stdout + done.stderr).splitlines()
    said = [each for each in lines if "chestxray cannot start" in each]
    assert len(said) == 2
    assert f"{place}/privacy.br.md: no page shows a file of this name" in said[0]
    assert (
        f"{place}/locales/pt.json: nav.tri: there is no such key; did you mean nav.try?"
        in (said[1])
    )


def test_doctor_names_the_fault_and_the_remedy(tmp_path: Path) -> None:
    place = portal.copy(tmp_path)
    (place / "locales" / "pt.json").write_text('{"nav.tri": "x"}')

    done = chestxray("doctor", "--json", folder=place, home=tmp_path)

    assert done.returncode == 1
    (found,) = [each for each in json.loads(done.stdout) if each["check"] == "portal"]
    assert found == {
        "check": "portal",
        "level": "fault",
        "found": f"{place}/locales/pt.json: nav.tri: there is no such key",
        "remedy": "did you mean nav.try?",
    }


def test_doctor_warns_of_what_a_portal_lacks(tmp_path: Path) -> None:
    place = portal.write(tmp_path, privacy__pt__md="# Privacidade")

    found = list(portal_checks.check(Settings(portal_folder=str(place))))

    assert [each.level for each in found] == [Level.OK] + 5 * [Level.WARNING]
    remedies = [each.remedy for each in found[1:]]
    assert remedies[0] == "add [contact] to portal.toml"
    assert remedies[3:] == ["add privacy.en.md, privacy.es.md", "set CHESTXRAY_PUBLIC_URL"]


def test_doctor_is_content_with_the_example() -> None:
    settings = Settings(portal_folder=str(portal.EXAMPLE), public_url="https://saude.example")

    assert [each.level for each in portal_checks.check(settings)] == [Level.OK]
    assert list(portal_checks.check(Settings())) == []
