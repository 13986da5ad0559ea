"""The GPU engine matches the network on the CPU, whatever images share a batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bentos.covid_classifier import service as classifier_service
from bentos.inference.model import Model
from chestxray import checkpoints
from chestxray.engines import TorchEngine, open_engine, softmax
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests.unit.chestxray.test_engines import assert_engine_matches

TOLERANCE = 0.01
"""Tolerance of logits relative to the largest; TF32 has eleven bits."""
NETWORKS = {"random_filter": XRayFilterNet, "random_classifier": CovidClassifierNet}


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (9, 1, 224, 224), np.uint8)


@pytest.mark.parametrize("fixture", NETWORKS)
def test_gpu_engine_matches_the_network_on_the_cpu(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(fixture)
    network = checkpoints.load(path, NETWORKS[fixture]()).eval()
    engine = open_engine(path, network.architecture)

    assert engine.on_gpu
    assert_engine_matches(engine, network, TOLERANCE)


def test_image_has_the_same_output_alone_and_in_a_batch(
    random_classifier: Path, images: np.ndarray
) -> None:
    engine = open_engine(random_classifier, CovidClassifierNet.architecture)

    together = softmax(engine(images)["logits"], 1.0)

    alone = np.concatenate([softmax(engine(image[None])["logits"], 1.0) for image in images])
    assert np.abs(together - alone).max() < TOLERANCE


def test_logit_on_the_gpu_is_the_mean_of_its_map_plus_the_bias(
    random_classifier: Path, images: np.ndarray
) -> None:
    """Equation 1 of Zhou et al. holds to float32, whatever precision the blocks ran in."""
    engine = open_engine(random_classifier, CovidClassifierNet.architecture)
    bias = checkpoints.load(random_classifier, CovidClassifierNet()).bias.detach().numpy()

    found = engine(images)

    assert np.allclose(found["cam"].mean(axis=(2, 3)) + bias, found["logits"], atol=1e-4)


def test_out_of_memory_on_the_gpu_halves_the_batch_and_answers_all(
    random_classifier: Path, images: np.ndarray
) -> None:
    card = checkpoints.read_card(random_classifier)
    engine = TorchEngine(random_classifier, CovidClassifierNet(), "cuda")
    model = Model(engine, card, classifier_service.ROW, classifier_service.answer)
    many = np.concatenate([images] * 64)
    expected = np.concatenate([model(images)] * 64)
    engine.free_memory()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**30) / total)
    try:
        with pytest.raises(torch.cuda.OutOfMemoryError):
            engine(many)
        rows = model(many)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert rows["ok"].all()
    assert np.allclose(rows["probabilities"], expected["probabilities"], atol=TOLERANCE)
