"""Everything that can be wrong with an image or a model, as one tree.

AnalysisError
├── RejectedImage
│   ├── EmptyImage
│   ├── ImageTooLarge
│   ├── ImageTooCostly
│   ├── UnsupportedFormat
│   │   ├── MislabelledImage
│   │   └── PolyglotFile
│   ├── UnreadableImage
│   │   ├── UnsupportedDepth
│   │   ├── TruncatedImage
│   │   └── MultiFrameImage
│   └── NotAnXRay
├── ModelUnavailable
├── DeadlineExceeded
└── CheckpointError

`code` is stable: programs match on it and the page translates it.
"""

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


class ImageTooCostly(RejectedImage):
    """Decoding would take, or took, more time or memory than a film does."""

    code = "image-too-costly"


class UnsupportedFormat(RejectedImage):
    """The bytes are in no format that is read here."""

    code = "unsupported-format"


class MislabelledImage(UnsupportedFormat):
    """The declared media type is not what the bytes are."""

    code = "mislabelled-image"


class PolyglotFile(UnsupportedFormat):
    """The image is at the same time a file of another kind."""

    code = "polyglot-file"


class UnreadableImage(RejectedImage):
    """The format is known, but the bytes cannot be decoded."""

    code = "unreadable-image"


class UnsupportedDepth(UnreadableImage):
    """16-bit colour whose upper bits are empty: nothing would be left of it in 8 bits."""

    code = "unsupported-depth"


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
        super().__init__(
            f"the image looks like {result.verdict}; its score as frontal_chest is "
            f"{result.score:.4f}, and at least {result.threshold:.4f} is needed"
        )
        self.result = result


class ModelUnavailable(AnalysisError):
    """A model gave no answer for this image."""

    code = "model-unavailable"


class DeadlineExceeded(AnalysisError):
    """The caller's time was over before there was an answer."""

    code = "deadline-exceeded"


class CheckpointError(AnalysisError):
    """A checkpoint file is missing, corrupt, or not the one that is needed."""

    code = "checkpoint-unusable"
