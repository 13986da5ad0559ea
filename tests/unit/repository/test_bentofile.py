"""The files that a bento contains and the packages that it installs."""

import pytest
import yaml
from pathspec import GitIgnoreSpec

from tests.conftest import ROOT

BENTOFILE = yaml.safe_load((ROOT / "bentofile.yaml").read_text())


def is_packed(name: str) -> bool:
    return GitIgnoreSpec.from_lines(BENTOFILE["include"]).match_file(name)


def test_every_include_pattern_is_anchored() -> None:
    assert all(pattern.startswith("/") for pattern in BENTOFILE["include"])


@pytest.mark.parametrize(
    "name",
    [
        "service.py",
        "chestxray/cam.py",
        "chestxray/dicom/film.py",
        "chestxray/fonts/DejaVuSans.ttf",
        "chestxray/graphs/mobilenet_v2.onnx",
        "bentos/xray_filter/weights.safetensors",
        "web/locales/pt.json",
        "web/examples/clear.jpg",
        "LICENSE",
    ],
)
def test_files_needed_for_serving_are_packed(name: str) -> None:
    assert (ROOT / name).is_file()
    assert is_packed(name)


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "tests/conftest.py",
        "training/engine.py",
        "runs/filter/best.safetensors",
        "x/service.py",
        ".venv/lib/chestxray/a.py",
        "tools/locks.py",
    ],
)
def test_other_files_are_not_packed(name: str) -> None:
    assert not is_packed(name)


def test_bento_installs_the_locked_requirements() -> None:
    assert BENTOFILE["python"]["requirements_txt"] == "./lock/serving.txt"
