"""Checks whether class activation maps lie on the lungs, and whether predictions depend on them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chestxray.cam import upsample
from chestxray.networks import ClassifierOutput
from training import views
from training.cache import Pixels
from training.examples import Examples, eval_batches
from training.lungs import lung_mask
from training.material import Material
from training.metrics import Floats, Ints, bootstrap_mean
from training.train_classifier import examples

SAMPLE = 48
"""Test images for the deletion and insertion curves."""

STEPS = 8
"""Steps in which the cells of an image are removed or inserted."""


def cam_audit(material: Material) -> dict[str, Any]:
    """Runs both checks on the test split."""
    test = examples(material.records, "test", power=1.0)
    drawn = np.random.default_rng(0).permutation(len(test))[:SAMPLE]
    sample = test.where(np.isin(np.arange(len(test)), drawn))
    return {
        "mass_in_lungs": mass_in_lungs(material, test),
        "deletion_insertion": deletion_insertion(material, sample),
    }


@torch.inference_mode()
def read(material: Material, chosen: Examples) -> ClassifierOutput:
    """All outputs of the network for the examples, on the CPU, in evaluation mode."""
    material.network.eval()
    batches = eval_batches(material.pixels, chosen, size=material.card.preprocessing.size)
    readings = [material.network(batch.images.to(material.device)) for batch in batches]
    return ClassifierOutput(*(torch.cat(parts).cpu() for parts in zip(*readings, strict=True)))


def on(pictures: Pixels, material: Material, chosen: Examples) -> tuple[Material, Examples]:
    """The same examples with other images uint8 (N, H, W), in the same order.

    Creates a new evaluation set, because the old one caches predictions for its images.
    """
    network, card, records = material.network, material.card, material.records
    rows = np.arange(len(chosen))
    changed = Material(network, card, records, pictures, material.device)
    return changed, replace(chosen, rows=rows)


def probabilities(material: Material, chosen: Examples) -> Floats:
    """Calibrated probabilities (N, C)."""
    logits = material.logits(chosen) / material.card.temperature
    return np.asarray(logits.softmax(dim=1).numpy())


def mass_in_lungs(material: Material, chosen: Examples) -> dict[str, Any]:
    """Share of the predicted class's positive evidence inside the lungs, per class.

    `if_uniform` is the lungs' share of the image, which a uniform map would reach.
    """
    reading, generator = read(material, chosen), np.random.default_rng(0)
    predicted = reading.logits.argmax(dim=1).numpy()
    maps = _maps_of(reading, predicted)
    lungs = np.stack([lung_mask(material.pixels[row]) for row in chosen.rows])
    inside = np.array([_share(*pair) for pair in zip(maps, lungs, strict=True)])
    areas = lungs.mean(axis=(1, 2))
    found = {}
    for index, label in enumerate(material.card.labels):
        mine = (predicted == index) & ~np.isnan(inside)
        if mine.any():
            in_lungs = asdict(bootstrap_mean(inside[mine], generator=generator))
            found[label] = {"in_lungs": in_lungs, "if_uniform": float(areas[mine].mean())}
    return found


@dataclass(frozen=True)
class Trial:
    """Examples for the curves, and the network's outputs on the whole images."""

    material: Material
    chosen: Examples
    predicted: Ints  # (N,)
    blurred: Pixels  # (N, H, W)

    def curves(self, scores: Floats, *, insert: bool) -> Floats:
        """Probability (N, STEPS + 1) of the predicted class, from no cells to all."""
        points = []
        whole, every = self.material.pixels[self.chosen.rows], np.arange(len(self.chosen))
        for share in np.linspace(0, 1, STEPS + 1):
            first = np.stack([highest(s, share, self.blurred.shape[1:]) for s in scores])
            pictures = np.where(first == insert, whole, self.blurred)
            answers = probabilities(*on(pictures, self.material, self.chosen))
            points.append(answers[every, self.predicted])
        return np.stack(points, axis=1)


def deletion_insertion(material: Material, chosen: Examples) -> dict[str, Any]:
    """Areas under the deletion and insertion curves (Petsiuk et al. 2018, RISE, arXiv:1806.07421,
    4.3).

    An informative map has a lower deletion and a higher insertion area than a random order of
    cells. Both blur removed cells, as the paper does for insertion.
    """
    reading, generator = read(material, chosen), np.random.default_rng(0)
    predicted = reading.logits.argmax(dim=1).numpy()
    blurred = np.stack([views.blur(material.pixels[row]) for row in chosen.rows])
    trial, maps = Trial(material, chosen, predicted, blurred), _maps_of(reading, predicted)
    orders = {"cam": maps, "random": generator.random(maps.shape)}
    found: dict[str, Any] = {"n": len(chosen), "steps": STEPS}
    for what in ("deletion", "insertion"):
        curves = {n: trial.curves(s, insert=what == "insertion") for n, s in orders.items()}
        areas = {name: _area(curve) for name, curve in curves.items()}
        areas["cam_minus_random"] = areas["cam"] - areas["random"]
        found[what] = {
            name: asdict(bootstrap_mean(area, generator=generator)) for name, area in areas.items()
        }
        found[what]["curves"] = {n: curve.mean(axis=0).tolist() for n, curve in curves.items()}
    return found


def highest(scores: Floats, share: float, shape: Sequence[int]) -> npt.NDArray[np.bool_]:
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


def _maps_of(reading: ClassifierOutput, predicted: Ints) -> Floats:
    """Maps (N, h, w) of the predicted classes."""
    return reading.cam.numpy()[np.arange(len(predicted)), predicted].astype(np.float64)


def _share(grid: Floats, lungs: npt.NDArray[np.bool_]) -> float:
    """Share of a grid's positive mass inside the lungs; NaN if there is none."""
    height, width = lungs.shape
    evidence = np.clip(upsample(grid.astype(np.float32), size=(width, height)), 0, None)
    return float(evidence[lungs].sum() / evidence.sum()) if evidence.sum() > 0 else np.nan
