"""What an operator's commands take; cheap to import, as every command reads it."""

import argparse
from collections.abc import Callable

from bentos.callers import key_rules
from bentos.callers.caller import Scope
from bentos.history_settings import MAX_RETENTION_HOURS

COMMANDS = ("keys", "migrate", "sweep", "rotate-encryption", "doctor")
_STATUS = """
exit status:
  0    done
  1    not done, or something was found; the message says what
  2    the command cannot start: a wrong setting, a storage that does not answer"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands to a parser."""
    _add_keys(_add(commands, "keys", "make, list and end API keys"))
    _add(commands, "migrate", "bring the database to the newest version")
    sweep = _add(commands, "sweep", "delete what has expired or was left half-way")
    sweep.add_argument(
        "--check",
        action="store_true",
        help="delete nothing; count pictures without a record, and records without pictures",
    )
    sweep.add_argument(
        "--incomplete",
        action="store_true",
        help="delete analyses whose pictures are missing, too; after a restore",
    )
    sweep.add_argument(
        "--force",
        action="store_true",
        help="delete pictures without a record even where most have none",
    )
    _add(commands, "rotate-encryption", "encrypt all pictures with the first key of the settings")
    doctor = _add(commands, "doctor", "check settings, models, storage and access")
    doctor.add_argument("--json", action="store_true", help="print the findings as JSON")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    creating = _add(actions, "create", "make a key and print it, once")
    creating.add_argument("name", type=_name, help="who uses it, for the list")
    creating.add_argument(
        "--scopes", type=_scopes, required=True, help=f"separated by commas: {', '.join(Scope)}"
    )
    creating.add_argument(
        "--requests-per-minute", type=_number(key_rules.MAX_IMAGES_PER_MINUTE), metavar="N"
    )
    creating.add_argument(
        "--retention-hours",
        type=_number(MAX_RETENTION_HOURS),
        metavar="N",
        help="how long its analyses are kept, instead of CHESTXRAY_RETENTION_HOURS",
    )
    creating.add_argument("--expires-days", type=_number(key_rules.MAX_DAYS), metavar="N")
    listing = _add(actions, "list", "list the keys, without their secrets")
    listing.add_argument("--all", action="store_true", help="also those that have ended")
    listing.add_argument("--json", action="store_true")
    revoking = _add(actions, "revoke", "end a key for good")
    rotating = _add(actions, "rotate", "give a key a new secret and print it, once")
    for each in (revoking, rotating):
        each.add_argument("id", type=_identifier, help="from `chestxray keys list`")
    rotating.add_argument(
        "--overlap-hours",
        type=_number(key_rules.MAX_OVERLAP_HOURS, least=0),
        default=key_rules.OVERLAP_HOURS,
        metavar="H",
        help=f"how long the old secret stays valid; {key_rules.OVERLAP_HOURS}",
    )


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, what: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _name(text: str) -> str:
    try:
        return key_rules.checked_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _scopes(text: str) -> list[Scope]:
    names = dict.fromkeys(each.strip() for each in text.split(","))
    if unknown := [each for each in names if each not in list(Scope)]:
        raise argparse.ArgumentTypeError(
            f"{unknown[0]!r} is no scope; there are {', '.join(Scope)}"
        )
    return [Scope(each) for each in names]


def _identifier(text: str) -> str:
    """Without the text in the message: it may be a whole key."""
    if not key_rules.is_identifier(text):
        raise argparse.ArgumentTypeError(
            "must be the 16 hexadecimal digits of a key that `chestxray keys list` shows"
        )
    return text


def _number(most: int, *, least: int = 1) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text[:20]) <= most):
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}")
        return int(text)

    return number
