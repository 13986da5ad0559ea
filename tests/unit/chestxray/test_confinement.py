"""A confined process cannot affect files or other processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chestxray.confinement import landlock_version
from tests.conftest import ROOT

CODE = """
import os, sys
from chestxray.confinement import confine
confine(memory=2**26)
try:
    {attempt}
except OSError as error:
    print(type(error).__name__)
else:
    print("done")
"""


def run_confined(code: str, *arguments: str) -> str:
    """Runs one statement in a confined process; returns `done` or the error."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(attempt=code), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert not done.stderr
    return done.stdout.strip()


def test_confined_process_cannot_open_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert run_confined("open(sys.argv[1])", str(tmp_path / "file")) != "done"


needs_landlock = pytest.mark.skipif(landlock_version() < 6, reason="the kernel has no Landlock 6")


@needs_landlock
@pytest.mark.parametrize(
    "code", ["os.unlink(sys.argv[1])", "os.rename(sys.argv[1], sys.argv[1] + '2')"]
)
def test_confined_process_cannot_remove_or_rename_a_file(tmp_path: Path, code: str) -> None:
    (tmp_path / "file").touch()

    assert run_confined(code, str(tmp_path / "file")) == "PermissionError"
    assert (tmp_path / "file").exists()


@needs_landlock
def test_confined_process_cannot_signal_another_process() -> None:
    assert run_confined("os.kill(int(sys.argv[1]), 0)", str(os.getpid())) == "PermissionError"


def test_confined_process_can_signal_itself() -> None:
    assert run_confined("os.kill(os.getpid(), 0)") == "done"
