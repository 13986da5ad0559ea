"""Names the images of an overlay by digest, so that nodes run exactly what was pushed.

    python -m tools.pin_images k8s/overlays/production chestxray=registry.example.org/chestxray:1

asks the registry for the digest of each image, by Docker's buildx, and writes it in the place of
the tag. DOCKER names another command. It needs nothing else.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class PinError(Exception):
    """An image cannot be pinned."""


def digest_of(image: str) -> str:
    """Returns the digest in an image's name, or the registry's. Raises PinError."""
    if found := _DIGEST.search(image):
        return found[0]
    docker = shlex.split(os.environ.get("DOCKER", "docker"))
    command = [*docker, "buildx", "imagetools", "inspect", image]
    try:
        done = subprocess.run(
            [*command, "--format", "{{.Manifest.Digest}}"], capture_output=True, text=True
        )
    except OSError as error:
        raise PinError(f"{docker[0]} cannot be run: {error}") from error
    found = _DIGEST.fullmatch(done.stdout.strip())
    if done.returncode or not found:
        raise PinError(f"the registry has no digest of {image}: {done.stderr.strip()}")
    return found[0]


def pin(text: str, name: str, image: str) -> str:
    """Returns a kustomization with an image by digest. Raises PinError for an unknown name."""
    repository = re.sub(r"(?<!:)(:[\w.-]+)?(@sha256:.*)?$", "", image, count=1)
    entry = re.compile(rf"(  - name: {re.escape(name)}\n)(?:    \w+: .*\n?)+")
    pinned, count = entry.subn(
        rf"\g<1>    newName: {repository}\n    digest: {digest_of(image)}\n", text
    )
    if count != 1:
        raise PinError(f"the overlay has no image {name}")
    return pinned


def main(arguments: list[str]) -> None:
    """Pins the images, or says why not and changes nothing."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.pin_images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overlay", type=Path)
    parser.add_argument("images", nargs="+", metavar="NAME=IMAGE")
    flags = parser.parse_args(arguments)
    path = flags.overlay / "kustomization.yaml"
    text = path.read_text()
    try:
        for each in flags.images:
            name, _, image = each.partition("=")
            text = pin(text, name, image)
    except PinError as error:
        sys.exit(str(error))
    path.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
