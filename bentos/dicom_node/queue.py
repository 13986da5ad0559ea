"""The queue of the DICOM node, as files: what is acknowledged survives any crash.

    incoming/    files that are being written
    waiting/     objects to analyse
    outbox/      a folder of results for each object that was analysed
    answered/    an empty file for each object whose results were sent, or that was refused
    failed/      what was given up, with the reason

A file appears in `waiting`, and a folder in `outbox`, by a rename after its bytes are on the disk.
One process takes from the queue, any number put into it. Names are digests of the objects: they
say nothing of a patient, and an object that is sent again has the same one.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

_INCOMING, _WAITING, _OUTBOX, _ANSWERED, _FAILED = (
    "incoming", "waiting", "outbox", "answered", "failed",
)  # fmt: skip
_OBJECT, _REASON = ".dcm", ".json"
_FOLDER_MODE = 0o700
_ANSWERED_SECONDS = 24 * 3600.0
"""An object that is sent again in this time is not analysed again: its sender missed our answer."""
_INCOMING_SECONDS = 3600.0
"""What is older in `incoming` was left by a process that died."""
_MEASURE_SECONDS = 1.0
"""The size of the queue is measured again after this time."""


class QueueFull(Exception):
    """The queue has as many bytes as it may have."""


class QueueLocked(Exception):
    """Another process takes from the queue."""


class Waiting(NamedTuple):
    """An object in the queue."""

    name: str
    since: float
    """When it was received, in seconds since the epoch."""


@dataclass(frozen=True)
class Refusal:
    """Why an object is not answered; for people."""

    reason: str
    code: str = ""
    """Of the service's problem, where that is the reason."""


class Queue:
    """The queue in a folder, which is created. Methods raise OSError."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes
        self._measured, self._bytes = -_MEASURE_SECONDS, 0
        for name in ("", _INCOMING, _WAITING, _OUTBOX, _ANSWERED, _FAILED):
            (folder / name).mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Stores a DICOM file, so that it is on the disk when this returns; returns its name.

        One that is in the queue, or was answered lately, is not stored again. Raises QueueFull.
        """
        name = hashlib.sha256(data).hexdigest()
        if not self._is_known(name):
            self._check_space(len(data))
            incoming = self._incoming(name)
            _write(incoming, data)
            _rename(incoming, self._object(name))
        return name

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Makes this process the one that takes from the queue. Raises QueueLocked."""
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise QueueLocked(f"another process takes from {self._folder}") from error
            yield

    def waiting(self) -> list[Waiting]:
        """Returns all that is to be analysed or sent, oldest first."""
        names = {each.name for each in os.scandir(self._folder / _OUTBOX)}
        names |= {each.stem for each in (self._folder / _WAITING).glob(f"*{_OBJECT}")}
        return sorted(self._since(names), key=lambda each: each.since)

    def read(self, name: str) -> bytes:
        """Returns an object that waits."""
        return self._object(name).read_bytes()

    def is_answered(self, name: str) -> bool:
        """Whether an object that waits was answered lately.

        It was sent twice at once, or the process died while it forgot the object.
        """
        return (self._folder / _ANSWERED / name).exists()

    def results(self, name: str) -> list[Path] | None:
        """Returns the results that are still to be sent; None if there are none yet."""
        folder = self._folder / _OUTBOX / name
        return sorted(folder.iterdir()) if folder.is_dir() else None

    def keep_results(self, name: str, results: Sequence[bytes]) -> list[Path]:
        """Stores the results of an object before the first of them is sent."""
        incoming = self._incoming(name)
        incoming.mkdir(mode=_FOLDER_MODE)
        for number, data in enumerate(results):
            _write(incoming / f"{number:02}{_OBJECT}", data)
        _synchronise(incoming)
        _rename(incoming, self._folder / _OUTBOX / name)
        return self.results(name) or []

    def finish(self, name: str) -> None:
        """Forgets an object and its results, but not that it was answered."""
        (self._folder / _ANSWERED / name).touch()
        _synchronise(self._folder / _ANSWERED)
        self._remove(name)

    def refuse(self, name: str, refusal: Refusal) -> None:
        """Forgets an object that is not answered; only the reason is kept."""
        self._write_reason(name, refusal)
        self.finish(name)

    def give_up(self, name: str, refusal: Refusal) -> None:
        """Moves an object and its results away, with the reason."""
        self._write_reason(name, refusal)
        for kept in (self._object(name), self._folder / _OUTBOX / name):
            target = self._folder / _FAILED / kept.name
            with suppress(FileNotFoundError):
                _delete(target)
                _rename(kept, target)

    def discard(self, *, failed_seconds: float) -> None:
        """Deletes what has been kept for long enough."""
        ages = {_INCOMING: _INCOMING_SECONDS, _ANSWERED: _ANSWERED_SECONDS, _FAILED: failed_seconds}
        for part, seconds in ages.items():
            for each in self._old(part, seconds):
                _delete(each)

    def count(self) -> dict[str, int]:
        """Returns how many objects wait, have results to send, and were given up."""
        kinds = {_WAITING: _OBJECT, _OUTBOX: "", _FAILED: _REASON}
        return {
            part: len(list((self._folder / part).glob(f"*{suffix}")))
            for part, suffix in kinds.items()
        }

    def size(self) -> int:
        """Returns the bytes of all files."""
        return _bytes_below(self._folder)

    def _object(self, name: str) -> Path:
        return self._folder / _WAITING / f"{name}{_OBJECT}"

    def _incoming(self, name: str) -> Path:
        return self._folder / _INCOMING / f"{name}.{uuid4().hex}"

    def _is_known(self, name: str) -> bool:
        # In the order in which an object goes through them, so that none is missed on its way.
        places = (
            self._object(name),
            self._folder / _OUTBOX / name,
            self._folder / _ANSWERED / name,
        )
        return any(each.exists() for each in places)

    def _check_space(self, size: int) -> None:
        now = time.monotonic()
        if now - self._measured >= _MEASURE_SECONDS:
            self._measured, self._bytes = now, _bytes_below(self._folder)
        if self._bytes + size > self._max_bytes:
            raise QueueFull(f"the queue has its limit of {self._max_bytes} bytes")
        self._bytes += size

    def _since(self, names: set[str]) -> Iterator[Waiting]:
        for name in names:
            for place in (self._object(name), self._folder / _OUTBOX / name):
                with suppress(FileNotFoundError):
                    yield Waiting(name, place.stat().st_mtime)
                    break

    def _write_reason(self, name: str, refusal: Refusal) -> None:
        described = {
            "object": f"sha256:{name}",
            "code": refusal.code,
            "reason": refusal.reason,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        incoming = self._incoming(name)
        _write(incoming, json.dumps(described, indent=2).encode())
        _rename(incoming, self._folder / _FAILED / f"{name}{_REASON}")

    def _remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder / _OUTBOX / name)
        self._object(name).unlink(missing_ok=True)

    def _old(self, part: str, seconds: float) -> Iterator[Path]:
        oldest = time.time() - seconds
        for each in (self._folder / part).iterdir():
            with suppress(FileNotFoundError):
                if each.stat().st_mtime < oldest:
                    yield each


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _rename(path: Path, target: Path) -> None:
    path.replace(target)
    _synchronise(target.parent)


def _synchronise(folder: Path) -> None:
    """Writes a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _bytes_below(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(parent, name)).st_size
    return total
