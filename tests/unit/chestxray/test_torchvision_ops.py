"""torchvision can be imported with and without operators that match the torch build."""

from pathlib import Path

import pytest
import torch

from chestxray import torchvision_ops


def load(outcome: type[Exception] | None) -> object:
    def load_library(path: Path) -> None:
        if outcome:
            raise outcome

    return load_library


def test_models_are_imported_from_torchvision() -> None:
    assert torchvision_ops.models.densenet121.__module__ == "torchvision.models.densenet"


@pytest.mark.parametrize(("outcome", "loads"), [(None, True), (OSError, False)])
def test_compiled_operators_are_detected_by_loading_them(
    monkeypatch: pytest.MonkeyPatch, outcome: type[Exception] | None, loads: bool
) -> None:
    monkeypatch.setattr(torch.ops, "load_library", load(outcome))

    assert torchvision_ops._compiled_operators_load() is loads
