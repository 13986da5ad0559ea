"""The loaders of the public data sets, on tiny copies of their layouts."""

import hashlib
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import splits
from training.datasets import (
    caltech101,
    collections,
    curated,
    figure1,
    ieee8023,
    kermany,
    rsna,
    voc2012,
)
from training.datasets.records import MissingDataset, Record, age_group

SOURCES = {
    "ieee8023": "ieee8023/covid-chestxray-dataset",
    "figure1": "agchung/Figure1-COVID-chestxray-dataset",
    "kermany": "doi 10.17632/rscbjbr9sj",
    "rsna": "RSNA Pneumonia Detection Challenge",
    "voc2012": "host.robots.ox.ac.uk",
    "caltech101": "doi 10.22002/D1.20086",
}
shades = count()


def write_image(path: Path) -> Path:
    """Writes a unique image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(next(shades))
    Image.fromarray(generator.integers(0, 255, (8, 8), np.uint8)).save(path)
    return path


def write_ieee8023(root: Path, *rows: str) -> Path:
    """Rows are patientid,age,finding,view,folder,filename."""
    for row in rows:
        write_image(root / row.split(",")[4] / row.split(",")[5])
    header = "patientid,age,finding,view,folder,filename"
    (root / "metadata.csv").write_text("\n".join([header, *rows]))
    return root


def write_figure1(root: Path, *rows: str) -> Path:
    """Rows are patientid,age,finding,notes; one picture in two is a PNG."""
    for i, row in enumerate(rows):
        write_image(root / "images" / (row.split(",")[0] + (".jpg", ".png")[i % 2]))
    lines = ["patientid,age,finding,notes", *rows]
    (root / "metadata.csv").write_text("\n".join(lines), encoding="latin-1")
    return root


def write_rsna(root: Path, *rows: str) -> Path:
    """Rows are patientId,class; the loader reads no pixels."""
    for row in rows:
        film = root / "stage_2_train_images" / f"{row.split(',')[0]}.dcm"
        film.parent.mkdir(exist_ok=True)
        film.write_text(row)
    (root / "stage_2_detailed_class_info.csv").write_text("\n".join(["patientId,class", *rows]))
    return root


def labels(records: list[Record]) -> dict[str, str]:
    return {r.path.stem: r.label for r in records}


def patients(records: list[Record]) -> dict[str, str]:
    return {r.path.stem: r.patient for r in records}


def test_ieee8023_labels_come_from_view_and_finding(tmp_path: Path) -> None:
    found = ieee8023.load(
        write_ieee8023(
            tmp_path,
            "1,65,Pneumonia/Viral/COVID-19,PA,images,covid.jpg",
            "2,65,Pneumonia/Viral/SARS,AP Supine,images,sars.jpg",
            "3,65,Tuberculosis,AP erect,images,tuberculosis.jpg",
            "4,65,No Finding,PA,images,healthy.jpg",
            "5,65,todo,PA,images,todo.jpg",
            "5,65,Unknown,AP,images,unknown.jpg",
            "6,65,todo,L,images,lateral.jpg",
            "7,65,Pneumonia/Viral/COVID-19,Axial,images,axial.jpg",
            "7,65,Pneumonia/Viral/COVID-19,Coronal,images,coronal.jpg",
            "8,65,Pneumonia/Viral/COVID-19,Axial,volumes,study.jpg",
        )
    )

    assert labels(found) == {
        "covid": "covid19",
        "sars": "lung_opacity",
        "tuberculosis": "lung_opacity",
        "healthy": "no_finding",
        "lateral": "lateral_cxr",
        "axial": "ct",
        "coronal": "ct",
    }


def test_ieee8023_patient_and_age_come_from_the_table(tmp_path: Path) -> None:
    rows = [f"{i},{age},Pneumonia,PA,images,{i}.jpg" for i, age in enumerate(["17", "18.0", ""])]

    found = ieee8023.load(write_ieee8023(tmp_path, *rows))

    assert [r.patient for r in found] == ["ieee8023-0", "ieee8023-1", "ieee8023-2"]
    assert [r.age_group for r in found] == ["child", "adult", ""]


def test_ieee8023_error_names_a_missing_image(tmp_path: Path) -> None:
    write_ieee8023(tmp_path, "1,65,Pneumonia,PA,images,a.jpg")
    (tmp_path / "images" / "a.jpg").unlink()

    with pytest.raises(MissingDataset, match=r"a\.jpg is missing.*ieee8023/covid"):
        ieee8023.load(tmp_path)


def test_figure1_image_without_a_confirmed_finding_is_omitted(tmp_path: Path) -> None:
    found = figure1.load(
        write_figure1(
            tmp_path,
            "COVID-00001,33,COVID-19,",
            "COVID-00002,50+,,Fever 38°",
            "COVID-00023,,No finding,",
            "COVID-00031,early 40s,Pneumonia,",
        )
    )

    assert labels(found) == {
        "COVID-00001": "covid19",
        "COVID-00023": "no_finding",
        "COVID-00031": "lung_opacity",
    }
    assert [r.age_group for r in found] == ["adult", "", "adult"]


def test_figure1_letters_mark_images_of_the_same_patient(tmp_path: Path) -> None:
    rows = [f"COVID-00039{letter},77,COVID-19," for letter in "abc"]

    found = figure1.load(write_figure1(tmp_path, *rows))

    assert {r.patient for r in found} == {"figure1-COVID-00039"}


def test_kermany_patient_is_read_from_the_file_name(tmp_path: Path) -> None:
    for name in (
        "train/PNEUMONIA/person7_bacteria_24",
        "test/PNEUMONIA/person7_virus_9",
        "train/PNEUMONIA/VIRUS-1008087-0001",
        "train/NORMAL/IM-0500-0001-0002",
        "val/NORMAL/NORMAL2-IM-0462-0001",
        "test/NORMAL/NORMAL-11419-0001",
        "test/NORMAL/._IM-0001-0001",
    ):
        write_image(tmp_path / "chest_xray" / f"{name}.jpeg")

    found = kermany.load(tmp_path)

    assert patients(found) == {
        "person7_bacteria_24": "kermany-person7",
        "person7_virus_9": "kermany-person7",
        "VIRUS-1008087-0001": "kermany-1008087",
        "IM-0500-0001-0002": "kermany-0500",
        "NORMAL2-IM-0462-0001": "kermany-NORMAL2-0462",
        "NORMAL-11419-0001": "kermany-11419",
    }
    assert Counter(r.label for r in found) == {"no_finding": 3, "lung_opacity": 3}
    assert {r.age_group for r in found} == {"child"}


def test_kermany_file_name_without_a_patient_is_rejected(tmp_path: Path) -> None:
    write_image(tmp_path / "chest_xray/train/NORMAL/IM-0001-0001.jpeg")
    write_image(tmp_path / "chest_xray/train/PNEUMONIA/scan.jpeg")

    with pytest.raises(ValueError, match=r"scan\.jpeg names no patient; expected person1_"):
        kermany.load(tmp_path)


def test_rsna_image_with_several_boxes_is_listed_once(tmp_path: Path) -> None:
    found = rsna.load(
        write_rsna(
            tmp_path,
            "a,Normal",
            "b,Lung Opacity",
            "b,Lung Opacity",
            "c,No Lung Opacity / Not Normal",
        )
    )

    assert [(r.path.name, r.label) for r in found] == [
        ("a.dcm", "no_finding"),
        ("b.dcm", "lung_opacity"),
    ]


def test_each_photograph_has_its_own_patient_id(tmp_path: Path) -> None:
    write_image(tmp_path / "JPEGImages/2007_000027.jpg")
    for animal in ("ant", "beaver"):
        write_image(tmp_path / f"101_ObjectCategories/{animal}/image_0001.jpg")

    found = voc2012.load(tmp_path) + caltech101.load(tmp_path)

    assert {r.label for r in found} == {"natural"}
    assert len({r.patient for r in found}) == 3


@pytest.mark.parametrize("name", collections.LOADERS)
def test_error_of_a_missing_public_data_set_says_where_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingDataset) as error:
        collections.load([f"{name}={tmp_path}"])

    assert str(tmp_path) in str(error.value)
    assert SOURCES[name] in str(error.value)


def test_error_of_an_unknown_data_set_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"imagenet is no data set; .*ieee8023, figure1, kermany"):
        collections.load(["imagenet=/data"])


def test_public_records_have_their_file_digest_and_no_split(tmp_path: Path) -> None:
    picture = write_image(tmp_path / "JPEGImages/a.jpg")

    (record,) = collections.load([f"voc2012={tmp_path}"])

    assert record.sha256 == hashlib.sha256(picture.read_bytes()).hexdigest()
    assert (record.path, record.dataset, record.split) == (picture, "voc2012", "")


def test_duplicate_image_is_kept_from_the_first_data_set(tmp_path: Path) -> None:
    picture = write_image(tmp_path / "JPEGImages/a.jpg")
    copy = tmp_path / "101_ObjectCategories/ant/image_0001.jpg"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(picture.read_bytes())

    both = collections.load([f"caltech101={tmp_path}", f"voc2012={tmp_path}"])

    assert [r.dataset for r in both] == ["caltech101"]


def test_curated_and_public_data_sets_are_merged(tmp_path: Path) -> None:
    header = "path,label,dataset,group_id,suggested_split,sha256\n"
    (tmp_path / "manifest.csv").write_text(header + "a.jpg,covid19,siim,p1,train,s1\n")
    external = "b.jpg,ct,ieee8023,ieee8023-1,external,s2\nc.jpg,ct,web,p2,external,s3\n"
    (tmp_path / "manifest_external.csv").write_text(header + external)
    public = tmp_path / "public"
    write_ieee8023(public, "1,65,Pneumonia/Viral/COVID-19,PA,images,d.jpg")

    joined = collections.load([str(tmp_path), f"ieee8023={public}"])

    assert [r.path.name for r in joined] == ["a.jpg", "c.jpg", "d.jpg"]
    splits.check_disjoint(splits.redraw(joined, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("years", "group"),
    [("17.5", "child"), ("18", "adult"), ("1-5y", "child"), ("50+", "adult"), ("nan", "")],
)
def test_age_below_eighteen_is_child(years: str, group: str) -> None:
    assert age_group(years) == group


@pytest.mark.parametrize(
    ("note", "group"),
    [
        ("paediatric", "child"),
        ("paediatric 1-5y; virus", "child"),
        ("age 9; Consolidation", "child"),
        ("age 58; No Finding", "adult"),
        ("finding Pneumonia/Viral/COVID-19; age 39.0", "adult"),
        ("finding Pneumonia/Viral/MERS-CoV; age nan", ""),
        ("SIIM study label: Typical Appearance; age not given", ""),
        ("", ""),
    ],
)
def test_age_group_of_the_curated_data_set_is_read_from_the_note(
    note: str, group: str, tmp_path: Path
) -> None:
    header = "path,label,dataset,group_id,suggested_split,sha256,note\n"
    (tmp_path / "manifest.csv").write_text(header + f"a.jpg,covid19,siim,p1,train,s1,{note}\n")
    (tmp_path / "manifest_external.csv").write_text(header)

    assert [r.age_group for r in curated.load(tmp_path)] == [group]
