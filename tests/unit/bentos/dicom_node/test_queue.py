"""The queue of the DICOM node: what is put is on the disk, is taken once, and can be deleted."""

import json
import os
import time
from pathlib import Path

import pytest

from bentos.dicom_node import queue as queues
from bentos.dicom_node.queue import Queue, QueueFull, QueueLocked, Refusal

FIRST, SECOND = b"first object", b"second object"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, max_bytes=10**6)


def files_below(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*") if each.is_file())


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_object_waits_with_its_bytes_and_can_be_read_only_by_its_owner(
    queue: Queue, tmp_path: Path
) -> None:
    name = queue.put(FIRST)

    assert [each.name for each in queue.waiting()] == [name]
    assert queue.read(name) == FIRST
    (path,) = (tmp_path / "waiting").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_bytes_and_name_are_synchronised_before_put_returns(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronised: list[str] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synchronised.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    name = queue.put(FIRST)

    written, folder = synchronised
    assert Path(written).parent.name == "incoming" and name in written
    assert Path(folder).name == "waiting"


def test_oldest_object_comes_first(queue: Queue, tmp_path: Path) -> None:
    first, second = queue.put(FIRST), queue.put(SECOND)
    age(tmp_path / "waiting" / f"{second}.dcm", 60)

    assert [each.name for each in queue.waiting()] == [second, first]


def test_object_that_is_sent_again_waits_once(queue: Queue) -> None:
    assert queue.put(FIRST) == queue.put(FIRST)
    assert len(queue.waiting()) == 1


def test_answered_object_that_is_sent_again_is_not_answered_again(queue: Queue) -> None:
    """Its sender missed our success, or died before it noted it."""
    name = queue.put(FIRST)
    queue.keep_results(name, [b"result"])
    queue.finish(name)
    queue.put(FIRST)

    assert queue.waiting() == []


def test_finished_object_leaves_nothing_of_the_patient(queue: Queue, tmp_path: Path) -> None:
    name = queue.put(FIRST)
    queue.keep_results(name, [b"result", b"another"])
    queue.finish(name)

    assert files_below(tmp_path) == [name]
    assert (tmp_path / "answered" / name).stat().st_size == 0


def test_refused_object_is_deleted_and_its_reason_kept(queue: Queue, tmp_path: Path) -> None:
    name = queue.put(FIRST)
    queue.refuse(name, Refusal("a CT", "other-examination"))

    assert queue.waiting() == []
    assert files_below(tmp_path / "failed") == [f"{name}.json"]
    reason = json.loads((tmp_path / "failed" / f"{name}.json").read_text())
    assert (reason["code"], reason["reason"]) == ("other-examination", "a CT")


def test_object_that_was_given_up_is_kept_with_its_results_and_the_reason(
    queue: Queue, tmp_path: Path
) -> None:
    name = queue.put(FIRST)
    queue.keep_results(name, [b"result"])
    for _ in range(2):  # put back by hand, it may fail again
        queue.give_up(name, Refusal("no archive"))
        assert queue.waiting() == []
        assert (tmp_path / "failed" / f"{name}.dcm").read_bytes() == FIRST
        assert (tmp_path / "failed" / name / "00.dcm").read_bytes() == b"result"
        queue.put(FIRST)
        queue.keep_results(name, [b"result"])


def test_results_that_were_kept_are_found_after_a_restart(queue: Queue, tmp_path: Path) -> None:
    name = queue.put(FIRST)
    assert queue.results(name) is None
    kept = queue.keep_results(name, [b"one", b"two"])
    kept[0].unlink()

    again = Queue(tmp_path, max_bytes=10**6)
    results = again.results(name)
    assert results and [each.read_bytes() for each in results] == [b"two"]


def test_death_while_an_object_was_forgotten_does_not_answer_it_again(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = queue.put(FIRST)
    queue.keep_results(name, [b"result"])
    with monkeypatch.context() as dying:
        dying.setattr(Queue, "_remove", lambda *_: None)
        queue.finish(name)

    again = Queue(tmp_path, max_bytes=10**6)
    assert [again.is_answered(each.name) for each in again.waiting()] == [True]
    again.finish(name)
    assert again.waiting() == []


def test_object_that_was_being_written_does_not_wait(queue: Queue, tmp_path: Path) -> None:
    (tmp_path / "incoming" / "name.part").write_bytes(b"half")

    assert queue.waiting() == []


def test_queue_has_a_limit_and_space_again_when_it_is_emptier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_MEASURE_SECONDS", 0.0)
    queue = Queue(tmp_path, max_bytes=len(FIRST) + 1)
    name = queue.put(FIRST)
    with pytest.raises(QueueFull):
        queue.put(SECOND)
    assert files_below(tmp_path) == [f"{name}.dcm"]

    queue.finish(name)
    queue.put(SECOND)


def test_limit_holds_between_two_measurements_too(tmp_path: Path) -> None:
    queue = Queue(tmp_path, max_bytes=3 * len(SECOND))
    with pytest.raises(QueueFull):
        for number in range(4):
            queue.put(b"%d %s" % (number, SECOND[2:]))


def test_only_one_process_takes_from_the_queue(queue: Queue, tmp_path: Path) -> None:
    another = Queue(tmp_path, max_bytes=1)
    with queue.taken(), pytest.raises(QueueLocked), another.taken():
        pass
    with another.taken():
        pass


def test_what_is_old_is_discarded_and_what_waits_is_not(queue: Queue, tmp_path: Path) -> None:
    waiting, failed = queue.put(FIRST), queue.put(SECOND)
    queue.keep_results(failed, [b"result"])
    queue.give_up(failed, Refusal("no archive"))
    (tmp_path / "answered" / "name").touch()
    (tmp_path / "incoming" / "name.part").touch()
    queue.discard(failed_seconds=60)
    assert len(files_below(tmp_path)) == 6

    for each in tmp_path.rglob("*"):
        age(each, 2 * 24 * 3600)
    queue.discard(failed_seconds=60)

    assert files_below(tmp_path) == [f"{waiting}.dcm"]
