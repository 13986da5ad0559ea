"""Evaluates the classifier on the test split, within one source, and on external hospitals."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chestxray import projection
from chestxray.checkpoints import Reference
from chestxray.labels import FINDINGS, Finding
from chestxray.networks import CovidClassifierNet
from chestxray.projection import PROJECTION_AXES
from chestxray.results import DIGITS
from training import appearance_evaluation, calibration, map_evaluation
from training.answers import INDETERMINATE, answered
from training.datasets.curated import SAME_SOURCE
from training.datasets.records import Record
from training.evaluation_set import EvaluationSet
from training.examples import Examples, eval_batches
from training.metrics import Floats, Ints, auc_with_interval, performance
from training.train_classifier import examples, validation_weights

CAVEATS = (
    "The source of an image predicts its class in the public data. The figures on siim, one "
    "source with all three classes, are the honest internal ones.",
    "44% of the lung_opacity images are of children, nearly all covid19 ones of adults.",
    "Labels of NIH images come from report texts where no radiologist read the film again; many "
    "COVID-19 films look normal.",
    "The patients of siim may overlap with those of radiodb; siim is not external. Its labels are "
    "of appearance, on which readers agree little.",
    "Each class of the external set is one source, so its figures are confounded, too. That of its "
    "opacities, NIH, gave training images of other patients.",
)

ABNORMAL = "abnormal"
"""1 - p(no finding), evaluated as a binary question."""
_NORMAL = FINDINGS.index(Finding.NO_FINDING)
_REFERENCE_IMAGES = 600
"""Training images that the projection is fitted on and shows."""


@dataclass(frozen=True)
class Predictions:
    """A network's outputs on labelled images."""

    records: list[Record]
    labels: Ints
    logits: Tensor  # float64 (N, 3)
    temperature: float

    @property
    def probabilities(self) -> Floats:
        """Probabilities as served, (N, 3)."""
        return np.asarray((self.logits / self.temperature).softmax(dim=1).numpy())

    def where(self, keep: np.ndarray) -> "Predictions":
        records = [r for r, kept in zip(self.records, keep, strict=True) if kept]
        return Predictions(
            records, self.labels[keep], self.logits[torch.from_numpy(keep)], self.temperature
        )


def fit_and_evaluate(evaluation_set: EvaluationSet) -> EvaluationSet:
    """Fits everything that is fitted on validation, then evaluates on unseen images.

    First centres the network's maps, which changes no probability. Fits a bias per class if it
    lowers the cross-validated loss on validation, then the temperature, the indeterminate band and
    the operating thresholds. Fits the projection on training images.
    """
    network = evaluation_set.network
    if not isinstance(network, CovidClassifierNet):
        raise TypeError("only the classifier is completed so")
    network.centre()
    val = examples(evaluation_set.records, "val", power=1.0)
    evaluation_set, prior = _with_biases(evaluation_set, network, val)
    logits = evaluation_set.logits(val)
    temperature = calibration.fit_temperature(logits, torch.from_numpy(val.targets))
    sure = (logits / temperature).softmax(dim=1).numpy()
    update = {
        "temperature": temperature,
        "thresholds": {
            INDETERMINATE: calibration.indeterminate_below(sure, val.targets),
            **_operating_thresholds(sure, val.targets),
        },
        "caveats": CAVEATS,
        "reference": _fit_projection(network, evaluation_set),
    }
    card = evaluation_set.card.model_copy(update=update)
    fitted = evaluation_set.with_card(card)
    metrics = measure(fitted) | {"biases": prior}
    return fitted.with_card(card.model_copy(update={"metrics": metrics}))


def _with_biases(
    evaluation_set: EvaluationSet, network: CovidClassifierNet, val: Examples
) -> tuple[EvaluationSet, dict[str, Any]]:
    """Adds biases to the network if they help; also returns the findings as plain values."""
    logits, targets = evaluation_set.logits(val), torch.from_numpy(val.targets)
    weights = validation_weights(evaluation_set.records, val)
    without, with_ = (
        calibration.held_out_loss(logits, targets, weights, biased=biased)
        for biased in (False, True)
    )
    found = {"held_out_loss_without": without, "held_out_loss_with": with_}
    if with_ >= without:
        return evaluation_set, found
    biases = calibration.fit_biases(logits, targets, weights)
    with torch.no_grad():
        network.bias.add_(torch.tensor(biases, device=network.bias.device))
    # A new evaluation set, because the old one caches the network's predictions.
    changed = EvaluationSet(
        network,
        evaluation_set.card,
        evaluation_set.records,
        evaluation_set.pixels,
        evaluation_set.device,
    )
    return changed, found | {"added": dict(zip(map(str, FINDINGS), biases, strict=True))}


def predict(evaluation_set: EvaluationSet, split: str) -> Predictions:
    """Runs the network on every chest image of a split."""
    chosen = examples(evaluation_set.records, split, power=1.0)
    records = [evaluation_set.records[row] for row in chosen.rows]
    return Predictions(
        records, chosen.targets, evaluation_set.logits(chosen), evaluation_set.card.temperature
    )


def subsets(test: Predictions, external: Predictions) -> dict[str, Predictions]:
    """Subsets that are reported separately: without the common source, within it, and external."""
    same = np.array([r.dataset == SAME_SOURCE for r in test.records])
    return {
        f"test_without_{SAME_SOURCE}": test.where(~same),
        f"test_{SAME_SOURCE}": test.where(same),
        "external": external,
    }


def measure(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Compares predictions with labels, subset by subset; plain values."""
    test, external = (predict(evaluation_set, split) for split in ("test", "external"))
    found = subsets(test, external)
    metrics: dict[str, Any] = {name: asdict(_performance(part)) for name, part in found.items()}
    metrics["by_source"] = _by_group(lambda r: r.dataset, test, external)
    metrics["by_age"] = _by_group(lambda r: r.age_group, test, external)
    metrics["calibration"] = {name: _calibration(part) for name, part in found.items()}
    metrics["calibration"]["test"] = _calibration(test)
    metrics |= answers(test, external, evaluation_set.card.thresholds[INDETERMINATE])
    metrics["operating_points"] = _operating_points(test, evaluation_set.card.thresholds)
    metrics["abnormal"] = {name: _abnormal(part) for name, part in found.items()}
    metrics["map"] = map_evaluation.evaluate(evaluation_set)
    metrics["appearance"] = appearance_evaluation.evaluate(evaluation_set)
    return metrics


def _abnormal(part: Predictions) -> dict[str, Any]:
    """How well 1 - p(no finding) separates images with a finding from those without."""
    scores = 1 - part.probabilities[:, _NORMAL]
    found = auc_with_interval(scores, part.labels != _NORMAL, generator=np.random.default_rng(0))
    return {"auc": asdict(found)}


def _performance(part: Predictions) -> Any:
    return performance(part.probabilities, part.labels, generator=np.random.default_rng(0))


def _by_group(
    key: Callable[[Record], str], test: Predictions, external: Predictions
) -> dict[str, Any]:
    """Metrics for every named group of the test split and the external set."""
    return {name: _classes(part) for name, part in _groups(key, test, external)}


def _groups(
    key: Callable[[Record], str], test: Predictions, external: Predictions
) -> Iterator[tuple[str, Predictions]]:
    for split, part in (("test", test), ("external", external)):
        names = np.array([key(r) for r in part.records])
        for name in sorted(set(names) - {""}):
            yield f"{split} {name}", part.where(names == name)


def _classes(part: Predictions) -> dict[str, Any]:
    found = asdict(_performance(part))
    rates = {
        label: {name: found[name][c] for name in ("sensitivity", "specificity", "auc")}
        for c, label in enumerate(FINDINGS)
        if (part.labels == c).any()
    }
    known = {
        label: {name: r for name, r in each.items() if r["n"] and not math.isnan(r["value"])}
        for label, each in rates.items()
    }
    return {"balanced_accuracy": found["balanced_accuracy"], "classes": known}


def _calibration(part: Predictions) -> dict[str, Any]:
    before = Predictions(part.records, part.labels, part.logits, temperature=1.0)
    bins, raw = (calibration.reliability(p.probabilities, p.labels) for p in (part, before))
    return {
        "expected_calibration_error": calibration.expected_calibration_error(bins),
        "before_temperature": calibration.expected_calibration_error(raw),
        "bins": [asdict(b) for b in bins],
        "n": len(part.labels),
    }


def answers(test: Predictions, external: Predictions, threshold: float) -> dict[str, Any]:
    """What the service answers on every subset, and on the images of every source."""
    by_source = _groups(lambda r: r.dataset, test, external)

    def of(part: Predictions) -> dict[str, Any]:
        return answered(part.probabilities, part.labels, threshold)

    return {
        "answered": {name: of(part) for name, part in subsets(test, external).items()},
        "answered_by_source": {name: of(part) for name, part in by_source},
    }


def _questions(probabilities: Floats, labels: Ints) -> Iterator[tuple[str, Floats, Ints]]:
    """Binary questions with operating thresholds: a name, scores (N,), and the positive images."""
    for c, label in enumerate(FINDINGS):
        yield str(label), probabilities[:, c], labels == c
    yield ABNORMAL, 1 - probabilities[:, _NORMAL], labels != _NORMAL


def _operating_thresholds(probabilities: Floats, labels: Ints) -> dict[str, float]:
    return {
        _threshold_key(name, wanted): calibration.threshold_for(scores, positive, wanted)
        for name, scores, positive in _questions(probabilities, labels)
        for wanted in calibration.SENSITIVITIES
    }


def _threshold_key(label: str, sensitivity: float) -> str:
    return f"{label}_at_{sensitivity:.2f}"


def _operating_points(test: Predictions, thresholds: dict[str, float]) -> list[dict[str, Any]]:
    points = []
    for name, scores, positive in _questions(test.probabilities, test.labels):
        for wanted in calibration.SENSITIVITIES:
            cut = thresholds[_threshold_key(name, wanted)]
            point = calibration.evaluate_threshold(name, wanted, cut, scores, positive)
            values = {"predictive_values": calibration.predictive_values(point)}
            points.append(asdict(point) | values)
    return points


@torch.inference_mode()
def embed(
    network: CovidClassifierNet, evaluation_set: EvaluationSet, chosen: Examples
) -> np.ndarray:
    """Returns float32 (N, 1024)."""
    network.eval()
    batches = eval_batches(
        evaluation_set.pixels, chosen, size=evaluation_set.card.preprocessing.size
    )
    found = [network(batch.images.to(evaluation_set.device)).embedding.cpu() for batch in batches]
    return torch.cat(found).numpy()


def _fit_projection(network: CovidClassifierNet, evaluation_set: EvaluationSet) -> Reference:
    """Sets the network's projection; returns the images that it was fitted on, as points."""
    train = examples(evaluation_set.records, "train", power=1.0)
    drawn = np.zeros(len(train), bool)
    drawn[np.random.default_rng(0).permutation(len(train))[:_REFERENCE_IMAGES]] = True
    chosen = train.where(drawn)
    embeddings = embed(network, evaluation_set, chosen)
    fitted = projection.fit(embeddings, axes=PROJECTION_AXES)
    network.projection_mean.copy_(torch.from_numpy(fitted.mean))
    network.projection_axes.copy_(torch.from_numpy(np.ascontiguousarray(fitted.axes)))
    points = (embeddings - fitted.mean) @ fitted.axes.T
    return Reference(
        variance=tuple(fitted.variance.round(DIGITS).tolist()),
        labels=tuple(str(FINDINGS[target]) for target in chosen.targets),
        points=tuple(tuple(point) for point in points.round(DIGITS).tolist()),
    )
