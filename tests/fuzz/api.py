"""Fuzzes the service by its own OpenAPI document: `python -m tests.fuzz.api --examples 300`.

Schemathesis makes requests that the document allows and ones that it does not, and compares every
answer with what the document says.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.service.server import serve

_CONFIG = Path(__file__).with_name("schemathesis.toml")
ACCEPT = ("*/*", "image/png")
"""An analysis returns either JSON or an image."""


def run(url: str, folder: Path, *, examples: int, accept: str, key: str = "") -> int:
    """Generates this many requests per operation and writes the findings; returns 0 if there are
    none. With an API key what one request keeps another finds.
    """
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", _CONFIG, "run"]
    options = ["--max-examples", str(examples), "--seed", "0", "--generation-database", "none"]
    options += ["--header", f"Accept: {accept}"]
    options += ["--header", f"Authorization: Bearer {key}"] if key else []
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, f"{url}/openapi.json", *options], cwd=folder, env=environment)
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(Path(name)) as server:
        codes = [
            run(server.url, Path(name), examples=options.examples, accept=accept)
            for accept in ACCEPT
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
