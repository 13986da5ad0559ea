"""The repeated experiment is resumable and writes Tables 4 and 5 in the paper's layout."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.collection import write_small_config
from training import experiment
from training.experiment import PAPER


def test_published_sensitivities_follow_from_the_published_matrix() -> None:
    matrix = np.array(PAPER.confusion)

    shares = matrix.diagonal() / matrix.sum(axis=1)

    assert shares[:2] == pytest.approx([0.926, 0.912], abs=0.001)
    assert shares[2] == pytest.approx(0.884, abs=0.001)  # Table 4; Table 5 says 0.844


def test_experiment_resumes_and_writes_its_tables(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    configs = tmp_path / "tiny"
    configs.mkdir()
    for name in ("filter", "stage1", "stage2"):
        write_small_config(
            experiment.CONFIGS / f"{name}.toml", configs / f"{name}.toml", redraw=False
        )
    first = tmp_path / "runs" / "experiment_tiny" / "run_00"

    experiment.main(1, configs, [str(phantoms)], tmp_path / "runs", "cpu")
    done = (first / experiment.RESULT).stat().st_mtime_ns
    experiment.main(2, configs, [str(phantoms)], tmp_path / "runs", "cpu")

    assert (first / experiment.RESULT).stat().st_mtime_ns == done
    folder = tmp_path / "results" / "experiment_tiny"
    assert len(json.loads((folder / "runs.json").read_text())) == 2
    table = (folder / "TABLES.md").read_text()
    assert "n = 2 runs" in table
    assert "53821 (92.6%) / 3552 (6.1%) / 763 (1.3%)" in table
    assert "| sensitivity | covid19 |" in table


def test_tables_show_mean_and_deviation_over_the_runs() -> None:
    def part(hit: int) -> dict[str, object]:
        rate = {"value": hit / 10}
        return {
            "confusion": [[hit, 10 - hit, 0], [0, 10, 0], [0, 0, 10]],
            "sensitivity": [rate] * 3,
            "specificity": [rate] * 3,
            "auc": [rate] * 3,
            "balanced_accuracy": rate,
        }

    results = [
        {
            "filter": {"test": {"accuracy": {"value": 0.99}}},
            "classifier": {name: part(hit) for name in experiment.TABLE_PARTS},
        }
        for hit in (8, 10)
    ]

    table = experiment.render(results, "x")

    assert "| no_finding | 18 (90.0%) / 2 (10.0%) / 0 (0.0%) |" in table
    assert "| sensitivity | no_finding | 90.0% ± 14.1% | 92.6% ± 1.2% |" in table
