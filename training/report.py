"""Reports of a published run: an HTML file with curves and tables, and one with images.

The report is built, not committed: it goes to build/reports. Its figures, metrics.json, go to the
results, which are committed. The pictures are patients: that file is made beside the checkpoint's
run, where git ignores it.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

from chestxray.checkpoints import Card
from chestxray.labels import FINDINGS, VERDICTS
from chestxray.networks import CovidClassifierNet
from chestxray.results import DISCLAIMER
from training import classifier_evaluation, filter_evaluation, pictures, plots
from training.engine import HISTORY, Epoch
from training.evaluation_set import EvaluationSet
from training.model_card import answers, rate

AUDIT = "audit.json"
REPORTS = Path("build") / "reports"
_SHARES = ("accuracy", "accepted_of_upright", "rejected_of_turned", "rejected_of_other_pictures")


@dataclass(frozen=True)
class Section:
    """A heading with its content."""

    title: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()
    figure: str = ""


def write(
    evaluation_set: EvaluationSet, runs: Path, results: Path, reports: Path = REPORTS
) -> Path:
    """Writes `results / name of the run / metrics.json` and the report, whose path it returns."""
    card = evaluation_set.card
    name = str(card.training["config"]["name"])
    run, folder, target = runs / name, results / name, reports / f"{name}.html"
    for each in (folder, reports):
        each.mkdir(parents=True, exist_ok=True)
    history = read_history(run / HISTORY) if (run / HISTORY).exists() else []
    sections = [*_curves(history)]
    if isinstance(evaluation_set.network, CovidClassifierNet):
        sections += [*_classifier(evaluation_set), *audit_sections(folder / AUDIT)]
        pictures.write(evaluation_set, run)
    else:
        sections += _filter(evaluation_set)
    page = _render(card, evaluation_set.digest, sections)
    target.write_text(page)
    (folder / "metrics.json").write_text(json.dumps(card.metrics, indent=1))
    return target


def read_history(path: Path) -> list[Epoch]:
    """Reads a learning curve; columns that an older run did not write are NaN."""
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    return [_epoch(line) for line in lines]


def _epoch(line: dict[str, str]) -> Epoch:
    values = {name: float(value) for name, value in line.items() if name != "epoch"}
    return Epoch(epoch=int(line["epoch"]), **values)


def _render(card: Card, digest: str, sections: Sequence[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    return template.render(card=card, digest=digest, sections=sections, disclaimer=DISCLAIMER)


def _curves(history: Sequence[Epoch]) -> list[Section]:
    if not history:
        return []
    speed = sum(line.images_per_second for line in history) / len(history)
    text = f"{len(history)} epochs, {speed:.1f} images a second while training."
    waiting = [line.waiting for line in history if not math.isnan(line.waiting)]
    if waiting:
        text += f" The network waited for data {sum(waiting) / len(waiting):.1%} of the time."
    return [Section("Learning curves", text, figure=plots.learning_curves(history))]


def _classifier(evaluation_set: EvaluationSet) -> list[Section]:
    card, metrics = evaluation_set.card, evaluation_set.card.metrics
    test, external = (
        classifier_evaluation.predict(evaluation_set, s) for s in ("test", "external")
    )
    parts = classifier_evaluation.subsets(test, external)
    names = list(parts)
    pairs = {name: (part.probabilities, part.labels) for name, part in parts.items()}
    matrices = {name: metrics[name]["confusion"] for name in names}
    return [
        Section("Performance", rows=_performance_rows(card, names)),
        Section("Confusion matrices", figure=plots.confusion(matrices, FINDINGS)),
        Section("ROC curves", figure=plots.roc(pairs, FINDINGS)),
        Section(
            "Calibration",
            f"Temperature {card.temperature}, fitted on validation.",
            rows=_calibration_rows(metrics["calibration"]),
            figure=plots.reliability(metrics["calibration"]),
        ),
        Section(
            "Operating points", "Chosen on validation, measured on the test split.",
            _operating_rows(metrics["operating_points"]),
        ),
        Section("What the service answers", _BAND, _answered_rows(card)),
        Section("By source", rows=_group_rows(metrics["by_source"])),
        Section("By age", "Where it is known.", _group_rows(metrics["by_age"])),
        *_projection(card),
    ]  # fmt: skip


_BAND = (
    "Answers whose largest probability is below the threshold say too little. It was chosen so "
    "that nine in ten of the others are right on validation."
)


def _performance_rows(card: Card, names: Sequence[str]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("part", "class", "sensitivity", "specificity", "AUC")]
    for name in names:
        found = card.metrics[name]
        rows.append((name, "balanced accuracy", rate(found["balanced_accuracy"]), "", ""))
        for c, label in enumerate(card.labels):
            figures = (rate(found[k][c]) for k in ("sensitivity", "specificity", "auc"))
            rows.append(("", label, *figures))
    return rows


def _calibration_rows(parts: dict[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("part", "expected calibration error", "before temperature", "n")]
    for name, found in parts.items():
        errors = (found["expected_calibration_error"], found["before_temperature"])
        rows.append((name, *(f"{e:.3f}" for e in errors), str(found["n"])))
    return rows


def _operating_rows(points: Sequence[dict[str, Any]]) -> list[Sequence[str]]:
    head = ("class", "wanted sensitivity", "threshold", "sensitivity", "specificity")
    return [
        head,
        *(
            (p["label"], f"{p['wanted']:.2f}", f"{p['threshold']:.4f}",
             rate(p["sensitivity"]), rate(p["specificity"]))
            for p in points
        ),
    ]  # fmt: skip


def _answered_rows(card: Card) -> list[Sequence[str]]:
    head, rows = answers(card.metrics["answered"] | card.metrics["answered_by_source"])
    return [head, *rows]


def _group_rows(groups: dict[str, Any]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("group", "class", "sensitivity", "specificity", "AUC")]
    for name, found in groups.items():
        rows.append((name, "balanced accuracy", rate(found["balanced_accuracy"]), "", ""))
        for label, figures in found["classes"].items():
            cells = (figures.get(k) for k in ("sensitivity", "specificity", "auc"))
            rows.append(("", label, *(rate(cell) if cell else "" for cell in cells)))
    return rows


def _projection(card: Card) -> list[Section]:
    if card.reference is None:
        return []
    shares = ", ".join(f"{share:.1%}" for share in card.reference.variance)
    text = f"{len(card.reference.points)} training images; the axes hold {shares} of the variance."
    figure = plots.projection(card.reference.points, card.reference.labels, FINDINGS)
    return [Section("Projection of the embeddings", text, figure=figure)]


def audit_sections(path: Path) -> list[Section]:
    """What `python -m training.audit` left there."""
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    kinds = {what: found["cam"]["deletion_insertion"][what] for what in ("deletion", "insertion")}
    figure = plots.curves({what: kind["curves"] for what, kind in kinds.items()}, "probability")
    return [
        Section("Shortcut audit", "", [("figure", "value"), *_flat(found)]),
        Section("What the answer hangs on: cells deleted or inserted by the map", figure=figure),
    ]


def _flat(found: dict[str, Any], prefix: str = "") -> list[Sequence[str]]:
    rows: list[Sequence[str]] = []
    for name, value in found.items():
        if isinstance(value, dict) and {"value", "low", "high", "n"} <= value.keys():
            rows.append((prefix + name, rate(value)))
        elif isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name} / ")
        elif isinstance(value, int | float):
            rows.append((prefix + name, f"{value:.3f}"))
    return rows


def _filter(evaluation_set: EvaluationSet) -> list[Section]:
    metrics = evaluation_set.card.metrics
    measured = {name: metrics[name] for name in ("test", "external")}
    rows = [
        (name, share, rate(found[share])) for name, found in measured.items() for share in _SHARES
    ]
    matrices = {name: found["confusion"] for name, found in measured.items()}
    wrong = [
        (m.split, m.picture, m.truth, m.said)
        for m in filter_evaluation.misclassifications(evaluation_set)
    ]
    return [
        Section("Performance", rows=[("part", "share", "value"), *rows]),
        Section("Confusion matrices", figure=plots.confusion(matrices, VERDICTS)),
        Section("What it gets wrong", rows=[("part", "picture", "truth", "said"), *wrong]),
    ]
