"""Clients that public generators make of the OpenAPI document call a really started service."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bentos.settings import SHIPPED_EXAMPLES
from tests.service.server import Server

FILM, HAND = SHIPPED_EXAMPLES / "clear.jpg", SHIPPED_EXAMPLES / "hand.jpg"
SOURCE = Path(__file__).with_name("typescript")
NPM, NODE = shutil.which("npm"), shutil.which("node")
REFUSED = "not-a-frontal-chest-xray"


@pytest.fixture(scope="module")
def python_client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """A package made by openapi-python-client, which has nothing to warn of."""
    folder = tmp_path_factory.mktemp("python")
    options = ["--url", f"{server.url}/openapi.json", "--output-path", "generated_client"]
    options += ["--meta", "none", "--fail-on-warning"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # it calls ruff
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", *options],
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    return importlib.import_module("generated_client")


def part(path: Path) -> Any:
    types = importlib.import_module("generated_client.types")
    return types.File(BytesIO(path.read_bytes()), path.name, "image/jpeg")


def test_generated_python_client_gets_an_analysis(
    server: Server, python_client: ModuleType
) -> None:
    models = importlib.import_module("generated_client.models")
    analyse_image = importlib.import_module("generated_client.api.analyses.analyse_image")
    with python_client.Client(base_url=server.url) as client:
        answers = [
            analyse_image.sync(client=client, body=body)
            for body in (models.ImageForm(image=part(FILM)), part(FILM))
        ]

    for answer in answers:
        assert isinstance(answer, models.Analysis)
        assert answer.prediction.label in models.Finding
        assert answer.heatmap is not None


def test_generated_python_client_gets_a_problem(server: Server, python_client: ModuleType) -> None:
    models = importlib.import_module("generated_client.models")
    analyse_image = importlib.import_module("generated_client.api.analyses.analyse_image")
    with python_client.Client(base_url=server.url) as client:
        answer = analyse_image.sync_detailed(
            client=client, body=models.ImageForm(image=part(HAND)), x_request_timeout_ms=20_000
        )

    assert answer.status_code == 422
    assert answer.parsed.code is models.ProblemCode.NOT_A_FRONTAL_CHEST_XRAY
    assert answer.parsed.filter_.verdict in models.Verdict


def test_generated_python_client_reads_a_batch(server: Server, python_client: ModuleType) -> None:
    models = importlib.import_module("generated_client.models")
    analyse_batch = importlib.import_module("generated_client.api.analyses.analyse_batch")
    with python_client.Client(base_url=server.url) as client:
        body = models.ImagesForm(image=[part(FILM), part(HAND)])
        answer = analyse_batch.sync(client=client, body=body)

    assert [type(each) for each in answer.results] == [models.Analysis, models.Problem]


@pytest.fixture(scope="module")
def typescript_client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program over a client made by @hey-api/openapi-ts, whose types hold."""
    if not NPM or not NODE:
        pytest.skip("npm is absent: install Node.js")
    folder = tmp_path_factory.mktemp("typescript") / "project"
    shutil.copytree(SOURCE, folder)
    if subprocess.run([NPM, "install", "--no-audit", "--no-fund"], cwd=folder).returncode:
        pytest.skip("npm has no packages: it reaches no registry")
    document = f"{server.url}/openapi.json"
    for command in (["openapi-ts", "-i", document, "-o", "client"], ["tsc"]):
        subprocess.run([NPM, "exec", "--offline", "--", *command], cwd=folder, check=True)
    return folder


def test_generated_typescript_client_gets_analysis_problem_and_batch(
    server: Server, typescript_client: Path
) -> None:
    assert NODE
    command = [NODE, "built/call.js", server.url, str(FILM), str(HAND)]
    done = subprocess.run(command, cwd=typescript_client, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert (found["status"], found["code"]) == (422, REFUSED)
    assert found["results"] == [found["label"], REFUSED]
