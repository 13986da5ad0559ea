"""The project's curated collection: public chest X-rays and other pictures under three manifests.

Sources and licences differ by image (mostly CC BY-NC-SA or none stated) and stand in the manifests,
with the URL path of each original. Research use only; no image may be redistributed.
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
"""True patients, splits, boxes and radiologists' classes of films in the first manifest."""
SAME_SOURCE = "siim"
"""The one data set with all three classes: within it the source says nothing of the class."""
INDETERMINATE, OTHER_FINDING = "indeterminate", "other_finding"
"""Labels of films that are not normal and of none of our classes."""

ATYPICAL = "atypical"
"""The study class of siim that is our lung opacity, and its rarest."""

_RSNA = {
    "Normal": Finding.NO_FINDING.value,
    "Lung Opacity": Finding.LUNG_OPACITY.value,
    "No Lung Opacity / Not Normal": OTHER_FINDING,
}
_REPORTED = ("nihM", "nihJ")
"""Sources whose labels come from report texts."""

_Row = Mapping[str, str]


def load(root: Path) -> list[Record]:
    """Reads the manifests; split is train, val, test or external. Raises MissingDataset.

    The second delivery may be absent. An external image whose patient is internal as well (three
    CT slices) is left out, and so is what the corrections say not to use.
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
    """Puts patients whom the first networks were trained on out of validation; test stays.

    Before the corrections they stood in training: what starts from such a network cannot be chosen
    on them. That leaves 6 atypical films of siim to choose by, so patients with such a film who
    came with the second delivery go from training to validation.
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
    """What the correction says wins, but for what it leaves empty."""
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
        firm=bool(read) or not _is_weak(row),
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
    """Reads `x0 y0 x1 y1; x0 y0 x1 y1`."""
    found = []
    for part in filter(None, text.split(";")):
        left, top, right, bottom = map(float, part.split())
        found.append((left, top, right, bottom))
    return tuple(found)


def _mask(root: Path, path: str) -> Path | None:
    return root / path if path else None


def _age_group(row: _Row) -> str:
    """Reads an age, or notes such as `paediatric 1-5y; virus`, `age 58; Edema`, `age nan`."""
    note = row.get("note") or ""
    if note.startswith("paediatric"):
        return CHILD
    age = re.search(r"\bage (\d+)", note)
    return age_group(row.get("age") or (age[1] if age else ""))
