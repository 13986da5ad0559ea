"""The project's curated collection: public chest X-rays and other pictures under two manifests.

Sources and licences differ by image (mostly CC BY-NC-SA or none stated) and stand in the manifest,
with the URL path of each original. Research use only; no image may be redistributed.
"""

import csv
import re
from pathlib import Path

from training.datasets.records import (
    CHILD,
    MissingDataset,
    Record,
    age_group,
    without_internal_patients,
)

MANIFESTS = ("manifest.csv", "manifest_external.csv")
SAME_SOURCE = "siim"
"""The one data set with all three classes: within it the source says nothing of the class."""


def load(root: Path) -> list[Record]:
    """Reads both manifests; split is train, val, test or external. Raises MissingDataset.

    An external image whose patient is internal as well (three CT slices) is left out.
    """
    records: list[Record] = []
    for name in MANIFESTS:
        manifest = root / name
        if not manifest.is_file():
            raise MissingDataset(
                f"{manifest} is missing: give the folder of the curated collection with --data, "
                "or build one of the public sets named in training/README.md"
            )
        with manifest.open(newline="") as file:
            records += [_record(root, row) for row in csv.DictReader(file)]
    return without_internal_patients(records)


def _record(root: Path, row: dict[str, str]) -> Record:
    return Record(
        path=root / row["path"],
        label=row["label"],
        patient=row["group_id"],
        dataset=row["dataset"],
        split=row["suggested_split"],
        sha256=row["sha256"],
        age_group=_age_group(row.get("note") or ""),
    )


def _age_group(note: str) -> str:
    """Reads notes such as `paediatric 1-5y; virus`, `age 58; Edema` or `finding X; age nan`."""
    if note.startswith("paediatric"):
        return CHILD
    age = re.search(r"\bage (\d+)", note)
    return age_group(age[1]) if age else ""
