"""Decoders: whatever a file does to the process that reads it stays there."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from bentos.decoding import worker
from bentos.decoding.decoders import Decoded, Decoders, Work
from bentos.decoding.worker import Answer, Request
from bentos.metrics import get_metrics
from chestxray.confinement import Wall
from chestxray.errors import ImageTooCostly, ImageTooLarge, RejectedImage, UnsupportedFormat
from chestxray.images import DEFAULT_LIMITS, develop, read
from chestxray.preprocessing import prepare
from tests import misdeeds
from tests.fuzz import corpus
from tests.phantoms import encode, phantom

PLAIN = Request(None, False)
WALL = Wall(seconds=0.3, memory=64 * 2**20)
GOOD = b"good"


def started(work: Work = misdeeds.work, *, processes: int = 1) -> Iterator[Decoders]:
    decoders = Decoders(DEFAULT_LIMITS, WALL, processes=processes, work=work)
    decoders.start()
    yield decoders
    decoders.close()


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    yield from started()


@pytest.fixture
def pair() -> Iterator[Decoders]:
    yield from started(processes=2)


def restarts(reason: str) -> float:
    return float(get_metrics().decoder_restarts.labels(reason)._value.get())


def workers() -> set[int]:
    """The decoders of this process; the servers of other tests have theirs."""
    return {each.pid for each in multiprocessing.active_children() if each.pid}


def ended(pid: int) -> bool:
    """Whether it ends within seconds."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def is_served(decoders: Decoders) -> bool:
    return bool((decoders.decode(GOOD, PLAIN).pixels == 7).all())


def test_decoder_sees_what_decoding_here_would_give() -> None:
    data = encode(phantom(1500, 1200), "JPEG")

    for decoders in started(work=worker.work):
        decoded = decoders.decode(data, Request("image/jpeg", True))

    film = develop(read(data))
    assert (decoded.pixels == prepare(film.image)).all()
    assert decoded.input == film.input
    assert decoded.picture is not None
    assert decoded.picture.mode == "L"
    assert max(decoded.picture.size) <= 1024


def test_confined_decoder_reads_whatever_is_read_here() -> None:
    """A module that is imported late, which it cannot do, looks like a damaged file."""
    whole = corpus.make()
    for decoders in started(work=worker.work):
        there = outcomes(partial(decoders.decode, request=PLAIN), whole)

    assert there == outcomes(here, whole)


def here(data: bytes) -> Decoded:
    film = develop(read(data))
    return Decoded(film.input, prepare(film.image), None)


def outcomes(read: Callable[[bytes], Decoded], files: dict[str, bytes]) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for name, data in files.items():
        try:
            found[name] = read(data).pixels.tobytes()
        except RejectedImage as error:
            found[name] = f"{error.code}: {error}"
    return found


def test_rejection_of_a_real_file_is_the_same_as_here() -> None:
    for decoders in started(work=worker.work):
        with pytest.raises(UnsupportedFormat, match="is not supported"):
            decoders.decode(b"text", PLAIN)


@pytest.mark.parametrize(
    ("deed", "reason"),
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
def test_file_that_breaks_its_decoder_is_refused_and_the_next_is_served(
    decoders: Decoders, deed: bytes, reason: str
) -> None:
    before = restarts(reason)

    with pytest.raises(ImageTooCostly):
        decoders.decode(deed, PLAIN)

    assert is_served(decoders)
    assert restarts(reason) == before + 1


def test_processor_time_is_what_is_limited_and_soon_after(decoders: Decoders) -> None:
    started_at = time.monotonic()

    with pytest.raises(ImageTooCostly, match=r"0\.3 s"):
        decoders.decode(b"spin", PLAIN)

    assert time.monotonic() - started_at < 10 * WALL.seconds


@pytest.mark.parametrize("deed", [b"open", b"spawn", b"fault"])
def test_decoder_can_open_and_start_nothing(decoders: Decoders, deed: bytes) -> None:
    with pytest.raises(RuntimeError, match=r"OSError|BlockingIOError|KeyError") as caught:
        decoders.decode(deed, PLAIN)

    assert "name" not in str(caught.value)
    assert is_served(decoders)


def test_what_a_library_writes_about_a_file_is_lost(
    decoders: Decoders, capfd: pytest.CaptureFixture[str]
) -> None:
    decoders.decode(b"shout", PLAIN)

    assert "name" not in "".join(capfd.readouterr())


def test_code_in_an_answer_does_not_run_here(decoders: Decoders, tmp_path: Path) -> None:
    target = tmp_path / "taken"

    with pytest.raises(ImageTooCostly):
        decoders.decode(misdeeds.taking_over(f"touch {target}"), PLAIN)

    assert not target.exists()


def test_facts_of_an_error_come_through(decoders: Decoders) -> None:
    with pytest.raises(ImageTooLarge, match="it is too large") as caught:
        decoders.decode(b"large", PLAIN)

    assert caught.value.limit == 5


def test_other_files_go_on_while_one_breaks_its_decoder(pair: Decoders) -> None:
    failures: list[BaseException] = []

    def break_one() -> None:
        for deed in (b"spin", b"crash", b"hoard", b"say x"):
            try:
                pair.decode(deed, PLAIN)
            except ImageTooCostly as error:
                failures.append(error)

    thread = threading.Thread(target=break_one)
    thread.start()
    served = 0
    while thread.is_alive():
        assert is_served(pair)
        served += 1
    thread.join()

    assert len(failures) == 4
    assert served > 20


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_file_that_finds_its_decoder_dead_or_stopped_gets_another(
    decoders: Decoders, number: signal.Signals
) -> None:
    for pid in workers():
        os.kill(pid, number)

    assert is_served(decoders)


def test_large_file_does_not_wait_for_a_decoder_that_takes_no_byte(decoders: Decoders) -> None:
    for pid in workers():
        os.kill(pid, signal.SIGSTOP)

    decoded = decoders.decode(bytes(8 * 2**20), PLAIN)

    assert (decoded.pixels == 7).all()


def test_fork_server_that_is_killed_is_started_again(decoders: Decoders) -> None:
    assert is_served(decoders)
    (pid,) = workers()
    server = psutil.Process(pid).parent()
    assert server is not None
    server.kill()
    assert ended(pid)  # a file that it had begun would be refused with it

    assert is_served(decoders)


def test_closed_decoders_leave_no_process() -> None:
    for decoders in started(processes=2):
        assert is_served(decoders)
        pids = workers()

    assert len(pids) == 2
    assert all(ended(pid) for pid in pids)


def test_answer_with_a_path_for_a_fault_is_no_answer() -> None:
    with pytest.raises(ValueError, match="fault"):
        Answer.model_validate_json('{"fault": "/a/b: c"}')
