"""The decoder keeps its limits on damaged images; `make fuzz` runs for minutes."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chestxray.errors import AnalysisError
from chestxray.images import decode
from tests.conftest import ROOT
from tests.fuzz import corpus, worker
from tests.fuzz.ledger import Ledger
from tests.fuzz.processes import fuzz
from tests.fuzz.worker import Outcomes, header_of, image_of

SEEDS = range(3000)
WHOLE = [
    name
    for name in corpus.make()
    if " and " not in name and ", cut" not in name and not name.startswith("costly")
]
UNSUPPORTED = {"png animated", "tiff of two", "webp animated", "tiff group4", "tiff lzma"}


def hang() -> None:
    while True:
        pass


def allocate_too_much() -> None:
    bytearray(2 * worker.LIMIT_BYTES)


def raise_another_error() -> None:
    raise ValueError


def write_to_stderr() -> None:
    os.write(2, bytes(2 * worker.LIMIT_LOG_BYTES))


@pytest.fixture(scope="module")
def found() -> Outcomes:
    """The outcomes of a few thousand seeds."""
    made = Outcomes()
    for _, each in fuzz([SEEDS]):
        made.add(each)
    return made


def test_damaged_images_are_decoded_or_rejected_within_the_limits(found: Outcomes) -> None:
    assert found.findings == {}
    assert found.codes.total() == len(SEEDS)
    assert found.codes["decoded"] > 100
    assert found.codes["unreadable-image"] > 100


def test_damaged_dicom_files_are_counted_apart(found: Outcomes) -> None:
    assert 100 < found.dicoms.total() < found.codes.total() / 2
    assert found.dicoms <= found.codes


def test_damaged_headers_are_identified_or_refused_within_the_limits(found: Outcomes) -> None:
    assert found.findings == {}
    assert found.headers.total() == len(SEEDS)
    assert found.headers["identified"] > 100
    assert found.headers["unreadable-image"] > 100


def test_seed_always_gives_the_same_image() -> None:
    assert [image_of(seed) for seed in range(50)] == [image_of(seed) for seed in range(50)]


def test_seed_gives_the_same_files_in_another_process() -> None:
    command = [sys.executable, "-c", f"from {__name__} import digest; print(digest())"]

    assert subprocess.check_output(command, cwd=ROOT, text=True).strip() == digest()


def digest() -> str:
    """Of the files of many seeds."""
    files = [make(seed) for seed in range(200) for make in (image_of, header_of)]
    return hashlib.sha256(b"".join(files)).hexdigest()


@pytest.mark.parametrize("name", WHOLE)
def test_supported_images_of_the_corpus_are_decoded(name: str) -> None:
    try:
        read = decode(corpus.make()[name]).mode == "L"
    except AnalysisError:
        read = False

    assert read == (name not in UNSUPPORTED)


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (hang, "takes more than"),
        (allocate_too_much, "MemoryError"),
        (write_to_stderr, "to the log"),
    ],
)
def test_fuzzer_reports_a_broken_limit_and_continues(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None], finding: str
) -> None:
    def read_with_fault(data: bytes) -> None:
        if data == image_of(7):
            fault()
        raise AnalysisError

    monkeypatch.setattr(worker, "read", read_with_fault)
    monkeypatch.setattr(worker, "LIMIT_SECONDS", 0.2)
    ledger = Ledger(Path("/nowhere"))
    for seeds, found in fuzz([range(10)]):
        ledger.add(seeds, found)

    assert list(ledger.outcomes.findings) == [7]
    assert finding in ledger.outcomes.findings[7]
    assert ledger.tried == ledger.next_seed == 10


@pytest.mark.parametrize(
    ("fault", "finding"), [(hang, "takes more than"), (raise_another_error, "header: ValueError")]
)
def test_fuzzer_reports_what_a_damaged_header_does(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None], finding: str
) -> None:
    def identify_with_fault(data: bytes) -> None:
        if data == header_of(7):
            fault()
        raise AnalysisError

    monkeypatch.setattr(worker, "identify", identify_with_fault)
    monkeypatch.setattr(worker, "LIMIT_SECONDS", 0.2)
    findings: dict[int, str] = {}
    for _, outcomes in fuzz([range(10)]):
        findings |= outcomes.findings

    assert list(findings) == [7]
    assert finding in findings[7]


def test_ledger_continues_after_the_last_seed(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    for seeds, found in fuzz([range(20), range(20, 40)]):
        first.add(seeds, found)
    first.save()

    second = Ledger(tmp_path)

    assert second.next_seed == 40
    assert second.table() == first.table() == (tmp_path / "TABLE.md").read_text()
