"""The results file: one record per image, in the order in which they end.

While a run lasts, the file is JSON Lines: each line is written whole, so that a run that is killed
loses nothing but what it had in flight. CSV and Parquet are written from it at the end.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Self

from bentos.offline.files import File, digest_of
from chestxray.errors import AnalysisError
from chestxray.labels import FINDINGS
from chestxray.results import DISCLAIMER, Analysis

Record = dict[str, Any]

JOURNAL = ".jsonl"
"""Suffix of the JSON Lines beside results that are CSV or Parquet."""
_UNFINISHED = ".unfinished"
COLUMNS = (
    "file",
    "sha256",
    "code",
    "detail",
    "verdict",
    "filter_score",
    "label",
    *FINDINGS,
    "abnormal",
    "xray_filter",
    "covid_classifier",
    "disclaimer",
)
"""Of a table: a problem has code and detail, an analysis the rest."""
_NUMBERS = ("filter_score", *FINDINGS, "abnormal")


def of_analysis(file: File, analysis: Analysis) -> Record:
    """The record of an image that was analysed."""
    return {
        "file": file.name,
        "sha256": file.digest,
        "models": analysis.models,
        "analysis": analysis.model_dump(mode="json"),
    }


def of_problem(file: File, error: AnalysisError | OSError, models: Mapping[str, str]) -> Record:
    """The record of an image that was not."""
    if isinstance(error, AnalysisError):
        problem = {"code": error.code, "detail": str(error)}
    else:
        problem = {
            "code": "unreadable-file",
            "detail": f"the file cannot be read: {error.strerror}",
        }
    return {"file": file.name, "sha256": file.digest, "models": dict(models), "problem": problem}


class Journal:
    """The records of a run as JSON Lines; each file is in it once."""

    def __init__(self, stream: IO[str], kept: Mapping[str, Record] | None = None) -> None:
        """`kept` are the records of earlier runs, by file."""
        kept = kept or {}
        self._stream, self.done = stream, set(kept)
        self.problems = sum("problem" in each for each in kept.values())

    @classmethod
    @contextmanager
    def resume(cls, path: Path, models: Mapping[str, str]) -> Iterator[Self]:
        """Opens the file of an earlier run, or a new one.

        What remains are the records of these models whose file still has the same content.
        """
        kept = {each["file"]: each for each in read(path) if _is_current(each, models)}
        rewritten = path.with_name(path.name + _UNFINISHED)
        with rewritten.open("w") as stream:
            stream.writelines(map(_line, kept.values()))
        rewritten.replace(path)
        with path.open("a") as stream:
            yield cls(stream, kept)

    def write(self, record: Record) -> None:
        """Appends a record and hands it to the kernel, so that a killed process loses none."""
        self._stream.write(_line(record))
        self._stream.flush()
        self.problems += "problem" in record


def read(path: Path) -> Iterator[Record]:
    """Yields the whole records of a file; none if there is no such file."""
    if not path.exists():
        return
    with path.open() as stream:
        for line in stream:
            with suppress(ValueError):  # the last line of a killed run
                yield json.loads(line)


def write_csv(records: Iterable[Record], path: Path) -> None:
    """Writes the table of the records."""
    part = path.with_name(path.name + _UNFINISHED)
    with part.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(map(_row, records))
    part.replace(path)


def write_parquet(records: Iterable[Record], path: Path) -> None:
    """Writes the table of the records. Raises ModuleNotFoundError without pyarrow."""
    import pyarrow
    from pyarrow import parquet

    types = {name: pyarrow.float64() for name in _NUMBERS}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in COLUMNS])
    part = path.with_name(path.name + _UNFINISHED)
    parquet.write_table(pyarrow.Table.from_pylist(list(map(_row, records)), schema), part)
    part.replace(path)


def _row(record: Record) -> Record:
    row: Record = dict.fromkeys(COLUMNS)
    row |= {"file": record["file"], "sha256": record["sha256"], "disclaimer": DISCLAIMER}
    row |= record["models"] | record.get("problem", {})
    if analysis := record.get("analysis"):
        prediction, judged = analysis["prediction"], analysis["filter"]
        row |= {"verdict": judged["verdict"], "filter_score": judged["score"]}
        row |= {"label": prediction["label"], "abnormal": prediction["abnormal"]}
        row |= prediction["probabilities"]
    return row


def _is_current(record: Record, models: Mapping[str, str]) -> bool:
    return bool(record["models"] == models and record["sha256"] == digest_of(record["file"]))


def _line(record: Record) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"
