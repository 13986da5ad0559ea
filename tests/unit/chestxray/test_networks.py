"""Output shapes of both networks, and the identity of class activation map and logit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chestxray import checkpoints
from chestxray.labels import VERDICTS
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests.conftest import ROOT
from tests.phantoms import phantom

pytestmark = pytest.mark.slow

SHIPPED = ROOT / "bentos" / "covid_classifier" / "weights.safetensors"


@pytest.fixture(scope="module")
def classifier() -> CovidClassifierNet:
    return checkpoints.load(SHIPPED, CovidClassifierNet()).eval()


def test_filter_returns_one_logit_per_verdict() -> None:
    images = torch.zeros(2, 1, 224, 224, dtype=torch.uint8)

    assert XRayFilterNet().eval()(images).shape == (2, len(VERDICTS))


def test_classifier_returns_logits_maps_embedding_and_projection(
    classifier: CovidClassifierNet,
) -> None:
    reading = classifier(torch.zeros(2, 1, 224, 224, dtype=torch.uint8))

    assert reading.logits.shape == (2, 3)
    assert reading.cam.shape == (2, 3, 14, 14)
    assert reading.embedding.shape == (2, 1024)
    assert reading.projection.shape == (2, 3)


def test_classifier_ends_after_its_third_dense_block() -> None:
    names = [name for name, _ in CovidClassifierNet().features.named_children()]

    assert names[-1] == "denseblock3"


@settings(max_examples=8)
@given(pixels=hnp.arrays(np.uint8, (1, 1, 224, 224), elements=st.integers(0, 255)))
def test_logit_is_the_mean_of_the_cam_plus_the_bias(
    classifier: CovidClassifierNet, pixels: np.ndarray
) -> None:
    assert_identity(classifier, torch.from_numpy(pixels))


def test_logit_is_the_mean_of_the_cam_plus_the_bias_in_mixed_precision(
    classifier: CovidClassifierNet,
) -> None:
    square = np.array(phantom(224, 224))[None, None]

    with torch.autocast("cpu", torch.bfloat16):
        assert_identity(classifier, torch.from_numpy(square))


def assert_identity(network: CovidClassifierNet, images: torch.Tensor) -> None:
    with torch.inference_mode():
        reading = network(images)
    assert torch.allclose(reading.cam.mean(dim=(2, 3)) + network.bias, reading.logits, atol=1e-4)


def test_image_has_the_same_logits_alone_and_in_a_batch(classifier: CovidClassifierNet) -> None:
    images = torch.randint(0, 256, (4, 1, 224, 224), dtype=torch.uint8)

    with torch.inference_mode():
        together, alone = classifier(images).logits, classifier(images[2:3]).logits

    assert torch.allclose(together[2:3], alone, atol=1e-4)


def test_cam_responds_where_the_image_changes(classifier: CovidClassifierNet) -> None:
    images = torch.full((1, 1, 224, 224), 90, dtype=torch.uint8)
    changed = images.clone()
    changed[..., 160:192, 32:64] = 255

    with torch.inference_mode():
        difference = (classifier(changed).cam - classifier(images).cam).abs().sum(dim=1)[0]

    row, column = divmod(int(difference.argmax()), 14)
    assert abs(row - 10.5) <= 2.5
    assert abs(column - 2.5) <= 2.5


def test_centred_maps_sum_to_zero_and_keep_the_probabilities() -> None:
    network = checkpoints.load(SHIPPED, CovidClassifierNet()).eval()
    images = torch.randint(0, 256, (2, 1, 224, 224), dtype=torch.uint8)
    with torch.inference_mode():
        before = network(images).logits.softmax(dim=1)

    network.cam.weight.data += 0.1  # what all classes have in common
    network.centre()

    with torch.inference_mode():
        reading = network(images)
    assert torch.allclose(reading.logits.softmax(dim=1), before, atol=1e-4)
    assert torch.allclose(reading.cam.sum(dim=1), torch.zeros(2, 14, 14), atol=1e-4)
    assert_identity(network, images)
