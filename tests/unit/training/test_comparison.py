"""Every published variant can be trained, and is compared on validation images."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.collection import write_small_config
from tests.conftest import ROOT
from training import compare, engine, run, train_classifier
from training.ablations import ABLATIONS
from training.config import parse_config

SUPERVISED = compare.CONFIG.with_name("comparison_supervised.toml")
VALUES = {path: tomllib.loads(path.read_text()) for path in (compare.CONFIG, SUPERVISED)}


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, values in VALUES.items() for name in values["variants"]],
)
def test_variant_changes_the_common_configuration(path: Path, name: str) -> None:
    values = VALUES[path]
    common = parse_config(compare.merge(values["common"], {}) | {"name": name})
    config = parse_config(
        compare.merge(values["common"], values["variants"][name]) | {"name": name}
    )

    assert config.view in ABLATIONS
    assert (config == common) is (name == "baseline")


@pytest.mark.parametrize("jobs", [1, 2])
def test_variants_are_compared_on_validation_images(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    config = write_small_config(
        train_classifier.CONFIG, tmp_path / "a.toml", name="one", version="x"
    )
    lines = config.read_text().replace("[augmentation]", "[common.augmentation]")
    file = tmp_path / "comparison.toml"
    file.write_text(f"[common]\n{lines}\n[variants.one]\n[variants.two]\ngroup_robust = 1.0\n")
    arguments = ["compare", "--config", file, "--data", phantoms, "--output", tmp_path / "runs"]
    arguments += ["--jobs", jobs]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])

    compare.main()

    table = (tmp_path / "results" / "comparison" / "COMPARISON.md").read_text()
    for name in ("one", compare.FLIPPED, "two"):
        assert f"| {name} | " in table
    assert "(n=3)" in table  # validation pictures of each part


@pytest.mark.parametrize("name", VALUES[SUPERVISED]["variants"])
def test_supervised_variant_takes_a_training_step(
    phantoms: Path, tmp_path: Path, name: str
) -> None:
    values = VALUES[SUPERVISED]
    changes = compare.merge(values["common"], values["variants"][name])
    changes |= {"name": "step", "init": "random", "epochs": 1, "steps_per_epoch": 1}
    changes |= {"batch_size": 4, "size": 64, "precision": "float32", "abnormal_share": 0.0}
    config = parse_config(changes)
    opened = run.start_run(
        config, [str(phantoms)], tmp_path, torch.device("cpu"), resume=False, cache=tmp_path
    )

    train_classifier.main(opened)

    [epoch] = csv.DictReader((opened.folder / engine.HISTORY).read_text().splitlines())
    assert np.isfinite(float(epoch["train_loss"]))
