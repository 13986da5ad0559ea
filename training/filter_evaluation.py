"""Evaluates how well the filter separates upright frontal chest X-rays from everything else."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from chestxray.labels import QUARTER_TURNS, VERDICTS, Verdict
from chestxray.results import DIGITS
from training.datasets.records import Record
from training.evaluation_set import EvaluationSet
from training.examples import Examples, of_one_target
from training.metrics import Floats, wilson
from training.train_filter import FRONTAL_LABELS, examples

CAVEATS = (
    "Lateral views are few in the data: take their recall with its interval.",
    "It judges the view, not the quality: an unreadable frontal film passes.",
    "Negatives, pairs, parts of pages and photographs of screens are made from films by code; real "
    "ones may differ.",
)

_FRONTAL = VERDICTS.index(Verdict.FRONTAL_CHEST)
_UNKNOWN = -1
_REALLY_ROTATED = "rotated_cxr"
"""Radiographs that were stored rotated; since the direction is unknown, only for testing."""


@dataclass(frozen=True)
class Misclassification:
    """An image with a wrong verdict."""

    split: str
    picture: str
    truth: Verdict
    said: Verdict


def fit_and_evaluate(evaluation_set: EvaluationSet) -> EvaluationSet:
    """Chooses the threshold on the validation split and evaluates on unseen images."""
    val = _split(evaluation_set, "val")
    threshold = choose_threshold(_scores(evaluation_set, val)[:, _FRONTAL], val.targets == _FRONTAL)
    update = {"thresholds": {Verdict.FRONTAL_CHEST.value: threshold}, "caveats": CAVEATS}
    fitted = evaluation_set.with_card(evaluation_set.card.model_copy(update=update))
    card = fitted.card.model_copy(update={"metrics": measure(fitted)})
    return fitted.with_card(card)


def measure(evaluation_set: EvaluationSet) -> dict[str, Any]:
    """Compares the decisions at the card's threshold with the labels."""
    threshold = evaluation_set.card.thresholds[Verdict.FRONTAL_CHEST]
    metrics = {}
    for name in ("test", "external"):
        chosen = _split(evaluation_set, name)
        scores = _scores(evaluation_set, chosen)
        metrics[name] = _compare(scores, chosen.targets, threshold)
        kinds = np.array([evaluation_set.records[row].label for row in chosen.rows])
        metrics[name]["rejected_by_kind"] = _rejected_by_kind(scores, kinds, threshold)
        sources = np.array([evaluation_set.records[row].dataset for row in chosen.rows])
        upright = chosen.targets == _FRONTAL
        accepted = decide(scores, threshold) == _FRONTAL
        metrics[name]["accepted_by_source"] = {
            source: _share(accepted, upright & (sources == source))
            for source in sorted(set(sources[upright]))
        }
    films = _scores(evaluation_set, _rotated_films(evaluation_set.records))
    return metrics | {"really_rotated": _rejected(films, threshold)}


def misclassifications(evaluation_set: EvaluationSet) -> list[Misclassification]:
    """Lists every wrong decision, in all splits."""
    threshold = evaluation_set.card.thresholds[Verdict.FRONTAL_CHEST]
    found = []
    for name in ("test", "external"):
        chosen = _split(evaluation_set, name)
        decided = decide(_scores(evaluation_set, chosen), threshold)
        for i in np.flatnonzero(decided != chosen.targets):
            picture = evaluation_set.records[chosen.rows[i]].path.name
            truth, said = (VERDICTS[int(v)] for v in (chosen.targets[i], decided[i]))
            found.append(Misclassification(name, picture, truth, said))
    return found


def _split(evaluation_set: EvaluationSet, name: str) -> Examples:
    return examples(evaluation_set.records, name, power=1.0, turned=False)


def _scores(evaluation_set: EvaluationSet, chosen: Examples) -> Floats:
    return evaluation_set.logits(chosen).softmax(dim=1).numpy()


def choose_threshold(scores: Floats, valid: npt.NDArray[np.bool_]) -> float:
    """Maximises balanced accuracy; in a tie, takes the middle in log-odds."""
    odds = np.log(np.clip(scores, 1e-12, None)) - np.log(np.clip(1 - scores, 1e-12, None))
    cuts = np.unique(odds)
    middles = (cuts[1:] + cuts[:-1]) / 2
    recall = [(np.mean(odds[valid] >= m) + np.mean(odds[~valid] < m)) / 2 for m in middles]
    best = middles[np.flatnonzero(np.isclose(recall, np.max(recall)))]
    return round(float(1 / (1 + np.exp(-np.median(best)))), 4)


def decide(scores: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """The verdict of each row, as in the gateway: threshold first, then the most probable class."""
    scores = scores.round(DIGITS)
    others = scores.copy()
    others[:, _FRONTAL] = -1
    return np.where(scores[:, _FRONTAL] >= threshold, _FRONTAL, others.argmax(axis=1))


def _compare(scores: Floats, targets: npt.NDArray[np.int64], threshold: float) -> dict[str, Any]:
    decided, valid = decide(scores, threshold), targets == _FRONTAL
    right = (decided == _FRONTAL) == valid
    turned = np.isin(targets, [VERDICTS.index(v) for v in QUARTER_TURNS])
    parts = {
        "accuracy": np.ones_like(valid),
        "accepted_of_upright": valid,
        "rejected_of_turned": turned,
        "rejected_of_other_pictures": ~valid & ~turned,
    }
    occurring = {str(v): targets == i for i, v in enumerate(VERDICTS) if (targets == i).any()}
    recall = {verdict: _share(decided == targets, part) for verdict, part in occurring.items()}
    shares = {name: _share(right, part) for name, part in parts.items()}
    matrix = confusion_matrix(targets, decided, labels=range(len(VERDICTS))).tolist()
    return shares | {"verdict_recall": recall, "confusion": matrix}


def _share(hits: npt.NDArray[np.bool_], part: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return asdict(wilson(int(hits[part].sum()), int(part.sum())))


def _rejected_by_kind(
    scores: Floats, kinds: npt.NDArray[np.str_], threshold: float
) -> dict[str, Any]:
    rejected = decide(scores, threshold) != _FRONTAL
    others = sorted(set(kinds) - set(FRONTAL_LABELS))
    return {kind: _share(rejected, kinds == kind) for kind in others}


def _rejected(scores: Floats, threshold: float) -> dict[str, Any]:
    rejected = decide(scores, threshold) != _FRONTAL
    return {"rejected_of_turned": _share(rejected, np.ones_like(rejected))}


def _rotated_films(records: Sequence[Record]) -> Examples:
    rows = [i for i, r in enumerate(records) if r.label == _REALLY_ROTATED]
    return of_one_target(rows, _UNKNOWN, np.ones(len(rows)))
