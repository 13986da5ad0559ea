"""Cross-entropy as the paper weights and smooths it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def class_weights(counts: Sequence[int]) -> Tensor:
    """Returns float32 (C,): N_max / N_c, so that rare classes weigh more.

    Equation 1 of the paper has N_c / N_max, which would do the opposite; the authors' code
    has this.
    """
    tensor = torch.tensor(counts, dtype=torch.float32)
    return tensor.max() / tensor.clamp(min=1)


def smooth_cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None
) -> Tensor:
    """Mean loss of logits (B, C); int64 labels (B,) soften to y(1-a) + a/C (paper, 4.2)."""
    return functional.cross_entropy(logits, labels, weights, label_smoothing=smoothing)
