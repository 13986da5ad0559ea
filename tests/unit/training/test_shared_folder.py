"""One variable names the folder of files that are not in the repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from training.initial_weights import build_filter, checkpoint_path
from training.shared_folder import SHARED


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, ROOT.parent / "shared"),
        ({"SHARED_DIR": "/elsewhere"}, Path("/elsewhere")),
        ({"SHARED_DIR": "inside"}, ROOT / "inside"),
    ],
)
def test_shared_dir_variable_sets_the_data_folder(variables: dict[str, str], folder: Path) -> None:
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


def test_initial_weights_can_be_in_the_shared_folder() -> None:
    assert checkpoint_path("shared:weights/a.safetensors") == SHARED / "weights" / "a.safetensors"
    assert checkpoint_path("file:runs/a.safetensors") == Path("runs/a.safetensors")
    assert checkpoint_path("imagenet") is None


def test_error_of_missing_initial_weights_says_what_to_do() -> None:
    with pytest.raises(FileNotFoundError, match=r"is absent; .*--init.*SHARED_DIR"):
        build_filter("shared:weights/none.safetensors")
