"""Pictures and images, in a folder or in an S3 bucket, encrypted where a key is set."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from bentos.database.errors import StorageUnavailable
from bentos.history.encryption import Keyring
from bentos.history_metrics import get_history_metrics
from bentos.metric_labels import StoragePart

T = TypeVar("T")

PICTURES, JOBS = "pictures", "jobs"
"""In the data folder, or in the bucket: of kept analyses, and of the images that wait in jobs."""
_REQUEST, _ALL_ATTEMPTS = timedelta(seconds=5), timedelta(seconds=8)
"""Longest time of one request to a bucket, and of all its attempts."""
_LIST_CHUNK = 1000
_PARALLEL = 32
"""Calls of obstore at once; a bucket that hangs holds up no other work."""
_MAX_UNFINISHED = 4
"""Processes that died while they wrote the same file; each name is written once or twice."""


@dataclass(frozen=True)
class Blob:
    """What a list says of one."""

    name: str
    modified: datetime


class Blobs:
    """Named bytes.

    obstore is called in threads, and not by its coroutines: those come back on threads of Rust,
    which abort the process if Python is ending just then. Python waits for threads of its own.
    """

    def __init__(self, store: LocalStore | S3Store, keyring: Keyring, folder: Path | None) -> None:
        self._store, self.keyring, self._folder = store, keyring, folder
        self._threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="blobs")

    async def put(self, name: str, data: bytes) -> None:
        """Stores bytes as a whole or not at all. Raises StorageUnavailable."""
        encrypted = self.keyring.encrypt(data, name=name)

        def put() -> None:
            obstore.put(self._store, name, encrypted)
            if self._folder:
                _sync(self._folder / name)

        await self._call(put)

    async def get(self, name: str, *, encrypted: bool) -> bytes | None:
        """Returns bytes; None where there are none. Raises StorageUnavailable."""
        try:
            data = await self._call(lambda: bytes(obstore.get(self._store, name).bytes()))
        except FileNotFoundError:
            return None
        return self.keyring.decrypt(data, name=name, encrypted=encrypted)

    async def delete(self, names: Iterable[str]) -> None:
        """Deletes what there is of these names. Raises StorageUnavailable."""
        wanted, folder = list(names), self._folder
        if folder is None:
            await self._call(lambda: obstore.delete(self._store, wanted))
            return

        def delete() -> None:
            for name in wanted:  # a folder refuses a name that it does not have
                with suppress(FileNotFoundError):
                    obstore.delete(self._store, name)
                _delete_unfinished(folder / name)

        await self._call(delete)

    async def delete_folder(self, folder: str) -> None:
        """Deletes a folder and all in it, half-written or not. Raises StorageUnavailable."""
        if self._folder is None:
            async for chunk in self.listed(folder):
                await self.delete(each.name for each in chunk)
            return
        path = self._folder / folder
        with suppress(FileNotFoundError):
            await self._call(lambda: shutil.rmtree(path))

    async def exists(self, name: str) -> bool:
        """Whether there are bytes of this name. Raises StorageUnavailable."""
        try:
            await self._call(lambda: obstore.head(self._store, name))
        except FileNotFoundError:
            return False
        return True

    async def names(self) -> AsyncIterator[list[str]]:
        """Yields all names, some at a time. Raises StorageUnavailable."""
        async for chunk in self.listed():
            yield [each.name for each in chunk]

    async def listed(self, folder: str | None = None) -> AsyncIterator[list[Blob]]:
        """Yields all there is, or all in a folder, some at a time. Raises StorageUnavailable."""
        chunks = await self._call(lambda: obstore.list(self._store, folder, chunk_size=_LIST_CHUNK))
        while (chunk := await self._call(lambda: next(chunks, None))) is not None:
            yield [Blob(each["path"], each["last_modified"]) for each in chunk]

    async def _call(self, function: Callable[[], T]) -> T:
        """Raises StorageUnavailable, or FileNotFoundError."""
        with _translated():
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)


def open_blobs(object_store: str, *, data_folder: str, keyring: Keyring, part: str) -> Blobs:
    """Opens one part of s3://bucket/prefix, or of `data_folder`. Raises OSError."""
    if not object_store:
        folder = Path(data_folder).absolute() / part
        for each in (folder.parent, folder):  # the mode is of the last one alone
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Blobs(LocalStore(folder, automatic_cleanup=part == JOBS), keyring, folder)
    address = urlsplit(object_store)
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http:")
    store = S3Store(
        address.netloc,
        prefix=f"{address.path.strip('/')}/{part}".lstrip("/"),
        client_options={"timeout": _REQUEST, "allow_http": plain},
        retry_config={"max_retries": 2, "retry_timeout": _ALL_ATTEMPTS},
    )
    return Blobs(store, keyring, None)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:  # the message may have the name of the bucket
        get_history_metrics().failures.labels(StoragePart.OBJECT_STORE).inc()
        raise StorageUnavailable(f"the object store failed: {type(error).__name__}") from error


def _delete_unfinished(file: Path) -> None:
    """Deletes what a process that died has left of a file.

    obstore writes NAME#1, or #2 where that is taken, renames it at the end, and lists neither.
    """
    for number in range(1, _MAX_UNFINISHED + 1):
        file.with_name(f"{file.name}#{number}").unlink(missing_ok=True)


def _sync(file: Path) -> None:
    """Returns once a file and its name are on the disk."""
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
