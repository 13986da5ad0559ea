"""Processes that die or hang are replaced, requests in flight are answered, shutdown loses
nothing.
"""

import concurrent.futures
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from chestxray import checkpoints
from loadtests.load_generator import free_port
from tests.conftest import ROOT
from tests.phantoms import encode, phantom
from tests.service.server import SERVE, START_SECONDS, Server, serve, start, wait_until_ready
from tests.waiting import until

FILES = {"image": ("chest.png", encode(phantom(300, 300), "PNG"), "image/png")}
MODELS = ("XRayFilter", "CovidClassifier")
HEARTBEAT_TIMEOUT_SECONDS = 3

Posts = list["concurrent.futures.Future[httpx.Response]"]


@pytest.fixture(scope="module")
def accept_all_settings(passing_filter: Path) -> dict[str, str]:
    """Settings with a filter that accepts every image, so that both models run, and a queue limit
    that sheds nothing after a restart on a busy machine."""
    return {"CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter), "CHESTXRAY_MAX_QUEUE_SECONDS": "30"}


@pytest.fixture(scope="module")
def fault_server(
    tmp_path_factory: pytest.TempPathFactory, accept_all_settings: dict[str, str]
) -> Iterator[Server]:
    settings = accept_all_settings | {
        "CHESTXRAY_HEARTBEAT_TIMEOUT_SECONDS": str(HEARTBEAT_TIMEOUT_SECONDS),
        "CHESTXRAY_REQUEST_TIMEOUT_SECONDS": "60",
    }
    with serve(tmp_path_factory.mktemp("faults"), **settings) as running:
        yield running


def analyse(server: Server, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/analyses", files=FILES, headers=headers, timeout=90)


def is_draining(server: Server) -> bool:
    """Whether the gateway announces its shutdown."""
    return httpx.get(f"{server.url}/livez").headers.get("connection") == "close"


@contextmanager
def held_requests(server: Server, pool: concurrent.futures.Executor, count: int) -> Iterator[Posts]:
    """Holds requests in flight at a suspended filter until the block ends."""
    model = server.worker("XRayFilter")
    model.suspend()
    try:
        posts = [pool.submit(analyse, server) for _ in range(count)]
        until(lambda: server.total("chestxray_in_flight", stage="admitted") == count)
        yield posts
    finally:
        with suppress(psutil.NoSuchProcess):
            model.resume()


def wait_for_replacement(process: psutil.Process, server: Server, service: str) -> None:
    """Returns once the service runs in another process and is ready."""
    process.wait(30)
    wait_until_ready(server)
    assert server.worker(service).pid != process.pid


@pytest.mark.parametrize("service", MODELS)
def test_killed_model_is_replaced_and_no_request_fails(fault_server: Server, service: str) -> None:
    """Trap 9."""
    expected = analyse(fault_server).json()["prediction"]
    killed = fault_server.worker(service)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        first = [pool.submit(analyse, fault_server) for _ in range(8)]
        killed.kill()
        answers = [
            each.result()
            for each in [*first, *(pool.submit(analyse, fault_server) for _ in range(8))]
        ]

    assert [answer.text for answer in answers if answer.status_code != 200] == []
    for answer in answers:
        found = answer.json()["prediction"]
        assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)
    wait_for_replacement(killed, fault_server, service)


def test_hung_model_is_detected_and_replaced(fault_server: Server) -> None:
    hung = fault_server.worker("CovidClassifier")
    hung.suspend()

    started = time.monotonic()
    assert httpx.get(f"{fault_server.url}/readyz").status_code == 503
    assert time.monotonic() - started < 1.5
    assert analyse(fault_server).status_code == 200
    wait_for_replacement(hung, fault_server, "CovidClassifier")
    restarts = {"process": "covid_classifier", "reason": "hung"}
    assert fault_server.total("chestxray_process_restarts_total", **restarts) == 1


def test_killed_gateway_is_replaced_on_the_same_listening_socket(fault_server: Server) -> None:
    killed = fault_server.worker("Gateway")
    killed.kill()
    killed.wait(10)

    assert analyse(fault_server).status_code == 200  # waits in the backlog, is not refused
    wait_until_ready(fault_server)


def test_worker_processes_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        workers = server.processes()[1:]
        server.process.kill()
        _, alive = psutil.wait_procs(workers, timeout=10)

        assert len(workers) >= 3
        assert not alive


def test_sigterm_drains_requests_in_flight(
    tmp_path: Path, accept_all_settings: dict[str, str]
) -> None:
    """Trap 8."""
    with serve(tmp_path, CHESTXRAY_DRAIN_DELAY_SECONDS="5", **accept_all_settings) as server:
        before = analyse(server)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            with held_requests(server, pool, 12) as posts:
                server.process.send_signal(signal.SIGTERM)
                until(lambda: is_draining(server))
            ready = httpx.get(f"{server.url}/readyz")
            late = analyse(server)
            answers = [post.result() for post in posts]

        assert before.headers.get("connection") != "close"
        assert ready.status_code == 503
        assert {answer.status_code for answer in (*answers, late)} == {200}
        assert late.headers["connection"] == "close"
        assert server.process.wait(30) == 0


def test_second_sigterm_ends_the_drain_at_once(tmp_path: Path) -> None:
    with serve(tmp_path, CHESTXRAY_DRAIN_DELAY_SECONDS="60") as server:
        server.process.send_signal(signal.SIGTERM)
        until(lambda: is_draining(server))
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(15) == 0


def test_drain_command_returns_when_nothing_is_in_flight(
    tmp_path: Path, accept_all_settings: dict[str, str]
) -> None:
    with serve(tmp_path, CHESTXRAY_DRAIN_DELAY_SECONDS="1", **accept_all_settings) as server:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            port = server.url.rpartition(":")[2]
            command = [sys.executable, "-m", "bentos.cli", "drain", "--port", port]
            with held_requests(server, pool, 6) as posts:
                drain = subprocess.Popen(command, cwd=ROOT)
                until(lambda: is_draining(server))
                assert drain.poll() is None
            assert drain.wait(60) == 0
            concurrent.futures.wait(posts, timeout=5)  # what is answered has yet to be read

        assert {post.result().status_code for post in posts} == {200}
        refused = analyse(server)
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert refused.headers["retry-after"]
        assert httpx.get(f"{server.url}/readyz").status_code == 503
        assert httpx.get(f"{server.url}/metrics").status_code == 200


def test_drain_command_fails_without_a_running_service() -> None:
    command = [sys.executable, "-m", "bentos.cli", "drain", "--port", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "no service of this user is running on port 1" in done.stderr


def copy_with_flipped_bit(source: Path, target: Path) -> None:
    """Copies weights with one flipped bit, which would still load and answer."""
    content = bytearray(source.read_bytes())
    content[-1000] ^= 1
    target.write_bytes(content)
    shutil.copy(source.with_suffix(checkpoints.DIGEST_SUFFIX), target.parent)


@pytest.mark.parametrize("model", ["filter", "classifier"])
def test_service_does_not_start_with_corrupt_weights(tmp_path: Path, model: str) -> None:
    folder = {"filter": "xray_filter", "classifier": "covid_classifier"}[model]
    weights = tmp_path / "weights.safetensors"
    copy_with_flipped_bit(ROOT / "bentos" / folder / "weights.safetensors", weights)

    output = failed_start_output(
        tmp_path, **{f"CHESTXRAY_{model.upper()}_CHECKPOINT": str(weights)}
    )

    assert "corrupt or the wrong file" in output
    assert checkpoints.digest(weights) in output


def test_service_does_not_start_with_swapped_weights(tmp_path: Path) -> None:
    other = ROOT / "bentos" / "xray_filter" / "weights.safetensors"

    output = failed_start_output(tmp_path, CHESTXRAY_CLASSIFIER_CHECKPOINT=str(other))

    assert "densenet121_blocks123 is needed" in output


def test_service_does_not_start_on_a_port_in_use(tmp_path: Path, server: Server) -> None:
    port = int(server.url.rpartition(":")[2])

    assert "in use" in failed_start_output(tmp_path, port)
    assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_service_does_not_start_without_the_folder_of_its_queue(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.touch()

    output = failed_start_output(tmp_path, CHESTXRAY_DICOM_QUEUE=str(taken / "queue"))

    assert "chestxray cannot start: CHESTXRAY_DICOM_QUEUE: " in output
    assert "Traceback" not in output


def failed_start_output(folder: Path, port: int | None = None, **environment: str) -> str:
    """The output of a service that cannot start."""
    server = start(folder, port or free_port(), command=SERVE, **environment)
    code = server.process.wait(START_SECONDS)
    output = server.log.read_text()
    assert code == 2, output
    assert "chestxray cannot start" in output
    return output
