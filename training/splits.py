"""Splits that keep every patient on one side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.datasets.records import Record

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
"""Of the patients (paper, 4.2)."""


def of(records: Sequence[Record], split: str) -> list[Record]:
    """Returns the records of one split, in their order."""
    return [r for r in records if r.split == split]


def redraw(records: Sequence[Record], generator: np.random.Generator) -> list[Record]:
    """Splits anew by patient, 80/10/10; external records stay external."""
    patients = sorted({r.patient for r in records if r.split != "external"})
    order = generator.permutation(len(patients))
    bounds = np.cumsum([round(share * len(patients)) for share in SHARES.values()][:-1])
    names = list(SHARES)
    side = {patients[p]: names[np.searchsorted(bounds, i, "right")] for i, p in enumerate(order)}
    return [r if r.split == "external" else replace(r, split=side[r.patient]) for r in records]


def check_disjoint(records: Sequence[Record]) -> None:
    """Raises ValueError where a patient or an image stands in two splits."""
    for key in ("patient", "sha256"):
        seen: dict[str, str] = {}
        for record in records:
            if seen.setdefault(getattr(record, key), record.split) != record.split:
                raise ValueError(f"{key} {getattr(record, key)} stands in more than one split")
