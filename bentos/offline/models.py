"""Both models in this process, each behind the batcher that the services use."""

import sys

from bentos.covid_classifier import service as covid_classifier
from bentos.gateway.pipeline import Served
from bentos.inference.batcher import Batcher
from bentos.inference.model import Model
from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName, ModelStage, Stage
from bentos.settings import Settings
from bentos.xray_filter import service as xray_filter
from chestxray import quantised
from chestxray.engines import Images

_SECONDS = 600.0
"""Nobody waits for a single image, so a model may take as long as the slowest machine needs."""


class LocalModels:
    """Implements the pipeline's `Models` without another process."""

    def __init__(self, settings: Settings) -> None:
        """Loads both models, on the device of the settings. Raises CheckpointError."""
        self._filter = Model.load(
            "mobilenet_v2",
            settings.filter_checkpoint,
            xray_filter.ROW,
            xray_filter.answer,
            wanted_digest=settings.filter_digest,
        )
        self._classifier = Model.load(
            quantised.name_in(settings.precision, "densenet121_blocks123"),
            settings.classifier_file,
            covid_classifier.ROW,
            covid_classifier.answer,
            wanted_digest=settings.classifier_digest,
        )
        self._judge = _batcher(self._filter, Stage.FILTER, settings)
        self._classify = _batcher(self._classifier, Stage.CLASSIFY, settings)

    @property
    def served(self) -> list[Served]:
        """The cards and digests of the filter and the classifier."""
        return [Served(each.card, each.digest) for each in (self._filter, self._classifier)]

    @property
    def parallel(self) -> int:
        """Images that should be in flight so that no model waits."""
        return max(each.parallel for each in (self._filter, self._classifier))

    async def judge(self, images: Images) -> Rows:
        """Asks the filter."""
        return (await self._judge(images, seconds=_SECONDS, loaded=True)).rows

    async def classify(self, images: Images) -> Rows:
        """Asks the classifier."""
        return (await self._classify(images, seconds=_SECONDS, loaded=True)).rows

    def remote_slots(self) -> int:
        """No other machine helps."""
        return 0


def _batcher(model: Model, stage: ModelStage, settings: Settings) -> Batcher:
    return Batcher(
        model,
        model=ModelName(model.card.name),
        stage=stage,
        max_batch=settings.max_model_batch if model.parallel == 1 else 1,
        max_waiting=sys.maxsize,  # what is in flight is bounded before
        parallel=model.parallel,
    )
