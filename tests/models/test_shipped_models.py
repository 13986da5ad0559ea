"""The shipped models reach their minimum figures and those on their cards."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from chestxray import checkpoints
from chestxray.engines import OnnxEngine, softmax
from chestxray.networks import CovidClassifierNet, Network, XRayFilterNet
from tests.conftest import ROOT
from training import classifier_evaluation, filter_evaluation
from training.cache import open_cache
from training.datasets import curated, derived
from training.evaluation_set import EvaluationSet

FILTER = ROOT / "bentos" / "xray_filter" / "weights.safetensors"
CLASSIFIER = ROOT / "bentos" / "covid_classifier" / "weights.safetensors"


PARTS = ("test_without_siim", "test_siim", "external")


def batched(rows: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    source = iter(rows)
    while batch := list(islice(source, size)):
        yield batch


def metrics_on_card(path: Path) -> dict[str, Any]:
    return checkpoints.read_card(path).metrics


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def evaluation_set(path: Path, network: nn.Module, data: Path, cache: Path) -> EvaluationSet:
    """An evaluation set of test and external images only, which suffices to measure."""
    records = [
        record
        for record in curated.load(data)
        if record.split in ("test", "external") or record.label == "rotated_cxr"
    ]
    card, loaded = checkpoints.read_card(path), checkpoints.load(path, network)
    pixels = open_cache(records, cache)
    if path == FILTER:
        pixels, records = derived.extend(pixels, records)
    return EvaluationSet(loaded, card, records, pixels, torch.device("cpu"))


def test_filter_reaches_its_minimum_accuracy() -> None:
    assert metrics_on_card(FILTER)["test"]["accuracy"]["value"] >= 0.97


@pytest.mark.parametrize(
    ("kind", "floor"),
    [("inverted", 0.98), ("two_films", 0.9), ("part_of_page", 0.95), ("photo_of_screen", 0.95)],
)
def test_filter_rejects_images_other_than_one_positive_radiograph(kind: str, floor: float) -> None:
    assert metrics_on_card(FILTER)["test"]["rejected_by_kind"][kind]["value"] >= floor


@pytest.mark.parametrize(("part", "floor"), [("test_without_siim", 0.80), ("test_siim", 0.55)])
def test_classifier_reaches_its_minimum_balanced_accuracy(part: str, floor: float) -> None:
    assert metrics_on_card(CLASSIFIER)[part]["balanced_accuracy"]["value"] >= floor


@pytest.mark.parametrize(
    ("path", "kind"), [(FILTER, XRayFilterNet), (CLASSIFIER, CovidClassifierNet)]
)
def test_served_engine_matches_the_evaluated_network(
    path: Path, kind: type[Network], data: Path, cache: Path
) -> None:
    """ONNX Runtime's probabilities of real images equal PyTorch's to four digits."""
    records = [record for record in curated.load(data) if record.split == "external"]
    network = checkpoints.load(path, kind()).eval()
    engine = OnnxEngine(path, kind.architecture)
    temperature = checkpoints.read_card(path).temperature
    furthest = 0.0
    for batch in batched(open_cache(records, cache), 16):
        images = np.stack(batch)[:, None]
        with torch.inference_mode():
            answer = network(torch.from_numpy(images))
        logits = answer if isinstance(answer, torch.Tensor) else answer.logits
        expected = (logits / temperature).softmax(dim=1).numpy()
        found = softmax(engine(images)["logits"], temperature)
        furthest = max(furthest, float(np.abs(found - expected).max()))

    assert furthest < 1e-4


@pytest.mark.figures
def test_figures_of_the_filter_are_reproducible(data: Path, cache: Path) -> None:
    found = filter_evaluation.measure(evaluation_set(FILTER, XRayFilterNet(), data, cache))

    for part, shares in metrics_on_card(FILTER).items():
        for name, share in shares.items():
            if "value" in share:
                assert found[part][name]["n"] == share["n"]
                assert found[part][name]["value"] == pytest.approx(share["value"], abs=0.005)


@pytest.mark.figures
def test_figures_of_the_classifier_are_reproducible(data: Path, cache: Path) -> None:
    found = classifier_evaluation.measure(
        evaluation_set(CLASSIFIER, CovidClassifierNet(), data, cache)
    )

    for part in PARTS:
        figures = metrics_on_card(CLASSIFIER)[part]
        assert found[part]["n"] == figures["n"]
        for again, before in zip(found[part]["auc"], figures["auc"], strict=True):
            assert again["value"] == pytest.approx(before["value"], abs=0.005)
        again = found[part]["balanced_accuracy"]["value"]
        assert again == pytest.approx(figures["balanced_accuracy"]["value"], abs=0.01)
