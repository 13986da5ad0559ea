"""Compares training variants of the classifier on validation, with the same number of images each.

    python -m training.compare
    python -m training.compare --config training/configs/comparison_supervised.toml --jobs 8

A configuration lists the variants as changes to a common base. Only uses the validation split, not
the test split or the external set. Resumes after an interruption, and rewrites
`results/<configuration>/COMPARISON.md` after every variant. Several jobs, each in its own process,
use a large GPU better.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chestxray.labels import FINDINGS, Finding
from chestxray.networks import CovidClassifierNet
from training import map_evaluation, train_classifier
from training.config import parse_config
from training.datasets.curated import SAME_SOURCE
from training.evaluation_set import EvaluationSet
from training.metrics import auc_with_interval, performance
from training.model_card import rate, table
from training.run import Run, add_data_flags, start_run
from training.train_classifier import examples, is_same_source

CONFIG = Path(__file__).parent / "configs" / "comparison.toml"
RESULTS = Path("results")
FLIPPED = "test-time flip"
"""Not a training variant: the baseline with test-time flipping."""
_VALIDATION = "validation.json"
_WITHOUT = f"without_{SAME_SOURCE}"
_NORMAL = FINDINGS.index(Finding.NO_FINDING)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"))
    parser.add_argument("--jobs", type=int, default=1, help="variants at the same time")
    parser.add_argument("--only", nargs="+", help="these variants, without the table")
    flags = parser.parse_args()
    values = tomllib.loads(flags.config.read_text())
    names = flags.only or list(values["variants"])
    for _ in _train(names, values, flags):
        if not flags.only:
            write(values, flags.config.stem, flags.output)


def _train(
    names: Sequence[str], values: dict[str, Any], flags: argparse.Namespace
) -> Iterator[str]:
    """Trains and evaluates missing variants; yields each variant's name when done."""
    if flags.jobs == 1:
        for name in names:
            _train_variant(name, values, flags)
            yield name
        return
    command = [sys.executable, "-m", "training.compare", "--config", str(flags.config)]
    command += ["--output", str(flags.output), "--device", flags.device, "--data", *flags.data]
    with ThreadPoolExecutor(flags.jobs) as pool:
        running = {
            pool.submit(subprocess.run, [*command, "--only", name], check=True): name
            for name in names
        }
        for done in as_completed(running):
            done.result()
            yield running[done]


def _train_variant(name: str, values: dict[str, Any], flags: argparse.Namespace) -> None:
    config = parse_config(merge(values["common"], values["variants"][name]) | {"name": name})
    device, folder = torch.device(flags.device), flags.output / flags.config.stem
    run = start_run(config, flags.data, folder, device, resume=True, cache=flags.output / "cache")
    done = run.folder / _VALIDATION
    if not done.exists():
        train_classifier.main(run)
        first = name == next(iter(values["variants"]))
        done.write_text(json.dumps(measure(run, with_flips=first)))


def merge(common: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of a variant: what all have in common, with its changes."""
    how = common.get("augmentation", {}) | changes.get("augmentation", {})
    return common | changes | {"augmentation": how}


def write(values: dict[str, Any], name: str, output: Path) -> None:
    """Writes and prints the table of all completed variants, in order."""
    found: dict[str, Any] = {}
    for variant in values["variants"]:
        done = output / name / variant / _VALIDATION
        if done.exists():
            found |= json.loads(done.read_text())
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(json.dumps(found, indent=1) + "\n")
    (folder / "COMPARISON.md").write_text(render(found, values))
    print(render(found, values), flush=True)


def measure(run: Run, *, with_flips: bool) -> dict[str, Any]:
    """Performance on validation, without the common source and within it, by variant."""
    evaluation_set = EvaluationSet.from_run(run, CovidClassifierNet())
    val = examples(run.records, "val", power=1.0)
    once = evaluation_set.logits(val).softmax(dim=1)
    answers = {run.config.name: once}
    if with_flips:
        answers[FLIPPED] = (once + evaluation_set.logits(val, flipped=True).softmax(dim=1)) / 2
    same = is_same_source(run.records, val)
    found: dict[str, Any] = {
        name: {
            part: _figures(p.numpy()[keep], val.targets[keep])
            for part, keep in ((_WITHOUT, ~same), (SAME_SOURCE, same))
        }
        for name, p in answers.items()
    }
    found[run.config.name]["map"] = map_evaluation.evaluate(evaluation_set, "val")
    return found


def _figures(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    found = asdict(performance(probabilities, targets, generator=generator))
    scores = 1 - probabilities[:, _NORMAL]
    found["abnormal"] = asdict(auc_with_interval(scores, targets != _NORMAL, generator=generator))
    return found


def render(found: dict[str, Any], values: dict[str, Any]) -> str:
    """Renders a table of the variants; the first is the baseline."""
    common = values["common"]
    images = common["epochs"] * common["steps_per_epoch"] * common["batch_size"]
    head = (
        "variant",
        f"balanced accuracy {_WITHOUT}",
        SAME_SOURCE,
        *(f"AUC {label}, {SAME_SOURCE}" for label in FINDINGS),
        f"AUC abnormal {_WITHOUT}",
        "map: pointing",
        "IoU",
        "mass in lung box",
    )
    return "\n".join(
        [
            "# Ways of training, compared on the validation split",
            "",
            "Research use only. Made by `python -m training.compare`; do not edit. Every variant",
            f"has {images} images at {common.get('size', 224)} pixels, and the same start, unless",
            "its name says otherwise; the intervals (95%, bootstrap over images) leave out that",
            "another seed trains another network.",
            "",
            *table(head, [_row(name, each) for name, each in found.items()]),
            "",
        ]
    )


def _row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    same, others, drawn = found[SAME_SOURCE], found[_WITHOUT], found.get("map", {})
    of_map = drawn.get("abnormal", {})
    return (
        name,
        rate(others["balanced_accuracy"]),
        rate(same["balanced_accuracy"]),
        *(f"{auc['value']:.3f}" for auc in same["auc"]),
        rate(others["abnormal"]),
        *(
            f"{of_map[what]['value']:.3f}" if what in of_map else ""
            for what in ("pointing_game", "iou", "mass_in_lung_box")
        ),
    )


if __name__ == "__main__":
    main()
