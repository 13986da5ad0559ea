"""The paper's loss."""

import pytest
import torch

from training.losses import class_weights, smooth_cross_entropy


def test_rare_classes_weigh_more() -> None:
    assert class_weights([100, 50, 10]).tolist() == [1, 2, 10]


def test_smoothing_is_that_of_the_paper() -> None:
    logits, label, alpha = torch.tensor([[2.0, 0.5, -1.0]]), torch.tensor([0]), 0.1
    soft = torch.full((3,), alpha / 3)
    soft[0] += 1 - alpha

    found = smooth_cross_entropy(logits, label, smoothing=alpha)

    assert found.item() == pytest.approx(-(soft * logits.log_softmax(1)[0]).sum().item(), abs=1e-6)
