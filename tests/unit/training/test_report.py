"""A report has all its sections and contains no patient image."""

import json
from pathlib import Path

import pytest
import torch

from chestxray import checkpoints
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from tests.collection import write_small_config
from training import evaluate, pictures, report, run, train_classifier, train_filter
from training.engine import Epoch, write_history

CASES = [
    (train_filter, XRayFilterNet, "filter", ("What it gets wrong", "rotated_180")),
    (
        train_classifier,
        CovidClassifierNet,
        "classifier_stage2",
        ("ROC curves", "Calibration", "By age", "indeterminate", "Projection"),
    ),
]


@pytest.mark.parametrize(
    ("script", "kind", "name", "headings"), CASES, ids=["filter", "classifier"]
)
def test_report_of_a_run_has_all_sections(
    script: object,
    kind: type[torch.nn.Module],
    name: str,
    headings: tuple[str, ...],
    phantoms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = write_small_config(script.CONFIG, tmp_path / "x.toml", version="7.8")  # type: ignore[attr-defined]
    arguments = ["x", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])
    script.main(run.open_run(None, config))  # type: ignore[attr-defined]
    best = tmp_path / name / run.BEST
    evaluation_set = evaluate.open_evaluation_set(
        best, [str(phantoms)], tmp_path / "cache", torch.device("cpu")
    )

    measured, results = evaluate.evaluate(evaluation_set), tmp_path / "results"
    written = report.write(measured, tmp_path, results, tmp_path / "reports")
    page = written.read_text()

    assert written == tmp_path / "reports" / f"{name}.html"
    assert json.loads((results / name / "metrics.json").read_text())
    assert "Research use only" in page
    assert "7.8" in page
    assert "Learning curves" in page
    assert page.count("<svg") >= 2
    assert "<img" not in page
    assert "data:image/jpeg" not in page
    for heading in headings:
        assert heading in page
    if kind is CovidClassifierNet:
        assert "<img" in (tmp_path / name / pictures.PICTURES).read_text()


def test_report_includes_the_audit(tmp_path: Path) -> None:
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    curves = {"cam": [1.0, 0.2], "random": [1.0, 0.6]}
    kinds = {what: {"cam": share, "curves": curves} for what in ("deletion", "insertion")}
    found = {"views": {"border_only": {"test": share}}, "cam": {"deletion_insertion": kinds}}
    (tmp_path / report.AUDIT).write_text(json.dumps(found))

    table, figure = report.audit_sections(tmp_path / report.AUDIT)

    assert ("views / border_only / test", "0.500 [0.400, 0.600] (n=9)") in table.rows
    assert figure.figure.startswith("<svg")
    assert report.audit_sections(tmp_path / "nowhere.json") == []


def test_learning_curve_is_read_as_written(tmp_path: Path) -> None:
    history = [Epoch(1, 0.5, 0.6, 1e-3, 10.0, 0.7, 0.8, 0.1), Epoch(2, 0.4, 0.5, 5e-4, 11.0)]
    write_history(history, tmp_path / "history.csv")

    assert str(report.read_history(tmp_path / "history.csv")) == str(history)


def test_repeated_evaluation_gives_the_same_card(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_small_config(train_classifier.CONFIG, tmp_path / "x.toml", name="classifier")
    arguments = ["x", "--config", config, "--data", phantoms, "--output", tmp_path]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])
    train_classifier.main(run.open_run(None, config))
    where = [str(phantoms)], tmp_path / "cache", torch.device("cpu")
    first = evaluate.evaluate(
        evaluate.open_evaluation_set(tmp_path / "classifier" / run.BEST, *where)
    )
    evaluate.ship(first, tmp_path)

    again = evaluate.evaluate(evaluate.open_evaluation_set(tmp_path / evaluate.WEIGHTS, *where))

    shipped = checkpoints.read_card(tmp_path / evaluate.WEIGHTS)
    assert again.card.model_dump_json() == shipped.model_dump_json()
    assert again.card.model_dump_json() == first.card.model_dump_json()
