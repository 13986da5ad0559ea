"""`chestxray keys`: makes, lists, ends and rotates API keys.

Standard output has a new key and nothing else, for a pipe into a secret store.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bentos.administration import opening
from bentos.audit.trail import OPERATOR, Event, Trail
from bentos.callers.api_keys import ApiKey, ApiKeys
from bentos.callers.caller import Scope
from bentos.callers.key_rules import KeyState
from bentos.callers.shown_keys import shown
from bentos.settings import Settings

_HEADINGS = ("ID", "NAME", "SCOPES", "STATE", "CREATED", "EXPIRES", "PER MINUTE", "KEPT HOURS")
_NONE = "-"


async def create(
    settings: Settings,
    name: str,
    scopes: Sequence[Scope],
    *,
    requests_per_minute: int | None,
    retention_hours: int | None,
    expires_days: int | None,
) -> int:
    """Makes a key and prints it."""
    async with opening.prepared_database(settings) as database:
        key, text = await ApiKeys(database).create(
            name,
            scopes,
            requests_per_minute=requests_per_minute,
            retention_hours=retention_hours,
            lifetime=timedelta(days=expires_days) if expires_days else None,
        )
    _note(settings, Event.KEY_CREATED, key.id)
    _hand_out(key, text)
    return 0


async def show(settings: Settings, *, ended: bool, as_json: bool) -> int:
    """Prints all keys, without their secrets."""
    async with opening.prepared_database(settings) as database:
        keys = await ApiKeys(database).list(ended=ended)
    now = datetime.now(UTC)
    described = [shown(each, now=now).model_dump(mode="json") for each in keys]
    if as_json:
        print(json.dumps(described, indent=2))
    else:
        _print_table([_HEADINGS, *map(_row, described)])
    return 0


async def revoke(settings: Settings, identifier: str) -> int:
    """Ends a key; returns 1 if there is none that is not ended."""
    async with opening.prepared_database(settings) as database:
        revoked = await ApiKeys(database).revoke(identifier)
    if not revoked:
        return _fail(f"there is no key {identifier} that is not revoked")
    _note(settings, Event.KEY_REVOKED, identifier)
    _say(f"key {identifier} is revoked: each gateway refuses it within seconds, and what it has")
    _say("kept is deleted when it expires")
    return 0


async def rotate(settings: Settings, identifier: str, *, overlap_hours: int) -> int:
    """Gives a key a new secret and prints it; returns 1 if there is no such key."""
    async with opening.prepared_database(settings) as database:
        keys = ApiKeys(database)
        key = await keys.get(identifier)
        if key is None or (state := key.state(datetime.now(UTC))) is KeyState.REVOKED:
            return _fail(f"there is no key {identifier} that is not revoked")
        if state is KeyState.EXPIRED:
            return _fail(f"key {identifier} has expired: make a new one")
        rotated = await keys.rotate(identifier, overlap=timedelta(hours=overlap_hours))
    if rotated is None:
        return _fail(f"key {identifier} was changed by another command meanwhile")
    _note(settings, Event.KEY_ROTATED, identifier)
    _hand_out(*rotated)
    _say(f"the secret before is valid for {overlap_hours} more hours; any older one is not")
    return 0


def _note(settings: Settings, event: Event, identifier: str) -> None:
    trail = Trail(settings.audit_file)
    trail.record(event, OPERATOR, key=identifier)
    trail.close()


def _hand_out(key: ApiKey, text: str) -> None:
    print(text, flush=True)
    _say(f"key {key.id} of {key.name} ({', '.join(sorted(key.scopes))}); it is shown only now")


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    state = key["state"] + (" (rotating)" if key["previous_secret_until"] else "")
    dates = [(key[each] or _NONE)[:10] for each in ("created_at", "expires_at")]
    limits = [str(key[each] or _NONE) for each in ("requests_per_minute", "retention_hours")]
    return key["id"], key["name"], ",".join(key["scopes"]), state, *dates, *limits


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _fail(text: str) -> int:
    _say(f"chestxray: {text}")
    return 1
