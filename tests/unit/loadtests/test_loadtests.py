"""Objectives are evaluated per window; load stages and image pools."""

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from loadtests import objectives
from loadtests.images import EXAMPLES, INVALID_FILES, format_variants, image_pool
from loadtests.objectives import Count, Objective
from loadtests.stages import Stage, stage_at

EXAMPLE = EXAMPLES / "clear.jpg"
KIND = Objective(p50_ms=100, p95_ms=200, p99_ms=300, error_rate=0.1, shed_rate=0.1)


def count(*milliseconds: int, failures: int = 0, shed: int = 0) -> Count:
    return Count(Counter(milliseconds), len(milliseconds), failures, shed)


def test_percentiles_are_computed_from_the_counted_times() -> None:
    counted = count(*range(1, 101))

    figures = counted.figures()

    assert (figures["p50_ms"], figures["p95_ms"], figures["p99_ms"]) == (50, 95, 99)


def test_window_is_the_difference_of_two_counts() -> None:
    before = count(10, 10, 500, failures=1)
    after = count(10, 10, 500, 20, 20, failures=2, shed=3)

    window = after - before

    assert window.milliseconds == Counter({20: 2})
    assert (window.requests, window.failures, window.shed) == (2, 1, 3)


@pytest.mark.parametrize(
    ("window", "names"),
    [
        (count(*[50] * 100), set()),
        (count(*[50] * 90, *[400] * 10), {"p95_ms", "p99_ms"}),
        (count(*[150] * 100), {"p50_ms"}),
        (count(*[50] * 100, failures=20), {"error_rate"}),
        (count(*[50] * 80, shed=20), {"shed_rate"}),
        (count(), set()),
    ],
)
def test_missed_objectives_are_named(window: Count, names: set[str]) -> None:
    assert set(objectives.missed(window, KIND)) == names


def test_shipped_objectives_are_read_and_misspelt_ones_are_rejected(tmp_path: Path) -> None:
    text = objectives.DEFAULT.read_text()
    assert set(objectives.read().routes) == {"/v1/analyses", "/v1/analyses/batch"}
    path = tmp_path / "objectives.toml"
    path.write_text(text.replace("shed_rate", "shedrate"))

    with pytest.raises(TypeError, match="shedrate"):
        objectives.read(path)


def test_load_stages_follow_each_other_until_the_end() -> None:
    stages = [Stage(10, 1), Stage(5, 7)]

    found = [stage_at(stages, seconds) for seconds in (0, 9.9, 10, 14.9, 15)]

    assert found == [stages[0], stages[0], stages[1], stages[1], None]


def test_image_pool_has_images_of_several_sizes_and_depths() -> None:
    made = format_variants(EXAMPLE)
    opened = [Image.open(io.BytesIO(content)) for content in made]

    kinds = {(image.format, image.size, image.mode) for image in opened}
    assert {("JPEG", (4000, 3000), "L"), ("PNG", (1024, 1024), "L")} <= kinds
    assert ("PNG", (1024, 1024), "I;16") in kinds
    assert ("JPEG", (128, 128), "L") in kinds
    assert made == format_variants(EXAMPLE)  # so that every worker posts the same


def test_images_of_a_given_folder_replace_the_default_pool(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no images"):
        image_pool(str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"a")

    assert image_pool(str(tmp_path)) == [b"a"]


def test_invalid_files_are_not_readable_as_images() -> None:
    assert INVALID_FILES["empty"] == b""
    for name in ("text", "noise"):
        with pytest.raises(OSError):
            Image.open(io.BytesIO(INVALID_FILES[name]))
