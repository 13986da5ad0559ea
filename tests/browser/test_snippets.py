"""The page's code snippets work as shown."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import Visit
from tests.browser.page_actions import CLEAR, ENGLISH
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image under the name that the snippets use."""
    with Image.open(CLEAR) as film:
        film.save(tmp_path / "chest.png")
    return tmp_path


def run_python(program: str, folder: Path) -> str:
    """What a program prints that has this repository's packages, whatever is installed."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def test_snippet_can_be_copied(visit: Visit) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])

    page.locator(".snippet button").first.click()

    copied = page.locator(".snippet button").first
    copied.filter(has_text=ENGLISH["api.copied"]).wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    assert command == f"curl -F image=@chest.png {page.url}v1/analyses"


def test_shell_snippet_works(visit: Visit, folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is absent")
    command = visit().locator(".snippet code").first.inner_text()

    done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, check=True)

    assert json.loads(done.stdout)["prediction"]["label"]


def test_python_snippet_works(visit: Visit, folder: Path) -> None:
    program = visit().locator(".snippet code").last.inner_text()

    printed = run_python(program, folder)

    assert "probabilities" in printed


def test_python_snippet_prints_why_an_image_is_rejected(visit: Visit, folder: Path) -> None:
    (folder / "chest.png").write_bytes(b"no image at all")
    program = visit().locator(".snippet code").last.inner_text()

    printed = run_python(program, folder)

    assert printed.startswith("unsupported-format ")
