"""The project's curated collection: public chest X-rays and other images, with three manifests.

Sources and licences differ by image (mostly CC BY-NC-SA or none stated); the manifests list them
with the URL path of each original. Research use only; images must not be redistributed.
"""

import csv
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

from chestxray.labels import Finding
from training.datasets.records import (
    CHILD,
    Box,
    MissingDataset,
    Record,
    Regions,
    age_group,
    without_internal_patients,
)

MANIFEST, EXTERNAL, MORE = "manifest.csv", "manifest_external.csv", "manifest_more.csv"
CORRECTIONS = "corrections.csv"
"""Corrections to the first manifest: patients, splits, boxes and radiologists' classes."""
SAME_SOURCE = "siim"
"""The only data set with all three classes: within it the source does not reveal the class."""
INDETERMINATE, OTHER_FINDING = "indeterminate", "other_finding"
"""Labels of images that are abnormal but in none of our classes."""

ATYPICAL = "atypical"
"""Study classes of siim: the one that is our lung opacity, and its rarest."""

_RSNA = {
    "Normal": Finding.NO_FINDING.value,
    "Lung Opacity": Finding.LUNG_OPACITY.value,
    "No Lung Opacity / Not Normal": OTHER_FINDING,
}
_REPORTED = ("nihM", "nihJ")
"""Sources with labels extracted from report texts."""

_Row = Mapping[str, str]


def load(root: Path) -> list[Record]:
    """Reads the manifests; split is train, val, test or external. Raises MissingDataset.

    The second delivery is optional. Drops external images of patients who are internal as well
    (three CT slices), and images that the corrections exclude.
    """
    corrections = {row["path"]: row for row in _rows(root / CORRECTIONS)}
    first = _required(root, MANIFEST)
    corrected = [_corrected(row, corrections.get(row["path"], {})) for row in first]
    rows = [*corrected, *_rows(root / MORE), *_required(root, EXTERNAL)]
    used = [row for row in rows if not row.get("use", "").startswith("no")]
    seen = {
        after["group_id"]
        for before, after in zip(first, corrected, strict=True)
        if before["suggested_split"] == "train"
    }
    records = with_unseen_validation([_record(root, row) for row in used], seen)
    return without_internal_patients(records)


def with_unseen_validation(records: Sequence[Record], seen: Set[str]) -> list[Record]:
    """Moves patients whom the first networks were trained on out of validation; test stays as it
    is.

    Before the corrections they were in training, so they cannot be used to select networks that
    start from those. Since this leaves 6 atypical images of siim for selection, patients with such
    an image from the second delivery move from training to validation.
    """
    atypical = {r.patient for r in records if r.appearance == ATYPICAL} - seen
    to = {patient: "train" for patient in seen} | {patient: "val" for patient in atypical}
    return [
        replace(r, split=to.get(r.patient, r.split)) if r.split in ("train", "val") else r
        for r in records
    ]


def _required(root: Path, name: str) -> list[dict[str, str]]:
    if not (root / name).is_file():
        raise MissingDataset(
            f"{root / name} is missing: give the folder of the curated collection with --data, "
            "or build one of the public sets named in training/README.md"
        )
    return _rows(root / name)


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _corrected(row: dict[str, str], correction: _Row) -> dict[str, str]:
    """Merges a correction into a row; its non-empty fields take precedence."""
    return row | {name: value for name, value in correction.items() if value}


def _record(root: Path, row: _Row) -> Record:
    read = row.get("rsna_class") or ""
    return Record(
        path=root / row["path"],
        label=_RSNA.get(read, row["label"]),
        patient=row["group_id"],
        dataset=row["dataset"],
        split=row["suggested_split"],
        sha256=row["sha256"],
        age_group=_age_group(row),
        confirmed=bool(read) or not _is_weak(row),
        appearance=row.get("siim_label") or "",
        regions=Regions(
            lungs=next(iter(_boxes(row.get("lung_box") or "")), None),
            opacities=_boxes(row.get("opacity_boxes") or ""),
            lung_mask=_mask(root, row.get("lung_mask") or ""),
            infection_mask=_mask(root, row.get("infection_mask") or ""),
        ),
    )


def _is_weak(row: _Row) -> bool:
    reported = row["dataset"] in _REPORTED and row["label"] == Finding.LUNG_OPACITY
    return row.get("strength") == "weak" or reported


def _boxes(text: str) -> tuple[Box, ...]:
    """Parses boxes such as `x0 y0 x1 y1; x0 y0 x1 y1`."""
    found = []
    for part in filter(None, text.split(";")):
        left, top, right, bottom = map(float, part.split())
        found.append((left, top, right, bottom))
    return tuple(found)


def _mask(root: Path, path: str) -> Path | None:
    return root / path if path else None


def _age_group(row: _Row) -> str:
    """Parses an age, also from notes such as `paediatric 1-5y; virus`, `age 58; Edema`,
    `age nan`.
    """
    note = row.get("note") or ""
    if note.startswith("paediatric"):
        return CHILD
    age = re.search(r"\bage (\d+)", note)
    return age_group(row.get("age") or (age[1] if age else ""))
