"""All overlays and component mixes, built once, and Prometheus's programs if installed."""

import shutil

import pytest

from tests.k8s import rendering
from tests.k8s.rendering import MIXES, OVERLAYS, Manifest
from tests.service.conftest import passing_filter as passing_filter


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    """The objects of every overlay, and of every mix, by its name."""
    built = {name: rendering.overlay(name) for name in OVERLAYS}
    for mix in MIXES:
        folder = rendering.write_mix(tmp_path_factory.mktemp("mix"), mix)
        built[rendering.name_of_mix(mix)] = rendering.build(folder)
    return built


@pytest.fixture(scope="session")
def promtool() -> str:
    return _program("promtool")


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    return _program("prometheus")


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is absent: it comes with Debian's package prometheus")
    return path
