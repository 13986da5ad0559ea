"""XRayFilter: what kind of image it is, and whether it is a frontal chest X-ray."""

import bentoml
import numpy as np

from bentos.http.bentoml_server import SERVICE_OPTIONS
from bentos.inference.service import ModelService
from bentos.metric_labels import Stage
from bentos.settings import LONGEST_REQUEST_SECONDS, get_settings
from chestxray.checkpoints import Card
from chestxray.engines import Outputs, softmax
from chestxray.labels import VERDICTS

ROW = np.dtype([("ok", "?"), ("probabilities", "f4", (len(VERDICTS),))])


@bentoml.service(**SERVICE_OPTIONS)
class XRayFilter(ModelService):
    """Judges images of any kind, in adaptive batches."""

    def __init__(self) -> None:
        settings = get_settings()
        super().__init__(
            "mobilenet_v2",
            settings.filter_checkpoint,
            ROW,
            answer,
            digest=settings.filter_digest,
            stage=Stage.FILTER,
        )

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1000 * LONGEST_REQUEST_SECONDS)
    async def judge(self, images: np.ndarray) -> np.ndarray:
        """Takes uint8 (B, 1, 224, 224), returns ROW (B,)."""
        return await self.infer(images)


def answer(outputs: Outputs, card: Card) -> Outputs:
    """Turns logits (B, 8) into the fields of ROW."""
    return {"probabilities": softmax(outputs["logits"], card.temperature)}
