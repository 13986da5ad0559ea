"""Finds a helm for the tests: HELM, the one on PATH, or the one in the wheel that has kubectl.

`make chart` does not need this: it runs $(HELM), by default helm.
"""

import re
import subprocess
from functools import cache
from pathlib import Path

from tools.kubectl import find

_OLDEST = 3


@cache
def helm() -> Path:
    """One of version 3 or later. Raises PackageNotFoundError where there is none."""
    return find("helm", version_of, oldest=_OLDEST)


def version_of(program: Path) -> int:
    """The major version of a helm; 0 where it does not say."""
    command = [str(program), "version", "--short"]
    try:
        said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    version = re.match(r"v(\d+)\.", said)
    return int(version[1]) if version else 0
