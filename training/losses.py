"""Losses: those of the paper, and the others that were compared."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


def class_weights(
    counts: Sequence[int], *, rule: Literal["inverse", "as_printed"] = "inverse"
) -> Tensor:
    """Returns float32 (C,): N_max / N_c, so that rare classes weigh more.

    Equation 1 of the paper has N_c / N_max (`as_printed`), which would reduce the weight of
    COVID-19; the authors' code has the inverse.
    """
    tensor = torch.tensor(counts, dtype=torch.float32).clamp(min=1)
    printed = tensor / tensor.max()
    return printed if rule == "as_printed" else 1 / printed


def smooth_cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy (B,) of logits (B, C); int64 labels (B,) are smoothed to y(1-a) + a/C (paper,
    4.2).

    With class weights, the weights of a batch's labels are scaled to a mean of one.
    """
    losses = functional.cross_entropy(
        logits, labels, weights, label_smoothing=smoothing, reduction="none"
    )
    return losses if weights is None else losses / weights[labels].mean()


def paper_cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None
) -> Tensor:
    """Losses (B,) of the paper's equation 2, which also penalises evidence for other classes.

    -sum over classes of w y log(p) + (1 - y) log(1 - p), with y smoothed as in
    `smooth_cross_entropy`.
    """
    classes = logits.shape[1]
    soft = functional.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes  # (B, C)
    log_p = logits.float().log_softmax(dim=1)
    log_not_p = torch.log1p(-log_p.exp().clamp(max=1 - 1e-6))
    scale = torch.ones(classes, device=logits.device) if weights is None else weights
    return -(scale * soft * log_p + (1 - soft) * log_not_p).sum(dim=1)


def set_cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """Losses (B,) of logits (B, 3) with partial labels: an image may only be known to be abnormal.

    `wanted` (B, 4) has the probabilities of no finding, opacity, COVID-19, and of the set of the
    last two: -sum over sets of q log(sum of p in the set) (Cour et al. 2011, JMLR 12, 1501-1536).
    By the chain rule this is the loss of normal against abnormal plus that of the kind of opacity.
    """
    log_p = logits.float().log_softmax(dim=1)
    abnormal = log_p[:, 1:].logsumexp(dim=1, keepdim=True)
    return -(wanted * torch.cat([log_p, abnormal], dim=1)).sum(dim=1)


MapRule = Literal["balanced", "focal", "dice", "inside"]
"""Kinds of map supervision; see `map_loss`."""
_FOCUS = 2.0


def map_loss(cam: Tensor, bias: Tensor, regions: Tensor, *, rule: MapRule = "balanced") -> Tensor:
    """Losses (B,) of maps (B, 3, h, w) against regions (B, 2, H, W) of opacities and lungs.

    A cell's score is logsumexp(opacity, COVID-19) - no finding. If opacities are annotated they are
    the targets; if only the lungs are, cells outside of them are negatives.

    balanced: binary cross-entropy with equal weight for the cells inside and outside. focal: the
    same, with less weight for cells that are already right (Lin et al. 2017, arXiv:1708.02002).
    dice: one minus the soft Dice coefficient (Milletari et al. 2016, arXiv:1606.04797). inside:
    cross-entropy of the share of the softmax over all cells that is inside, plus the cross-entropy
    of the cells outside.
    """
    scores = cam.float() + bias.view(1, -1, 1, 1)
    evidence = scores[:, 1:].logsumexp(dim=1) - scores[:, 0]  # (B, h, w)
    pooled = functional.adaptive_avg_pool2d(regions, (evidence.shape[1], evidence.shape[2]))
    opacities, lungs = pooled[:, 0], pooled[:, 1]
    yes, no = functional.softplus(-evidence), functional.softplus(evidence)
    if rule == "focal":
        yes, no = yes * (-evidence).sigmoid() ** _FOCUS, no * evidence.sigmoid() ** _FOCUS
    inside = opacities.clamp(min=0)
    outside = torch.where(opacities < 0, ((lungs >= 0) & (lungs < 0.05)).float(), 1 - inside)
    found = _mean(no, outside)
    drawn = inside.sum(dim=(1, 2)) > 0
    if rule == "dice":
        return torch.where(drawn, _dice(evidence.sigmoid(), inside), found / 2)
    if rule == "inside":
        share = (evidence.flatten(1).log_softmax(dim=1).exp() * inside.flatten(1)).sum(dim=1)
        return (torch.where(drawn, -(share + 1e-6).log(), 0.0) + found) / 2
    return (_mean(yes, inside) + found) / 2


def _dice(cells: Tensor, inside: Tensor) -> Tensor:
    """One minus the soft Dice coefficient (B,) of cells (B, h, w) and the covered share."""
    both = (cells * inside).sum(dim=(1, 2))
    return 1 - (2 * both + 1) / (cells.sum(dim=(1, 2)) + inside.sum(dim=(1, 2)) + 1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted means (B,) over the cells of (B, h, w); 0 if all weights are 0."""
    return (values * weights).sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp(min=1)


def distillation_loss(
    losses: Tensor, logits: Tensor, soft_targets: Tensor, *, share: float
) -> Tensor:
    """Mixes losses (B,) with the cross-entropy to the ensemble's mean probabilities (B, C).

    Distillation (Hinton et al. 2015, arXiv:1503.02531) at temperature one.
    """
    teacher_loss = -(soft_targets * logits.float().log_softmax(dim=1)).sum(dim=1)
    return (1 - share) * losses + share * teacher_loss


def group_mean(losses: Tensor, groups: Tensor, *, robust: float) -> Tensor:
    """Mean of losses (B,); `robust` shifts the weight to the groups (B,) with the highest loss.

    Weighs the groups of a batch by exp(robust * their mean loss): Sagawa et al. 2020,
    arXiv:1911.08731, algorithm 1, but without weights carried between batches, so that resuming a
    run needs none. At 0 it is the plain mean.
    """
    if robust == 0:
        return losses.mean()
    means = torch.stack([losses[groups == group].mean() for group in groups.unique()])  # type: ignore[no-untyped-call]
    return torch.sum(torch.softmax(robust * means.detach(), dim=0) * means)
