"""The published configurations."""

import pytest

from tests.conftest import ROOT
from training.config import read_config

CONFIGS = ROOT / "training" / "configs"


@pytest.mark.parametrize("name", sorted(p.name for p in CONFIGS.rglob("*.toml")))
def test_published_configurations_are_valid(name: str) -> None:
    for path in CONFIGS.rglob(name):
        if not path.stem.startswith("comparison"):  # those are lists of variants
            assert read_config(path).epochs > 0


def test_paper_configuration_matches_the_paper() -> None:
    filter_, stage2 = (read_config(CONFIGS / "paper" / f"{n}.toml") for n in ("filter", "stage2"))

    assert (filter_.batch_size, filter_.learning_rate, filter_.epochs) == (128, 1e-3, 100)
    assert (filter_.steps_per_epoch, filter_.early_stop) == (5, 15)
    assert (filter_.augmentation.rotation, filter_.augmentation.zoom) == (5.0, (0.9, 1.1))
    assert (stage2.learning_rate, stage2.label_smoothing, stage2.early_stop) == (1e-5, 0.1, 5)
    assert stage2.weighted_loss
    assert filter_.init == "imagenet"
    assert all(c.redraw and c.schedule == "plateau" and c.size == 224 for c in (filter_, stage2))
