"""COVID-19 image data collection: chest X-rays and CT slices out of publications.

Cohen, Morrison, Dao, Roth, Duong, Ghassemi: COVID-19 Image Data Collection: Prospective Predictions
Are the Future (arXiv:2006.11988). Repository ieee8023/covid-chestxray-dataset. The licence is each
image's own, in the column `license`: mostly CC BY-NC-SA, often none.
"""

from pathlib import Path

from chestxray.labels import Finding
from training.datasets.records import Record, age_group, read_table, require, with_digests

NAME = "ieee8023"
SOURCE = "the GitHub repository ieee8023/covid-chestxray-dataset"

_IMAGES = "images"  # the other folder, volumes, has whole CT studies


def load(root: Path) -> list[Record]:
    """Reads `metadata.csv` and `images/`; skips todo, unknown and other findings."""
    rows = read_table(root / "metadata.csv", SOURCE)
    labelled = [(row, _label(row)) for row in rows if row.get("folder", _IMAGES) == _IMAGES]
    return with_digests([_record(root, row, label) for row, label in labelled if label])


def _record(root: Path, row: dict[str, str], label: str) -> Record:
    return Record(
        path=require(root / _IMAGES / row["filename"], SOURCE),
        label=label,
        patient=f"{NAME}-{row['patientid']}",  # as in the curated collection
        dataset=NAME,
        split="",
        sha256="",
        age_group=age_group(row["age"]),
    )


def _label(row: dict[str, str]) -> str:
    match row["view"].split():
        case ["PA" | "AP", *_]:  # AP Supine, AP erect, ...
            return _finding(row["finding"])
        case ["L", *_]:
            return "lateral_cxr"
        case ["Axial" | "Coronal", *_]:
            return "ct"
        case _:
            return ""


def _finding(finding: str) -> str:
    if "COVID-19" in finding:
        return Finding.COVID19
    if finding.startswith(("Pneumonia", "Tuberculosis")):
        return Finding.LUNG_OPACITY
    return Finding.NO_FINDING if finding == "No Finding" else ""
