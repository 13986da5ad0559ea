"""The command `chestxray`: serves, drains a running service, or analyses files without one.

chestxray serve [--host 127.0.0.1] [--port 3000]
chestxray serve-classifier [--host 127.0.0.1] [--port 3001]   # for gateways in other pods
chestxray drain [--port 3000]    # fails readiness; returns when no request is in flight
chestxray analyze FILE|FOLDER|- ... [--output results.jsonl]    # without a server
chestxray dicom [--host 127.0.0.1] [--port 11112] [--metrics-port 11113]    # for a PACS
chestxray keys create|list|revoke|rotate    # API keys
chestxray migrate | sweep [--check] | rotate-encryption    # the storage of kept analyses
chestxray doctor [--json]    # checks settings, models, storage and access

--host :: listens at every address, IPv4 and IPv6.
"""

import argparse
import asyncio
import os
import signal
import sys
import time
from typing import NoReturn

from bentos.administration import arguments as administration
from bentos.offline import arguments
from bentos.offline.arguments import Wanted
from bentos.portal import folder as portals
from bentos.portal.errors import PortalError
from bentos.process import pids
from bentos.process.sockets import CLASSIFIER_POD, DRAINED, GATEWAY, Layout, run_folder
from bentos.process.supervisor import StartError, Supervisor
from bentos.start import give_up, settings_or_exit
from chestxray.errors import CheckpointError

_POLL_SECONDS = 0.05
_INTERRUPTED = 130
"""The exit status of a shell's command that SIGINT ends."""


def main() -> None:
    """Runs one of the commands."""
    parser = argparse.ArgumentParser(
        prog="chestxray", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="start the gateway and both models")
    serving.set_defaults(layout=GATEWAY)
    pod = commands.add_parser("serve-classifier", help="start a classifier pod")
    pod.set_defaults(layout=CLASSIFIER_POD)
    for command in (serving, pod):
        command.add_argument("--host", default="127.0.0.1")
    draining = commands.add_parser("drain", help="drain the service, for preStop")
    for command, port in ((serving, 3000), (pod, 3001), (draining, 3000)):
        command.add_argument("--port", type=_port, default=port)
    analysis = commands.add_parser(
        "analyze",
        help="analyse files and folders without a server",
        description=arguments.DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_to(analysis)
    node = commands.add_parser(
        "dicom", help="receive DICOM objects, and send results into their studies"
    )
    node.add_argument("--host", default="127.0.0.1")
    node.add_argument("--port", type=_port, default=11112)
    node.add_argument("--metrics-port", type=_port, help="serve metrics for Prometheus there")
    administration.add_to(commands)
    _run(parser.parse_args())


def _run(flags: argparse.Namespace) -> None:
    if flags.command in administration.COMMANDS:
        administer(flags)
    elif flags.command == "drain":
        drain(flags.port)
    elif flags.command == "dicom":
        dicom(flags.host, flags.port, flags.metrics_port)
    elif flags.command == "analyze":
        names = ("output", "heatmaps", "objects", "language")
        analyze(flags.paths, Wanted(**{name: getattr(flags, name) for name in names}))
    else:
        serve(flags.layout, flags.host, flags.port)


def serve(layout: Layout, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT; a second signal aborts the drain."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # disables BentoML's telemetry
    settings = settings_or_exit(pids.SUPERVISOR)
    try:
        if layout is GATEWAY:
            portals.read(settings.portal_folder)
        supervisor = Supervisor(layout, host=host, port=port, settings=settings)
        asyncio.run(supervisor.run())
    except PortalError as error:
        give_up(*error.faults)
    except StartError as error:
        give_up(str(error))


def analyze(paths: list[str], wanted: Wanted) -> NoReturn:
    """Analyses files, and ends the process with the status that `--help` explains."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    settings_or_exit("analyze")
    from bentos.offline.analysis import run  # takes seconds to import, which serving does not need

    try:
        sys.exit(run(paths, wanted))
    except (CheckpointError, OSError) as error:
        give_up(str(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def dicom(host: str, port: int, metrics_port: int | None) -> None:
    """Runs the DICOM node until SIGTERM or SIGINT."""
    settings = settings_or_exit("dicom")
    from bentos.dicom_node import node
    from bentos.dicom_node.queue import QueueLocked

    if faults := node.missing(settings):
        give_up(*faults)
    try:
        node.run(settings, host=host, port=port, metrics_port=metrics_port)
    except (QueueLocked, OSError) as error:
        give_up(str(error))


def administer(flags: argparse.Namespace) -> NoReturn:
    """Runs an operator's command, and ends the process with the status that `--help` explains."""
    from bentos.administration import command  # imports the database and the object store

    try:
        sys.exit(command.run(flags))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def _port(text: str) -> int:
    """Parses a port. Raises ValueError or ArgumentTypeError, which argparse reports."""
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError(f"{port} is not a port: must be between 1 and 65535")
    return port


def drain(port: int) -> None:
    """Drains the service on this port of the local machine, and waits until it is done."""
    try:
        folder = run_folder(port)
        os.kill(int(pids.file_of(folder, pids.SUPERVISOR).read_text()), signal.SIGUSR1)
    except (OSError, ValueError):
        sys.exit(f"no service of this user is running on port {port}")
    while folder.exists() and not (folder / DRAINED).exists():
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
