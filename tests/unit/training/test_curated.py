"""The loader of the curated data set."""

import csv
from pathlib import Path

import pytest

from training.datasets import curated
from training.datasets.records import MissingDataset

HEADER = "path,label,dataset,group_id,suggested_split,sha256\n"


def write(root: Path, internal: str, external: str) -> None:
    (root / "manifest.csv").write_text(HEADER + internal)
    (root / "manifest_external.csv").write_text(HEADER + external)


def test_records_have_path_label_and_patient(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,covid19,siim,p1,train,s1\n", "b.jpg,ct,web,p2,external,s2\n")

    first, second = curated.load(tmp_path)

    assert first.path == tmp_path / "a.jpg"
    assert (first.label, first.dataset, first.patient) == ("covid19", "siim", "p1")
    assert second.split == "external"


def test_external_image_of_an_internal_patient_is_omitted(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,covid19,siim,p1,train,s1\n", "b.jpg,ct,web,p1,external,s2\n")

    assert [r.path.name for r in curated.load(tmp_path)] == ["a.jpg"]


def test_error_of_a_missing_data_set_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingDataset, match=r"--data.*training/README\.md"):
        curated.load(tmp_path)


def test_corrections_override_labels_and_exclude_images(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.jpg,lung_opacity,nihM,film1,train,s1\nb.jpg,covid19,siim,film2,test,s2\n"
        "c.jpg,no_finding,siim,film3,test,s3\nd.jpg,lung_opacity,nihM,film4,train,s4\n",
        "",
    )
    (tmp_path / "corrections.csv").write_text(
        "path,group_id,suggested_split,siim_label,lung_box,opacity_boxes,rsna_class,use\n"
        "a.jpg,film1,train,,,,Normal,yes\n"
        "b.jpg,patient,val,typical,0 0 1 1,0 0 .5 .5; .5 .5 1 1,,yes\n"
        "c.jpg,patient,val,,,,,no: shows a film that is held out\n"
    )

    first, second, third = curated.load(tmp_path)

    assert (first.label, first.confirmed) == ("no_finding", True)
    assert (second.patient, second.split, second.appearance) == ("patient", "val", "typical")
    assert second.regions.lungs == (0, 0, 1, 1)
    assert second.regions.opacities == ((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1))
    assert (third.label, third.confirmed) == ("lung_opacity", False)


def test_patients_seen_by_earlier_networks_are_not_in_validation(tmp_path: Path) -> None:
    """Before the corrections, every image of siim had its own patient id."""
    write(
        tmp_path,
        "a.jpg,covid19,siim,film1,train,s1\nb.jpg,covid19,siim,film2,val,s2\n"
        "c.jpg,lung_opacity,siim,film3,test,s3\n",
        "",
    )
    (tmp_path / "corrections.csv").write_text(
        "path,group_id,suggested_split,siim_label\n"
        "a.jpg,one,val,typical\nb.jpg,one,val,typical\nc.jpg,two,test,atypical\n"
    )
    (tmp_path / "manifest_more.csv").write_text(
        "path,label,dataset,group_id,suggested_split,sha256,siim_label\n"
        "d.jpg,lung_opacity,siim,three,train,s4,atypical\n"
        "e.jpg,no_finding,siim,three,train,s5,negative\n"
        "f.jpg,lung_opacity,siim,two,test,s6,atypical\n"
        "g.jpg,no_finding,siim,four,train,s7,negative\n"
    )

    split = {r.path.stem: r.split for r in curated.load(tmp_path)}

    assert split == dict(a="train", b="train", c="test", d="val", e="val", f="test", g="train")


def test_second_manifest_is_read(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg,covid19,siim,p1,train,s1\n", "")
    (tmp_path / "manifest_more.csv").write_text(
        "path,label,dataset,group_id,suggested_split,sha256,note,age,strength,siim_label,"
        "lung_box,opacity_boxes,lung_mask,infection_mask\n"
        "b.jpg,lung_opacity,covidqu,p2,train,s2,,7,weak,,,,lung.png,\n"
    )

    found = curated.load(tmp_path)[1]

    assert (found.confirmed, found.age_group) == (False, "child")
    assert found.regions.lung_mask == tmp_path / "lung.png"


def test_no_patient_is_in_two_splits(data: Path) -> None:
    """By the corrected patient ids; images of one patient once had different ones."""
    patients = {}
    for name in ("manifest.csv", "manifest_more.csv", "manifest_external.csv", "corrections.csv"):
        with (data / name).open(newline="") as file:
            patients |= {data / row["path"]: row["group_id"] for row in csv.DictReader(file)}
    splits: dict[str, set[str]] = {}
    for record in curated.load(data):
        splits.setdefault(patients[record.path], set()).add(record.split)

    assert len(splits) > 5000
    assert [patient for patient, found in splits.items() if len(found) > 1] == []
