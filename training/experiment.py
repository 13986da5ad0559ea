"""Repeats the paper's whole experiment: random splits, filter, both stages, Tables 4 and 5.

    python -m training.evaluate --runs 50
    python -m training.evaluate --runs 2 --configs training/configs/small

Run i uses seed i for its splits, initial weights and batches. Interrupted runs resume from their
last epoch; completed ones are skipped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chestxray.labels import FINDINGS
from chestxray.networks import CovidClassifierNet, XRayFilterNet
from training import classifier_evaluation, filter_evaluation, train_classifier, train_filter
from training.config import TrainConfig, read_config
from training.evaluation_set import EvaluationSet
from training.run import BEST, Run, start_run

CONFIGS = Path(__file__).parent / "configs" / "paper"
RESULT = "result.json"
RESULTS = Path("results")


@dataclass(frozen=True)
class Published:
    """The paper's results over its 50 runs (arXiv:2009.01657, 4.1, Tables 4 and 5)."""

    filter_accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    sensitivity: tuple[tuple[float, float], ...]  # mean and standard deviation, in label order
    specificity: tuple[tuple[float, float], ...]


PAPER = Published(
    filter_accuracy=0.993,
    confusion=((53821, 3552, 763), (3116, 46620, 1380), (0, 356, 2712)),
    sensitivity=((0.926, 0.012), (0.912, 0.010), (0.844, 0.032)),
    specificity=((0.943, 0.005), (0.936, 0.010), (0.980, 0.007)),
)
TABLE_PARTS = ("test_without_siim", "test_siim", "external")


def main(runs: int, configs: Path, data: Sequence[str], output: Path, device: str) -> None:
    """Completes the missing runs, and writes the tables over all completed ones."""
    results = [_run(i, configs, data, output, torch.device(device)) for i in range(runs)]
    folder = RESULTS / f"experiment_{configs.name}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "runs.json").write_text(json.dumps(results, indent=1))
    table = render(results, configs.name)
    (folder / "TABLES.md").write_text(table)
    print(table)


def _run(i: int, configs: Path, data: Sequence[str], output: Path, device: torch.device) -> Any:
    folder = output / f"experiment_{configs.name}" / f"run_{i:02}"
    done = folder / RESULT
    if not done.exists():
        start = _ExperimentRun(configs, i, data, folder, device, output / "cache")
        metrics = {"filter": start.filter(), "classifier": start.classifier()}
        partial = done.with_suffix(".partial")
        partial.write_text(json.dumps(metrics))
        partial.replace(done)
    return json.loads(done.read_text())


@dataclass(frozen=True)
class _ExperimentRun:
    configs: Path
    seed: int
    data: Sequence[str]
    folder: Path
    device: torch.device
    cache: Path

    def filter(self) -> dict[str, Any]:
        run = self._open(self._config("filter"))
        train_filter.main(run)
        return filter_evaluation.fit_and_evaluate(
            EvaluationSet.from_run(run, XRayFilterNet())
        ).card.metrics

    def classifier(self) -> dict[str, Any]:
        first = self._open(self._config("stage1"))
        train_classifier.main(first)
        second = self._config("stage2")
        run = self._open(replace(second, init=f"file:{first.folder / BEST}"))
        train_classifier.main(run)
        return classifier_evaluation.fit_and_evaluate(
            EvaluationSet.from_run(run, CovidClassifierNet())
        ).card.metrics

    def _config(self, name: str) -> TrainConfig:
        return read_config(self.configs / f"{name}.toml", seed=self.seed)

    def _open(self, config: TrainConfig) -> Run:
        return start_run(config, self.data, self.folder, self.device, resume=True, cache=self.cache)


def render(results: Sequence[dict[str, Any]], name: str) -> str:
    """Writes Tables 4 and 5 in the paper's layout, with the paper's values next to ours."""
    accuracy = [r["filter"]["test"]["accuracy"]["value"] for r in results]
    lines = [
        f"# The experiment, n = {len(results)} runs of `training/configs/{name}`",
        "",
        "Research use only. Made by `python -m training.evaluate --runs`; do not edit. Splits by",
        "patient are drawn anew for each run; mean and standard deviation are over the runs.",
        "",
        f"Filter, accuracy on the test split: {_spread(accuracy)} (paper: "
        f"{PAPER.filter_accuracy:.1%}, one run)",
    ]
    for part in TABLE_PARTS:
        found = [r["classifier"][part] for r in results]
        lines += ["", f"## {part}", "", *_table_4(found, part), "", *_table_5(found)]
        balanced = [f["balanced_accuracy"]["value"] for f in found]
        covid = [f["auc"][-1]["value"] for f in found]
        lines += ["", f"Balanced accuracy {_spread(balanced)}; AUC of covid19 {_spread(covid)}"]
    return "\n".join(lines) + "\n"


def _table_4(found: Sequence[dict[str, Any]], part: str) -> list[str]:
    ours = np.sum([f["confusion"] for f in found], axis=0)
    rows = []
    for c, label in enumerate(FINDINGS):
        row = f"| {label} | {_counts(ours[c])} |"
        rows.append(row + f" {_counts(np.array(PAPER.confusion[c]))} |")
    names = " / ".join(FINDINGS)
    return [
        f"Table 4, sum of the confusion matrices on {part}",
        "",
        f"| actual | predicted {names} | paper |",
        "|---|---|---|",
        *rows,
    ]


def _table_5(found: Sequence[dict[str, Any]]) -> list[str]:
    rows = []
    for name in ("sensitivity", "specificity"):
        for c, label in enumerate(FINDINGS):
            mean, deviation = getattr(PAPER, name)[c]
            ours = _spread([f[name][c]["value"] for f in found])
            rows.append(f"| {name} | {label} | {ours} | {mean:.1%} ± {deviation:.1%} |")
    return ["Table 5", "", "| | | ours | paper |", "|---|---|---|---|", *rows]


def _counts(row: np.ndarray) -> str:
    return " / ".join(f"{n} ({n / row.sum():.1%})" for n in row)


def _spread(values: Sequence[float]) -> str:
    deviation = f" ± {np.std(values, ddof=1):.1%}" if len(values) > 1 else ""
    return f"{np.mean(values):.1%}{deviation}"
