"""Compares ways of training the classifier on validation: same start, same number of images each.

    python -m training.compare --data ../shared/data

`configs/compare.toml` lists the variants: what each changes of the common configuration. Choose
with it on validation; the test split and the external set are not looked at. It goes on where it
was stopped and writes `results/comparison/COMPARISON.md` after every variant.
"""

import argparse
import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chestxray.networks import CovidClassifierNet
from training import train_classifier
from training.config import parse_config
from training.datasets.curated import SAME_SOURCE
from training.material import Material
from training.metrics import performance
from training.model_card import rate
from training.run import Run, add_data_flags, start_run
from training.train_classifier import examples, is_same_source

CONFIG = Path(__file__).parent / "configs" / "compare.toml"
RESULTS = Path("results/comparison")
FLIPPED = "test-time flip"
"""Not a way of training: the baseline asked about the mirror image as well."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    add_data_flags(parser)
    parser.add_argument("--output", type=Path, default=Path("runs"))
    flags = parser.parse_args()
    values = tomllib.loads(flags.config.read_text())
    found: dict[str, Any] = {}
    for name, changes in values["variants"].items():
        config = parse_config(_merge(values["common"], changes) | {"name": name})
        device, folder = torch.device(flags.device), flags.output / "comparison"
        run = start_run(
            config, flags.data, folder, device, resume=True, cache=flags.output / "cache"
        )
        found |= _result(run, with_flips=not found)
        _write(found, values)


def _write(found: dict[str, Any], values: dict[str, Any]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "comparison.json").write_text(json.dumps(found, indent=1))
    (RESULTS / "COMPARISON.md").write_text(render(found, values))
    print(render(found, values), flush=True)


def _merge(common: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    how = common.get("augmentation", {}) | changes.get("augmentation", {})
    return common | changes | {"augmentation": how}


def _result(run: Run, *, with_flips: bool) -> dict[str, Any]:
    done = run.folder / "validation.json"
    if not done.exists():
        train_classifier.main(run)
        done.write_text(json.dumps(measure(run, with_flips=with_flips)))
    result: dict[str, Any] = json.loads(done.read_text())
    return result


def measure(run: Run, *, with_flips: bool) -> dict[str, Any]:
    """Performance on validation, beside the common source and within it, by variant's name."""
    material = Material.of_run(run, CovidClassifierNet())
    val = examples(run.records, "val", power=1.0)
    once = material.logits(val).softmax(dim=1)
    answers = {run.config.name: once}
    if with_flips:
        answers[FLIPPED] = (once + material.logits(val, flipped=True).softmax(dim=1)) / 2
    same = is_same_source(run.records, val)
    return {
        name: {
            part: asdict(
                performance(p.numpy()[keep], val.targets[keep], generator=np.random.default_rng(0))
            )
            for part, keep in ((f"without_{SAME_SOURCE}", ~same), (SAME_SOURCE, same))
        }
        for name, p in answers.items()
    }


def render(found: dict[str, Any], values: dict[str, Any]) -> str:
    """A table of the variants; the first is what the others are compared with."""
    common = values["common"]
    images = common["epochs"] * common["steps_per_epoch"] * common["batch_size"]
    parts = (f"without_{SAME_SOURCE}", SAME_SOURCE)
    lines = [
        "# Ways of training, compared on the validation split",
        "",
        "Research use only. Made by `python -m training.compare`; do not edit. Every variant has",
        f"the same start and {images} images at {common['size']} pixels unless its name says",
        "otherwise; the intervals (95%, bootstrap over images) leave out that another seed trains",
        "another network.",
        "",
        f"| variant | balanced accuracy {parts[0]} | {parts[1]} | AUC covid19 {parts[0]} | "
        f"{parts[1]} |",
        "|---|---|---|---|---|",
    ]
    for name, each in found.items():
        figures = [rate(each[part]["balanced_accuracy"]) for part in parts]
        figures += [rate(each[part]["auc"][-1]) for part in parts]
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
