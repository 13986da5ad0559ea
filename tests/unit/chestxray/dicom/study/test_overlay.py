"""Outlines lie where the map does, in pixels of the radiograph."""

import numpy as np
import pytest

from chestxray.dicom.study import overlay, picture
from chestxray.results import Heatmap
from tests import results_in_study
from tests.results_in_study import HEIGHT, WIDTH, film

CELL = np.array([WIDTH, HEIGHT]) / 14
CENTRE = np.array([3.5, 2.5]) * CELL
"""Of the one cell with evidence: column and row."""


def centre(**changes: object) -> np.ndarray:
    analysis = results_in_study.analysis(film(), **changes)
    (line,) = overlay.outlines(analysis, (WIDTH, HEIGHT))
    return np.asarray((line.min(axis=0) + line.max(axis=0)) / 2)


def test_outline_encloses_the_evidence() -> None:
    whole = results_in_study.analysis(film()).input.model_copy(update={"film": None})

    assert np.abs(centre(input=whole) - CENTRE).max() < 0.1 * CELL.min()


def test_outline_follows_the_crop() -> None:
    """The map covers the film in the picture, not the whole picture."""
    cropped = results_in_study.analysis(film()).input.model_copy(
        update={"film": (0.5, 0.25, 1.0, 0.75)}
    )
    expected = np.array([0.5, 0.25]) * (WIDTH, HEIGHT) + CENTRE / 2

    assert np.abs(centre(input=cropped) - expected).max() < 0.1 * CELL.min()


def test_evidence_at_the_edge_has_a_closed_outline_within_the_picture() -> None:
    grid = np.zeros((14, 14))
    grid[0, 13] = 1.0
    heatmap = Heatmap(label="covid19", grid=grid.tolist(), range=(0, 1))
    (line,) = overlay.outlines(results_in_study.analysis(film(), heatmap=heatmap), (WIDTH, HEIGHT))

    np.testing.assert_array_equal(line[0], line[-1])
    assert (line >= 0).all()
    assert (line <= (WIDTH, HEIGHT)).all()


def test_map_without_evidence_has_no_outline_but_a_valid_object() -> None:
    nothing = Heatmap(label="covid19", grid=(-np.ones((14, 14))).tolist(), range=(-1, -1))
    state = overlay.write(results_in_study.result(film(), heatmap=nothing))

    assert "GraphicObjectSequence" not in state.GraphicAnnotationSequence[0]
    assert (
        "Not a diagnosis"
        in state.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue
    )


def test_overlay_is_one_layer_that_refers_to_the_radiograph() -> None:
    result = results_in_study.result(film())
    state = overlay.write(result)
    (layer,) = state.GraphicLayerSequence
    (annotation,) = state.GraphicAnnotationSequence
    (image,) = annotation.ReferencedImageSequence

    assert annotation.GraphicLayer == layer.GraphicLayer
    assert image.ReferencedSOPInstanceUID == result.source.SOPInstanceUID


@pytest.mark.parametrize("kind", [overlay.outlines, picture.write])
def test_analysis_without_a_heatmap_is_a_mistake_of_the_caller(kind: object) -> None:
    result = results_in_study.result(film(), heatmap=None)

    with pytest.raises(ValueError, match="without a heatmap"):
        if kind is picture.write:
            picture.write(result, None)  # type: ignore[arg-type]
        else:
            overlay.outlines(result.analysis, (WIDTH, HEIGHT))
