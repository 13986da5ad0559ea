"""What every data set yields."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One labelled picture; `patient` is what a split must not tear apart."""

    path: Path
    label: str
    patient: str
    dataset: str
    split: str
    sha256: str


class MissingDataset(FileNotFoundError):
    """A data set is not where it was looked for; the message says where to get it."""
