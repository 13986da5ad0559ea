"""Imports go one way: gateway to models to chestxray, and training to chestxray."""

import pkgutil
import subprocess
import sys

import pytest

import bentos
import bentos.http
import bentos.inference
import chestxray
from tests.conftest import ROOT


def modules(package: object) -> list[str]:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")  # type: ignore[attr-defined]
    return [module.name for module in found]


def modules_loaded_by(names: list[str]) -> set[str]:
    code = (
        f"import sys, importlib\nfor n in {names}: importlib.import_module(n)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_core_imports_neither_serving_nor_training() -> None:
    assert not modules_loaded_by(modules(chestxray)) & {"bentoml", "bentos", "training"}


def test_serving_does_not_import_training() -> None:
    assert "training" not in modules_loaded_by(modules(bentos))


@pytest.mark.parametrize("package", [bentos.http, bentos.inference], ids=lambda p: p.__name__)
def test_shared_service_code_does_not_import_the_gateway(package: object) -> None:
    found = modules_loaded_by(modules(package))

    assert not {name for name in found if name.startswith("bentos.gateway")}


@pytest.mark.parametrize("name", ["service", "bentos.gateway.process"])
def test_gateway_does_not_import_torch(name: str) -> None:
    assert "torch" not in modules_loaded_by([name])


def test_model_processes_do_not_import_what_only_the_gateway_needs() -> None:
    """They import `service` to find their own, at each start."""
    found = modules_loaded_by(["service"])

    assert not found & {"sqlalchemy", "bentos.gateway.app", "bentos.history", "bentos.decoding"}
