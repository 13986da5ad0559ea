"""`chestxray doctor`: checks what a start, a request or a restore would fail of."""

import asyncio
import json
from collections.abc import AsyncIterator

from pydantic import ValidationError

from bentos.administration import (
    access_checks,
    model_checks,
    portal_checks,
    sign_in_checks,
    storage_checks,
)
from bentos.administration.findings import Finding, Level, fault, ok
from bentos.logs.setup import configure
from bentos.settings import Settings, explain, get_settings


def run(*, as_json: bool) -> int:
    """Prints a line for each check; returns 1 if there is a fault."""
    configure("text", "error", process="doctor")
    findings = asyncio.run(_collect())
    if as_json:
        print(json.dumps([each.as_json() for each in findings], indent=2))
    else:
        print("\n".join(each.line() for each in findings))
    return int(any(each.level == Level.FAULT for each in findings))


async def _collect() -> list[Finding]:
    try:
        settings = get_settings()
    except ValidationError as error:
        remedy = "set it right, or remove it; the other checks need all settings"
        return [fault("settings", each, remedy) for each in explain(error)]
    return [each async for each in _check(settings)]


async def _check(settings: Settings) -> AsyncIterator[Finding]:
    yield ok("settings", f"{len(settings.model_fields_set)} are set")
    for each in (*model_checks.check(settings), *portal_checks.check(settings)):
        yield each
    for check in (storage_checks.check, access_checks.check, sign_in_checks.check):
        try:
            async for each in check(settings):
                yield each
        except OSError as error:
            yield fault("files", str(error), "run chestxray as the user of the service")
