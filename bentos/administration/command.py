"""Runs an operator's command."""

import argparse
import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from bentos.administration import doctor, encryption_rotation, keys, migration, opening, sweeping
from bentos.database.errors import StorageUnavailable
from bentos.settings import Settings
from bentos.start import give_up, settings_or_exit

logger = logging.getLogger(__name__)

_CANNOT = 2


def run(flags: argparse.Namespace) -> int:
    """Runs a command and returns its exit status."""
    if flags.command == "doctor":
        return doctor.run(as_json=flags.json)
    settings = settings_or_exit(flags.command)
    if not settings.keeps:
        give_up(opening.NO_PLACE)
    try:
        return asyncio.run(_command(settings, flags))
    except StorageUnavailable as error:
        logger.critical("%s; the database is %s", error, opening.place_of(settings))
    except OSError as error:
        logger.critical("the data folder cannot be used: %s", error)
    return _CANNOT


def _command(settings: Settings, flags: argparse.Namespace) -> Coroutine[Any, Any, int]:
    match flags.command:
        case "keys":
            return _of_keys(settings, flags)
        case "migrate":
            return migration.migrate(settings)
        case "sweep" if flags.check:
            return sweeping.check(settings)
        case "sweep":
            return sweeping.sweep(settings, incomplete=flags.incomplete, force=flags.force)
        case _:
            return encryption_rotation.rotate(settings)


def _of_keys(settings: Settings, flags: argparse.Namespace) -> Coroutine[Any, Any, int]:
    match flags.action:
        case "create":
            return keys.create(
                settings,
                flags.name,
                flags.scopes,
                requests_per_minute=flags.requests_per_minute,
                retention_hours=flags.retention_hours,
                expires_days=flags.expires_days,
            )
        case "list":
            return keys.show(settings, ended=flags.all, as_json=flags.json)
        case "revoke":
            return keys.revoke(settings, flags.id)
        case _:
            return keys.rotate(settings, flags.id, overlap_hours=flags.overlap_hours)
