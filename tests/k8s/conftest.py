"""All overlays and mixes, built once."""

import pytest

from tests.k8s import rendering
from tests.k8s.rendering import MIXES, OVERLAYS, Manifest


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Manifest]]:
    """The objects of every overlay, and of every mix, by its name."""
    built = {name: rendering.overlay(name) for name in OVERLAYS}
    for mix in MIXES:
        folder = rendering.write_mix(tmp_path_factory.mktemp("mix"), mix)
        built["+".join(("base", *mix))] = rendering.build(folder)
    return built
