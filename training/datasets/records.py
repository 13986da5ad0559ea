"""Records that every data set yields, and helpers to read them from a folder."""

import csv
import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

CHILD, ADULT = "child", "adult"
_ADULT_YEARS = 18


Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as fractions of the image's width and height."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Regions that readers annotated; None or empty: not annotated."""

    lungs: Box | None = None
    opacities: tuple[Box, ...] = ()
    lung_mask: Path | None = None
    infection_mask: Path | None = None


@dataclass(frozen=True)
class Record:
    """One labelled image; splits must keep images of one `patient` together.

    `split` is empty if the data set suggests none, `age_group` if the age is unknown. A label is
    `confirmed` if a radiologist gave or confirmed it from the image.
    """

    path: Path
    label: str
    patient: str
    dataset: str
    split: str
    sha256: str
    age_group: str = ""
    confirmed: bool = True
    appearance: str = ""  # study class of SIIM-FISABIO-RSNA: typical, atypical and so on
    regions: Regions = Regions()


class MissingDataset(FileNotFoundError):
    """A data set is not at its path; the message says where to get it."""


def age_group(years: str) -> str:
    """Returns child, adult or "" for an age as sources write it: 58, 50+, early 40s, nan."""
    found = re.search(r"\d+", years)
    if found is None:
        return ""
    return CHILD if int(found[0]) < _ADULT_YEARS else ADULT


def require(path: Path, source: str) -> Path:
    """Returns an existing path. Raises MissingDataset with the source to get it from."""
    if not path.exists():
        raise MissingDataset(f"{path} is missing; get the data set from {source}")
    return path


def find(root: Path, pattern: str, source: str) -> list[Path]:
    """Returns the files that match a pattern, sorted. Raises MissingDataset if there are none."""
    found = sorted(root.glob(pattern))
    if not found:
        raise MissingDataset(f"{root / pattern} is missing; get the data set from {source}")
    return found


def read_table(path: Path, source: str, *, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """Returns the rows of a CSV file; missing fields are empty."""
    with require(path, source).open(newline="", encoding=encoding) as file:
        return list(csv.DictReader(file, restval=""))


def with_digests(records: Sequence[Record]) -> list[Record]:
    """Fills in the SHA-256 of every image file, several files in parallel."""
    with ThreadPoolExecutor() as pool:  # hashing releases the GIL
        digests = list(pool.map(_digest, [r.path for r in records]))
    return [replace(r, sha256=sha256) for r, sha256 in zip(records, digests, strict=True)]


def without_internal_patients(records: Sequence[Record]) -> list[Record]:
    """Drops external images of patients who are internal as well."""
    internal = {r.patient for r in records if r.split != "external"}
    return [r for r in records if r.split != "external" or r.patient not in internal]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
