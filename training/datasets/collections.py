"""Combines data sets: the curated collection, and the public sets of the paper."""

from collections.abc import Callable, Sequence
from pathlib import Path

from training.datasets import caltech101, curated, figure1, ieee8023, kermany, rsna, voc2012
from training.datasets.records import Record, without_internal_patients

LOADERS: dict[str, Callable[[Path], list[Record]]] = {
    module.NAME: module.load for module in (ieee8023, figure1, kermany, rsna, voc2012, caltech101)
}
"""Readers of the paper's sets (section 3), by the name in NAME=PATH."""


def load(specs: Sequence[str]) -> list[Record]:
    """Reads PATH, a curated collection, or NAME=PATH, a public set; keeps the first of identical
    files.

    Records of public sets have no split yet. Raises ValueError or MissingDataset.
    """
    records = [record for spec in specs for record in _load_one(spec)]
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.sha256, record)
    return without_internal_patients(list(first.values()))


def _load_one(spec: str) -> list[Record]:
    name, equals, folder = spec.partition("=")
    if not equals:
        return curated.load(Path(spec))
    if name not in LOADERS:
        raise ValueError(f"{name} is no data set; allowed are {', '.join(LOADERS)}")
    return LOADERS[name](Path(folder))
