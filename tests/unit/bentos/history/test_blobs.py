"""No call of the object store outlives Python, and a store that hangs holds up nothing else."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bentos.history.blobs import open_blobs
from bentos.history.encryption import Keyring

_ENDS_WHILE_IT_WRITES = """
import asyncio, sys, time

from bentos.history.blobs import open_blobs
from bentos.history.encryption import Keyring


class EndsSlowly:  # when Python ends: what is still running comes back then
    sleep = time.sleep

    def __del__(self):
        self.sleep(0.5)


async def main():
    blobs = open_blobs("", data_folder=sys.argv[1], keyring=Keyring({}), part="pictures")
    writes = [asyncio.ensure_future(blobs.put(str(i), bytes(10_000_000))) for i in range(20)]
    await asyncio.sleep(0)


ends_slowly = EndsSlowly()
asyncio.run(main())
sys.exit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_process_ends_well_while_files_are_written(tmp_path: Path, attempt: int) -> None:
    command = [sys.executable, "-c", _ENDS_WHILE_IT_WRITES, str(tmp_path / "data")]

    done = subprocess.run(command, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (3, "")


def test_store_that_hangs_holds_up_no_other_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_blobs("", data_folder=str(tmp_path / "data"), keyring=Keyring({}), part="pictures")
    go_on = threading.Event()
    monkeypatch.setattr("bentos.history.blobs.obstore.head", lambda *_: go_on.wait(30))

    async def main() -> None:
        hanging = [asyncio.ensure_future(store.exists(str(each))) for each in range(100)]
        try:
            async with asyncio.timeout(10):
                await asyncio.to_thread(int)
        finally:
            go_on.set()
            await asyncio.gather(*hanging)

    asyncio.run(main())


def test_list_of_many_is_whole(tmp_path: Path) -> None:
    store = open_blobs("", data_folder=str(tmp_path / "data"), keyring=Keyring({}), part="pictures")

    async def main() -> list[str]:
        for number in range(1100):  # more than one chunk
            (tmp_path / "data/pictures" / str(number)).touch()
        return [name async for names in store.names() for name in names]

    assert sorted(asyncio.run(main()), key=int) == [str(number) for number in range(1100)]
