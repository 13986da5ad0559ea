"""Measures a trained model on the test split and the external set, and ships it with the figures.

    python -m training.evaluate runs/filter/best.safetensors --ship bentos/xray_filter
    python -m training.evaluate runs/classifier/best.safetensors --ship bentos/covid_classifier
    python -m training.evaluate bentos/covid_classifier/weights.safetensors

The last line measures again what is shipped.
"""

import argparse
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from training import classifier_evaluation, filter_evaluation, model_card
from training.cache import open_cache
from training.config import parse_config
from training.material import Material
from training.run import load_records

_EVALUATION_OF: dict[str, tuple[type[nn.Module], ModuleType]] = {
    XRayFilterNet.architecture: (XRayFilterNet, filter_evaluation),
    CovidClassifierNet.architecture: (CovidClassifierNet, classifier_evaluation),
}
WEIGHTS, MODEL_CARD = "weights.safetensors", "MODEL_CARD.md"


def evaluate(
    checkpoint: Path, *, data: Path, cache: Path, device: torch.device
) -> tuple[nn.Module, Card]:
    """Loads a checkpoint of either model and measures it; the card comes back completed."""
    card = checkpoints.read_card(checkpoint)
    records = load_records(data, parse_config(card.training["config"]))
    pixels = open_cache(records, cache)
    kind, evaluation = _EVALUATION_OF[card.architecture]
    network = checkpoints.load(checkpoint, kind()).to(device)
    return network, evaluation.complete(Material(network, card, records, pixels, device))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--ship", type=Path, help="folder of the service that gets the weights")
    flags = parser.parse_args()
    network, card = evaluate(
        flags.checkpoint, data=flags.data, cache=flags.cache, device=torch.device(flags.device)
    )
    print(model_card.render(card))
    if flags.ship:
        checkpoints.save(flags.ship / WEIGHTS, network, card)
        (flags.ship / MODEL_CARD).write_text(model_card.render(card))


if __name__ == "__main__":
    main()
