"""What the service answers, in the fields of `chestxray.results`, without Pydantic.

A test compares the two. Labels are text, so that a later service may have more of them.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FilterResult:
    """Result of the filter; the image is valid if `score` is at least `threshold`."""

    verdict: str
    valid: bool
    score: float
    threshold: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Prediction:
    """Result of the classifier; `abnormal` is the probability of any finding."""

    label: str
    probabilities: dict[str, float]
    abnormal: float


@dataclass(frozen=True)
class Heatmap:
    """Class activation map of one class, in units of its logit; row 0 of `grid` is the top."""

    method: str
    label: str
    grid: list[list[float]]
    range: tuple[float, float]


@dataclass(frozen=True)
class Timing:
    """Milliseconds per stage; filter and classify include queueing."""

    decode: float
    filter: float
    classify: float
    total: float


@dataclass(frozen=True)
class Input:
    """Properties of the image file, as it is stored.

    `film` is the crop to the radiograph: left, top, right and bottom as fractions of the
    upright image's width and height; None if it was not cropped.
    """

    format: str
    media_type: str
    width: int
    height: int
    bits: int
    colour: bool
    mislabelled: bool
    film: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Analysis:
    """Analysis of an accepted image."""

    id: str
    created_at: datetime
    input: Input
    filter: FilterResult
    prediction: Prediction
    heatmap: Heatmap | None
    projection: tuple[float, float, float]
    models: dict[str, str]
    timing_ms: Timing
    disclaimer: str
    heatmaps: dict[str, Heatmap] | None = None
    software: str = ""
    kept: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Problem:
    """Why there is no analysis (RFC 9457), with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    disclaimer: str = ""
    found: str | None = None
    filter: FilterResult | None = None
    limit: int | None = None


@dataclass(frozen=True)
class KeptAnalysis:
    """What the list says of a kept analysis."""

    id: str
    created_at: datetime
    expires_at: datetime
    prediction: Prediction
    models: dict[str, str]
    software: str = ""


@dataclass(frozen=True)
class JobStatus:
    """A job: images that are analysed when the service has capacity; `done` have a result."""

    id: str
    state: str
    created_at: datetime
    expires_at: datetime
    total: int
    done: int
    disclaimer: str = ""


@dataclass(frozen=True)
class JobItem:
    """One image of a job, whose images are counted from 0; None until it has a result."""

    position: int
    state: str
    digest: str
    result: Analysis | Problem | None = None
