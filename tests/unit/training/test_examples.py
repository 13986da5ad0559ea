"""Selection, rotation and weights of training examples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chestxray.labels import QUARTER_TURNS, VERDICTS, Verdict
from training import train_classifier, train_filter
from training.config import TrainConfig, read_config
from training.datasets import derived
from training.datasets.records import Record
from training.distributed import SINGLE_PROCESS, ProcessGroup
from training.examples import eval_batches, train_batches

RECORD = Record(Path("a"), "covid19", "p", "one", "train", "s")
LABELS = ["covid19", "no_finding", "lung_opacity", "lateral_cxr", "other_xray", "ct", "rotated_cxr"]
RECORDS = [
    replace(RECORD, label=label, split=split) for split in ("train", "test") for label in LABELS
]


def config(**changes: object) -> TrainConfig:
    return replace(read_config(train_filter.CONFIG), steps_per_epoch=40, **changes)  # type: ignore[arg-type]


def test_filter_weights_are_half_valid_and_split_among_other_verdicts() -> None:
    made = (derived.INVERTED, derived.TWO_FILMS, derived.PART_OF_PAGE, derived.PHOTO_OF_SCREEN)
    records = [*RECORDS, *(replace(RECORD, label=label) for label in made)]
    examples = train_filter.examples(records, "train", power=0.5, turned=True)

    weight = np.bincount(examples.targets, examples.weights)
    share = dict(zip(VERDICTS, weight / weight.sum(), strict=True))
    assert share[Verdict.FRONTAL_CHEST] == pytest.approx(1 / 2)
    assert sum(share[v] for v in QUARTER_TURNS) == pytest.approx(1 / 14)
    for verdict in (Verdict.LATERAL_CHEST, Verdict.OTHER_XRAY, Verdict.INVERTED):
        assert share[verdict] == pytest.approx(1 / 14)
    assert share[Verdict.NOT_XRAY] == pytest.approx(3 / 14)


@pytest.mark.parametrize("split", ["train", "test"])
def test_rotated_negatives_come_from_their_own_split(split: str) -> None:
    examples = train_filter.examples(RECORDS, split, power=0.5, turned=True)

    assert {RECORDS[row].split for row in examples.rows} == {split}
    assert "rotated_cxr" not in {RECORDS[row].label for row in examples.rows}


def test_rotation_verdict_names_the_clockwise_rotation() -> None:
    upright = np.zeros((1, 224, 224), np.uint8)
    upright[0, :10, 100:124] = 255  # a mark at the top
    examples = train_filter.examples([RECORD], "train", power=1.0, turned=False)

    (images, targets, *_), *_ = eval_batches(upright, examples, size=224)

    picture = dict(zip(targets.tolist(), images.numpy()[:, 0], strict=True))
    assert picture[VERDICTS.index(Verdict.ROTATED_90)][100:124, -10:].min() == 255  # at the right
    assert picture[VERDICTS.index(Verdict.ROTATED_180)][-10:, 100:124].min() == 255
    assert picture[VERDICTS.index(Verdict.ROTATED_270)][100:124, :10].min() == 255


def test_classifier_examples_balance_classes_and_sources() -> None:
    sources = ["a"] * 90 + ["b"] * 10
    records = [replace(RECORD, dataset=s) for s in sources]
    records += [replace(RECORD, label="no_finding"), replace(RECORD, label="lung_opacity")]

    examples = train_classifier.examples(records, "train", power=0.5)

    assert np.bincount(examples.targets, examples.weights) == pytest.approx([1, 1, 1])
    covid = examples.where(examples.targets == 2)
    of_a = sum(w for row, w in zip(covid.rows, covid.weights, strict=True) if row < 90)
    assert of_a == pytest.approx(3 / 4)


def test_validation_weights_the_common_source_like_all_others_together() -> None:
    records = [
        replace(RECORD, dataset=dataset, label=label)
        for label in ("no_finding", "lung_opacity", "covid19")
        for dataset in ["siim"] + ["x"] * 9
    ]
    examples = train_classifier.examples(records, "train", power=1.0)

    weights = train_classifier.validation_weights(records, examples)

    for target in range(3):
        common, *others = weights[examples.targets == target]
        assert common == pytest.approx(sum(others))


def test_epoch_is_reproducible_and_differs_from_the_next() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (len(RECORDS), 224, 224), np.uint8)
    examples = train_filter.examples(RECORDS, "train", power=1.0, turned=True)
    small = config(batch_size=8, size=32)

    def first(epoch: int) -> np.ndarray:
        return next(iter(train_batches(pixels, examples, small, epoch=epoch)))[0].numpy()

    assert first(0).shape == (8, 1, 32, 32)
    assert np.array_equal(first(3), first(3))
    assert not np.array_equal(first(3), first(4))


def test_evaluation_does_not_change_full_size_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224), np.uint8)
    examples = train_filter.examples([RECORD], "train", power=1.0, turned=False)

    (images, *_), *_ = eval_batches(pixels, examples.where(examples.turns == 0), size=224)

    assert np.array_equal(images.numpy()[0, 0], pixels[0])


def test_common_source_gets_its_share_of_every_class_weight() -> None:
    records = [
        replace(RECORD, dataset=dataset, label=label)
        for label in ("no_finding", "lung_opacity", "covid19")
        for dataset in ["siim"] * 2 + ["x"] * 9 + ["y"]
    ]
    examples = train_classifier.examples(records, "train", power=0.5)

    found = train_classifier.reweight_same_source(records, examples, 0.4)

    same = train_classifier.is_same_source(records, found)
    weight = np.bincount(found.targets * 2 + same, found.weights)
    assert weight == pytest.approx([0.6, 0.4] * 3)


def test_groups_are_combinations_of_class_and_source() -> None:
    records = [
        replace(RECORD, dataset=dataset, label=label)
        for label in ("no_finding", "lung_opacity", "covid19")
        for dataset in ("x", "y", "y")
    ]

    groups = train_classifier.examples(records, "train", power=1.0).groups

    assert groups.tolist() == [0, 1, 1, 2, 3, 3, 4, 5, 5]


def test_processes_split_a_batch_without_gap_or_overlap() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (len(RECORDS), 224, 224), np.uint8)
    examples = train_filter.examples(RECORDS, "train", power=1.0, turned=True)
    small = config(batch_size=8, size=32)

    def targets(process_group: ProcessGroup) -> list[int]:
        return next(
            iter(train_batches(pixels, examples, small, epoch=0, process_group=process_group))
        ).targets.tolist()

    whole, parts = targets(SINGLE_PROCESS), [targets(ProcessGroup(rank, 2)) for rank in (0, 1)]
    assert parts == [whole[0::2], whole[1::2]]
