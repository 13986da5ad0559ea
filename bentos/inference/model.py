"""A network with its checkpoint on one device: batches in, one row per image out."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from bentos.inference.wire import Rows
from bentos.metric_labels import ModelName
from bentos.metrics import get_metrics
from bentos.settings import get_settings
from chestxray import checkpoints
from chestxray.checkpoints import Card
from chestxray.engines import Engine, Images, Outputs, open_engine
from chestxray.errors import CheckpointError

logger = logging.getLogger(__name__)


class Model:
    """Answers batches (B, 1, SIZE, SIZE) with rows (B,); warm from the start."""

    def __init__(
        self,
        engine: Engine,
        card: Card,
        row: np.dtype[np.void],
        answer: Callable[[Outputs, Card], Outputs],
        digest: str = "",
    ) -> None:
        """`answer` turns the engine's outputs into the fields of a row. Raises CheckpointError."""
        self.card, self.digest = card, digest
        self._engine, self._row, self._answer = engine, row, answer
        self._warm_up(get_settings().max_model_batch)

    @classmethod
    def load(
        cls,
        architecture: str,
        checkpoint: Path,
        row: np.dtype[np.void],
        answer: Callable[[Outputs, Card], Outputs],
        *,
        wanted_digest: str = "",
    ) -> Self:
        """Loads a checkpoint, verified, on the device of the settings. Raises CheckpointError."""
        started, settings = time.monotonic(), get_settings()
        digest = checkpoints.verified_digest(checkpoint, wanted_digest)
        card = checkpoints.read_card(checkpoint)
        threads = settings.model_threads
        engine = open_engine(checkpoint, architecture, device=settings.device, threads=threads)
        model = cls(engine, card, row, answer, digest)
        name, metrics = ModelName(card.name), get_metrics()
        metrics.model_load_seconds.labels(name).set(time.monotonic() - started)
        metrics.model_info.labels(name, card.version, digest).set(1)
        return model

    @property
    def parallel(self) -> int:
        """Batches that run at once; if more than one, single images are the best batches."""
        return self._engine.parallel

    def __call__(self, images: Images, *, loaded: bool = False) -> Rows:
        """Answers every image by itself: if one fails, the others of its batch do not.

        On a machine that is `loaded`, with other images that wait or run, throughput counts.
        """
        started = time.monotonic()
        rows = self._infer_in_halves(images, loaded)
        name, metrics = ModelName(self.card.name), get_metrics()
        metrics.batch_size.labels(name).observe(len(images))
        metrics.batch_seconds.labels(name).observe(time.monotonic() - started)
        return rows

    def _infer_in_halves(self, images: Images, loaded: bool) -> Rows:
        """Halves a batch that fails until it is one image, so that neither a poisoned image nor a
        lack of memory fails more images than it must.
        """
        try:
            return self._infer(images, loaded)
        except Exception as error:  # whatever it is, it must not fail the other requests
            name, count = self.card.name, len(images)
            if count == 1:
                logger.exception("one image failed in %s", name)
                return np.zeros(1, self._row)
            logger.warning("%s images failed in %s (%s); halved", count, name, type(error).__name__)
        self._engine.free_memory()
        return np.concatenate(
            [self._infer_in_halves(half, loaded) for half in np.array_split(images, 2)]
        )

    def _infer(self, images: Images, loaded: bool = False) -> Rows:
        fields = self._answer(self._engine(images, loaded=loaded), self.card)
        rows = np.zeros(len(images), self._row)
        for name, values in fields.items():
            rows[name] = values
        finite = [np.isfinite(rows[name]).reshape(len(rows), -1).all(axis=1) for name in fields]
        rows["ok"] = np.logical_and.reduce(finite)
        return rows

    def _warm_up(self, largest: int) -> None:
        size = self.card.preprocessing.size
        sizes = {1, largest}
        if self._engine.on_gpu:  # kernels are chosen for each size
            sizes |= {2**i for i in range(largest.bit_length())}
        for batch in sorted(sizes):
            rows = self._infer(np.zeros((batch, 1, size, size), np.uint8))
            if not rows["ok"].all():
                raise CheckpointError(f"{self.card.name} gives no finite answer to a blank image")
