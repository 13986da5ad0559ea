"""Markers by folder, and the fixtures that several folders share."""

from pathlib import Path

import numpy as np
import pytest
import torch

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.labels import FINDINGS, VERDICTS, Verdict
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from chestxray.preprocessing import IMAGENET, UNIT_RANGE
from tests.phantoms import phantom

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in ("unit", "models", "service"):
            item.add_marker(folder)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def chest() -> np.ndarray:
    return phantom(600, 700)


@pytest.fixture(scope="session")
def data() -> Path:
    if not (DATA / "manifest.csv").is_file():
        pytest.skip("../shared/data is absent: needs real images")
    return DATA


@pytest.fixture(scope="session")
def real_chest(data: Path) -> Path:
    return sorted((data / "external" / "covid19").iterdir())[0]


@pytest.fixture(scope="session")
def random_filter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "filter.safetensors"
    card = Card(
        name="xray_filter",
        version="0",
        architecture=XRayFilterNet.architecture,
        preprocessing=UNIT_RANGE,
        labels=VERDICTS,
        thresholds={Verdict.FRONTAL_CHEST.value: 0.0},
    )
    torch.manual_seed(0)
    checkpoints.save(path, XRayFilterNet(), card)
    return path


@pytest.fixture(scope="session")
def random_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "classifier.safetensors"
    card = Card(
        name="covid_classifier",
        version="0",
        architecture=CovidClassifierNet.architecture,
        preprocessing=IMAGENET,
        labels=FINDINGS,
    )
    torch.manual_seed(0)
    checkpoints.save(path, CovidClassifierNet(), card)
    return path
