"""Images of an overlay are named by the digest that the registry has."""

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tools.pin_images import main

DIGEST, OTHER = f"sha256:{64 * 'a'}", f"sha256:{64 * 'b'}"


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """A copy of the overlay `production`."""
    return Path(shutil.copytree(ROOT / "k8s/overlays/production", tmp_path / "production"))


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake Docker whose registry has one image."""
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n"
        'test "$1 $2 $3 $4" = "buildx imagetools inspect registry.example.org:5000/chestxray:0.1.0"'
        f" && echo {DIGEST} || {{ echo not found >&2; exit 1; }}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("DOCKER", str(program))


def images(overlay: Path) -> dict[str, dict[str, str]]:
    listed = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    return {each.pop("name"): each for each in listed}


def test_tag_is_replaced_by_the_digest_that_the_registry_has(overlay: Path) -> None:
    before = images(overlay)

    main([str(overlay), "chestxray=registry.example.org:5000/chestxray:0.1.0"])

    pinned = {"newName": "registry.example.org:5000/chestxray", "digest": DIGEST}
    assert images(overlay) == before | {"chestxray": pinned}


def test_digest_of_an_image_that_names_it_is_taken(overlay: Path) -> None:
    for digest in (DIGEST, OTHER):  # the second replaces the first
        main([str(overlay), f"chestxray-cuda=example.org/chestxray-cuda@{digest}"])

    found = images(overlay)["chestxray-cuda"]
    assert found == {"newName": "example.org/chestxray-cuda", "digest": OTHER}


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("chestxray=registry.example.org/absent:1", "no digest of registry.example.org/absent:1"),
        (f"other=registry.example.org/other@{DIGEST}", "no image other"),
    ],
)
def test_image_that_cannot_be_pinned_changes_nothing(
    overlay: Path, image: str, message: str
) -> None:
    before = (overlay / "kustomization.yaml").read_text()

    with pytest.raises(SystemExit, match=message):
        main([str(overlay), f"chestxray-cuda=example.org/cuda@{DIGEST}", image])

    assert (overlay / "kustomization.yaml").read_text() == before


def test_docker_that_cannot_be_run_is_named(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER", "/absent/docker")

    with pytest.raises(SystemExit, match="/absent/docker cannot be run"):
        main([str(overlay), "chestxray=registry.example.org/chestxray:1"])
