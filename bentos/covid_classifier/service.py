"""CovidClassifier: three probabilities, the class activation maps and a place in the projection."""

from typing import Annotated, Any

import bentoml
import numpy as np
from bentoml.validators import DType

from bentos.http.bentoml_server import SERVICE_OPTIONS
from bentos.inference.service import ModelService
from bentos.metric_labels import Stage
from bentos.settings import LONGEST_REQUEST_SECONDS, get_settings
from chestxray import quantised
from chestxray.checkpoints import Card
from chestxray.engines import Outputs, softmax
from chestxray.labels import FINDINGS
from chestxray.preprocessing import SIZE
from chestxray.projection import PROJECTION_AXES

GRID = SIZE // 16  # the stem halves the side twice, each of two transitions once more
ROW = np.dtype(
    [
        ("ok", "?"),
        ("probabilities", "f4", (len(FINDINGS),)),
        ("cam", "f4", (len(FINDINGS), GRID, GRID)),
        ("projection", "f4", (PROJECTION_AXES,)),
    ]
)


@bentoml.service(**SERVICE_OPTIONS)
class CovidClassifier(ModelService):
    """Classifies frontal chest X-rays, in adaptive batches."""

    def __init__(self) -> None:
        settings = get_settings()
        super().__init__(
            quantised.name_in(settings.precision, "densenet121_blocks123"),
            settings.classifier_file,
            ROW,
            answer,
            digest=settings.classifier_digest,
            stage=Stage.CLASSIFY,
        )

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000 * LONGEST_REQUEST_SECONDS)
    async def classify(self, images: Annotated[np.ndarray, DType("uint8")]) -> list[dict[str, Any]]:
        """Takes preprocessed images, uint8 (B, 1, 224, 224); returns the fields of ROW for each."""
        return await self.infer(images)


def answer(reading: Outputs, card: Card) -> Outputs:
    """Turns a reading of (B, ...) into the fields of ROW."""
    return {
        "probabilities": softmax(reading["logits"], card.temperature),
        "cam": reading["cam"],
        "projection": reading["projection"],
    }
