"""One image on its way through the pipeline."""

from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from bentos.gateway.uploads import Upload
from chestxray.errors import AnalysisError, ModelUnavailable
from chestxray.results import Analysis, FilterResult, Input

Heatmaps = Literal["cam", "all", "none"]
"""Which class activation maps an analysis has: the likeliest class's, every class's, none."""


@dataclass
class ImageTask:
    """One image on its way; it has either an analysis or an error at the end."""

    upload: Upload
    begun: bool = False
    error: AnalysisError | None = None
    input: Input | None = None
    picture: Image.Image | None = None  # for drawing, mode L
    filter: FilterResult | None = None
    analysis: Analysis | None = None
    drawn: bytes | None = None  # the heatmap over the picture, PNG, once it is drawn
    milliseconds: dict[str, float] = field(default_factory=dict)

    @property
    def result(self) -> Analysis:
        """The analysis; raises the error where there is one."""
        if self.analysis is None:
            raise self.error or ModelUnavailable("the analysis did not end")
        return self.analysis
