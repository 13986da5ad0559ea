"""Results outlive a killed run, and each file has one."""

import csv
import json
from pathlib import Path

import pytest

from bentos.offline import files, records
from bentos.offline.records import Journal, Record
from chestxray.errors import EmptyImage
from chestxray.labels import FINDINGS

MODELS = {"xray_filter": "sha256:1", "covid_classifier": "sha256:2"}
ANALYSIS = {
    "filter": {"verdict": "frontal_chest", "score": 0.9},
    "prediction": {
        "label": "covid19",
        "abnormal": 0.8,
        "probabilities": dict(zip(FINDINGS, (0.2, 0.3, 0.5), strict=True)),
    },
}


def record(path: Path, *, models: dict[str, str] = MODELS) -> Record:
    file = {"file": str(path), "sha256": files.digest_of(str(path))}
    return file | {"models": models, "analysis": ANALYSIS}


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_run_that_is_resumed_appends(results: Path, images: list[Path]) -> None:
    for image in images:
        with Journal.resume(results, MODELS) as journal:
            assert str(image) not in journal.done
            journal.write(record(image))

    assert lines(results) == [record(image) for image in images]


def test_record_is_on_disk_as_soon_as_it_is_written(results: Path, images: list[Path]) -> None:
    with Journal.resume(results, MODELS) as journal:
        journal.write(record(images[0]))

        assert lines(results) == [record(images[0])]


def test_line_of_a_killed_run_is_dropped(results: Path, images: list[Path]) -> None:
    whole = json.dumps(record(images[0])) + "\n"
    results.write_text(whole + whole[:40])

    with Journal.resume(results, MODELS) as journal:
        assert journal.done == {str(images[0])}
        journal.write(record(images[1]))

    assert [each["file"] for each in lines(results)] == [str(each) for each in images[:2]]


def test_file_with_other_content_is_analysed_anew(results: Path, images: list[Path]) -> None:
    results.write_text("".join(json.dumps(record(image)) + "\n" for image in images))
    images[1].write_bytes(b"changed")
    images[2].unlink()

    with Journal.resume(results, MODELS) as journal:
        assert journal.done == {str(images[0])}


def test_record_of_other_models_is_not_kept(results: Path, images: list[Path]) -> None:
    older = MODELS | {"covid_classifier": "sha256:older"}
    results.write_text(json.dumps(record(images[0], models=older)) + "\n")

    with Journal.resume(results, MODELS) as journal:
        assert journal.done == set()

    assert results.read_text() == ""


def test_problems_of_earlier_runs_count(results: Path, images: list[Path]) -> None:
    problem = records.of_problem(
        files.read(str(images[0]), max_bytes=99), EmptyImage("the image has no bytes"), MODELS
    )
    results.write_text(json.dumps(problem) + "\n")

    with Journal.resume(results, MODELS) as journal:
        assert journal.problems == 1
        journal.write(record(images[1]))
        journal.write(problem)
        assert journal.problems == 2


def test_table_has_a_row_for_each_file(tmp_path: Path, images: list[Path]) -> None:
    problem = records.of_problem(
        files.File("lost.png", "", b""), FileNotFoundError(2, "No such file"), MODELS
    )
    written = [record(images[0]), problem]
    records.write_csv(written, tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)

    assert tuple(first) == records.COLUMNS
    assert (first["label"], first["covid19"], first["code"]) == ("covid19", "0.5", "")
    assert (second["file"], second["code"], second["label"]) == ("lost.png", "unreadable-file", "")
    assert first["covid_classifier"] == "sha256:2"
    assert "Not a diagnosis" in first["disclaimer"]


def test_parquet_has_what_csv_has(tmp_path: Path, images: list[Path]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    records.write_parquet([record(images[0])], tmp_path / "r.parquet")

    (row,) = parquet.read_table(tmp_path / "r.parquet").to_pylist()

    assert tuple(row) == records.COLUMNS
    assert (row["label"], row["covid19"], row["code"]) == ("covid19", 0.5, None)
