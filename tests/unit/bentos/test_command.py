"""The command `chestxray` where only the client's packages are installed."""

import subprocess
import sys

import pytest

MISSING = """
import sys
for name in {names}:
    sys.modules[name] = None  # importing it raises ModuleNotFoundError
sys.argv = ["chestxray", "--help"]
from bentos.command import main
main()
"""


def run(*missing: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", MISSING.format(names=missing)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("package", ["pydantic", "pydantic_settings", "prometheus_client"])
def test_missing_package_is_one_line_that_names_the_extra(package: str) -> None:
    done = run("pydantic", package)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "install 'chestxray[serving-cpu]'" in done.stderr


def test_command_runs_where_all_is_installed() -> None:
    done = run()

    assert done.returncode == 0, done.stderr
    assert "chestxray dicom" in done.stdout


def test_error_of_our_own_is_not_taken_for_a_missing_package() -> None:
    done = run("bentos.start")

    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
