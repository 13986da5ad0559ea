"""A model answers each image of a batch independently of the others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bentos.covid_classifier import service as classifier_service
from bentos.inference.model import Model
from bentos.settings import get_settings
from bentos.xray_filter import service as filter_service
from chestxray import checkpoints
from chestxray.engines import Images, Outputs
from chestxray.errors import CheckpointError
from chestxray.labels import VERDICTS
from chestxray.networks import CovidClassifierNet, XRayFilterNet


class FakeEngine:
    """An engine that answers zeros after calling a given function."""

    def __init__(self, answer: Callable[[Images], None], *, on_gpu: bool = False) -> None:
        self.on_gpu, self.freed, self.parallel = on_gpu, 0, 1
        self._answer = answer

    def __call__(self, images: Images, *, loaded: bool = False) -> Outputs:
        self._answer(images)
        logits = np.zeros((len(images), len(VERDICTS)), np.float32)
        logits[images.mean(axis=(1, 2, 3)) == 1] = np.nan
        return {"logits": logits}

    def free_memory(self) -> None:
        self.freed += 1


def fail_on_white(images: Images) -> None:
    if (images.mean(axis=(1, 2, 3)) > 250).any():
        raise RuntimeError("poisoned")


def images_of(*values: int) -> np.ndarray:
    return np.stack([np.full((1, 224, 224), value, np.uint8) for value in values])


@pytest.fixture
def model_over(random_filter: Path) -> Callable[[FakeEngine], Model]:
    card = checkpoints.read_card(random_filter)
    return lambda engine: Model(engine, card, filter_service.ROW, filter_service.answer)


@pytest.fixture
def model_failing_on_white(model_over: Callable[[FakeEngine], Model]) -> Model:
    return model_over(FakeEngine(fail_on_white))


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CHESTXRAY_DEVICE", "cpu")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_image_that_raises_fails_alone_in_its_batch(model_failing_on_white: Model) -> None:
    """Trap 6: a batched method that raises fails every request of its batch."""
    rows = model_failing_on_white(images_of(10, 255, 20))

    assert rows["ok"].tolist() == [True, False, True]
    assert rows["probabilities"][0].sum() == pytest.approx(1)


def test_image_with_a_non_finite_answer_fails_alone_in_its_batch(
    model_failing_on_white: Model,
) -> None:
    assert model_failing_on_white(images_of(1, 10))["ok"].tolist() == [False, True]


def test_out_of_memory_error_frees_memory_and_halves_the_batch(
    model_over: Callable[[FakeEngine], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_above_three_images(images: Images) -> None:
        if len(images) > 3:
            raise torch.OutOfMemoryError("no more memory")

    monkeypatch.setenv("CHESTXRAY_MAX_MODEL_BATCH", "2")
    get_settings.cache_clear()
    engine = FakeEngine(fail_above_three_images)
    model = model_over(engine)
    get_settings.cache_clear()

    assert model(images_of(*range(2, 18)))["ok"].all()
    assert engine.freed > 0


@pytest.mark.parametrize("bad_value", [255, 1], ids=["raises in the model's code", "answers NaN"])
def test_fifteen_images_are_answered_when_one_of_the_batch_fails(
    model_failing_on_white: Model, bad_value: int
) -> None:
    values = [10] * 16
    values[5] = bad_value

    rows = model_failing_on_white(images_of(*values))

    assert rows["ok"].tolist() == [value == 10 for value in values]
    assert np.allclose(
        rows["probabilities"][rows["ok"]], model_failing_on_white(images_of(10))["probabilities"]
    )


@pytest.mark.parametrize(
    ("on_gpu", "sizes"), [(False, [1, 16]), (True, [1, 2, 4, 8, 16])], ids=["cpu", "gpu"]
)
def test_model_warms_up_every_batch_size_of_its_device(
    model_over: Callable[[FakeEngine], Model], on_gpu: bool, sizes: list[int]
) -> None:
    seen: list[int] = []

    model_over(FakeEngine(lambda images: seen.append(len(images)), on_gpu=on_gpu))

    assert seen == sizes


def test_model_that_fails_on_a_blank_image_does_not_start(
    model_over: Callable[[FakeEngine], Model], random_filter: Path
) -> None:
    class Broken(FakeEngine):
        def __call__(self, images: Images, *, loaded: bool = False) -> Outputs:
            return {"logits": np.full((len(images), len(VERDICTS)), np.nan, np.float32)}

    with pytest.raises(CheckpointError, match="no finite answer"):
        model_over(Broken(lambda images: None))


def load_filter(path: Path, wanted_digest: str = "") -> Model:
    return Model.load(
        XRayFilterNet.architecture,
        path,
        filter_service.ROW,
        filter_service.answer,
        wanted_digest=wanted_digest,
    )


def test_model_with_a_wrong_weights_digest_does_not_start(random_filter: Path) -> None:
    with pytest.raises(CheckpointError, match="corrupt or the wrong file"):
        load_filter(random_filter, "sha256:0")


def test_model_with_another_models_weights_does_not_start(
    random_classifier: Path, cpu: None
) -> None:
    with pytest.raises(CheckpointError, match="mobilenet_v2 is needed"):
        load_filter(random_classifier)


def test_model_accepts_read_only_arrays(random_filter: Path, cpu: None) -> None:
    images = images_of(10)
    images.flags.writeable = False

    assert load_filter(random_filter)(images)["ok"].all()


def test_filter_probabilities_are_the_softmax_of_the_network(
    random_filter: Path, cpu: None
) -> None:
    images = images_of(10, 200)

    rows = load_filter(random_filter)(images)

    network = checkpoints.load(random_filter, XRayFilterNet()).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], expected, atol=1e-5)


def test_classifier_probabilities_are_scaled_by_its_temperature(
    random_classifier: Path, tmp_path: Path, cpu: None
) -> None:
    path = tmp_path / "warm.safetensors"
    network = checkpoints.load(random_classifier, CovidClassifierNet()).eval()
    card = checkpoints.read_card(random_classifier).model_copy(update={"temperature": 2.0})
    checkpoints.save(path, network, card)
    model = Model.load(
        network.architecture, path, classifier_service.ROW, classifier_service.answer
    )
    images = images_of(10, 200)

    rows = model(images)

    with torch.inference_mode():
        reading = network(torch.from_numpy(images))
    probabilities = (reading.logits / 2).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], probabilities, atol=1e-4)
    assert np.allclose(rows["cam"], reading.cam.numpy(), atol=1e-3)
    logits = rows["cam"].mean(axis=(2, 3)) + network.bias.detach().numpy()
    assert np.allclose(logits, reading.logits.numpy(), atol=1e-4)
