"""Audits shortcuts: how much of the classifier's accuracy does not come from the lungs.

    python -m training.audit bentos/covid_classifier/weights.safetensors

The exit status is 1 if the border alone suffices for more than BORDER_ONLY_LIMIT.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chestxray.labels import FINDINGS
from training import ablations
from training.cache import Pixels
from training.cam_audit import cam_audit, network_outputs, probabilities, with_images
from training.datasets.curated import SAME_SOURCE
from training.evaluate import open_evaluation_set
from training.evaluation_set import EvaluationSet
from training.examples import Examples
from training.metrics import Floats, Ints, performance
from training.model_card import rate
from training.run import add_data_flags
from training.train_classifier import examples

BORDER_ONLY_LIMIT = 0.45
"""Tolerated balanced accuracy from the frame alone; chance is 1/3."""

AUDITED = ("as_is", "border_only", "centre_only", "blurred_lungs", "without_lungs", "without_text")
"""Ablations that reveal shortcuts; the others are training variants."""

THUMBNAIL = 32
"""Side of the thumbnails for the border baseline, as in the data's README."""

_CHANCE = 1 / len(FINDINGS)


def audit(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Measures all shortcuts; plain values, balanced accuracies with intervals."""
    test = examples(evaluation_set.records, "test", power=1.0)
    seen = {name: measure_ablation(evaluation_set, test, name) for name in AUDITED}
    as_is, without = (seen[n]["test"]["value"] for n in ("as_is", "without_lungs"))
    return {
        "views": seen,
        "survives_without_lungs": remaining_margin(without, as_is),
        "border_baseline": border_baseline(evaluation_set),
        "source_probe": source_probe(evaluation_set),
        "border_only_limit": BORDER_ONLY_LIMIT,
    }


def measure_ablation(
    evaluation_set: EvaluationSet, test: Examples, ablation: str
) -> dict[str, Any]:
    """Balanced accuracy on one version of the test images, overall and within the source with all
    classes.
    """
    pictures = ablations.apply(ablation, evaluation_set.pixels[test.rows])
    answers = probabilities(*with_images(pictures, evaluation_set, test))
    same = _sources(evaluation_set, test) == SAME_SOURCE
    parts = {"test": np.ones_like(same), SAME_SOURCE: same}
    return {name: _accuracy(answers[part], test.targets[part]) for name, part in parts.items()}


def remaining_margin(left: float, whole: float) -> float:
    """Share of a balanced accuracy's margin over chance that remains; NaN without a margin."""
    return (left - _CHANCE) / (whole - _CHANCE) if whole > _CHANCE else math.nan


def exceeds_border_limit(found: dict[str, Any]) -> bool:
    """Whether accuracy on the frame alone exceeds the limit."""
    return bool(found["views"]["border_only"]["test"]["value"] > BORDER_ONLY_LIMIT)


def border_baseline(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Balanced accuracy of logistic regression on the border of thumbnails: the available
    shortcut.
    """
    train, test = (examples(evaluation_set.records, n, power=1.0) for n in ("train", "test"))
    borders = [_borders(evaluation_set.pixels[part.rows]) for part in (train, test)]
    return _regress(borders[0], train.targets, borders[1], test.targets)


def source_probe(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """How well the source can be predicted from the embedding, next to chance; lower is better.

    Excludes sources without validation images.
    """
    val, test = (examples(evaluation_set.records, n, power=1.0) for n in ("val", "test"))
    known = sorted({evaluation_set.records[row].dataset for row in val.rows})
    test = test.where(np.isin(_sources(evaluation_set, test), known))
    embeddings = [network_outputs(evaluation_set, part).embedding.numpy() for part in (val, test)]
    sources = [np.searchsorted(known, _sources(evaluation_set, part)) for part in (val, test)]
    found = _regress(embeddings[0], sources[0], embeddings[1], sources[1])
    return found | {"chance": 1 / len(np.unique(sources[1])), "sources": known}


def _sources(evaluation_set: EvaluationSet, chosen: Examples) -> npt.NDArray[np.str_]:
    return np.array([evaluation_set.records[row].dataset for row in chosen.rows])


def _borders(pixels: Pixels) -> Floats:
    """The outer frames of thumbnails (N, 448), in [0, 1]."""
    side = (THUMBNAIL, THUMBNAIL)
    small = [np.asarray(Image.fromarray(p).resize(side, Image.Resampling.BOX)) for p in pixels]
    return np.stack(small)[:, ablations.frame(side)] / 255


def _regress(known: Floats, labels: Ints, new: Floats, truth: Ints) -> dict[str, Any]:
    regression = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    model = make_pipeline(StandardScaler(), regression).fit(known, labels)
    return _accuracy(model.predict_proba(new), truth)


def _accuracy(answers: Floats, truth: Ints) -> dict[str, Any]:
    found = performance(answers, truth, generator=np.random.default_rng(0))
    return asdict(found.balanced_accuracy)


def table(found: dict[str, Any]) -> str:
    """Renders the report, one line per figure."""
    lines = [f"{'balanced accuracy of':26}{'all test images':34}{SAME_SOURCE}"]
    for ablation, parts in found["views"].items():
        lines.append(f"  {ablation:24}{rate(parts['test']):34}{rate(parts[SAME_SOURCE])}")
    probe, maps = found["source_probe"], found["cam"]
    lines.append(f"survives without lungs: {found['survives_without_lungs']:.0%} of the lead")
    lines.append(f"border of thumbnails, linear: {rate(found['border_baseline'])}")
    lines.append(f"source from embedding: {rate(probe)}, chance {probe['chance']:.3f}")
    for label, part in maps["mass_in_lungs"].items():
        mass = f"{rate(part['in_lungs'])}, uniform {part['if_uniform']:.3f}"
        lines.append(f"map of {label} in the lungs: {mass}")
    for what in ("deletion", "insertion"):
        areas = (f"{n} {rate(maps['deletion_insertion'][what][n])}" for n in ("cam", "random"))
        lines.append(f"{what}: {', '.join(areas)}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    add_data_flags(parser)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--output", type=Path, help="JSON file that gets the figures")
    flags = parser.parse_args(arguments)
    device = torch.device(flags.device)
    evaluation_set = open_evaluation_set(flags.checkpoint, flags.data, flags.cache, device)
    found = audit(evaluation_set) | {"cam": cam_audit(evaluation_set)}
    print(table(found))
    if flags.output:
        flags.output.write_text(json.dumps(found, indent=2) + "\n")
    if exceeds_border_limit(found):
        print(f"the border alone suffices for more than {BORDER_ONLY_LIMIT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
