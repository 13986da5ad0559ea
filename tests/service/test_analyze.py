"""The command `chestxray analyze`, as a user runs it."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests import dicoms
from tests.conftest import ROOT
from tests.phantoms import encode, phantom
from tests.service.server import Server
from tests.waiting import until

COUNT = 24
SECONDS = 300
COMMAND = (sys.executable, "-m", "bentos.cli", "analyze")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Different films in a folder, and one file that is none."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(COUNT - 2):
        pixels = phantom(400, 480)
        pixels[0, :number] = 1
        (folder / f"{number:02}.png").write_bytes(encode(pixels, "PNG"))
    (folder / "film.dcm").write_bytes(dicoms.film(phantom(400, 480).astype(np.uint16) * 16))
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def environment(passing_filter: Path) -> dict[str, str]:
    return os.environ | {"CHESTXRAY_FILTER_CHECKPOINT": str(passing_filter)}


def run(
    *arguments: str | Path, environment: dict[str, str], names: str | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        input=names,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def records_of(text: str) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert len({each["file"] for each in lines}) == len(lines)
    return {Path(each["file"]).name: each for each in lines}


def test_answers_are_those_of_the_service(
    films: Path, environment: dict[str, str], open_server: Server
) -> None:
    done = run(films / "00.png", films / "film.dcm", environment=environment)
    found = records_of(done.stdout)

    assert done.returncode == 0, done.stderr
    for name, record in found.items():
        content = (films / name).read_bytes()
        answer = httpx.post(f"{open_server.url}/v1/analyses", content=content, timeout=60).json()
        for part in ("input", "filter", "prediction", "heatmap", "models"):
            assert record["analysis"][part] == answer[part], (name, part)


def test_killed_run_goes_on_and_each_file_appears_once(
    films: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    command = [*COMMAND, str(films), "--output", str(results)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        until(lambda: results.exists() and results.read_text().count("\n") > 2, seconds=SECONDS)
        os.killpg(process.pid, signal.SIGKILL)
    before = results.read_text()
    kept = before[: before.rindex("\n") + 1]

    done = run(films, "--output", results, environment=environment)

    assert done.returncode == 1  # for the notes
    assert results.read_text().startswith(kept)
    found = records_of(results.read_text())
    assert set(found) == {path.name for path in films.iterdir()}
    assert {name for name, each in found.items() if "problem" in each} == {"notes.txt"}


def test_run_that_is_complete_computes_nothing_again(
    films: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    results = tmp_path / "r.jsonl"
    run(films / "00.png", "--output", results, environment=environment)
    first = results.read_text()

    again = run(films / "00.png", "--output", results, environment=environment)

    assert (again.returncode, results.read_text()) == (0, first)


def test_table_and_heatmaps_are_written_for_names_from_standard_input(
    films: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    names = "".join(f"{films / name}\n" for name in ("00.png", "film.dcm", "none.png"))
    maps = tmp_path / "maps"

    done = run(
        "-", "-o", tmp_path / "r.csv", "--heatmaps", maps, environment=environment, names=names
    )

    assert done.returncode == 1, done.stderr
    with (tmp_path / "r.csv").open(newline="") as stream:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(stream)}
    assert rows["none.png"]["code"] == "unreadable-file"
    for name in ("00.png", "film.dcm"):
        png = maps / f"{rows[name]['sha256'].replace(':', '-')}.png"
        assert png.read_bytes().startswith(b"\x89PNG")
    assert len(list(maps.iterdir())) == 2
    assert "100%" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "required"),
        (("a.png", "--output", "results.xlsx"), "must end with .jsonl, .csv or .parquet"),
        (("a.png", "--output", "/nowhere/results.jsonl"), "No such file or directory"),
    ],
)
def test_command_that_cannot_start_says_why(
    environment: dict[str, str], arguments: tuple[str, ...], complaint: str
) -> None:
    done = run(*arguments, environment=environment)

    assert done.returncode == 2
    assert complaint in done.stderr
