"""Decoders contain whatever a file does to the process that reads it."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bentos.decoding import worker
from bentos.decoding.decoders import Decoders, Work
from bentos.decoding.protocol import Answer, Request
from bentos.metrics import get_metrics
from chestxray.confinement import ProcessLimits
from chestxray.errors import ImageTooCostly, ImageTooLarge, UnsupportedFormat
from chestxray.images import crop_and_window, read
from chestxray.limits import DEFAULT_LIMITS
from chestxray.preprocessing import prepare
from tests import faulty_decoder
from tests.phantoms import encode, phantom

PLAIN = Request(None, False)
PROCESS_LIMITS = ProcessLimits(seconds=0.3, memory=64 * 2**20)
GOOD = b"good"


def started(work: Work = faulty_decoder.work, *, processes: int = 1) -> Iterator[Decoders]:
    decoders = Decoders(DEFAULT_LIMITS, PROCESS_LIMITS, processes=processes, work=work)
    decoders.start()
    yield decoders
    decoders.close()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    yield from started()


@pytest.fixture
def two_decoders() -> Iterator[Decoders]:
    yield from started(processes=2)


def restarts(reason: str) -> float:
    return float(get_metrics().decoder_restarts.labels(reason)._value.get())


def workers() -> set[int]:
    """The decoder processes of this process; servers of other tests have their own."""
    return {each.pid for each in multiprocessing.active_children() if each.pid}


def ends(pid: int) -> bool:
    """Whether the process ends within seconds."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def serves(decoders: Decoders) -> bool:
    return bool((decoders.decode(GOOD, PLAIN).pixels == 7).all())


def test_decoder_returns_what_decoding_in_this_process_returns() -> None:
    data = encode(phantom(1500, 1200), "JPEG")

    for decoders in started(work=worker.work):
        decoded = decoders.decode(data, Request("image/jpeg", True))

    film = crop_and_window(read(data))
    assert (decoded.pixels == prepare(film.image)).all()
    assert decoded.input == film.input
    assert decoded.picture is not None
    assert decoded.picture.mode == "L"
    assert max(decoded.picture.size) <= 1024


def test_decoder_rejects_an_unsupported_format_like_this_process() -> None:
    for decoders in started(work=worker.work):
        with pytest.raises(UnsupportedFormat, match="is not supported"):
            decoders.decode(b"text", PLAIN)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (b"spin", "processor time"),
        (b"hoard", "memory"),
        (b"crash", "died"),
        (b"leave", "died"),
        (b"stop", "hung"),
        (b"say nonsense", "wrong answer"),
        (b"say {}", "wrong answer"),
        (b"say " + bytes(5000), "wrong answer"),
        (b'say {"code": "not-a-frontal-chest-xray"}', "wrong answer"),
        (b'say {"code": "checkpoint-unusable"}', "wrong answer"),
        (b'say {"picture": [100000, 100000]}', "wrong answer"),
    ],
)
def test_file_that_breaks_its_decoder_is_rejected_and_the_next_is_decoded(
    decoders: Decoders, fault: bytes, reason: str
) -> None:
    before = restarts(reason)

    with pytest.raises(ImageTooCostly):
        decoders.decode(fault, PLAIN)

    assert serves(decoders)
    assert restarts(reason) == before + 1


def test_file_beyond_the_cpu_time_limit_is_rejected_soon_after_it(decoders: Decoders) -> None:
    started_at = time.monotonic()

    with pytest.raises(ImageTooCostly, match=r"0\.3 s"):
        decoders.decode(b"spin", PLAIN)

    assert time.monotonic() - started_at < 10 * PROCESS_LIMITS.seconds


@pytest.mark.parametrize(
    "instance",
    [
        b"null",
        b"{}",
        b'{"sop_class": "1.2", "sop_instance": "1.2", "study": "1.2", "kind": "friendly"}',
        b'{"sop_class": "1.2", "sop_instance": "a\\nb", "study": "1.2", "kind": "radiograph"}',
    ],
)
def test_identity_that_is_none_is_rejected(decoders: Decoders, instance: bytes) -> None:
    before = restarts("wrong answer")

    with pytest.raises(ImageTooCostly):
        decoders.identify(b'say {"instance": ' + instance + b"}")

    assert serves(decoders)
    assert restarts("wrong answer") == before + 1


@pytest.mark.parametrize("fault", [b"open", b"spawn", b"fault"])
def test_decoder_can_neither_open_files_nor_start_processes(
    decoders: Decoders, fault: bytes
) -> None:
    with pytest.raises(RuntimeError, match=r"OSError|BlockingIOError|KeyError") as caught:
        decoders.decode(fault, PLAIN)

    assert "name" not in str(caught.value)
    assert serves(decoders)


def test_stderr_output_of_a_decoder_is_discarded(
    decoders: Decoders, capfd: pytest.CaptureFixture[str]
) -> None:
    decoders.decode(b"shout", PLAIN)

    assert "name" not in "".join(capfd.readouterr())


def test_pickled_code_in_a_decoders_answer_does_not_run(decoders: Decoders, tmp_path: Path) -> None:
    target = tmp_path / "taken"

    with pytest.raises(ImageTooCostly):
        decoders.decode(faulty_decoder.file_answered_with_code(f"touch {target}"), PLAIN)

    assert not target.exists()


def test_limit_of_a_decoders_error_reaches_the_caller(decoders: Decoders) -> None:
    with pytest.raises(ImageTooLarge, match="it is too large") as caught:
        decoders.decode(b"large", PLAIN)

    assert caught.value.limit == 5


def test_other_files_are_decoded_while_one_breaks_its_decoder(two_decoders: Decoders) -> None:
    failures: list[BaseException] = []

    def break_one_decoder() -> None:
        for fault in (b"spin", b"crash", b"hoard", b"say x"):
            try:
                two_decoders.decode(fault, PLAIN)
            except ImageTooCostly as error:
                failures.append(error)

    thread = threading.Thread(target=break_one_decoder)
    thread.start()
    served = 0
    while thread.is_alive():
        assert serves(two_decoders)
        served += 1
    thread.join()

    assert len(failures) == 4
    assert served > 20


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_file_for_a_dead_or_stopped_decoder_gets_another_decoder(
    decoders: Decoders, number: signal.Signals
) -> None:
    for pid in workers():
        os.kill(pid, number)

    assert serves(decoders)


def test_large_file_does_not_block_on_a_stopped_decoder(decoders: Decoders) -> None:
    for pid in workers():
        os.kill(pid, signal.SIGSTOP)

    decoded = decoders.decode(bytes(8 * 2**20), PLAIN)

    assert (decoded.pixels == 7).all()


def test_killed_fork_server_is_restarted(decoders: Decoders) -> None:
    assert serves(decoders)
    (pid,) = workers()
    server = psutil.Process(pid).parent()
    assert server is not None
    server.kill()
    assert ends(pid)  # a file that it had begun would be refused with it

    assert serves(decoders)


def test_closing_the_decoders_ends_their_processes() -> None:
    for decoders in started(processes=2):
        assert serves(decoders)
        pids = workers()

    assert len(pids) == 2
    assert all(ends(pid) for pid in pids)


def test_decoder_answer_with_a_path_as_fault_is_rejected() -> None:
    with pytest.raises(ValueError, match="fault"):
        Answer.model_validate_json('{"fault": "/a/b: c"}')
