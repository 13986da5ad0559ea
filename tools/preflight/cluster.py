"""What kubectl says of a cluster. Only reads."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SECONDS = 60
"""Timeout of one kubectl command."""


class CommandFailed(Exception):
    """kubectl ended with an error, which the message quotes."""


class NotAllowed(Exception):
    """This user may not read it."""


@dataclass(frozen=True)
class Cluster:
    """The cluster that kubectl is set to."""

    command: tuple[str, ...]

    def get(self, path: str) -> Json | None:
        """The answer of the API server at a path; None if there is no such object or API.

        Raises NotAllowed or CommandFailed.
        """
        try:
            answer: Json = json.loads(self.run("get", "--raw", path))
        except CommandFailed as error:
            if "NotFound" in str(error) or "could not find the requested resource" in str(error):
                return None
            if "Forbidden" in str(error):
                raise NotAllowed(f"this user may not read {path}") from error
            raise
        return answer

    def items(self, path: str) -> list[Json]:
        """The objects of a list; none if there is no such API. Raises as `get` does."""
        found: list[Json] = (self.get(path) or {}).get("items", [])
        return found

    def render(self, folder: Path) -> list[Json]:
        """The objects that kustomize builds. Raises CommandFailed."""
        built = self.run("kustomize", str(folder))
        # A patch that changes nothing, and asks no server, turns YAML into JSON without a package.
        patch = ("patch", "--local", "--type", "merge", "-p", "{}")
        text = self.run(*patch, "-f", "-", "-o", "json", text=built)
        found, decoder = [], json.JSONDecoder()
        while text := text.lstrip():
            each, end = decoder.raw_decode(text)
            found.append(each)
            text = text[end:]
        return found

    def run(self, *arguments: str, text: str = "") -> str:
        """Returns the output of a kubectl command. Raises CommandFailed."""
        try:
            done = subprocess.run(
                [*self.command, *arguments],
                input=text,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandFailed(f"{self.command[0]} does not run: {error}") from error
        if done.returncode:
            raise CommandFailed(" ".join(done.stderr.split()) or f"exit code {done.returncode}")
        return done.stdout
