"""Where the processes listen: the one in front at the public port, the models at private sockets.

The sockets belong to the supervisor and outlive the processes, so that nobody is refused while one
is started again. BentoML's API at a model server's socket unpickles what it is sent (trap 14), so
only this user may connect to it.
"""

import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bentos.http.drain import MARKER_VARIABLE
from bentos.metric_labels import ProcessName
from bentos.process.worker import Process

FOLDER_MODE = 0o700
DRAINED, SUPERVISOR = "drained", "supervisor.pid"
"""Files in the run folder: the drain is over; who to ask for one."""

_SOCKET_MODE = 0o600
_BACKLOG = 2048


@dataclass(frozen=True)
class Layout:
    """Which services run together: one in front, and the model servers that it depends on."""

    name: ProcessName
    entry: str  # as BentoML imports it
    runners: dict[ProcessName, str]  # names of processes to those of services

    @property
    def front(self) -> str:
        """The name of the service in front."""
        return self.entry.rpartition(":")[2]


GATEWAY = Layout(
    ProcessName.GATEWAY,
    "service:Gateway",
    {ProcessName.XRAY_FILTER: "XRayFilter", ProcessName.COVID_CLASSIFIER: "CovidClassifier"},
)
CLASSIFIER_POD = Layout(
    ProcessName.CLASSIFIER_POD,
    "bentos.covid_classifier.service:CovidClassifier",
    {},
)


@dataclass(frozen=True)
class Listeners:
    """The processes, the one in front last, and what tells them of each other."""

    processes: list[Process]
    environment: dict[str, str]


def run_folder(port: int) -> Path:
    """Where a service on this port keeps its sockets; `chestxray drain` looks there for it."""
    return Path(tempfile.gettempdir()) / f"chestxray-{os.getuid()}-{port}"


def open_listeners(layout: Layout, folder: Path, host: str, port: int) -> Listeners:
    """Binds all sockets. Raises OSError where the port is taken, or the folder is another's."""
    if folder.exists() and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    public = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # The port is ours now, so what lies in the folder is left from a service that was killed.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(FOLDER_MODE)
    runners = [_runner(layout.entry, folder, *each) for each in layout.runners.items()]
    addresses = {each.service: Path(each.listener.getsockname()).as_uri() for each in runners}
    environment = {
        "BENTOML_RUNNER_MAP": json.dumps(addresses | {layout.front: f"http://{host}:{port}"}),
        "FORWARDED_ALLOW_IPS": "",  # who is believed is CHESTXRAY_TRUSTED_PROXIES' to say
        MARKER_VARIABLE: str(folder / DRAINED),
    }
    heartbeat = folder / f"{layout.name}.heartbeat"
    front = Process(layout.name, layout.entry, layout.front, public, heartbeat)
    return Listeners([*runners, front], environment)


def _runner(entry: str, folder: Path, name: ProcessName, service: str) -> Process:
    path = folder / f"{name}.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(_SOCKET_MODE)
    listener.listen(_BACKLOG)
    return Process(name, entry, service, listener, folder / f"{name}.heartbeat")
