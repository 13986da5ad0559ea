"""What is answered over the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chestxray.labels import Finding, Verdict

DIGITS = 4
"""Of every number answered; what is decided is decided on what is shown."""

DISCLAIMER = "Research use only. Not a diagnosis."


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True)


class FilterResult(_Wire):
    """What the filter says; the image is valid where score reaches threshold."""

    verdict: Verdict
    valid: bool
    score: float = Field(description="Probability of frontal_chest")
    threshold: float
    scores: dict[Verdict, float]


class Prediction(_Wire):
    """What the classifier says."""

    label: Finding
    probabilities: dict[Finding, float]
    abnormal: float = Field(description="Probability of any finding: 1 - that of no_finding")


class Heatmap(_Wire):
    """The raw class activation map of one class; row 0 is the top of the image."""

    method: Literal["cam"] = "cam"
    label: Finding
    grid: list[list[float]]
    range: tuple[float, float]


class Timing(_Wire):
    """Milliseconds."""

    decode: float
    filter: float
    classify: float
    total: float


class Input(_Wire):
    """What the image file was, by its bytes."""

    format: str = Field(description="JPEG, PNG, TIFF, WEBP or BMP")
    media_type: str
    width: int = Field(description="In pixels, as stored")
    height: int
    bits: int = Field(description="Of each sample, as stored")
    colour: bool = Field(description="Stored in colours; read as grey")
    mislabelled: bool = Field(description="Sent as an image of another type; its bytes counted")
    film: tuple[float, float, float, float] | None = Field(
        None,
        description="Where the film lies in the upright picture, if not all of it is the film: "
        "left, top, right, bottom, in parts of its width and height",
    )


class Analysis(_Wire):
    """The answer for one accepted image."""

    id: str
    created_at: datetime
    kept: bool = False
    input: Input
    filter: FilterResult
    prediction: Prediction
    heatmap: Heatmap | None
    heatmaps: dict[Finding, Heatmap] | None = Field(None, description="Of every class, if asked")
    projection: tuple[float, float, float]
    models: dict[str, str] = Field(description="Digest of each model's checkpoint")
    timing_ms: Timing
    disclaimer: str = DISCLAIMER


class Problem(_Wire):
    """Why there is no answer (RFC 9457), with a stable `code`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    disclaimer: str = DISCLAIMER
    found: str | None = Field(None, description="Format of a file that is not read, or its kind")
    filter: FilterResult | None = Field(None, description="Where the filter refused the image")
    limit: int | None = Field(
        None, description="Where the code is about one: bytes, pixels, images"
    )


class BatchAnalysis(_Wire):
    """One analysis or one problem per image, in the order in which they came."""

    results: list[Analysis | Problem]
    disclaimer: str = DISCLAIMER


class Model(_Wire):
    """One served model: what it is and how well it did."""

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
    """Both models, in the order in which an image meets them."""

    models: list[Model]
    disclaimer: str = DISCLAIMER


class Projection(_Wire):
    """Training images as points, in the space of `projection` in an analysis; empty where the
    checkpoint has none.
    """

    variance: list[float] = Field(description="Each axis's share of the embeddings' variance")
    labels: list[Finding]
    points: list[tuple[float, float, float]]
    model: str = Field(description="Digest of the checkpoint that they belong to")
    disclaimer: str = DISCLAIMER


class Limits(_Wire):
    """What an image may be; beyond it there is a problem in place of an analysis."""

    max_image_bytes: int
    max_image_pixels: int = Field(description="Width times height")
    max_webp_pixels: int = Field(description="Of a WebP image, whose decoder needs more memory")
    max_images_per_batch: int
    media_types: list[str]
    disclaimer: str = DISCLAIMER


class Example(_Wire):
    """An image to try."""

    name: str
    url: str = Field(description="Relative to the page")
    thumbnail: str = Field(description="A small JPEG of it")
    synthetic: bool = Field(description="Drawn by code; it shows no patient")


class Examples(_Wire):
    """The images that the page offers to try."""

    examples: list[Example]
    disclaimer: str = DISCLAIMER
