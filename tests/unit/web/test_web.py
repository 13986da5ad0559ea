"""What the page has to say again of the core, in another language, is the same."""

import json
import re

import numpy as np

from bentos.settings import WEB
from chestxray import cam
from chestxray.labels import FINDINGS, VERDICTS, Verdict
from chestxray.preprocessing import SIZE


def constant(module: str, name: str) -> str:
    """The value of a constant as it is written."""
    found = re.search(rf"const {name} = ([^;]+);", (WEB / module).read_text())
    assert found
    return found[1]


def test_classes_are_in_the_same_order() -> None:
    assert json.loads(constant("api.js", "FINDINGS")) == list(FINDINGS)


def test_colours_of_the_map_are_the_same() -> None:
    assert np.array_equal(json.loads(constant("raster.js", "CIVIDIS")), cam._CIVIDIS)


def test_map_is_as_large_as_what_the_networks_see() -> None:
    assert json.loads(constant("raster.js", "MAP_SIDE")) == SIZE


def test_a_film_is_turned_back_by_what_its_verdict_names() -> None:
    turns = dict(
        re.findall(r"(rotated_\d+): { degrees: (\d+) }", constant("pictures.js", "REPAIRS"))
    )

    assert set(turns) == {verdict for verdict in VERDICTS if verdict.startswith("rotated")}
    for verdict, turn in turns.items():
        assert (int(verdict.removeprefix("rotated_")) + int(turn)) % 360 == 0


def test_a_negative_is_offered_as_a_positive() -> None:
    assert f"{Verdict.INVERTED}: {{ negative: true }}" in constant("pictures.js", "REPAIRS")
