"""The evaluation set: a network with the images and labels to evaluate it on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from chestxray import checkpoints
from chestxray.checkpoints import Card
from training import engine
from training.cache import Pixels
from training.datasets.records import Record
from training.examples import Examples, eval_batches
from training.run import BEST, Run


@dataclass(frozen=True)
class EvaluationSet:
    """A network and its evaluation data; caches predictions."""

    network: nn.Module
    card: Card
    records: Sequence[Record]
    pixels: Pixels
    device: torch.device
    _logits: dict[tuple[bytes, bytes, bool], torch.Tensor] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @classmethod
    def from_run(cls, run: Run, network: nn.Module) -> "EvaluationSet":
        """The run's best weights, evaluated at the size that it was trained at."""
        best = run.folder / BEST
        card = checkpoints.read_card(best)
        preprocessing = replace(card.preprocessing, size=run.config.size)
        loaded = checkpoints.load(best, network).to(run.device)
        at_size = card.model_copy(update={"preprocessing": preprocessing})
        return cls(loaded, at_size, run.records, run.pixels, run.device)

    def with_card(self, card: Card) -> "EvaluationSet":
        """The same network and images with a different card; keeps cached predictions."""
        other = replace(self, card=card)
        other._logits.update(self._logits)
        return other

    @property
    def digest(self) -> str:
        """Digest of the weights in memory."""
        sums = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            sums.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        return "weights sha256:" + sums.hexdigest()

    def logits(self, chosen: Examples, *, flipped: bool = False) -> torch.Tensor:
        """Float64 logits (N, C), as in serving up to rounding; optionally of mirrored images.

        Cached, because an evaluation needs the same images more than once.
        """
        key = (chosen.rows.tobytes(), chosen.turns.tobytes(), flipped)
        if key not in self._logits:
            self._logits[key] = self._infer(chosen, flipped)
        return self._logits[key]

    def _infer(self, chosen: Examples, flipped: bool) -> torch.Tensor:
        batches = eval_batches(self.pixels, chosen, size=self.card.preprocessing.size)
        if flipped:
            batches = (batch._replace(images=batch.images.flip(-1)) for batch in batches)
        return engine.predict(self.network, batches, self.device).double()
