"""Averages the weights of checkpoints of which each continued the training of the one before.

    python -m training.weight_averaging BEFORE.safetensors AFTER.safetensors

Model soups (Wortsman et al. 2022, arXiv:2203.05482): such networks are in one basin of the loss,
and their mean is often better than each. Prints the mean validation loss of each checkpoint and of
the average, which is written to `runs/classifier_soup/best.safetensors`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet
from training.cache import open_cache
from training.config import parse_config
from training.run import BEST, Run, add_data_flags, load_records
from training.train_classifier import examples, validate

_FOLDER = Path("classifier_soup")


def mean_weights(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Returns the mean of every tensor; counters are those of the last checkpoint."""
    weights = [load_file(path) for path in paths]
    return {
        name: torch.stack([w[name] for w in weights]).mean(dim=0)
        if last.is_floating_point()
        else last
        for name, last in weights[-1].items()
    }


def average_checkpoints(paths: Sequence[Path], target: Path) -> None:
    """Writes the average with the last checkpoint's card, which lists all of them."""
    network = CovidClassifierNet()
    network.load_state_dict(mean_weights(paths))
    card = checkpoints.read_card(paths[-1])
    digests = [checkpoints.digest(path) for path in paths]
    target.parent.mkdir(parents=True, exist_ok=True)
    update = {"training": card.training | {"mean_of": digests}}
    checkpoints.save(target, network, card.model_copy(update=update))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", type=Path, nargs="+")
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"))
    flags = parser.parse_args()
    target = flags.output / _FOLDER / BEST
    average_checkpoints(flags.checkpoints, target)
    config = parse_config(checkpoints.read_card(target).training["config"])
    records = load_records(flags.data, config)
    device = torch.device(flags.device)
    cache = flags.output / "cache"
    pixels = open_cache(records, cache)
    run = Run(config, records, pixels, target.parent, device, resume=False, cache=cache)
    val = examples(records, "val", power=1.0)
    for path in (*flags.checkpoints, target):
        network = checkpoints.load(path, CovidClassifierNet()).to(device)
        found = validate(run, network, val)
        print(
            f"{path}: validation loss {found.loss:.4f}, accuracy {found.accuracy:.3f}", flush=True
        )


if __name__ == "__main__":
    main()
