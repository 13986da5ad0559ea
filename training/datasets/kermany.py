"""Chest X-Ray Images (Pneumonia): children of one to five years, Guangzhou.

Kermany, Zhang, Goldbaum: Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for
Classification (doi 10.17632/rscbjbr9sj), CC BY 4.0; Kermany et al.: Identifying Medical Diagnoses
and Treatable Diseases by Image-Based Deep Learning, Cell 2018 (doi 10.1016/j.cell.2018.02.010).
"""

import re
from pathlib import Path

from chestxray.labels import Finding
from training.datasets.records import CHILD, Record, find, with_digests

NAME = "kermany"
SOURCE = "Mendeley Data, doi 10.17632/rscbjbr9sj"

_LABELS = {"NORMAL": Finding.NO_FINDING, "PNEUMONIA": Finding.LUNG_OPACITY}

# Version 2: person7_virus_9, IM-0217-0001, NORMAL2-IM-0462-0001. Version 3: VIRUS-1008087-0001.
_PATIENT = re.compile(r"(person\d+)_|(?:(NORMAL2-)?IM|NORMAL|BACTERIA|VIRUS)-(\d+)-")


def load(root: Path) -> list[Record]:
    """Reads `chest_xray/*/{NORMAL,PNEUMONIA}/*.jpeg`; ignores the data set's own split."""
    paths = [
        path
        for folder in _LABELS
        for path in find(root, f"chest_xray/*/{folder}/*.jpeg", SOURCE)
        if not path.name.startswith(".")  # macOS metadata in archives
    ]
    return with_digests([_record(path) for path in paths])


def _record(path: Path) -> Record:
    return Record(
        path=path,
        label=_LABELS[path.parent.name],
        patient=_patient(path.name),
        dataset=NAME,
        split="",
        sha256="",
        age_group=CHILD,
    )


def _patient(name: str) -> str:
    """Returns the patient ID of the curated collection; a number in two folders is one patient."""
    found = _PATIENT.match(name)
    if found is None:
        raise ValueError(
            f"{name} names no patient; expected person1_..., IM-0001-..., NORMAL2-IM-0001-... "
            "or VIRUS-0000001-..."
        )
    return f"{NAME}-" + "".join(part for part in found.groups() if part)
