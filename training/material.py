"""What an evaluation works on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from chestxray.checkpoints import Card
from training import engine
from training.cache import Pixels
from training.datasets.records import Record
from training.examples import Examples, eval_batches


@dataclass(frozen=True)
class Material:
    """A network, and what it is measured on."""

    network: nn.Module
    card: Card
    records: Sequence[Record]
    pixels: Pixels
    device: torch.device

    def logits(self, chosen: Examples) -> torch.Tensor:
        """Float64 (N, C), as serving computes them but for rounding."""
        batches = eval_batches(self.pixels, chosen, size=self.card.preprocessing.size)
        return engine.predict(self.network, batches, self.device).double()
