"""The heatmap over the radiograph as a Secondary Capture, with the disclaimer burned in.

Every viewer shows it, even one that knows neither reports nor overlays.
"""

import io
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from highdicom.enum import CoordinateSystemNames
from highdicom.sc import ConversionTypeValues, SCImage
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from chestxray import cam, texts
from chestxray.dicom.study import equipment
from chestxray.dicom.study.result import Kind, Result

_MARGIN, _LINE = 8, 1.35
_TEXT_SHARE = 1 / 40
"""Height of the letters, as a share of the picture's width."""


@cache
def _font() -> bytes:
    """DejaVu Sans with the Latin letters alone, from matplotlib's copy by fonttools' pyftsubset.

    Pillow's own font has no accents. A confined process opens no file: this is read before.
    """
    return (resources.files("chestxray") / "fonts" / "DejaVuSans.ttf").read_bytes()


def write(result: Result, film: Image.Image) -> SCImage:
    """Returns the capture. `film` is the radiograph, mode L, as the map lies over it.

    Raises ValueError if the analysis has no heatmap.
    """
    heatmap = result.analysis.heatmap
    if heatmap is None:
        raise ValueError("the analysis was made without a heatmap")
    drawn = Image.open(io.BytesIO(cam.overlay(film, np.array(heatmap.grid, np.float32))))
    source = result.source
    capture = SCImage(
        np.asarray(_with_text(drawn.convert("RGB"), result)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=("L", "F"),
        study_instance_uid=source.StudyInstanceUID,
        patient_id=source.PatientID,
        patient_name=source.PatientName,
        patient_birth_date=source.PatientBirthDate,
        patient_sex=source.PatientSex,
        accession_number=source.AccessionNumber,
        study_id=source.StudyID,
        study_date=source.StudyDate,
        study_time=source.StudyTime,
        referring_physician_name=source.ReferringPhysicianName,
        series_description=equipment.SERIES_DESCRIPTION,
        **result.identification(Kind.PICTURE),
        **result.moment,
    )
    _describe(capture, source)
    return capture


def _describe(capture: SCImage, source: Dataset) -> None:
    capture.ConversionType = ConversionTypeValues.WSD.value
    capture.BurnedInAnnotation = "YES"
    capture.DerivationDescription = "Class activation map drawn over the radiograph"
    # Of the source, if it says; an empty one is right for an image without (type 2C).
    orientation: Any = source.get("PatientOrientation") or ""
    capture.PatientOrientation = orientation
    for name in ("Laterality", "BodyPartExamined", "StudyDescription"):
        if name in source:
            setattr(capture, name, source[name].value)
    image = Dataset()
    image.ReferencedSOPClassUID = source.SOPClassUID
    image.ReferencedSOPInstanceUID = source.SOPInstanceUID
    purpose = Dataset()
    code = codes.DCM.SourceImageForImageProcessingOperation
    purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = (
        code[0],
        code[1],
        code[2],
    )
    image.PurposeOfReferenceCodeSequence = [purpose]
    capture.SourceImageSequence = [image]


def _with_text(picture: Image.Image, result: Result) -> Image.Image:
    """The picture with lines below it: what it is, what it says, who says so."""
    width, height = picture.size
    size = max(10, round(width * _TEXT_SHARE))
    font = ImageFont.truetype(io.BytesIO(_font()), size)
    models = f"{result.covid_classifier.name} {result.covid_classifier.version}"
    lines = [
        *_wrapped(texts.text("title", result.language), font, width - 2 * _MARGIN),
        f"{texts.text('where', result.language)} ({models}): "
        + texts.text(result.analysis.prediction.label, result.language),
        "; ".join(texts.lines(result.analysis, result.language)),
    ]
    step = round(size * _LINE)
    made = Image.new("RGB", (width, height + step * len(lines) + 2 * _MARGIN))
    made.paste(picture)
    draw = ImageDraw.Draw(made)
    for number, line in enumerate(lines):
        draw.text((_MARGIN, height + _MARGIN + number * step), line, "white", font)
    return made


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
