"""What a confined process can still do to others: nothing."""

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


def attempt(code: str, *arguments: str) -> str:
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


def test_no_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert attempt("open(sys.argv[1])", str(tmp_path / "file")) != "done"


needs_landlock = pytest.mark.skipif(landlock_version() < 6, reason="the kernel has no Landlock 6")


@needs_landlock
@pytest.mark.parametrize(
    "code", ["os.unlink(sys.argv[1])", "os.rename(sys.argv[1], sys.argv[1] + '2')"]
)
def test_no_file_is_removed_or_renamed(tmp_path: Path, code: str) -> None:
    (tmp_path / "file").touch()

    assert attempt(code, str(tmp_path / "file")) == "PermissionError"
    assert (tmp_path / "file").exists()


@needs_landlock
def test_no_other_process_is_signalled() -> None:
    assert attempt("os.kill(int(sys.argv[1]), 0)", str(os.getpid())) == "PermissionError"


def test_own_signals_still_end_it() -> None:
    assert attempt("os.kill(os.getpid(), 0)") == "done"
