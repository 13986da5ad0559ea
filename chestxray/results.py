"""Response models of the API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chestxray.labels import Finding, Verdict
from chestxray.versions import version_of

DIGITS = 4
"""Decimal digits of every number in a response. Decisions use the rounded numbers."""

DISCLAIMER = "Research use only. Not a diagnosis."
SOFTWARE = f"chestxray {version_of('chestxray')}"
"""Name and version of this program."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class FilterResult(_Wire):
    """Result of the filter; the image is valid if `score` is at least `threshold`."""

    verdict: Verdict
    valid: bool
    score: float = Field(description="Probability of frontal_chest")
    threshold: float
    scores: dict[Verdict, float]


class Prediction(_Wire):
    """Result of the classifier."""

    label: Finding
    probabilities: dict[Finding, float]
    abnormal: float = Field(description="Probability of any finding: 1 - that of no_finding")


class Heatmap(_Wire):
    """Class activation map of one class, 14x14, in units of its logit; row 0 is the top."""

    method: Literal["cam"] = "cam"
    label: Finding
    grid: list[list[float]]
    range: tuple[float, float] = Field(description="Minimum and maximum of the grid")


class Timing(_Wire):
    """Milliseconds per stage; filter and classify include queueing."""

    decode: float
    filter: float
    classify: float
    total: float


class Input(_Wire):
    """Properties of the image file, from its content."""

    format: str = Field(description="JPEG, PNG, TIFF, WEBP, BMP or DICOM")
    media_type: str
    width: int = Field(description="In pixels, as stored")
    height: int
    bits: int = Field(description="Per sample, as stored")
    colour: bool = Field(description="Whether stored in colour; analysed in greyscale")
    mislabelled: bool = Field(description="Whether the declared image type was wrong")
    film: tuple[float, float, float, float] | None = Field(
        None,
        description="Crop to the radiograph in the upright image: left, top, right, bottom as "
        "fractions of its width and height; null if not cropped",
    )


class Analysis(_Wire):
    """Analysis of an accepted image."""

    id: str
    created_at: datetime
    input: Input
    filter: FilterResult
    prediction: Prediction
    heatmap: Heatmap | None
    heatmaps: dict[Finding, Heatmap] | None = Field(
        None, description="Of every class, if requested"
    )
    projection: tuple[float, float, float]
    models: dict[str, str] = Field(description="Digest of each model's checkpoint")
    software: str = SOFTWARE
    timing_ms: Timing
    kept: Annotated[bool, Field(description="Whether the service keeps it and its picture")] = False
    expires_at: Annotated[datetime | None, Field(description="When a kept analysis is deleted")] = (
        None
    )
    disclaimer: str = DISCLAIMER


class KeptAnalysis(_Wire):
    """A kept analysis in a list."""

    id: str
    created_at: datetime
    expires_at: datetime
    prediction: Prediction
    models: dict[str, str] = Field(description="Digest of each model's checkpoint")
    software: str


class KeptAnalyses(_Wire):
    """Some of the caller's kept analyses, newest first."""

    analyses: list[KeptAnalysis]
    next: str | None = Field(description="Cursor of the next page; null after the last")
    disclaimer: str = DISCLAIMER


class Deleted(_Wire):
    """How many analyses were deleted."""

    deleted: int


class Problem(_Wire):
    """Why there is no analysis (RFC 9457), with a stable `code`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    disclaimer: str = DISCLAIMER
    found: str | None = Field(None, description="Format or variant of an unsupported file")
    filter: FilterResult | None = Field(None, description="If the filter rejected the image")
    limit: int | None = Field(None, description="The limit exceeded, in bytes, pixels or images")


class JobStatus(_Wire):
    """Images that are analysed when the service has capacity."""

    id: str
    state: Literal["queued", "finished", "cancelled"]
    created_at: datetime
    expires_at: datetime = Field(description="When the job is deleted with its results")
    total: int = Field(description="Its images")
    done: int = Field(description="Those with a result")
    disclaimer: str = DISCLAIMER


class JobList(_Wire):
    """The caller's jobs, newest first."""

    jobs: list[JobStatus]
    disclaimer: str = DISCLAIMER


class JobItem(_Wire):
    """One image of a job."""

    position: int = Field(description="In the order of the images, from 0")
    state: Literal["queued", "running", "done", "cancelled"]
    digest: str = Field(description="SHA-256 of the file; empty if it was not stored")
    result: Analysis | Problem | None = Field(None, description="When it is done")


class JobResults(_Wire):
    """Items of a job, in the order of its images."""

    items: list[JobItem]
    next: int | None = Field(description="First position of the next page; null after the last")
    disclaimer: str = DISCLAIMER


class BatchAnalysis(_Wire):
    """One analysis or problem per image, in the order of the request."""

    results: list[Analysis | Problem]
    disclaimer: str = DISCLAIMER


class Model(_Wire):
    """A deployed model and its evaluation metrics."""

    name: str
    version: str
    digest: str
    architecture: str
    labels: list[str]
    thresholds: dict[str, float]
    temperature: float
    metrics: dict[str, Any]
    caveats: list[str]


class Models(_Wire):
    """Both models, in pipeline order."""

    models: list[Model]
    disclaimer: str = DISCLAIMER


class Projection(_Wire):
    """Training images as points in the space of an analysis's `projection`; may be empty."""

    variance: list[float] = Field(description="Share of the total variance that each axis explains")
    labels: list[Finding]
    points: list[tuple[float, float, float]]
    model: str = Field(description="Digest of the checkpoint")
    disclaimer: str = DISCLAIMER


class Limits(_Wire):
    """Limits of an image, a larger one gets a problem instead of an analysis; and of keeping."""

    max_image_bytes: int
    max_image_pixels: int = Field(description="Width times height")
    max_webp_pixels: int = Field(description="For WebP, whose decoder needs more memory")
    max_images_per_batch: int
    media_types: list[str]
    keeps: bool = Field(description="Whether the service keeps an analysis if its caller asks")
    retention_hours: int | None = Field(
        description="How long an analysis is kept, unless its caller's key says otherwise; null "
        "if the service keeps none"
    )
    max_job_images: int | None = Field(description="Of one job; null if the service has none")
    max_job_bytes: int | None = Field(
        description="Of one job's images together, and of the body that carries them; null if the "
        "service has no jobs"
    )
    disclaimer: str = DISCLAIMER


class Example(_Wire):
    """An example image."""

    name: str
    url: str = Field(description="Relative to the page")
    thumbnail: str = Field(description="A small JPEG; relative to the page")
    synthetic: bool = Field(description="Drawn by code; shows no patient")


class Examples(_Wire):
    """The example images of the page."""

    examples: list[Example]
    disclaimer: str = DISCLAIMER
