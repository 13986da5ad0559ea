"""Markers by folder, and the fixtures that several folders share."""

from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from torch import nn

from chestxray import checkpoints
from chestxray.checkpoints import Reference
from chestxray.labels import Verdict
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests import collection
from tests.phantoms import phantom
from training.shared_folder import DATA

ROOT = Path(__file__).parent.parent

# A machine that pauses makes any example slow; a test that hangs is given up below.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

FOLDERS = ("unit", "models", "service", "browser", "fuzz", "trials", "k8s", "cluster", "gpu")
"""Each is the marker of the tests in it."""
LONG = ("soak", "trials", "figures", "cluster", "gpu")
SECONDS, LONG_SECONDS = 300, 1800
"""Until a test is given up, or one of the long ones, on a machine that others use too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in FOLDERS:
            item.add_marker(folder)
        is_long = any(item.get_closest_marker(name) for name in LONG)
        item.add_marker(pytest.mark.timeout(LONG_SECONDS if is_long else SECONDS))


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def chest() -> np.ndarray:
    return phantom(600, 700)


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collection.write_collection(tmp_path_factory.mktemp("collection"))


@pytest.fixture(scope="session")
def data() -> Path:
    if not (DATA / "manifest.csv").is_file():
        pytest.skip(f"needs real images, and {DATA} is absent; SHARED_DIR names another folder")
    return DATA


@pytest.fixture(scope="session")
def real_chest(data: Path) -> Path:
    return sorted((data / "external" / "covid19").iterdir())[0]


@pytest.fixture(scope="session")
def random_filter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, thresholds = tmp_path_factory.mktemp("filter"), {Verdict.FRONTAL_CHEST.value: 0.0}
    return save_random(XRayFilterNet, folder, name="xray_filter", thresholds=thresholds)


@pytest.fixture(scope="session")
def random_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reference = Reference(
        variance=(0.5, 0.2, 0.1), labels=("covid19", "no_finding"), points=((1, 2, 3), (4, 5, 6))
    )
    folder = tmp_path_factory.mktemp("classifier")
    return save_random(CovidClassifierNet, folder, name="covid_classifier", reference=reference)


def save_random(kind: type[nn.Module], folder: Path, *, name: str, **facts: object) -> Path:
    """Writes a checkpoint of random weights, the same every time."""
    torch.manual_seed(0)
    network, path = kind(), folder / "weights.safetensors"
    card = checkpoints.card_of(network, name=name, version="0")
    checkpoints.save(path, network, card.model_copy(update=facts))
    return path
