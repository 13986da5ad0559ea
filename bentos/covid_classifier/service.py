"""CovidClassifier: three probabilities, the class activation maps, a place in the projection."""

import asyncio

import bentoml
import numpy as np

from bentos.inference.model import BATCHED, MODEL_OPTIONS, Runner
from bentos.process import heartbeat
from bentos.settings import get_settings
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


def answer(reading: Outputs, card: Card) -> Outputs:
    """Turns a reading of (B, ...) into the fields of ROW."""
    return {
        "probabilities": softmax(reading["logits"], card.temperature),
        "cam": reading["cam"],
        "projection": reading["projection"],
    }


@bentoml.service(**MODEL_OPTIONS, threads=2)
class CovidClassifier:
    """The runner of the classifier network."""

    def __init__(self) -> None:
        settings = get_settings()
        self._runner = Runner.load(
            "densenet121_blocks123",
            settings.classifier_checkpoint,
            ROW,
            answer,
            wanted_digest=settings.classifier_digest,
        )

    @bentoml.on_startup
    async def start_heartbeat(self) -> None:
        """Shows the supervisor that this process lives."""
        self._heartbeat = asyncio.create_task(heartbeat.beat())

    @bentoml.api(**BATCHED)
    def classify(self, images: np.ndarray) -> np.ndarray:
        """Takes uint8 (B, 1, 224, 224), returns ROW (B,)."""
        return self._runner(images)

    @bentoml.api(**BATCHED)
    def classify_beside(self, images: np.ndarray) -> np.ndarray:
        """The same while a batch of the other is under way: BentoML runs one of each method."""
        return self._runner(images)
