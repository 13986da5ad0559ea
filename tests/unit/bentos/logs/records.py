"""Log records and lines for tests."""

import json
import logging
from typing import Any

from bentos.logs.lines import ALWAYS, REQUEST, SOMETIMES


def record(message: str = "so it is", *arguments: object, **extra: Any) -> logging.LogRecord:
    """A record as a module of ours logs it."""
    logger = logging.getLogger("bentos.test")
    level = extra.pop("level", logging.INFO)
    error = extra.pop("exc_info", None)
    return logger.makeRecord(logger.name, level, "", 0, message, arguments, error, extra=extra)


def parse(line: str) -> dict[str, Any]:
    """The fields of a line in JSON; fails if it is not of the schema."""
    fields: dict[str, Any] = json.loads(line)
    assert set(ALWAYS) <= fields.keys() <= {*ALWAYS, *REQUEST, *SOMETIMES}, line
    return fields
