"""The GPU command in miniature: data packed in parts, and every step on the CPU."""

import json
import sys
import tarfile
from pathlib import Path

import pytest

from gpu import __main__ as gpu_main
from gpu import packing, serving
from tests.collection import write_small_config
from tests.conftest import ROOT
from training.datasets import curated


def unpack(parts: list[Path], folder: Path) -> Path:
    for part in parts:
        with tarfile.open(part) as tar:
            tar.extractall(folder, filter="data")
    return folder


def test_packed_parts_are_bounded_and_contain_the_whole_data_set(
    phantoms: Path, tmp_path: Path
) -> None:
    records = packing.select_records(phantoms, packing.SPLITS, films=False)
    most = 0.02

    parts = packing.pack(records, phantoms, tmp_path / "parts", megabytes=most)

    assert len(parts) > 2
    assert all(part.stat().st_size <= most * 10**6 for part in parts)
    found = curated.load(unpack(parts, tmp_path / "data"))
    assert {r.sha256 for r in found} == {r.sha256 for r in curated.load(phantoms)}
    for record in found:
        original = phantoms / record.path.name
        assert record.path.read_bytes() == original.read_bytes()


def test_packing_one_split_excludes_the_others(phantoms: Path, tmp_path: Path) -> None:
    records = packing.select_records(phantoms, ["val"], films=True)

    parts = packing.pack(records, phantoms, tmp_path / "parts", megabytes=1)

    found = curated.load(unpack(parts, tmp_path / "data"))
    assert {r.split for r in found} == {"val"}
    assert {r.label for r in found} == {"covid19", "no_finding", "lung_opacity"}


def test_file_larger_than_a_part_is_rejected(phantoms: Path, tmp_path: Path) -> None:
    records = packing.select_records(phantoms, packing.SPLITS, films=False)

    with pytest.raises(ValueError, match="a part may have 11000"):
        packing.pack(records, phantoms, tmp_path / "parts", megabytes=0.011)


def test_every_step_runs_in_miniature_on_the_cpu(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command as on a GPU; there the tests are not skipped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serving, "BATCHES", (1, 8))
    monkeypatch.setattr(gpu_main.throughput, "BATCHES", (4,))
    write_small_config(
        gpu_main.throughput.CONFIG,
        tmp_path / "tiny.toml",
        loss="cross_entropy",
        abnormal_share=0.0,
        map_weight=0.0,
    )
    monkeypatch.setattr(gpu_main.throughput, "CONFIG", tmp_path / "tiny.toml")
    given = ["--data", phantoms, "--miniature", "--device", "cpu", "--output", tmp_path / "gpu"]
    monkeypatch.setattr(sys, "argv", ["gpu", *map(str, given)])

    gpu_main.main()

    report = (tmp_path / "gpu" / "GPU.md").read_text()
    for name in gpu_main.STEPS:
        assert json.loads((tmp_path / "gpu" / f"{name}.json").read_text())
        assert (tmp_path / "gpu" / f"{name}.md").read_text().split("\n", 2)[2] in report
    assert "skipped" in report
    parity = json.loads((tmp_path / "gpu" / "parity.json").read_text())
    assert [row["flipped"] for row in parity] == [0, 0]
    served = json.loads((tmp_path / "gpu" / "serving.json").read_text())["service"]
    assert all(served[str(n)]["rate"] > 0 for n in gpu_main.MINIATURE.clients)


def test_finished_step_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parity.json").write_text("[]")
    monkeypatch.setattr(sys, "argv", ["gpu", "--steps", "parity", "--output", str(tmp_path)])
    monkeypatch.setitem(gpu_main.STEPS, "parity", lambda flags, extent: pytest.fail("done before"))

    gpu_main.main()

    assert (tmp_path / "parity.json").read_text() == "[]"


def test_published_gpu_report_matches_its_parts() -> None:
    folder = ROOT / "results" / "gpu"

    assert (folder / "GPU.md").read_text() == gpu_main.render(folder)
