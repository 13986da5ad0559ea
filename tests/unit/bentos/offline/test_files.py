"""Which files are analysed, in which order, and what is read of them."""

import hashlib
import io
from pathlib import Path

import pytest

from bentos.offline import files
from chestxray.errors import ImageTooLarge


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png", "deep/er/c.dcm", ".hidden.png", ".git/d.png", "deep/.e.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def test_folder_is_searched_in_the_order_of_names_without_hidden_files(tree: Path) -> None:
    found = list(files.find([str(tree)]))

    assert found == [str(tree / name) for name in ("a.png", "b.png", "deep/er/c.dcm")]


def test_file_named_twice_is_found_once(tree: Path) -> None:
    found = list(files.find([str(tree / "b.png"), str(tree), str(tree / "b.png")]))

    assert found[0] == str(tree / "b.png")
    assert len(found) == len(set(found)) == 3


def test_hidden_file_that_is_named_is_found(tree: Path) -> None:
    assert list(files.find([str(tree / ".hidden.png")])) == [str(tree / ".hidden.png")]


def test_names_come_from_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{tree}/a.png\n\n{tree}/deep\n"))

    assert list(files.find(["-"])) == [str(tree / "a.png"), str(tree / "deep/er/c.dcm")]


def test_missing_file_is_found_and_cannot_be_read(tree: Path) -> None:
    (name,) = files.find([str(tree / "none.png")])

    assert isinstance(files.read(name, max_bytes=100).error, FileNotFoundError)
    assert files.digest_of(name) == ""


def test_file_has_its_content_and_digest(tree: Path) -> None:
    name = str(tree / "a.png")
    file = files.read(name, max_bytes=5)

    assert (file.data, file.error) == (b"a.png", None)
    assert file.digest == files.digest_of(name) == f"sha256:{hashlib.sha256(b'a.png').hexdigest()}"


def test_larger_file_is_not_kept_but_has_its_digest(tree: Path) -> None:
    name = str(tree / "a.png")
    file = files.read(name, max_bytes=4)

    assert isinstance(file.error, ImageTooLarge)
    assert (file.data, file.digest) == (b"", files.digest_of(name))
