"""The loader of the curated collection."""

from pathlib import Path

import pytest

from training.datasets import curated
from training.datasets.records import MissingDataset

HEADER = "path,label,dataset,group_id,suggested_split,sha256\n"


def write(root: Path, internal: str, external: str) -> None:
    (root / "manifest.csv").write_text(HEADER + internal)
    (root / "manifest_external.csv").write_text(HEADER + external)


def test_records_carry_picture_label_and_patient(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,covid19,siim,p1,train,s1\n", "b.jpg,ct,web,p2,external,s2\n")

    first, second = curated.load(tmp_path)

    assert first.path == tmp_path / "a.jpg"
    assert (first.label, first.dataset, first.patient) == ("covid19", "siim", "p1")
    assert second.split == "external"


def test_external_image_of_an_internal_patient_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,covid19,siim,p1,train,s1\n", "b.jpg,ct,web,p1,external,s2\n")

    assert [r.path.name for r in curated.load(tmp_path)] == ["a.jpg"]


def test_missing_collection_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingDataset, match=r"--data.*training/README\.md"):
        curated.load(tmp_path)
