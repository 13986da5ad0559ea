"""Every cited BentoML trap has an entry, and files and tests named in the entries exist."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "bentoml.md").read_text()
FOLDERS = ("bentos", "chestxray", "tests", "loadtests", "docs", "k8s")
SUFFIXES = (".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".env")
CITATION = re.compile(r"\btraps?[\s#]+(\d+(?:(?:,| and| to)[\s#]+\d+)*)", re.I)
NAMED = re.compile(r"`([\w./-]+\.(?:py|toml|txt|yaml))?(?:::(test_\w+))?`")


def files_with_citations() -> Iterator[Path]:
    """The files in which a trap may be cited."""
    yield ROOT / "README.md"
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)


def cited_traps(text: str) -> Iterator[int]:
    """The numbers of the traps that a text cites, including those within a range."""
    for numbers in CITATION.findall(text):
        for first, last in re.findall(r"(\d+)(?:\s+to\s+(\d+))?", numbers):
            yield from range(int(first), int(last or first) + 1)


def named_tests() -> Iterator[tuple[str, str]]:
    """The files that the document names, with the name of a test or nothing."""
    file = ""
    for path, test in NAMED.findall(DOCUMENT):
        file = path or file
        yield file, test


def find_file(file: str) -> Path | None:
    """The path of a file: in this repository, in its tests, or among the installed packages."""
    spec = find_spec("bentoml")
    assert spec is not None
    assert spec.origin is not None
    folders = (ROOT, ROOT / "tests", Path(spec.origin).parents[1])
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def test_citations_in_every_form_are_found() -> None:
    text = "(traps 8, 9, 24). Traps 1 to 4: (trap\n# 18) Traps 13 and 23, a trap, trapped 7"

    assert list(cited_traps(text)) == [8, 9, 24, 1, 2, 3, 4, 18, 13, 23]


def test_every_cited_trap_has_one_entry() -> None:
    entries = [int(number) for number in re.findall(r"^## Trap (\d+): ", DOCUMENT, re.M)]

    assert entries == list(range(1, len(entries) + 1))
    missing = {
        (str(p), n)
        for p in files_with_citations()
        for n in cited_traps(p.read_text())
        if n not in entries
    }
    assert missing == set()


def test_every_file_named_in_the_entries_exists() -> None:
    assert [file for file, _ in named_tests() if not find_file(file)] == []


def test_every_test_named_in_the_entries_exists() -> None:
    tests = [(file, test) for file, test in named_tests() if test]

    assert len(tests) > 25
    for file, test in tests:
        path = find_file(file)
        assert path is not None, file
        assert re.search(rf"^def {test}\(", path.read_text(), re.M), f"{file}::{test}"
