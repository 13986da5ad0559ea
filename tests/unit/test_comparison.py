"""Every published variant can be trained, and none looks at test images."""

import tomllib
from pathlib import Path

import pytest

from tests.collection import tiny
from training import compare, train_classifier
from training.config import parse_config
from training.views import VIEWS

VALUES = tomllib.loads(compare.CONFIG.read_text())


@pytest.mark.parametrize("name", VALUES["variants"])
def test_variants_change_one_thing_of_the_common_configuration(name: str) -> None:
    common = parse_config(compare._merge(VALUES["common"], {}) | {"name": name})
    config = parse_config(
        compare._merge(VALUES["common"], VALUES["variants"][name]) | {"name": name}
    )

    assert config.view in VIEWS
    assert (config == common) is (name == "baseline")


def test_variants_are_compared_on_validation(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny(train_classifier.CONFIG, tmp_path / "a.toml", name="one", version="x")
    lines = config.read_text().replace("[augmentation]", "[common.augmentation]")
    file = tmp_path / "compare.toml"
    file.write_text(f"[common]\n{lines}\n[variants.one]\n[variants.two]\ngroup_robust = 1.0\n")
    arguments = ["compare", "--config", file, "--data", phantoms, "--output", tmp_path / "runs"]
    monkeypatch.setattr("sys.argv", [str(a) for a in arguments])

    compare.main()

    table = (tmp_path / "results" / "comparison" / "COMPARISON.md").read_text()
    for name in ("one", compare.FLIPPED, "two"):
        assert f"| {name} | " in table
    assert "(n=3)" in table  # validation pictures of each part
