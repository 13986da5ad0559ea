"""The arguments of an operator's commands are checked before anything is opened."""

import argparse

import pytest

from bentos.administration import arguments
from bentos.callers.caller import Scope

KEY = "cxr_0123456789abcdef_" + "s" * 43


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    arguments.add_to(parser.add_subparsers(dest="command", required=True))
    return parser.parse_args(words)


def test_key_has_a_name_and_scopes() -> None:
    flags = parse("keys", "create", " portal ", "--scopes", "analyse,history,analyse")

    assert flags.name == "portal"
    assert flags.scopes == [Scope.ANALYSE, Scope.HISTORY]
    assert flags.requests_per_minute is flags.retention_hours is flags.expires_days is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("create", "portal"), "--scopes"),
        (("create", "portal", "--scopes", "read"), "'read' is no scope"),
        (("create", "portal", "--scopes", ""), "is no scope"),
        (("create", " ", "--scopes", "analyse"), "printable"),
        (("create", "a\x1b[2Jb", "--scopes", "analyse"), "printable"),
        (("create", "a" * 121, "--scopes", "analyse"), "1 to 120"),
        (("create", "a", "--scopes", "analyse", "--retention-hours", "87841"), "1 to 87840"),
        (("create", "a", "--scopes", "analyse", "--retention-hours", "0"), "1 to 87840"),
        (("create", "a", "--scopes", "analyse", "--requests-per-minute", "-1"), "1 to 1000000"),
        (("create", "a", "--scopes", "analyse", "--expires-days", "1.5"), "1 to 3660"),
        (("rotate", "0" * 16, "--overlap-hours", "9" * 9999), "0 to 87840"),
        (("revoke", "0123"), "16 hexadecimal digits"),
    ],
)
def test_wrong_argument_is_named(
    words: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("keys", *words)

    assert reason in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("action", ["revoke", "rotate"])
def test_whole_key_instead_of_its_identifier_is_not_printed(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse("keys", action, KEY)

    assert "ssss" not in capsys.readouterr().err


def test_every_command_is_known_to_the_dispatcher() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    arguments.add_to(commands)

    assert set(commands.choices) == set(arguments.COMMANDS)
