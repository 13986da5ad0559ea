"""A runner answers item by item, whatever one of them does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bentos.covid_classifier import service as classifier_service
from bentos.runner import Runner
from bentos.settings import get_settings
from bentos.xray_filter import service as filter_service
from chestxray import checkpoints
from chestxray.errors import CheckpointError
from chestxray.networks import CovidClassifierNet, XRayFilterNet


class Delicate(XRayFilterNet):
    """Breaks on a bright image, and answers nonsense on a black one."""

    def forward(self, images: Tensor) -> Tensor:
        if (images.float().mean(dim=(1, 2, 3)) > 250).any():
            raise RuntimeError("poisoned")
        logits = torch.zeros(len(images), 7)
        logits[images.float().mean(dim=(1, 2, 3)) == 1] = torch.nan
        return logits


def squares(*values: int) -> np.ndarray:
    return np.stack([np.full((1, 224, 224), value, np.uint8) for value in values])


@pytest.fixture(scope="module")
def delicate(random_filter: Path) -> Runner:
    return Runner(Delicate(), random_filter, filter_service.ROW, filter_service.answer)


def test_poisoned_item_fails_alone(delicate: Runner) -> None:
    """Trap 6: a batched method that raises fails every caller of its batch."""
    rows = delicate(squares(10, 255, 20))

    assert rows["ok"].tolist() == [True, False, True]
    assert rows["probabilities"][0].sum() == pytest.approx(1)


def test_item_whose_answer_is_not_finite_fails_alone(delicate: Runner) -> None:
    assert delicate(squares(1, 10))["ok"].tolist() == [False, True]


class Small(XRayFilterNet):
    """Has memory for three images."""

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 3:
            raise torch.OutOfMemoryError("no more memory")
        return torch.zeros(len(images), 7)


def test_want_of_memory_halves_the_batch(
    random_filter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHESTXRAY_MAX_MODEL_BATCH", "2")
    get_settings.cache_clear()
    runner = Runner(Small(), random_filter, filter_service.ROW, filter_service.answer)
    get_settings.cache_clear()

    assert runner(squares(*range(16)))["ok"].all()


@pytest.mark.parametrize("poison", [255, 1], ids=["raises in the model's code", "answers NaN"])
def test_one_of_sixteen_is_poisoned(delicate: Runner, poison: int) -> None:
    values = [10] * 16
    values[5] = poison

    rows = delicate(squares(*values))

    assert rows["ok"].tolist() == [value == 10 for value in values]
    assert np.allclose(rows["probabilities"][rows["ok"]], delicate(squares(10))["probabilities"])


def test_weights_that_changed_stop_the_start(random_filter: Path) -> None:
    with pytest.raises(CheckpointError, match="corrupt or not the file"):
        Runner(
            XRayFilterNet(),
            random_filter,
            filter_service.ROW,
            filter_service.answer,
            wanted_digest="sha256:0",
        )


def test_read_only_buffers_are_taken(delicate: Runner) -> None:
    images = squares(10)
    images.flags.writeable = False

    assert delicate(images)["ok"].all()


def test_filter_row_is_the_softmax_of_the_network(random_filter: Path) -> None:
    runner = Runner(XRayFilterNet(), random_filter, filter_service.ROW, filter_service.answer)
    images = squares(10, 200)

    rows = runner(images)

    network = checkpoints.load(random_filter, XRayFilterNet()).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], expected, atol=1e-5)


def test_classifier_row_is_the_reading_at_its_temperature(
    random_classifier: Path, tmp_path: Path
) -> None:
    path = tmp_path / "warm.safetensors"
    network = checkpoints.load(random_classifier, CovidClassifierNet()).eval()
    card = checkpoints.read_card(random_classifier).model_copy(update={"temperature": 2.0})
    checkpoints.save(path, network, card)
    runner = Runner(CovidClassifierNet(), path, classifier_service.ROW, classifier_service.answer)
    images = squares(10, 200)

    rows = runner(images)

    with torch.inference_mode():
        reading = network(torch.from_numpy(images))
    probabilities = (reading.logits / 2).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], probabilities, atol=1e-4)
    assert np.allclose(rows["cam"], reading.cam.numpy(), atol=1e-3)
    logits = rows["cam"].mean(axis=(2, 3)) + network.bias.detach().numpy()
    assert np.allclose(logits, reading.logits.numpy(), atol=1e-4)


def test_wrong_weights_stop_the_start(random_classifier: Path) -> None:
    with pytest.raises(CheckpointError, match="mobilenet_v2 is needed"):
        Runner(XRayFilterNet(), random_classifier, filter_service.ROW, filter_service.answer)


def test_smallest_and_largest_batch_are_warmed_up(
    random_filter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    class Watched(XRayFilterNet):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(len(images))
            return torch.zeros(len(images), 7)

    Runner(Watched(), random_filter, filter_service.ROW, filter_service.answer)

    assert seen == [1, 16]


def test_networks_run_channels_last(random_filter: Path) -> None:
    runner = Runner(XRayFilterNet(), random_filter, filter_service.ROW, filter_service.answer)

    convolutions = [m for m in runner._network.modules() if isinstance(m, nn.Conv2d)]
    assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_gpu_answers_as_the_cpu_does(random_classifier: Path) -> None:
    runner = Runner(
        CovidClassifierNet(), random_classifier, classifier_service.ROW, classifier_service.answer
    )
    images = squares(10, 200)

    rows = runner(images)

    assert runner.device.type == "cuda"
    network = checkpoints.load(random_classifier, CovidClassifierNet()).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).logits.softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], expected, atol=0.02)
