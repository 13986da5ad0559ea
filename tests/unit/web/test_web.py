"""Constants that the page's scripts duplicate equal those of the Python core."""

import json
import re

import numpy as np

from bentos.jobs import bundles
from bentos.page import documents
from bentos.settings import WEB
from chestxray import cam
from chestxray.labels import FINDINGS, VERDICTS, Verdict
from chestxray.preprocessing import SIZE


def constant(module: str, name: str) -> str:
    """The source text of a constant's value in a script."""
    found = re.search(rf"const {name} = ([^;]+);", (WEB / module).read_text())
    assert found
    return found[1]


def test_page_has_the_classes_in_the_same_order() -> None:
    assert json.loads(constant("api.js", "FINDINGS")) == list(FINDINGS)


def test_page_has_the_same_heatmap_colours() -> None:
    assert np.array_equal(json.loads(constant("raster.js", "CIVIDIS")), cam._CIVIDIS)


def test_page_heatmap_size_equals_the_network_input_size() -> None:
    assert json.loads(constant("raster.js", "MAP_SIDE")) == SIZE


def test_page_rotates_an_image_back_by_the_angle_of_its_verdict() -> None:
    turns = dict(
        re.findall(r"(rotated_\d+): { degrees: (\d+) }", constant("pictures.js", "REPAIRS"))
    )

    assert set(turns) == {verdict for verdict in VERDICTS if verdict.startswith("rotated")}
    for verdict, turn in turns.items():
        assert (int(verdict.removeprefix("rotated_")) + int(turn)) % 360 == 0


def test_page_offers_to_invert_a_negative() -> None:
    assert f"{Verdict.INVERTED}: {{ negative: true }}" in constant("pictures.js", "REPAIRS")


def test_no_style_relies_on_the_colour_of_a_selection() -> None:
    """With forced colours it may hardly differ from the background; that of text always does."""
    styles = list((WEB / "styles").glob("*.css"))

    assert styles
    assert [each.name for each in styles if "Highlight" in each.read_text()] == []


def test_page_leaves_out_the_files_that_the_service_leaves_out_of_a_zip_file() -> None:
    assert json.loads(constant("job_files.js", "NO_FILMS")) == list(bundles._NO_IMAGES)


def test_page_keeps_the_same_terms_whole_in_the_same_elements() -> None:
    assert constant("element.js", "TERMS") == f"/({documents._TERMS.pattern})/"
    elements = constant("element.js", "TEXT").removeprefix("new Set(").removesuffix(")")
    assert set(json.loads(elements)) == documents._TEXT_ELEMENTS
