"""An analysis of a DICOM radiograph, for what is made of it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydicom.uid import generate_uid

from chestxray.dicom.study import source
from chestxray.dicom.study.order import Algorithm, Order
from chestxray.dicom.study.result import Result
from chestxray.images import read
from chestxray.labels import FINDINGS, VERDICTS, Finding, Verdict
from chestxray.results import Analysis, FilterResult, Heatmap, Prediction, Timing
from tests import dicoms
from tests.phantoms import phantom

FILTER = Algorithm(name="xray_filter", version="1.2.0", digest=f"sha256:{64 * 'a'}")
CLASSIFIER = Algorithm(name="covid_classifier", version="3.4.0", digest=f"sha256:{64 * 'b'}")
WIDTH, HEIGHT = 400, 480
IN_A_STUDY: dict[str, Any] = {
    "PatientName": "Gonçalves^José",
    "PatientID": "4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "M",
    "StudyInstanceUID": generate_uid(),
    "SeriesInstanceUID": generate_uid(),
    "StudyDate": "20261127",
    "StudyTime": "101500",
    "StudyID": "S1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Souza^Ana",
    "PatientOrientation": ["L", "F"],
    "BodyPartExamined": "CHEST",
    "SpecificCharacterSet": "ISO_IR 100",
}


def film(**elements: Any) -> bytes:
    """A radiograph in a study, whose patient has accents in Latin 1."""
    pixels = phantom(WIDTH, HEIGHT).astype(np.uint16) * 16
    return dicoms.film(pixels, **{**IN_A_STUDY, **elements})


def analysis(data: bytes, **changes: Any) -> Analysis:
    """An analysis that says COVID-19 and looks at one cell, the fourth of the third row."""
    grid = np.zeros((14, 14))
    grid[2, 3] = 5.0
    made = Analysis(
        id="0123456789abcdef",
        created_at=datetime(2026, 11, 27, 10, 20, tzinfo=UTC),
        input=read(data).input,
        filter=FilterResult(
            verdict=Verdict.FRONTAL_CHEST,
            valid=True,
            score=0.9987,
            threshold=0.99,
            scores=dict.fromkeys(VERDICTS, 0.0),
        ),
        prediction=Prediction(
            label=Finding.COVID19,
            probabilities=dict(zip(FINDINGS, (0.1, 0.25, 0.65), strict=True)),
            abnormal=0.9,
        ),
        heatmap=Heatmap(label=Finding.COVID19, grid=grid.tolist(), range=(0.0, 5.0)),
        heatmaps=None,
        projection=(0.0, 0.0, 0.0),
        models={each.name: each.digest for each in (FILTER, CLASSIFIER)},
        timing_ms=Timing(decode=1, filter=1, classify=1, total=3),
    )
    return made.model_copy(update=changes)


def result(data: bytes, *, language: str = "en", **changes: Any) -> Result:
    """The result of this film."""
    found = source.read(data, max_bytes=len(data))
    return Result(found, analysis(data, **changes), FILTER, CLASSIFIER, language)


def order(data: bytes, *, language: str = "en", report_alone: bool = False) -> Order:
    """An order of the objects of this film."""
    return Order(
        analysis=analysis(data),
        xray_filter=FILTER,
        covid_classifier=CLASSIFIER,
        language=language,
        report_alone=report_alone,
    )
