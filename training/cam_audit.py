"""Checks whether class activation maps lie on the lungs, and whether predictions depend on them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chestxray.cam import upsample
from chestxray.networks import ClassifierOutput
from training import ablations
from training.cache import Pixels
from training.evaluation_set import EvaluationSet
from training.examples import Examples, eval_batches
from training.lungs import lung_mask
from training.metrics import Floats, Ints, bootstrap_mean
from training.train_classifier import examples

SAMPLE = 48
"""Test images for the deletion and insertion curves."""

STEPS = 8
"""Steps in which the cells of an image are removed or inserted."""


def cam_audit(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Runs both checks on the test split."""
    test = examples(evaluation_set.records, "test", power=1.0)
    drawn = np.random.default_rng(0).permutation(len(test))[:SAMPLE]
    sample = test.where(np.isin(np.arange(len(test)), drawn))
    return {
        "mass_in_lungs": mass_in_lungs(evaluation_set, test),
        "deletion_insertion": deletion_insertion(evaluation_set, sample),
    }


@torch.inference_mode()
def network_outputs(evaluation_set: EvaluationSet, chosen: Examples) -> ClassifierOutput:
    """All outputs of the network for the examples, on the CPU, in evaluation mode."""
    evaluation_set.network.eval()
    batches = eval_batches(
        evaluation_set.pixels, chosen, size=evaluation_set.card.preprocessing.size
    )
    outputs = [evaluation_set.network(batch.images.to(evaluation_set.device)) for batch in batches]
    return ClassifierOutput(*(torch.cat(parts).cpu() for parts in zip(*outputs, strict=True)))


def with_images(
    pictures: Pixels, evaluation_set: EvaluationSet, chosen: Examples
) -> tuple[EvaluationSet, Examples]:
    """The same examples with other images uint8 (N, H, W), in the same order.

    Creates a new evaluation set, because the old one caches predictions for its images.
    """
    network, card, records = evaluation_set.network, evaluation_set.card, evaluation_set.records
    rows = np.arange(len(chosen))
    changed = EvaluationSet(network, card, records, pictures, evaluation_set.device)
    return changed, replace(chosen, rows=rows)


def probabilities(evaluation_set: EvaluationSet, chosen: Examples) -> Floats:
    """Calibrated probabilities (N, C)."""
    logits = evaluation_set.logits(chosen) / evaluation_set.card.temperature
    return np.asarray(logits.softmax(dim=1).numpy())


def mass_in_lungs(evaluation_set: EvaluationSet, chosen: Examples) -> dict[str, Any]:
    """Share of the predicted class's positive evidence inside the lungs, per class.

    `if_uniform` is the lungs' share of the image, which a uniform map would reach.
    """
    outputs, generator = network_outputs(evaluation_set, chosen), np.random.default_rng(0)
    predicted = outputs.logits.argmax(dim=1).numpy()
    maps = _maps_of(outputs, predicted)
    lungs = np.stack([lung_mask(evaluation_set.pixels[row]) for row in chosen.rows])
    inside = np.array([_share(*pair) for pair in zip(maps, lungs, strict=True)])
    areas = lungs.mean(axis=(1, 2))
    found = {}
    for index, label in enumerate(evaluation_set.card.labels):
        mine = (predicted == index) & ~np.isnan(inside)
        if mine.any():
            in_lungs = asdict(bootstrap_mean(inside[mine], generator=generator))
            found[label] = {"in_lungs": in_lungs, "if_uniform": float(areas[mine].mean())}
    return found


@dataclass(frozen=True)
class PerturbationExperiment:
    """Examples for the curves, and the network's outputs on the whole images."""

    evaluation_set: EvaluationSet
    chosen: Examples
    predicted: Ints  # (N,)
    blurred: Pixels  # (N, H, W)

    def curves(self, scores: Floats, *, insert: bool) -> Floats:
        """Probability (N, STEPS + 1) of the predicted class, from no cells to all."""
        points = []
        whole, every = self.evaluation_set.pixels[self.chosen.rows], np.arange(len(self.chosen))
        for share in np.linspace(0, 1, STEPS + 1):
            first = np.stack([top_cells(s, share, self.blurred.shape[1:]) for s in scores])
            pictures = np.where(first == insert, whole, self.blurred)
            answers = probabilities(*with_images(pictures, self.evaluation_set, self.chosen))
            points.append(answers[every, self.predicted])
        return np.stack(points, axis=1)


def deletion_insertion(evaluation_set: EvaluationSet, chosen: Examples) -> dict[str, Any]:
    """Areas under the deletion and insertion curves (Petsiuk et al. 2018, RISE, arXiv:1806.07421,
    4.3).

    An informative map has a lower deletion and a higher insertion area than a random order of
    cells. Both blur removed cells, as the paper does for insertion.
    """
    outputs, generator = network_outputs(evaluation_set, chosen), np.random.default_rng(0)
    predicted = outputs.logits.argmax(dim=1).numpy()
    blurred = np.stack([ablations.blur(evaluation_set.pixels[row]) for row in chosen.rows])
    experiment, maps = (
        PerturbationExperiment(evaluation_set, chosen, predicted, blurred),
        _maps_of(outputs, predicted),
    )
    orders = {"cam": maps, "random": generator.random(maps.shape)}
    found: dict[str, Any] = {"n": len(chosen), "steps": STEPS}
    for what in ("deletion", "insertion"):
        curves = {n: experiment.curves(s, insert=what == "insertion") for n, s in orders.items()}
        areas = {name: _area(curve) for name, curve in curves.items()}
        areas["cam_minus_random"] = areas["cam"] - areas["random"]
        found[what] = {
            name: asdict(bootstrap_mean(area, generator=generator)) for name, area in areas.items()
        }
        found[what]["curves"] = {n: curve.mean(axis=0).tolist() for n, curve in curves.items()}
    return found


def top_cells(scores: Floats, share: float, shape: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Marks a share of the cells (h, w) with the highest scores, as bool (H, W)."""
    ranks = np.empty(scores.size, np.int64)
    ranks[np.argsort(-scores, axis=None, kind="stable")] = np.arange(scores.size)
    rows, columns = (
        np.arange(n) * cells // n for n, cells in zip(shape, scores.shape, strict=True)
    )
    first = ranks.reshape(scores.shape) < round(share * scores.size)
    return first[np.ix_(rows, columns)]


def _area(curves: Floats) -> Floats:
    return np.asarray(np.trapezoid(curves, dx=1 / STEPS, axis=1))


def _maps_of(outputs: ClassifierOutput, predicted: Ints) -> Floats:
    """Maps (N, h, w) of the predicted classes."""
    return outputs.cam.numpy()[np.arange(len(predicted)), predicted].astype(np.float64)


def _share(grid: Floats, lungs: npt.NDArray[np.bool_]) -> float:
    """Share of a grid's positive mass inside the lungs; NaN if there is none."""
    height, width = lungs.shape
    evidence = np.clip(upsample(grid.astype(np.float32), size=(width, height)), 0, None)
    return float(evidence[lungs].sum() / evidence.sum()) if evidence.sum() > 0 else np.nan
