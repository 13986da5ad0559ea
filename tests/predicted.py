"""What decoding is predicted to cost."""

from chestxray import containers
from chestxray.dicom import dataset, film

_MAX_BYTES = 2**30


def predicted_seconds(data: bytes) -> float:
    """The estimate of CPU time that a file is refused by. Raises AnalysisError."""
    format_ = containers.sniff(data) or ""
    if format_ == "DICOM":
        return film.find(dataset.parse(data, max_bytes=_MAX_BYTES)).seconds
    return containers.check(data, format_).seconds
