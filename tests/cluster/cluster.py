"""Wraps kubectl for tests: on the lab cluster next to this repository, or on a given one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.shared_folder import SHARED

LAB = (SHARED / "k8s-lab" / "lab").resolve()
HERE = Path(__file__).parent
NAMESPACE = "chestxray"
CLIENT = (HERE / "client.py").read_text()
_POLL_SECONDS = 0.5


def report_progress(text: str) -> None:
    """Prints progress; the make target runs pytest with -s."""
    print(f"  {text}", file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    text: str = "",
    timeout: float = 180,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Returns a command's output; `environment` is added to that of this process.

    Raises CalledProcessError with its error output as a note.
    """
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | (environment or {}),
    )
    try:
        done.check_returncode()
    except subprocess.CalledProcessError as error:
        error.add_note(done.stderr[-4000:])
        raise
    return done.stdout


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    kubectl_command: tuple[str | Path, ...]
    convert_command: tuple[str | Path, ...] = ()
    """A command that converts manifests for an older cluster."""
    namespace: str = NAMESPACE

    def kubectl(self, *arguments: str, text: str = "", timeout: float = 180) -> str:
        """Runs kubectl in the namespace. Raises CalledProcessError."""
        command = [*self.kubectl_command, "--namespace", self.namespace, *arguments]
        return run(command, text=text, timeout=timeout)

    def get(self, *arguments: str) -> Any:
        """An object, or a list of them."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def apply(self, manifests: str) -> None:
        """Creates or updates the objects of the manifests."""
        if self.convert_command:
            manifests = run([*self.convert_command, "-"], text=manifests)
        self.kubectl("apply", "-f", "-", text=manifests)

    def pods(self, name: str, *, ending: bool = False) -> list[dict[str, Any]]:
        """The pods of one workload, oldest first, optionally including terminating ones."""
        label = f"app.kubernetes.io/name={name}"
        found = self.get("pods", "-l", label, "--sort-by=.metadata.creationTimestamp")["items"]
        return [each for each in found if ending or "deletionTimestamp" not in each["metadata"]]

    def roll_out(self, name: str, seconds: float = 240) -> None:
        """Waits until a Deployment is rolled out."""
        self.kubectl(
            "rollout", "status", f"deployment/{name}", f"--timeout={seconds}s", timeout=seconds + 10
        )

    def log(self, pod: str) -> str:
        """The log of a pod; empty between two containers."""
        try:
            return self.kubectl("logs", pod)
        except subprocess.CalledProcessError:
            return ""

    def metrics(self, pod: str, name: str) -> str:
        """The lines of a pod's metric."""
        port = 3000 if pod.startswith("gateway") else 3001
        url = f"http://127.0.0.1:{port}/metrics"
        source = f"import urllib.request as u; print(u.urlopen('{url}').read().decode())"
        text = self.kubectl("exec", pod, "--", "python", "-c", source)
        return "\n".join(line for line in text.splitlines() if line.startswith(name))

    def in_client(self, source: str, *, text: str = "") -> str:
        """Runs Python in the client pod inside the cluster."""
        return self.kubectl("exec", "-i", "client", "--", "python", "-c", source, text=text)

    @contextmanager
    def load(self, *, threads: int = 2, retries: int = 0, pause: float = 0.0) -> Iterator["Load"]:
        """Posts images from inside the cluster until the block ends."""
        command = [*self.kubectl_command, "--namespace", self.namespace]
        command += ["exec", "-i", "client", "--"]
        command += ["python", "-c", CLIENT, str(threads), str(retries), str(pause)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            load = Load()
            try:
                yield load
            finally:
                output, _ = process.communicate(timeout=120)
                load.take(output)


@dataclass
class Load:
    """Responses to a load's requests."""

    statuses: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0

    def take(self, output: str) -> None:
        """Reads what the client printed."""
        found = json.loads(output)
        self.statuses = {int(status): count for status, count in found["statuses"].items()}
        self.slowest = found["slowest"]
        report_progress(f"load: {self.statuses}, slowest {self.slowest:.2f} s")


def wait_until(what: str, true: Callable[[], bool], seconds: float = 120) -> float:
    """Waits for a condition and returns the seconds it took. Raises AssertionError."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - started


def rendered(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> str:
    """The manifests of an overlay."""
    from tests.k8s.rendering import build

    manifests = build(folder)
    for each in manifests:
        if change:
            change(each)
    return yaml.safe_dump_all(manifests)


def run_lab(*arguments: str, timeout: float = 900) -> str:
    """Runs a command of the lab cluster, which needs root."""
    report_progress(f"lab {' '.join(arguments)}")
    return run([LAB, *arguments], timeout=timeout)


def lab_can_run() -> bool:
    """Whether there is a lab, and this user may start it."""
    return LAB.is_file() and os.geteuid() == 0
