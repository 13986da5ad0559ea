"""Splits that keep all images of a patient together."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.datasets.records import Record

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
"""Shares of the patients (paper, 4.2)."""
EXTERNAL = "external"
"""The split that is never used for training or selection, and never redrawn."""


def of(records: Sequence[Record], split: str) -> list[Record]:
    """Returns the records of one split, in order."""
    return [r for r in records if r.split == split]


def redraw(records: Sequence[Record], generator: np.random.Generator) -> list[Record]:
    """Splits each data set and class anew by patient, 80/10/10; external records stay external.

    A patient with images in several sets or classes is assigned with the first of them.
    """
    strata: dict[tuple[str, str], dict[str, None]] = {}
    side: dict[str, str] = {}
    for record in records:
        if record.split != EXTERNAL and record.patient not in side:
            side[record.patient] = ""
            strata.setdefault((record.dataset, record.label), {})[record.patient] = None
    for stratum in sorted(strata):
        side |= _draw(sorted(strata[stratum]), generator)
    return [r if r.split == EXTERNAL else replace(r, split=side[r.patient]) for r in records]


def _draw(patients: list[str], generator: np.random.Generator) -> dict[str, str]:
    # Rounding with a random offset gives strata that are too small for a share one now and then.
    edges = np.cumsum(list(SHARES.values()))[:-1] * len(patients)
    bounds = np.floor(edges + generator.uniform())
    order = generator.permutation(len(patients))
    names = list(SHARES)
    return {patients[p]: names[np.searchsorted(bounds, i, "right")] for i, p in enumerate(order)}


def check_disjoint(records: Sequence[Record]) -> None:
    """Raises ValueError if a patient or an image is in two splits."""
    for key in ("patient", "sha256"):
        seen: dict[str, str] = {}
        for record in records:
            if seen.setdefault(getattr(record, key), record.split) != record.split:
                raise ValueError(f"{key} {getattr(record, key)} stands in more than one split")
