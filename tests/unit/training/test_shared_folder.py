"""Training and tests find what the repository does not have by one variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.shared_folder import SHARED
from training.start import file_of, start_filter


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, ROOT.parent / "shared"),
        ({"SHARED_DIR": "/elsewhere"}, Path("/elsewhere")),
        ({"SHARED_DIR": "inside"}, ROOT / "inside"),
    ],
)
def test_variable_names_the_folder(variables: dict[str, str], folder: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "SHARED_DIR"}

    done = subprocess.run(
        [sys.executable, "-c", "from training.shared_folder import DATA; print(DATA)"],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(done.stdout.strip()) == (folder / "data").resolve()  # it may be a link


def test_start_may_lie_in_the_folder() -> None:
    assert file_of("shared:weights/a.safetensors") == SHARED / "weights" / "a.safetensors"
    assert file_of("file:runs/a.safetensors") == Path("runs/a.safetensors")
    assert file_of("imagenet") is None


def test_start_that_is_absent_says_what_to_do() -> None:
    with pytest.raises(FileNotFoundError, match=r"is absent; .*--init.*SHARED_DIR"):
        start_filter("shared:weights/none.safetensors")
