"""A model answers every image by itself, whatever another one of its batch does."""

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
    """Answers zeros, in the way that it is told."""

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


def breaks_on_white(images: Images) -> None:
    if (images.mean(axis=(1, 2, 3)) > 250).any():
        raise RuntimeError("poisoned")


def squares(*values: int) -> np.ndarray:
    return np.stack([np.full((1, 224, 224), value, np.uint8) for value in values])


@pytest.fixture
def model_over(random_filter: Path) -> Callable[[FakeEngine], Model]:
    card = checkpoints.read_card(random_filter)
    return lambda engine: Model(engine, card, filter_service.ROW, filter_service.answer)


@pytest.fixture
def delicate(model_over: Callable[[FakeEngine], Model]) -> Model:
    return model_over(FakeEngine(breaks_on_white))


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CHESTXRAY_DEVICE", "cpu")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_poisoned_item_fails_alone(delicate: Model) -> None:
    """Trap 6: a batched method that raises fails every caller of its batch."""
    rows = delicate(squares(10, 255, 20))

    assert rows["ok"].tolist() == [True, False, True]
    assert rows["probabilities"][0].sum() == pytest.approx(1)


def test_item_whose_answer_is_not_finite_fails_alone(delicate: Model) -> None:
    assert delicate(squares(1, 10))["ok"].tolist() == [False, True]


def test_want_of_memory_frees_some_and_halves_the_batch(
    model_over: Callable[[FakeEngine], Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_room_for_three(images: Images) -> None:
        if len(images) > 3:
            raise torch.OutOfMemoryError("no more memory")

    monkeypatch.setenv("CHESTXRAY_MAX_MODEL_BATCH", "2")
    get_settings.cache_clear()
    engine = FakeEngine(has_room_for_three)
    model = model_over(engine)
    get_settings.cache_clear()

    assert model(squares(*range(2, 18)))["ok"].all()
    assert engine.freed > 0


@pytest.mark.parametrize("poison", [255, 1], ids=["raises in the model's code", "answers NaN"])
def test_one_of_sixteen_is_poisoned(delicate: Model, poison: int) -> None:
    values = [10] * 16
    values[5] = poison

    rows = delicate(squares(*values))

    assert rows["ok"].tolist() == [value == 10 for value in values]
    assert np.allclose(rows["probabilities"][rows["ok"]], delicate(squares(10))["probabilities"])


@pytest.mark.parametrize(
    ("on_gpu", "sizes"), [(False, [1, 16]), (True, [1, 2, 4, 8, 16])], ids=["cpu", "gpu"]
)
def test_sizes_of_batches_are_warmed_up(
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


def test_weights_that_changed_stop_the_start(random_filter: Path) -> None:
    with pytest.raises(CheckpointError, match="corrupt or the wrong file"):
        load_filter(random_filter, "sha256:0")


def test_weights_of_the_other_model_stop_the_start(random_classifier: Path, cpu: None) -> None:
    with pytest.raises(CheckpointError, match="mobilenet_v2 is needed"):
        load_filter(random_classifier)


def test_read_only_buffers_are_taken(random_filter: Path, cpu: None) -> None:
    images = squares(10)
    images.flags.writeable = False

    assert load_filter(random_filter)(images)["ok"].all()


def test_filter_row_is_the_softmax_of_the_network(random_filter: Path, cpu: None) -> None:
    images = squares(10, 200)

    rows = load_filter(random_filter)(images)

    network = checkpoints.load(random_filter, XRayFilterNet()).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], expected, atol=1e-5)


def test_classifier_row_is_the_reading_at_its_temperature(
    random_classifier: Path, tmp_path: Path, cpu: None
) -> None:
    path = tmp_path / "warm.safetensors"
    network = checkpoints.load(random_classifier, CovidClassifierNet()).eval()
    card = checkpoints.read_card(random_classifier).model_copy(update={"temperature": 2.0})
    checkpoints.save(path, network, card)
    model = Model.load(
        network.architecture, path, classifier_service.ROW, classifier_service.answer
    )
    images = squares(10, 200)

    rows = model(images)

    with torch.inference_mode():
        reading = network(torch.from_numpy(images))
    probabilities = (reading.logits / 2).softmax(dim=1).numpy()
    assert np.allclose(rows["probabilities"], probabilities, atol=1e-4)
    assert np.allclose(rows["cam"], reading.cam.numpy(), atol=1e-3)
    logits = rows["cam"].mean(axis=(2, 3)) + network.bias.detach().numpy()
    assert np.allclose(logits, reading.logits.numpy(), atol=1e-4)
