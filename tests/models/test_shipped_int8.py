"""The shipped int8 model agrees with float32 on validation images."""

from pathlib import Path

import numpy as np
import pytest

from chestxray import checkpoints, quantised
from chestxray.engines import GRAPHS, OnnxEngine
from chestxray.errors import CheckpointError
from chestxray.labels import FINDINGS
from chestxray.preprocessing import SIZE
from tests.conftest import ROOT
from tests.phantoms import phantom
from training import fidelity, model_card
from training.cache import open_cache
from training.datasets import curated
from training.quantise import ARCHITECTURE, CHECKPOINT, INT8, WEIGHTS_INT8
from training.quantise_report import COMMAND

FOLDER = ROOT / CHECKPOINT.parent
SHIPPED = FOLDER / WEIGHTS_INT8
IMAGES = 40

pytestmark = pytest.mark.skipif(not SHIPPED.exists(), reason="no int8 model is shipped")


@pytest.fixture(scope="module")
def engines() -> tuple[OnnxEngine, OnnxEngine]:
    try:
        quantised.check_cpu()
    except CheckpointError as error:
        pytest.skip(str(error))
    return OnnxEngine(ROOT / CHECKPOINT, ARCHITECTURE), OnnxEngine(SHIPPED, INT8)


def test_int8_checkpoint_is_intact_and_made_from_the_shipped_float32() -> None:
    card, float32 = checkpoints.read_card(SHIPPED), checkpoints.read_card(ROOT / CHECKPOINT)

    assert checkpoints.verified_digest(SHIPPED) == checkpoints.digest(SHIPPED)
    assert (card.name, card.version) == (float32.name, f"{float32.version}-int8")
    assert (card.temperature, card.thresholds) == (float32.temperature, float32.thresholds)
    made = card.training["quantisation"]
    assert made["float32_digest"] == checkpoints.digest(ROOT / CHECKPOINT)
    assert made["trials"][made["chosen"]]["faults"] == []


def test_int8_model_card_is_up_to_date() -> None:
    text = (FOLDER / "MODEL_CARD_INT8.md").read_text()

    assert text.startswith(model_card.render(checkpoints.read_card(SHIPPED), command=COMMAND))
    assert "## Against float32" in text


def test_int8_graph_has_no_weights_and_the_checkpoint_is_small() -> None:
    assert (GRAPHS / f"{INT8}.onnx").stat().st_size < 500_000
    assert SHIPPED.stat().st_size < 0.35 * (ROOT / CHECKPOINT).stat().st_size


def test_int8_logits_are_the_mean_of_the_maps_plus_a_bias(
    engines: tuple[OnnxEngine, OnnxEngine],
) -> None:
    films = np.stack([phantom(SIZE, SIZE), phantom(SIZE, SIZE)[:, ::-1]])[:, None]

    found = engines[1](films)

    bias = found["logits"] - found["cam"].mean(axis=(2, 3))
    assert np.allclose(bias[0], bias[1], atol=1e-3)


def test_int8_outputs_match_float32_within_the_limits(
    engines: tuple[OnnxEngine, OnnxEngine], data: Path, tmp_path: Path
) -> None:
    films = [r for r in curated.load(data) if r.split == "val" and r.label in FINDINGS]
    chosen = films[:: len(films) // IMAGES]
    images = np.array(open_cache(chosen, tmp_path))[:, None]
    labels = np.array([FINDINGS.index(record.label) for record in chosen])

    before, after = (engine(images) for engine in engines)
    found = fidelity.compare(before, after, labels, checkpoints.read_card(SHIPPED).temperature)

    assert found.most_moved <= fidelity.MAX_MOVED
    assert found.map_correlation.value >= fidelity.MIN_MAP_CORRELATION
