"""What every data set yields, and how it is read from a folder."""

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
"""Left, top, right and bottom, in parts of the picture's width and height."""


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Where readers saw something; what is None or empty was not drawn."""

    lungs: Box | None = None
    opacities: tuple[Box, ...] = ()
    lung_mask: Path | None = None
    infection_mask: Path | None = None


@dataclass(frozen=True)
class Record:
    """One labelled picture; `patient` is what a split must not tear apart.

    `split` is empty where the set suggests none, `age_group` where the age is not known. A label
    that is not firm was not given, or not confirmed, by a radiologist who looked at the film.
    """

    path: Path
    label: str
    patient: str
    dataset: str
    split: str
    sha256: str
    age_group: str = ""
    firm: bool = True
    appearance: str = ""  # study class of SIIM-FISABIO-RSNA: typical, atypical and so on
    regions: Regions = Regions()


class MissingDataset(FileNotFoundError):
    """A data set is not where it was looked for; the message says where to get it."""


def age_group(years: str) -> str:
    """Returns child, adult or nothing for an age as sources write it: 58, 50+, early 40s, nan."""
    found = re.search(r"\d+", years)
    if found is None:
        return ""
    return CHILD if int(found[0]) < _ADULT_YEARS else ADULT


def require(path: Path, source: str) -> Path:
    """Returns a path that is there. Raises MissingDataset with the source to get it from."""
    if not path.exists():
        raise MissingDataset(f"{path} is missing; get the data set from {source}")
    return path


def find(root: Path, pattern: str, source: str) -> list[Path]:
    """Returns the files of a pattern, sorted. Raises MissingDataset where there is none."""
    found = sorted(root.glob(pattern))
    if not found:
        raise MissingDataset(f"{root / pattern} is missing; get the data set from {source}")
    return found


def read_table(path: Path, source: str, *, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    """Returns the rows of a CSV file, an empty text where a row ends early."""
    with require(path, source).open(newline="", encoding=encoding) as file:
        return list(csv.DictReader(file, restval=""))


def with_digests(records: Sequence[Record]) -> list[Record]:
    """Fills in the SHA-256 of every picture's file, several files at a time."""
    with ThreadPoolExecutor() as pool:  # hashing lets go of the interpreter's lock
        digests = list(pool.map(_digest, [r.path for r in records]))
    return [replace(r, sha256=sha256) for r, sha256 in zip(records, digests, strict=True)]


def without_internal_patients(records: Sequence[Record]) -> list[Record]:
    """Leaves out external pictures of a patient who is internal as well."""
    internal = {r.patient for r in records if r.split != "external"}
    return [r for r in records if r.split != "external" or r.patient not in internal]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
