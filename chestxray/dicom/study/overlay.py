"""Outlines of the heatmap as a Grayscale Softcopy Presentation State, which a viewer can hide."""

from typing import cast

import numpy as np
from contourpy import LineType, contour_generator
from highdicom import PresentationLUTShapeValues, PresentationLUTTransformation
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from chestxray import cam, texts
from chestxray.dicom.study import equipment
from chestxray.dicom.study.result import Kind, Result
from chestxray.results import Analysis

LEVEL = 0.5
"""The outlines are where the map has this share of its maximum; it is said beside them."""
_CELLS = 8
"""Points of the smoothed map for each cell of the grid, along a side."""
_LABEL = "CHESTXRAY"
_WHOLE = (0.0, 0.0, 1.0, 1.0)


def outlines(analysis: Analysis, size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Closed lines (N, 2) of columns and rows, in pixels of the radiograph of this size (width,
    height): where the map of the likeliest class has LEVEL of its maximum. None without evidence.

    Raises ValueError if the analysis has no heatmap.
    """
    if analysis.heatmap is None:
        raise ValueError("the analysis was made without a heatmap")
    grid = np.array(analysis.heatmap.grid, np.float32)
    side = _CELLS * len(grid)
    smooth = np.clip(cam.upsample(grid, size=(side, side)), 0, None)
    if not smooth.max() > 0:
        return []
    # A border of nothing closes the lines that would end at the edge.
    generator = contour_generator(z=np.pad(smooth, 1), line_type=LineType.Separate)
    lines = cast(list[NDArray[np.float64]], generator.lines(LEVEL * float(smooth.max())))
    left, top, right, bottom = analysis.input.film or _WHOLE
    start = np.array([left, top]) * size
    extent = np.array([right - left, bottom - top]) * size
    # The centre of a point is half a step inside of the map, which the border has moved by one.
    return [start + np.clip((line - 0.5) / side, 0, 1) * extent for line in lines]


def write(result: Result) -> GrayscaleSoftcopyPresentationState:
    """Returns the presentation state, which refers to the radiograph and changes none of its
    greys. Raises ValueError if the analysis has no heatmap.
    """
    source = result.source
    layer = GraphicLayer(
        layer_name=_LABEL,
        order=1,
        description=texts.text("where", result.language),
        display_color=None,
    )
    inverted = source.get("PhotometricInterpretation") == "MONOCHROME1"
    shape = PresentationLUTShapeValues.INVERSE if inverted else PresentationLUTShapeValues.IDENTITY
    state = GrayscaleSoftcopyPresentationState(
        referenced_images=[source],
        content_label=_LABEL,
        content_description=texts.text("where", result.language),
        graphic_layers=[layer],
        graphic_annotations=[_annotation(result, source, layer)],
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape=shape),
        series_description=equipment.SERIES_DESCRIPTION,
        **result.identification(Kind.OVERLAY),
    )
    state.Laterality = source.get("Laterality") or ""  # type 2C: empty where it is unknown
    return state


def _annotation(result: Result, source: Dataset, layer: GraphicLayer) -> GraphicAnnotation:
    size = (int(source.Columns), int(source.Rows))
    lines = [
        GraphicObject(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=line,
            units=AnnotationUnitsValues.PIXEL,
        )
        for line in outlines(result.analysis, size)
    ]
    name = texts.text(result.analysis.prediction.label, result.language)
    said = f"{texts.text('where', result.language)}: {name} (>= {LEVEL:.0%}). "
    note = TextObject(
        text_value=said + texts.text("title", result.language),
        units=AnnotationUnitsValues.DISPLAY,
        bounding_box=(0.01, 0.9, 0.99, 0.99),
    )
    return GraphicAnnotation(
        referenced_images=[source],
        graphic_layer=layer,
        graphic_objects=lines or None,
        text_objects=[note],
    )
