"""Exception tree for images and models.

AnalysisError
├── RejectedImage
│   ├── EmptyImage
│   ├── ImageTooLarge
│   ├── ImageTooSmall
│   ├── NotOneFilm
│   ├── ImageTooCostly
│   ├── UnsupportedFormat
│   │   ├── UnsupportedVariant
│   │   └── PolyglotFile
│   ├── UnreadableImage
│   │   ├── BlankImage
│   │   ├── TruncatedImage
│   │   └── MultiFrameImage
│   ├── OtherExamination
│   └── NotAnXRay
├── ModelUnavailable
└── DeadlineExceeded

`code` is stable: clients match on it, and the web page translates it.
"""

from chestxray.labels import Verdict
from chestxray.results import FilterResult


class AnalysisError(Exception):
    """The analysis of an image failed."""

    code = "analysis-failed"


class RejectedImage(AnalysisError):
    """The image cannot be analysed; `found` names what was sent instead, where that is known."""

    code = "rejected-image"
    found = ""

    def __init__(self, message: str, *, found: str = "") -> None:
        super().__init__(message)
        if found:
            self.found = found


class EmptyImage(RejectedImage):
    """The image has no bytes."""

    code = "empty-image"


class ImageTooLarge(RejectedImage):
    """The image has more bytes or pixels than `limit`."""

    code = "image-too-large"

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class ImageTooSmall(RejectedImage):
    """The radiograph has too few pixels for the models."""

    code = "image-too-small"


class NotOneFilm(RejectedImage):
    """The aspect ratio is not that of a single chest radiograph."""

    code = "not-one-film"


class ImageTooCostly(RejectedImage):
    """Decoding exceeded, or would exceed, the limit on time or memory."""

    code = "image-too-costly"


class UnsupportedFormat(RejectedImage):
    """The format is not supported; `found` is its name, if known."""

    code = "unsupported-format"


class UnsupportedVariant(UnsupportedFormat):
    """The format is supported, but not this variant, which `found` names; the file is intact."""

    code = "unsupported-variant"


class PolyglotFile(UnsupportedFormat):
    """The file is valid in another format as well."""

    code = "polyglot-file"


class UnreadableImage(RejectedImage):
    """The format is supported, but the file cannot be decoded."""

    code = "unreadable-image"


class BlankImage(UnreadableImage):
    """Every pixel has the same value, or no pixel has a finite one."""

    code = "blank-image"


class TruncatedImage(UnreadableImage):
    """The file ends early."""

    code = "truncated-image"


class MultiFrameImage(UnreadableImage):
    """The file is an animation or has several pages."""

    code = "multi-frame-image"


class OtherExamination(RejectedImage):
    """A DICOM header says that it is no frontal chest radiograph; `found` is what it says."""

    code = "other-examination"


class NotAnXRay(RejectedImage):
    """The filter rejected the image; `result` has its verdict and scores."""

    code = "not-a-frontal-chest-xray"

    def __init__(self, result: FilterResult) -> None:
        looks, advice = _VIEWS.get(_view(result), (f"looks like {result.verdict}", _SEND))
        super().__init__(
            f"the image {looks}: its score for frontal_chest is {result.score:.4f}, below the "
            f"threshold of {result.threshold:.4f}; {advice}"
        )
        self.result = result


_SEND = "send an upright frontal (AP or PA) chest X-ray"
_VIEWS: dict[str, tuple[str, str]] = {
    Verdict.FRONTAL_CHEST: (
        "is probably an upright frontal chest X-ray, but the filter is not certain enough",
        "send the whole radiograph, upright, uncropped, and without borders or annotations",
    ),
    Verdict.ROTATED_90: (
        "looks like a frontal chest X-ray turned by 90 degrees clockwise",
        "turn it by 90 degrees counter-clockwise",
    ),
    Verdict.ROTATED_180: (
        "looks like a frontal chest X-ray turned by 180 degrees",
        "turn it by 180 degrees",
    ),
    Verdict.ROTATED_270: (
        "looks like a frontal chest X-ray turned by 90 degrees counter-clockwise",
        "turn it by 90 degrees clockwise",
    ),
    Verdict.LATERAL_CHEST: ("looks like a chest X-ray from the side (lateral)", _SEND),
    Verdict.OTHER_XRAY: (
        "looks like an X-ray of something else (other_xray)",
        f"{_SEND}; if it is one, crop the image to the radiograph",
    ),
    Verdict.NOT_XRAY: (
        "does not look like a single X-ray (not_xray)",
        f"{_SEND}, one radiograph, cropped and straight",
    ),
    Verdict.INVERTED: (
        "looks like a negative, with dark bones (inverted)",
        "invert it, or export it with its polarity applied",
    ),
}
"""Description and advice, by view."""


def _view(result: FilterResult) -> str:
    """Returns frontal_chest if it has the highest score but is below the threshold; else the
    verdict.
    """
    likeliest = max(result.scores, key=result.scores.__getitem__, default=result.verdict)
    uncertain = likeliest is Verdict.FRONTAL_CHEST and result.score < result.threshold
    return likeliest if uncertain else result.verdict


class ModelUnavailable(AnalysisError):
    """A model returned no result for this image."""

    code = "model-unavailable"


class DeadlineExceeded(AnalysisError):
    """The request's deadline passed before there was a result."""

    code = "deadline-exceeded"


class CheckpointError(Exception):
    """A checkpoint file is missing, corrupt, or the wrong one: the service cannot start."""
