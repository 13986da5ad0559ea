"""What `chestxray doctor` finds."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but probably not as was meant."""
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """The result of one check; no secret is in it."""

    check: str
    level: Level
    found: str
    remedy: str = ""

    def line(self) -> str:
        """As text for people."""
        mend = f"; {self.remedy}" if self.remedy else ""
        return f"{self.level:<7}  {self.check}: {self.found}{mend}"

    def as_json(self) -> dict[str, str]:
        """As JSON."""
        return asdict(self)


def ok(check: str, found: str) -> Finding:
    """Nothing to mend."""
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Something to look at."""
    return Finding(check, Level.WARNING, found, remedy)


def fault(check: str, found: str, remedy: str) -> Finding:
    """Something that does not work."""
    return Finding(check, Level.FAULT, found, remedy)
