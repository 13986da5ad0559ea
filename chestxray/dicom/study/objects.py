"""All objects of a result, as files."""

import io

from pydicom.dataset import Dataset

from chestxray import images
from chestxray.cam import PICTURE_SIDE
from chestxray.dicom.study import overlay, picture, report, source
from chestxray.dicom.study.order import Order
from chestxray.dicom.study.result import Result
from chestxray.limits import Limits

_MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


def write(data: bytes, order: Order, limits: Limits) -> list[bytes]:
    """Returns the files of an analysis of `data`: the report first, then picture and overlay.

    An image in colour gets no overlay, which DICOM has for greys alone. Raises RejectedImage.
    """
    result = Result(
        source=source.read(data, max_bytes=limits.max_bytes),
        analysis=order.analysis,
        xray_filter=order.xray_filter,
        covid_classifier=order.covid_classifier,
        language=order.language,
    )
    made: list[Dataset] = [report.write(result)]
    if not order.report_alone:
        film = images.crop_and_window(images.read(data, limits=limits)).image
        film.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        made.append(picture.write(result, film))
        if result.source.get("PhotometricInterpretation") in _MONOCHROME:
            made.append(overlay.write(result))
    return [_file(each) for each in made]


def _file(made: Dataset) -> bytes:
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
