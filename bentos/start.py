"""How a process begins: with its settings and its log, or not at all."""

import logging
import os
import sys
from typing import NoReturn

from pydantic import ValidationError

from bentos.logs.setup import configure
from bentos.settings import Settings, explain, get_settings
from bentos.settings_checks import variable_of

logger = logging.getLogger(__name__)

_CANNOT_START = 2
"""The exit status; what a process dies of later is another."""


def settings_or_exit(process: str) -> Settings:
    """Reads the environment and sets up the log of this process.

    Ends it with a line for every fault, if there are any.
    """
    try:
        settings = get_settings()
    except ValidationError as error:
        wanted = os.environ.get(variable_of("log_format"))
        configure("json" if wanted == "json" else "text", "info", process=process)
        give_up(*explain(error))
    configure(settings.log_format, settings.log_level, process=process)
    return settings


def give_up(*reasons: str) -> NoReturn:
    """Ends this process, which cannot start; each reason is a line of the log."""
    for why in reasons:
        logger.critical("chestxray cannot start: %s", why)
    sys.exit(_CANNOT_START)
