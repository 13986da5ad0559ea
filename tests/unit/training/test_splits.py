"""No patient is in two splits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import splits
from training.datasets import curated
from training.datasets.records import Record

RECORD = Record(Path("a"), "covid19", "p", "d", "train", "s")


def records(patients: list[int]) -> list[Record]:
    return [replace(RECORD, patient=str(p), sha256=str(i)) for i, p in enumerate(patients)]


@given(patients=st.lists(st.integers(0, 40), min_size=1, max_size=200), seed=st.integers(0, 99))
def test_redrawn_splits_keep_every_patient_in_one_split(patients: list[int], seed: int) -> None:
    drawn = splits.redraw(records(patients), np.random.default_rng(seed))

    splits.check_disjoint(drawn)
    assert [r.sha256 for r in drawn] == [r.sha256 for r in records(patients)]


def test_redrawn_splits_have_their_shares() -> None:
    drawn = splits.redraw(records(list(range(1000))), np.random.default_rng(0))

    assert {name: len(splits.of(drawn, name)) for name in splits.SHARES} == {
        "train": 800,
        "val": 100,
        "test": 100,
    }


def test_external_records_stay_external() -> None:
    external = [replace(RECORD, split="external")]

    assert splits.redraw(external, np.random.default_rng(0)) == external


@pytest.mark.parametrize("key", ["patient", "sha256"])
def test_patient_or_image_in_two_splits_is_detected(key: str) -> None:
    other = "sha256" if key == "patient" else "patient"
    twice = [RECORD, replace(RECORD, split="test", **{other: "x"})]

    with pytest.raises(ValueError, match=f"{key} . stands in more than one split"):
        splits.check_disjoint(twice)


def test_shipped_splits_of_the_curated_collection_are_disjoint(data: Path) -> None:
    found = curated.load(data)

    splits.check_disjoint(found)
    assert {r.split for r in found} == {"train", "val", "test", "external"}
    assert all(r.path.is_file() for r in found)
