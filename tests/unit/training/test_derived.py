"""Derived images stay in the split of their source images and differ from them."""

from pathlib import Path

import numpy as np
import pytest

from chestxray.labels import FINDINGS
from chestxray.preprocessing import SIZE
from tests.phantoms import phantom
from training.datasets import derived
from training.datasets.records import Record


def record(number: int, label: str, split: str) -> Record:
    return Record(Path(f"{number}.png"), label, f"patient {number}", "source", split, str(number))


RECORDS = [
    record(number, (*FINDINGS, "lateral_cxr", "other_xray")[number % 5], split)
    for number, split in enumerate(["train"] * 20 + ["val"] * 10 + ["test"] * 10)
]
PIXELS = np.stack([np.roll(phantom(SIZE, SIZE), 3 * i, axis=1) for i in range(len(RECORDS))])


def test_derived_images_are_in_the_split_of_their_source() -> None:
    _, records = derived.extend(PIXELS, RECORDS)

    splits = {each.sha256: each.split for each in RECORDS}
    assert all(each.split == splits[each.sha256] for each in records)


def test_original_images_keep_their_positions() -> None:
    pixels, records = derived.extend(PIXELS, RECORDS)

    assert np.array_equal(pixels[: len(PIXELS)], PIXELS)
    assert records[: len(RECORDS)] == RECORDS
    assert len(pixels) == len(records)


def test_every_radiograph_has_an_inverted_copy() -> None:
    pixels, records = derived.extend(PIXELS, RECORDS)

    negatives = {each.sha256: i for i, each in enumerate(records) if each.label == derived.INVERTED}
    films = [i for i, each in enumerate(RECORDS) if each.label in FINDINGS]
    assert set(negatives) == {RECORDS[i].sha256 for i in films}
    assert all(np.array_equal(pixels[negatives[RECORDS[i].sha256]], 255 - PIXELS[i]) for i in films)


def test_same_seed_makes_the_same_derived_images() -> None:
    first, second = (derived.extend(PIXELS, RECORDS, seed=1)[0] for _ in range(2))

    assert np.array_equal(first, second)


@pytest.mark.parametrize("make", [derived.two_films, derived.part_of_page, derived.photo_of_screen])
def test_composite_differs_from_its_source_image(make) -> None:
    generator = np.random.default_rng(0)

    for _ in range(20):
        made = make(PIXELS[0], PIXELS[1], generator)
        assert (made.shape, made.dtype) == ((SIZE, SIZE), np.uint8)
        assert np.abs(made.astype(int) - PIXELS[0]).mean() > 5
