"""XRayFilter: which verdict has an image, and how sure is it?"""

import asyncio

import bentoml
import numpy as np

from bentos.inference.model import BATCHED, MODEL_OPTIONS, Runner
from bentos.process import heartbeat
from bentos.settings import get_settings
from chestxray.checkpoints import Card
from chestxray.engines import Outputs, softmax
from chestxray.labels import VERDICTS

ROW = np.dtype([("ok", "?"), ("probabilities", "f4", (len(VERDICTS),))])


def answer(outputs: Outputs, card: Card) -> Outputs:
    """Turns logits (B, 8) into the fields of ROW."""
    return {"probabilities": softmax(outputs["logits"], card.temperature)}


@bentoml.service(**MODEL_OPTIONS)
class XRayFilter:
    """The runner of the filter network."""

    def __init__(self) -> None:
        settings = get_settings()
        self._runner = Runner.load(
            "mobilenet_v2",
            settings.filter_checkpoint,
            ROW,
            answer,
            wanted_digest=settings.filter_digest,
        )

    @bentoml.on_startup
    async def start_heartbeat(self) -> None:
        """Shows the supervisor that this process lives."""
        self._heartbeat = asyncio.create_task(heartbeat.beat())

    @bentoml.api(**BATCHED)
    def judge(self, images: np.ndarray) -> np.ndarray:
        """Takes uint8 (B, 1, 224, 224), returns ROW (B,)."""
        return self._runner(images)
