"""Everything that can be wrong with an image or a model, as one tree.

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
│   └── NotAnXRay
├── ModelUnavailable
├── DeadlineExceeded
└── CheckpointError

`code` is stable: programs match on it and the page translates it.
"""

from chestxray.labels import Verdict
from chestxray.results import FilterResult


class AnalysisError(Exception):
    """Any reason why an image gets no prediction."""

    code = "analysis-failed"


class RejectedImage(AnalysisError):
    """The image itself is the reason."""

    code = "rejected-image"


class EmptyImage(RejectedImage):
    """There are no bytes."""

    code = "empty-image"


class ImageTooLarge(RejectedImage):
    """More bytes or pixels than allowed; `limit` is how many are."""

    code = "image-too-large"

    def __init__(self, message: str, *, limit: int) -> None:
        super().__init__(message)
        self.limit = limit


class ImageTooSmall(RejectedImage):
    """The film has so few pixels that the models would answer by chance."""

    code = "image-too-small"


class NotOneFilm(RejectedImage):
    """The picture is wider or higher than any single film of a chest."""

    code = "not-one-film"


class ImageTooCostly(RejectedImage):
    """Decoding would take, or took, more time or memory than a film does."""

    code = "image-too-costly"


class UnsupportedFormat(RejectedImage):
    """The bytes are in no format that is read here; `found` names theirs where it is known."""

    code = "unsupported-format"
    found = ""

    def __init__(self, message: str, *, found: str = "") -> None:
        super().__init__(message)
        self.found = found


class UnsupportedVariant(UnsupportedFormat):
    """The format is read, but not this kind of it, which `found` names; nothing is damaged."""

    code = "unsupported-variant"


class PolyglotFile(UnsupportedFormat):
    """The image is at the same time a file of another kind."""

    code = "polyglot-file"


class UnreadableImage(RejectedImage):
    """The format is known, but the bytes cannot be decoded."""

    code = "unreadable-image"


class BlankImage(UnreadableImage):
    """Every pixel has the same value, or none has one."""

    code = "blank-image"


class TruncatedImage(UnreadableImage):
    """The image ends before its format says that it does."""

    code = "truncated-image"


class MultiFrameImage(UnreadableImage):
    """An animation or a stack of pages in place of one picture."""

    code = "multi-frame-image"


class NotAnXRay(RejectedImage):
    """The filter does not take it for an upright frontal chest X-ray; `result` says why."""

    code = "not-a-frontal-chest-xray"

    def __init__(self, result: FilterResult) -> None:
        looks, advice = _VIEWS.get(_view(result), (f"looks like {result.verdict}", _SEND))
        super().__init__(
            f"the image {looks}: its score as frontal_chest is {result.score:.4f} of at least "
            f"{result.threshold:.4f}; {advice}"
        )
        self.result = result


_SEND = "send an upright frontal (AP or PA) chest X-ray"
_VIEWS: dict[str, tuple[str, str]] = {
    Verdict.FRONTAL_CHEST: (
        "is probably an upright frontal chest X-ray, but not surely enough",
        "send the whole film, upright, uncropped and without borders or marks",
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
        f"{_SEND}; if it is one, crop the image to the film",
    ),
    Verdict.NOT_XRAY: (
        "does not look like an X-ray, or not like one film (not_xray)",
        f"{_SEND}, the film alone and straight",
    ),
    Verdict.INVERTED: (
        "looks like a negative, with dark bones (inverted)",
        "exchange black and white, or export it with its polarity applied",
    ),
}
"""What an image of a view looks like, and what to do."""


def _view(result: FilterResult) -> str:
    """The verdict, or frontal_chest where that is likeliest and only below the threshold."""
    likeliest = max(result.scores, key=result.scores.__getitem__, default=result.verdict)
    uncertain = likeliest is Verdict.FRONTAL_CHEST and result.score < result.threshold
    return likeliest if uncertain else result.verdict


class ModelUnavailable(AnalysisError):
    """A model gave no answer for this image."""

    code = "model-unavailable"


class DeadlineExceeded(AnalysisError):
    """The caller's time was over before there was an answer."""

    code = "deadline-exceeded"


class CheckpointError(AnalysisError):
    """A checkpoint file is missing, corrupt, or not the one that is needed."""

    code = "checkpoint-unusable"
