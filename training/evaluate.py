"""Evaluates a trained model on the test split and the external set; installs it with --ship.

    python -m training.evaluate runs/filter/best.safetensors --ship bentos/xray_filter
    python -m training.evaluate bentos/covid_classifier/weights.safetensors --results results
    python -m training.evaluate --runs 50

A checkpoint fresh from training is completed first: thresholds, calibration and such are fitted on
validation. `--results` writes metrics.json there, and the report to build/reports. `--runs` repeats
the paper's whole experiment on splits drawn anew, goes on where it stopped, and writes Tables 4 and
5 (training/experiment.py).
"""

import argparse
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from training import classifier_evaluation, experiment, filter_evaluation, model_card, report
from training.ablations import apply
from training.cache import open_cache
from training.config import parse_config
from training.datasets import derived
from training.evaluation_set import EvaluationSet
from training.run import add_data_flags, load_records

_EVALUATION_OF: dict[str, tuple[type[nn.Module], ModuleType]] = {
    XRayFilterNet.architecture: (XRayFilterNet, filter_evaluation),
    CovidClassifierNet.architecture: (CovidClassifierNet, classifier_evaluation),
}
WEIGHTS, MODEL_CARD = "weights.safetensors", "MODEL_CARD.md"


def open_evaluation_set(
    checkpoint: Path, data: list[str], cache: Path, device: torch.device
) -> EvaluationSet:
    """Loads a checkpoint of either model and its images, split as in training."""
    card = checkpoints.read_card(checkpoint)
    config = parse_config(card.training["config"])
    records = load_records(data, config)
    network = checkpoints.load(checkpoint, _EVALUATION_OF[card.architecture][0]()).to(device)
    pixels = apply(config.view, open_cache(records, cache))
    if card.architecture == XRayFilterNet.architecture:
        pixels, records = derived.extend(pixels, records)
    return EvaluationSet(network, card, records, pixels, device)


def evaluate(evaluation_set: EvaluationSet) -> EvaluationSet:
    """Evaluates the model; returns the evaluation set with the completed card."""
    evaluation = _EVALUATION_OF[evaluation_set.card.architecture][1]
    if not evaluation_set.card.metrics:
        completed: EvaluationSet = evaluation.fit_and_evaluate(evaluation_set)
        return completed
    # Keep what was found while fitting.
    metrics = evaluation_set.card.metrics | evaluation.measure(evaluation_set)
    update = {"metrics": metrics, "caveats": evaluation.CAVEATS}
    return evaluation_set.with_card(evaluation_set.card.model_copy(update=update))


def ship(evaluation_set: EvaluationSet, folder: Path) -> None:
    """Writes weights and model card into the service's folder."""
    checkpoints.save(folder / WEIGHTS, evaluation_set.network, evaluation_set.card)
    checkpoints.write_digest(folder / WEIGHTS)
    (folder / MODEL_CARD).write_text(model_card.render(evaluation_set.card))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, nargs="?")
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--ship", type=Path, help="folder of the service that gets the weights")
    parser.add_argument("--results", type=Path, help="folder that gets the figures")
    parser.add_argument("--runs", type=int, help="how often to repeat the whole experiment")
    parser.add_argument("--configs", type=Path, default=experiment.CONFIGS, help="of --runs")
    flags = parser.parse_args()
    if (flags.checkpoint is None) == (flags.runs is None):
        parser.error("give a checkpoint or --runs")
    if flags.runs:
        experiment.main(flags.runs, flags.configs, flags.data, flags.output, flags.device)
        return
    evaluation_set = evaluate(
        open_evaluation_set(
            flags.checkpoint, flags.data, flags.output / "cache", torch.device(flags.device)
        )
    )
    print(model_card.render(evaluation_set.card))
    if flags.ship:
        ship(evaluation_set, flags.ship)
    if flags.results:
        print(report.write(evaluation_set, flags.output, flags.results))


if __name__ == "__main__":
    main()
