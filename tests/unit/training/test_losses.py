"""The paper's loss and alternative losses."""

import math

import pytest
import torch

from training.losses import (
    class_weights,
    distillation_loss,
    group_mean,
    paper_cross_entropy,
    smooth_cross_entropy,
)

LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 3.0]])
LABELS = torch.tensor([0, 1])


def test_rare_classes_have_higher_weights() -> None:
    assert class_weights([100, 50, 10]).tolist() == [1, 2, 10]


def test_label_smoothing_matches_the_paper() -> None:
    logits, label, alpha = torch.tensor([[2.0, 0.5, -1.0]]), torch.tensor([0]), 0.1
    soft = torch.full((3,), alpha / 3)
    soft[0] += 1 - alpha

    found = smooth_cross_entropy(logits, label, smoothing=alpha)

    assert found.item() == pytest.approx(-(soft * logits.log_softmax(1)[0]).sum().item(), abs=1e-6)


def test_class_weights_as_printed_are_inverted() -> None:
    assert class_weights([100, 50, 10], rule="as_printed").tolist() == pytest.approx([1, 0.5, 0.1])


def test_weighted_loss_matches_torch() -> None:
    weights = torch.tensor([1.0, 4.0, 2.0])

    found = smooth_cross_entropy(LOGITS, LABELS, smoothing=0.0, weights=weights)

    expected = torch.nn.functional.cross_entropy(LOGITS, LABELS, weights)
    assert found.mean().item() == pytest.approx(expected.item(), abs=1e-6)


def test_equation_two_matches_hand_computed_value() -> None:
    alpha, weights = 0.1, torch.tensor([1.0, 2.0, 3.0])
    p = LOGITS[1].softmax(0).tolist()
    soft = [alpha / 3, 1 - alpha + alpha / 3, alpha / 3]

    found = paper_cross_entropy(LOGITS, LABELS, smoothing=alpha, weights=weights)

    expected = -sum(
        w * y * math.log(q) + (1 - y) * math.log(1 - q)
        for w, y, q in zip(weights.tolist(), soft, p, strict=True)
    )
    assert found[1].item() == pytest.approx(expected, abs=1e-4)


def test_full_distillation_share_ignores_the_labels() -> None:
    taught = LOGITS.softmax(dim=1)

    found = distillation_loss(torch.tensor([9.0, 9.0]), LOGITS, taught, share=1.0)

    assert torch.allclose(found, -(taught * taught.log()).sum(dim=1))


def test_robust_mean_weights_the_worst_group_most() -> None:
    losses, groups = torch.tensor([1.0, 1.0, 1.0, 5.0]), torch.tensor([0, 0, 0, 7])

    assert group_mean(losses, groups, robust=0.0) == 2.0
    assert group_mean(losses, groups, robust=1e-6).item() == pytest.approx(3.0, abs=1e-3)
    assert group_mean(losses, groups, robust=10.0).item() == pytest.approx(5.0, abs=1e-3)
