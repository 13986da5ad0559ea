"""The entry point of the command `chestxray`, which is installed with the client, too."""

import sys

_EXTRA = "chestxray[serving-cpu]"
_CANNOT_START = 2


def main() -> None:
    """Runs the command, or says in one line which packages it needs."""
    try:
        from bentos import cli
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("bentos", "chestxray"):
            raise
        reason = f"the command chestxray needs {package}; install '{_EXTRA}'"
        sys.stderr.write(f"{reason}. The client, chestxray.client, does not.\n")
        sys.exit(_CANNOT_START)
    cli.main()
