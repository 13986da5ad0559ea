"""The built bento contains the weights and serves from its own folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from chestxray.results import DISCLAIMER
from tests.conftest import ROOT
from tests.phantoms import encode, phantom
from tests.service.server import serve


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bento"))


def test_commands_in_the_documents_name_the_bento(bento: Path) -> None:
    for document in ("docs/engines.md", "k8s/README.md"):
        text = (ROOT / document).read_text()
        named = re.findall(r"bentoml (?:serve|containerize|deploy) (\w+):latest", text)
        assert set(named) == {bento.parent.name}, document


def test_containerized_bento_runs_as_a_user_with_the_locked_requirements(bento: Path) -> None:
    dockerfile = (bento / "env" / "docker" / "Dockerfile").read_text()
    installed = (bento / "env" / "python" / "requirements.txt").read_text()
    locked = (ROOT / "lock" / "serving.txt").read_text()

    assert re.findall(r"^USER (\S+)", dockerfile, re.M)[-1] == "bentoml"
    assert re.match(r"FROM python:3\.11", dockerfile[dockerfile.index("FROM") :])
    for part in (r"^[\w.-]+==[\w.+]+", r"sha256:\w+"):
        assert (
            set(re.findall(part, installed, re.M)) >= set(re.findall(part, locked, re.M)) != set()
        )


def test_built_bento_serves_outside_the_repository(bento: Path, tmp_path: Path) -> None:
    names = {str(path.relative_to(bento / "src")) for path in (bento / "src").rglob("*")}
    assert "bentos/covid_classifier/weights.safetensors" in names
    assert not [name for name in names if name.startswith(("training", "tests", "."))]
    results = bento / "src" / "chestxray" / "results.py"
    results.write_text(results.read_text().replace(DISCLAIMER, "From the bento."))
    outside = tmp_path / "outside"
    outside.mkdir()

    with serve(outside, command=("bentoml", "serve", str(bento)), cwd=outside) as server:
        files = {"image": ("x.png", encode(phantom(300, 300), "PNG"), "image/png")}
        answer = httpx.post(f"{server.url}/v1/analyses", files=files, timeout=60)
        page = httpx.get(server.url)
        (first, *_) = httpx.get(f"{server.url}/v1/examples").json()["examples"]
        example = httpx.get(f"{server.url}/{first['url']}")

    assert answer.status_code in (200, 422)
    assert answer.json()["disclaimer"] == "From the bento."
    assert "<title" in page.text
    assert example.headers["content-type"] == "image/jpeg"


def build(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir()
    done = subprocess.run(
        [Path(sys.executable).parent / "bentoml", "build", "--output", "tag", str(ROOT)],
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    name, version = done.stdout.strip().removeprefix("__tag__:").split(":")
    return home / "bentos" / name / version
