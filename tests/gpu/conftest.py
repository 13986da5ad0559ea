"""Skips these tests without a CUDA device."""

import pytest
import torch


@pytest.fixture(autouse=True)
def cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
