"""The commands as a process: their exit status, and what they say where they cannot work."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bentos.database.database import FILE
from tests import kept
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # each starts processes that import for seconds

PASSWORD = "not-to-be-seen"
NOWHERE = f"postgresql://user:{PASSWORD}@127.0.0.1:9/name"


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CHESTXRAY_")}
    environment |= {f"CHESTXRAY_{name}": value for name, value in variables.items()}
    command = [sys.executable, "-m", "bentos.cli", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def data(folder: Path) -> str:
    return str(folder / "data")


def test_key_of_one_process_is_listed_by_another(tmp_path: Path) -> None:
    made = run("keys", "create", "portal", "--scopes", "analyse", DATA_FOLDER=data(tmp_path))
    listed = run("keys", "list", DATA_FOLDER=data(tmp_path))

    assert (made.returncode, listed.returncode) == (0, 0), made.stderr + listed.stderr
    assert made.stdout.split("_")[1] in listed.stdout
    assert made.stdout.strip() not in listed.stdout + made.stderr


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",), ("sweep",)])
def test_without_a_place_the_command_names_the_settings(command: tuple[str, ...]) -> None:
    done = run(*command)

    assert done.returncode == 2
    assert "set CHESTXRAY_DATA_FOLDER, or CHESTXRAY_DATABASE" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("keys", "list"), ("migrate",), ("rotate-encryption",)])
def test_unreachable_database_is_one_line_without_its_password(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(*command, DATA_FOLDER=data(tmp_path), DATABASE=NOWHERE)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "ConnectionRefusedError; the database is postgresql://127.0.0.1:9/name" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    assert run("migrate", DATA_FOLDER=data(tmp_path)).returncode == 0
    database = sqlite3.connect(tmp_path / "data" / FILE)
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()

    done = run("migrate", DATA_FOLDER=data(tmp_path))

    assert done.returncode == 2
    assert "version 9999, which a later version of this program has made" in done.stderr
    assert "Traceback" not in done.stderr


def test_migrations_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    environment = os.environ | {"CHESTXRAY_DATA_FOLDER": data(tmp_path)}
    command = [sys.executable, "-m", "bentos.cli", "migrate"]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [each.communicate()[0] for each in running]

    assert [each.returncode for each in running] == [0, 0, 0]
    assert sum("was brought from nothing" in each for each in said) == 1
    assert sum("the newest" in each for each in said) == 2


def test_rotation_needs_a_key_and_says_what_is_left(tmp_path: Path) -> None:
    without = run("rotate-encryption", DATA_FOLDER=data(tmp_path))
    made = run("rotate-encryption", DATA_FOLDER=data(tmp_path), ENCRYPTION_KEYS=kept.NEW_KEY)

    assert without.returncode == 1
    assert "CHESTXRAY_ENCRYPTION_KEYS is empty" in without.stderr
    assert made.returncode == 0, made.stderr
    assert "nothing needs another key than new any more" in made.stdout


def test_wrong_setting_stops_the_command(tmp_path: Path) -> None:
    done = run("keys", "list", DATA_FOLDER=data(tmp_path), ENCRYPTION_KEYS=PASSWORD)

    assert done.returncode == 2
    assert "CHESTXRAY_ENCRYPTION_KEYS" in done.stderr
    assert PASSWORD not in done.stderr
