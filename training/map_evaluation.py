"""Evaluates the maps against radiologists' boxes and the lungs.

The map of abnormality, logsumexp(opacity, COVID-19) - no finding per cell, corresponds to readers'
boxes; the page draws the map of the predicted class.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from chestxray.labels import FINDINGS, Finding
from training import regions
from training.cam_audit import network_outputs
from training.datasets.curated import SAME_SOURCE
from training.datasets.records import Record
from training.evaluation_set import EvaluationSet
from training.examples import Examples
from training.metrics import Floats, bootstrap_mean
from training.train_classifier import examples

_Covered = npt.NDArray[np.float64]
_NORMAL = FINDINGS.index(Finding.NO_FINDING)


def evaluate(evaluation_set: EvaluationSet, split: str = "test") -> dict[str, Any]:
    """Metrics with intervals on the images of siim with annotated boxes; plain values.

    Empty if there are none.
    """
    chosen = examples(evaluation_set.records, split, power=1.0)
    films = [evaluation_set.records[row] for row in chosen.rows]
    boxed = np.array([r.dataset == SAME_SOURCE and bool(r.regions.opacities) for r in films])
    if not boxed.any():
        return {}
    return _measure(
        evaluation_set, chosen.where(boxed), [r for r, b in zip(films, boxed, strict=True) if b]
    )


def _measure(
    evaluation_set: EvaluationSet, chosen: Examples, films: Sequence[Record]
) -> dict[str, Any]:
    outputs = network_outputs(evaluation_set, chosen)
    cam = outputs.cam.numpy().astype(np.float64)  # (N, 3, h, w)
    bias = outputs.logits.numpy() - cam.mean(
        axis=(2, 3)
    )  # the part of the logit that is not in the map's mean
    scores = cam + bias[:, :, None, None]
    predicted = outputs.logits.argmax(dim=1).numpy()
    abnormal = logsumexp(np.delete(scores, _NORMAL, axis=1), axis=1) - scores[:, _NORMAL]
    maps = {"abnormal": abnormal, "predicted": cam[np.arange(len(cam)), predicted]}
    drawn = np.stack([regions.rasterise(film) for film in films]) / 255
    opacities, lungs = (
        _cells(drawn[:, channel], scores.shape[-2:])
        for channel in (regions.OPACITIES, regions.LUNGS)
    )
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for name, each in maps.items():
        shares = {
            "pointing_game": pointing_game(each, opacities),
            "iou": iou(each, opacities),
            "mass_in_lung_box": mass_inside(each, lungs),
        }
        found[name] = {
            what: asdict(bootstrap_mean(values[~np.isnan(values)], generator=generator))
            for what, values in shares.items()
        }
    return found


def _cells(drawn: _Covered, shape: Sequence[int]) -> _Covered:
    """Covered share (N, h, w) of the map's cells."""
    (height, width), (h, w) = drawn.shape[-2:], shape
    return np.asarray(drawn.reshape(-1, h, height // h, w, width // w).mean(axis=(2, 4)))


def pointing_game(maps: Floats, covered: _Covered) -> Floats:
    """1 (N,) if the highest cell touches a box: pointing game (Zhang et al. 2018, IJCV 126)."""
    highest = maps.reshape(len(maps), -1).argmax(axis=1)
    hit = covered.reshape(len(maps), -1)[np.arange(len(maps)), highest]
    return np.asarray(hit > 0, np.float64)


def iou(maps: Floats, covered: _Covered) -> Floats:
    """Intersection over union (N,) of the boxes and the same number of highest cells."""
    ious = []
    for each, cover in zip(maps, covered, strict=True):
        boxes = cover.ravel() >= 0.5
        chosen = np.zeros_like(boxes)
        chosen[np.argsort(-each, axis=None)[: boxes.sum()]] = True
        union = (boxes | chosen).sum()
        ious.append((boxes & chosen).sum() / union if union else np.nan)
    return np.array(ious)


def mass_inside(maps: Floats, covered: _Covered) -> Floats:
    """Share (N,) of the positive mass inside the lung box; NaN without positive mass or a box."""
    positive = maps.clip(min=0)
    total = positive.sum(axis=(1, 2))
    drawn = covered.sum(axis=(1, 2)) > 0
    inside = (positive * covered).sum(axis=(1, 2))
    return np.where(drawn & (total > 0), inside / np.where(total > 0, total, 1), np.nan)
