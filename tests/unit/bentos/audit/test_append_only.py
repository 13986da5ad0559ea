"""Lines are appended whole, by several processes, to a file that may be moved."""

import multiprocessing
import os
from pathlib import Path

import pytest

from bentos.audit.append_only import AppendOnlyFile

LINES = 300


def write_many(path: Path, letter: str) -> None:
    file = AppendOnlyFile(path)
    for _ in range(LINES):
        file.append(2000 * letter)


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path, context = tmp_path / "audit", multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, each)) for each in "abc"]

    for each in writers:
        each.start()
    for each in writers:
        each.join(60)

    lines = path.read_text().splitlines()
    assert sorted(lines) == [2000 * each for each in "abc" for _ in range(LINES)]


def test_lines_are_added_to_what_is_there_and_others_cannot_read_it(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    for number in range(2):
        file = AppendOnlyFile(path)
        file.append(f"line {number}")
        file.close()

    assert path.read_text() == "line 0\nline 1\n"
    assert path.stat().st_mode & 0o007 == 0


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_next_line_after_a_rotation_is_in_the_new_file(tmp_path: Path, how: str) -> None:
    path = tmp_path / "audit"
    file = AppendOnlyFile(path)
    file.append("before")
    path.rename(tmp_path / "audit.1") if how == "moved" else path.unlink()
    file.append("after")
    file.append("later")

    assert path.read_text() == "after\nlater\n"
    assert how == "deleted" or (tmp_path / "audit.1").read_text() == "before\n"


def test_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="space"):
        AppendOnlyFile(Path("/dev/full")).append("line")


def test_line_after_one_that_was_cut_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "audit", os.write
    file = AppendOnlyFile(path)
    short = [True]

    def write(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[:3] if short and short.pop() else data)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="cut"):
        file.append("first line")
    file.append("second line")

    assert path.read_text() == "fir\nsecond line\n"
