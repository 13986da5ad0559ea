"""docs/engines.md names files, modules and routes that exist."""

import re
from types import SimpleNamespace
from typing import Any

from fastapi.routing import APIRoute

from bentos.gateway import inference_protocol
from bentos.settings import Settings
from tests.conftest import ROOT
from tests.service.fakes import ready

DOCUMENT = ROOT / "docs" / "engines.md"


def test_document_names_existing_files_modules_and_flags() -> None:
    text = DOCUMENT.read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    modules = re.findall(r"python -m ([\w.]+)", text)

    assert links and modules
    for path in links:
        assert (DOCUMENT.parent / path).exists(), path
    for module in modules:
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    for path in re.findall(r"`((?:k8s|tests)/[\w./]+)`", text):
        assert (ROOT / path).exists(), path


def test_document_lists_the_routes_of_the_protocol() -> None:
    pipeline: Any = SimpleNamespace(
        covid_classifier=SimpleNamespace(card=SimpleNamespace(version=""))
    )
    unused: Any = None
    router = inference_protocol.create_router(pipeline, unused, Settings(), ready, unused)

    listed = set(re.findall(r"`(?:(?:GET|POST) )?(/v2[\w/]*)`", DOCUMENT.read_text()))

    assert listed == {route.path for route in router.routes if isinstance(route, APIRoute)}
