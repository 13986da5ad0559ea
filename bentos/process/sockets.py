"""Listening sockets of all processes: a public port, and a private Unix socket for each model.

The supervisor owns the sockets. They outlive the processes, so connections queue during a restart
instead of being refused. BentoML's own API unpickles requests (trap 14), so only this user
may connect to the Unix sockets.
"""

import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bentos.http.bentoml_server import addresses_for_bentoml
from bentos.http.drain import MARKER_VARIABLE
from bentos.metric_labels import ProcessName
from bentos.process.worker import Process

FOLDER_MODE = 0o700
DRAINED = "drained"
"""File in the run folder that marks a completed drain."""

_SOCKET_MODE = 0o600
_BACKLOG = 2048


@dataclass(frozen=True)
class Layout:
    """The services of one installation: a public service, and the models that it depends on."""

    name: ProcessName
    entry: str  # BentoML's import string of the public service
    models: dict[ProcessName, str]  # BentoML service name by process name

    @property
    def front(self) -> str:
        """BentoML name of the public service."""
        return self.entry.rpartition(":")[2]


GATEWAY = Layout(
    ProcessName.GATEWAY,
    "service:Gateway",
    {ProcessName.XRAY_FILTER: "XRayFilter", ProcessName.COVID_CLASSIFIER: "CovidClassifier"},
)
CLASSIFIER_POD = Layout(
    ProcessName.CLASSIFIER_POD,
    "bentos.covid_classifier.pod:CovidClassifier",
    {},
)


@dataclass(frozen=True)
class Listeners:
    """The processes, the public one last, and their environment."""

    processes: list[Process]
    environment: dict[str, str]


def run_folder(port: int) -> Path:
    """Returns the run folder of a service on this port: sockets, heartbeats, process ID."""
    return Path(tempfile.gettempdir()) / f"chestxray-{os.getuid()}-{port}"


def open_listeners(layout: Layout, folder: Path, host: str, port: int) -> Listeners:
    """Binds all sockets. Raises OSError if the port is in use or another user owns the folder."""
    if folder.exists() and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    public = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # We hold the port, so the folder is a leftover of a service that was killed.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(FOLDER_MODE)
    models = [_model(layout.entry, folder, *each) for each in layout.models.items()]
    addresses = {each.service: Path(each.listener.getsockname()).as_uri() for each in models}
    environment = addresses_for_bentoml(addresses | {layout.front: f"http://{host}:{port}"}) | {
        "FORWARDED_ALLOW_IPS": "",  # who is believed is CHESTXRAY_TRUSTED_PROXIES' to say
        MARKER_VARIABLE: str(folder / DRAINED),
    }
    heartbeat = folder / f"{layout.name}.heartbeat"
    front = Process(layout.name, layout.entry, layout.front, public, heartbeat)
    return Listeners([*models, front], environment)


def _model(entry: str, folder: Path, name: ProcessName, service: str) -> Process:
    path = folder / f"{name}.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(_SOCKET_MODE)
    listener.listen(_BACKLOG)
    return Process(name, entry, service, listener, folder / f"{name}.heartbeat")
