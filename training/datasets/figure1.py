"""Figure 1 COVID-19 Chest X-ray Dataset Initiative: pictures that physicians shared.

Chung, Wong and the COVID-Net team, with Figure 1 (2020). Repository
agchung/Figure1-COVID-chestxray-dataset. For research only; no other licence is stated.
"""

from pathlib import Path
from string import ascii_lowercase

from chestxray.labels import Finding
from training.datasets.records import Record, age_group, find, read_table, with_digests

NAME = "figure1"
SOURCE = "the GitHub repository agchung/Figure1-COVID-chestxray-dataset"

_LABELS = {
    "COVID-19": Finding.COVID19,
    "Pneumonia": Finding.LUNG_OPACITY,
    "No finding": Finding.NO_FINDING,
}


def load(root: Path) -> list[Record]:
    """Reads `metadata.csv` and `images/`; skips images without a confirmed finding."""
    rows = read_table(root / "metadata.csv", SOURCE, encoding="latin-1")
    return with_digests([_record(root, row) for row in rows if row["finding"] in _LABELS])


def _record(root: Path, row: dict[str, str]) -> Record:
    image = row["patientid"]
    return Record(
        path=find(root, f"images/{image}.*", SOURCE)[0],  # .jpg or .png
        label=_LABELS[row["finding"]],
        patient=f"{NAME}-{image.rstrip(ascii_lowercase)}",  # COVID-00039a to c are of one patient
        dataset=NAME,
        split="",
        sha256="",
        age_group=age_group(row["age"]),
    )
