"""What both model services are: one network on one device, asked in batches, item by item safe."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bentos.metrics import get_metrics
from bentos.settings import LONGEST_REQUEST_SECONDS, Settings, get_settings
from chestxray import checkpoints
from chestxray.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

Images = npt.NDArray[np.uint8]  # (B, 1, SIZE, SIZE)
Rows = npt.NDArray[np.void]  # (B,) of a structured dtype with a field `ok`

BENTOML_TIMEOUT_SECONDS = 2 * LONGEST_REQUEST_SECONDS
"""Above every deadline of ours, so that our own answer comes first (trap 17)."""

# What every depended-on service is declared with. The session to a runner must outlive its
# requests (trap 1), and BentoML must never shed on its own (trap 4): admission is the gateway's.
RUNNER_OPTIONS: dict[str, Any] = {
    "workers": 1,
    "traffic": {"timeout": BENTOML_TIMEOUT_SECONDS},
    "logging": {"access": {"enabled": False}},  # the gateway's log has every request once
    "runner_connection": {"max_requests": 10**9, "max_age": 1e9},
}
MAX_QUEUE_MS = 1000 * BENTOML_TIMEOUT_SECONDS
"""Longest wait in BentoML's batch queue before it sheds."""


class Runner:
    """Loads one checkpoint, warms it up, and answers batches with one row per image."""

    def __init__(
        self,
        network: "nn.Module",
        checkpoint: Path,
        row: np.dtype[np.void],
        answer: Callable[[Any, checkpoints.Card], dict[str, "Tensor"]],
        *,
        wanted_digest: str = "",
    ) -> None:
        import torch

        started = time.monotonic()
        settings = get_settings()
        # More threads than cores wait for each other at the end of every layer.
        torch.set_num_threads(settings.torch_threads or max(1, torch.get_num_threads() // 2))
        digest = checkpoints.verified_digest(checkpoint, wanted_digest)
        self.card = checkpoints.read_card(checkpoint)
        self.device = _device(settings)
        network = checkpoints.load(checkpoint, network).eval()
        self._network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._row, self._answer = row, answer
        self._warm_up(settings.max_model_batch)
        get_metrics().model_load_seconds.labels(self.card.name).set(time.monotonic() - started)
        get_metrics().model_info.labels(self.card.name, self.card.version, digest).set(1)

    def __call__(self, images: Images) -> Rows:
        """Answers every image apart: where one fails, the others of its batch do not."""
        started = time.monotonic()
        rows = self._infer_in_halves(images)
        metrics = get_metrics()
        metrics.batch_size.labels(self.card.name).observe(len(images))
        metrics.batch_seconds.labels(self.card.name).observe(time.monotonic() - started)
        return rows

    def _infer_in_halves(self, images: Images) -> Rows:
        """Halves what fails until it is one image: so neither poison nor want of memory harms more
        images than it must.
        """
        try:
            return self._infer(images)
        except Exception as error:  # whatever it is, it must not take the other callers down
            name, count = self.card.name, len(images)
            if count == 1:
                logger.exception("one image failed in %s", name)
                return np.zeros(1, self._row)
            logger.warning("%s images failed in %s (%s); halved", count, name, type(error).__name__)
        self._free_memory()
        return np.concatenate([self._infer_in_halves(half) for half in np.array_split(images, 2)])

    def _free_memory(self) -> None:
        import torch

        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _infer(self, images: Images) -> Rows:
        import torch

        on_gpu = self.device.type == "cuda"
        half = torch.bfloat16 if on_gpu and torch.cuda.is_bf16_supported() else torch.float16
        with torch.inference_mode(), torch.autocast("cuda", half, enabled=on_gpu):
            # BentoML hands out read-only buffers; torch warns of those, and nothing writes here.
            tensor = torch.from_numpy(images if images.flags.writeable else images.copy())
            fields = self._answer(self._network(tensor.to(self.device)), self.card)
        rows = np.zeros(len(images), self._row)
        for name, values in fields.items():
            rows[name] = values.float().cpu().numpy()
        finite = [np.isfinite(rows[name]).reshape(len(rows), -1).all(axis=1) for name in fields]
        rows["ok"] = np.logical_and.reduce(finite)
        return rows

    def _warm_up(self, largest: int) -> None:
        size = self.card.preprocessing.size
        sizes = {1, largest}
        if self.device.type == "cuda":  # kernels are chosen for each size
            sizes |= {2**i for i in range(largest.bit_length())}
        for batch in sorted(sizes):
            rows = self._infer(np.zeros((batch, 1, size, size), np.uint8))
            if not rows["ok"].all():
                raise CheckpointError(f"{self.card.name} gives no finite answer to a blank image")


def _device(settings: Settings) -> Any:
    import torch

    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(settings.device)
