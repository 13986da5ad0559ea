"""The servers to compare: this service and its peers, how to start each, and its request format."""

import base64
import json
import os
import signal
import struct
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from chestxray.cores import usable_cores
from loadtests.load_generator import Request, ServerProcess, free_port

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
OURS = "chestxray"
_STOP_SECONDS = 15.0


def _file(image: bytes) -> Request:
    return Request("/v1/analyses", {"Content-Type": "application/octet-stream"}, image)


def multipart_request(files: Sequence[bytes], path: str = "/v1/analyses") -> Request:
    """Builds a multipart form with each file in a field `image`."""
    mark = "-" * 24
    head = f'--{mark}\r\nContent-Disposition: form-data; name="image"; filename="image.jpg"\r\n'
    parts = [
        f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n"
        for data in files
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    return Request(path, headers, b"".join(parts) + f"--{mark}--\r\n".encode(), len(files))


def _v2(image: bytes) -> Request:
    tensor = {
        "name": "image",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_type": "base64"},
        "data": [base64.b64encode(image).decode()],
    }
    body = json.dumps({"inputs": [tensor]}).encode()
    return Request("/v2/models/chestxray/infer", {"Content-Type": "application/json"}, body)


def _v2_binary(image: bytes) -> Request:
    raw = struct.pack("<I", len(image)) + image
    tensor = {
        "name": "image",
        "shape": [1, 1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": len(raw)},
    }
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "prediction"}]}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }
    return Request("/v2/models/chestxray/infer", headers, head + raw)


@dataclass(frozen=True)
class BenchmarkServer:
    """A server to measure."""

    name: str
    command: tuple[str, ...]  # module and arguments; {port} and {cores} are replaced
    requirements: str = ""  # a file in peers/; empty: this environment
    environment: tuple[tuple[str, str], ...] = ()
    request: Callable[[bytes], Request] = _file


def _uvicorn(name: str, engine: str) -> BenchmarkServer:
    app = ("uvicorn", "loadtests.peers.plain_fastapi:app")
    flags = ("--workers", "{cores}", "--port", "{port}", "--no-access-log")
    chosen = (("PIPELINE_ENGINE", engine),)
    return BenchmarkServer(name, app + flags, "plain_fastapi.txt", chosen)


def _peer(module: str, request: Callable[[bytes], Request], **environment: str) -> BenchmarkServer:
    command = (f"loadtests.peers.{module}", "--port", "{port}")
    return BenchmarkServer(module, command, f"{module}.txt", tuple(environment.items()), request)


# The other servers queue without bound, so load shedding must not trigger here either.
CHESTXRAY = BenchmarkServer(
    OURS,
    ("bentos.cli", "serve", "--port", "{port}"),
    environment=(("CHESTXRAY_MAX_QUEUE_SECONDS", "10"),),
)
SERVERS = (
    CHESTXRAY,
    _uvicorn("fastapi_torch", "torch"),
    _uvicorn("fastapi_onnx", "onnx"),
    _peer("lit_serve", lambda image: multipart_request([image])),
    _peer("ray_serve", _file),
    _peer("ml_server", _v2),
    # Its shared-memory tensor store needs the exact Python patch release it was built with.
    _peer("py_triton", _v2_binary, PYTRITON_NO_TENSORSTORE="1"),
)


def interpreter_of(server: BenchmarkServer) -> Path:
    """Returns the interpreter of a server's environment; creates the environment if necessary."""
    if not server.requirements:
        return Path(sys.executable)
    folder = ROOT / "build" / "peers" / Path(server.requirements).stem
    python, done = folder / "bin" / "python", folder / ".done"
    wanted = "".join((PEERS / name).read_text() for name in ("baseline.txt", server.requirements))
    if not done.exists() or done.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = ["pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
        own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        requirements = PEERS / server.requirements
        subprocess.run([python, "-m", *install, requirements], check=True, env=own)
        done.write_text(wanted)
    return python


@contextmanager
def running_server(
    server: BenchmarkServer, log: Path, *, root: Path = ROOT
) -> Iterator[ServerProcess]:
    """Runs a server from the checkout at `root`; stops all of its processes on exit."""
    port = free_port()
    words = {"port": port, "cores": usable_cores()}
    command = [interpreter_of(server), "-m", *(word.format(**words) for word in server.command)]
    environment = os.environ | dict(server.environment) | {"PYTHONPATH": str(root)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    service = ServerProcess(f"http://127.0.0.1:{port}", process.pid)
    try:
        yield service
    finally:
        processes = service.processes() if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(processes, timeout=_STOP_SECONDS)
        for each in left:
            each.kill()
        psutil.wait_procs(left, timeout=_STOP_SECONDS)
        with suppress(ProcessLookupError):  # orphaned children
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)
