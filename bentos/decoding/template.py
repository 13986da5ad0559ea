"""Preloaded by the fork server, so that every decoder has all of its imports at the start.

A confined process cannot import anything, so this decodes one image of each kind beforehand.
"""

import codecs
import gc
import io
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product

import numpy as np
from PIL import Image, ImageCms
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)

from bentos.decoding import worker
from bentos.metric_labels import ModelName
from chestxray.containers import MEDIA_TYPES
from chestxray.dicom.identification import identify
from chestxray.dicom.study import objects
from chestxray.dicom.study.order import Algorithm, Order
from chestxray.errors import RejectedImage
from chestxray.images import crop_and_window, read
from chestxray.labels import FINDINGS, Finding, Verdict
from chestxray.limits import DEFAULT_LIMITS
from chestxray.results import Analysis, FilterResult, Heatmap, Input, Prediction, Timing
from chestxray.texts import LANGUAGES

_MODES = ("L", "RGBA", "CMYK", "P", "I;16", "F")

WARM = (worker, ImageCms)
"""Modules that decoding would import lazily."""


def _warm_up() -> None:
    for encoding in python_encoding.values():  # of DICOM text; Python loads each at its first use
        codecs.lookup(encoding)
    grey = Image.linear_gradient("L")
    for format_, mode in product(MEDIA_TYPES.keys() - {"DICOM"}, _MODES):
        file = io.BytesIO()
        with suppress(OSError, RejectedImage):  # not every format supports every mode
            grey.convert(mode).save(file, format_)
            _ = crop_and_window(read(file.getvalue())).pixels
    for syntax in (ExplicitVRLittleEndian, RLELossless):
        film = _dicom(grey, syntax)
        read_film = crop_and_window(read(film))
        _ = read_film.pixels
    identify(film)
    objects.write(film, _order(read_film.input), DEFAULT_LIMITS)


def _order(described: Input) -> Order:
    """All objects of an analysis that says nothing."""
    models = [Algorithm(name=name, version="0", digest="0") for name in ModelName]
    return Order(
        analysis=Analysis(
            id="0",
            created_at=datetime.now(UTC),
            input=described,
            filter=FilterResult(
                verdict=Verdict.FRONTAL_CHEST, valid=True, score=1, threshold=0, scores={}
            ),
            prediction=Prediction(
                label=Finding.COVID19, probabilities=dict.fromkeys(FINDINGS, 0.0), abnormal=0
            ),
            heatmaps=None,
            heatmap=Heatmap(label=Finding.COVID19, grid=[[0, 0], [0, 1]], range=(0, 1)),
            projection=(0, 0, 0),
            models={},
            timing_ms=Timing(decode=0, filter=0, classify=0, total=0),
        ),
        xray_filter=models[0],
        covid_classifier=models[1],
        language=LANGUAGES[0],
        report_alone=False,
    )


def _dicom(grey: Image.Image, syntax: UID) -> bytes:
    """A radiograph as DICOM, with a window."""
    dataset, file = Dataset(), io.BytesIO()
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = dataset.StudyInstanceUID = dataset.SeriesInstanceUID = generate_uid()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.set_pixel_data(np.asarray(grey), "MONOCHROME2", 8)
    dataset.WindowCenter, dataset.WindowWidth = "128", "256"
    if syntax.is_encapsulated:
        dataset.compress(syntax)
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


_warm_up()
gc.collect()
gc.freeze()  # keeps the memory shared between processes
