"""The weights that a stage starts from, and the blocks that it does not train."""

from pathlib import Path

import pytest
import torch

from chestxray.networks import CovidClassifierNet
from training import train_classifier
from training.config import read_config
from training.initial_weights import freeze_classifier


def test_stage_two_initialises_covid_from_opacity_of_stage_one(
    tmp_path: Path, random_classifier: Path
) -> None:
    config = read_config(train_classifier.CONFIG, init=f"file:{random_classifier}", continues=False)

    network = train_classifier.build_network(config)

    assert torch.equal(network.cam.weight[2], network.cam.weight[1])
    assert not torch.equal(network.cam.weight[0], network.cam.weight[1])


@pytest.mark.parametrize("blocks", [3, -1])
def test_invalid_number_of_frozen_blocks_is_rejected(blocks: int) -> None:
    with pytest.raises(ValueError, match="frozen_blocks"):
        freeze_classifier(CovidClassifierNet(), blocks)
