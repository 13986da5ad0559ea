"""Caltech 101: pictures of objects, what the filter must refuse.

Li, Andreeto, Ranzato, Perona: Caltech 101 (CaltechDATA, doi 10.22002/D1.20086), CC BY 4.0; Fei-Fei,
Fergus, Perona: Learning Generative Visual Models from Few Training Examples, CVPR workshop 2004
(doi 10.1109/CVPR.2004.383).
"""

from pathlib import Path

from training.datasets.records import Record, find, with_digests

NAME = "caltech101"
SOURCE = "CaltechDATA, doi 10.22002/D1.20086"


def load(root: Path) -> list[Record]:
    """Reads `101_ObjectCategories/*/*.jpg`; every image counts as a patient of its own."""
    return with_digests([_record(p) for p in find(root, "101_ObjectCategories/*/*.jpg", SOURCE)])


def _record(path: Path) -> Record:
    patient = f"{NAME}-{path.parent.name}-{path.stem}"
    return Record(path, "natural", patient, NAME, split="", sha256="")
