"""RSNA Pneumonia Detection Challenge: films of NIH ChestX-ray14, read again by radiologists.

Shih et al.: Augmenting the National Institutes of Health Chest Radiograph Dataset with Expert
Annotations of Possible Pneumonia, Radiology: AI 2019 (doi 10.1148/ryai.2019180041); Wang et al.:
ChestX-ray8, CVPR 2017 (doi 10.1109/CVPR.2017.369). Non-commercial research and education only.

A patient is a picture here: NIH's patient numbers, which would show who appears twice or stands in
another set made from NIH as well, are not in the files.
"""

from pathlib import Path

from chestxray.labels import Finding
from training.datasets.records import Record, read_table, require, with_digests

NAME = "rsna"
SOURCE = "the RSNA Pneumonia Detection Challenge of 2018 (stage 2; rsna.org, AI image challenges)"

# "No Lung Opacity / Not Normal" is left out, as in the paper (3.2).
_LABELS = {"Normal": Finding.NO_FINDING, "Lung Opacity": Finding.LUNG_OPACITY}


def load(root: Path) -> list[Record]:
    """Reads `stage_2_detailed_class_info.csv` and `stage_2_train_images/*.dcm`."""
    rows = read_table(root / "stage_2_detailed_class_info.csv", SOURCE)
    named = [row for row in rows if row["class"] in _LABELS]
    labels = {row["patientId"]: _LABELS[row["class"]] for row in named}  # a row for every box
    return with_digests([_record(root, name, label) for name, label in labels.items()])


def _record(root: Path, name: str, label: str) -> Record:
    path = require(root / "stage_2_train_images" / f"{name}.dcm", SOURCE)
    return Record(path, label, f"{NAME}-{name}", NAME, split="", sha256="")
