"""Whether those who call can be told apart, and those who should be admitted are."""

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bentos.administration import opening
from bentos.administration.findings import Finding, Level, fault, ok, warning
from bentos.administration.storage_checks import private_folder
from bentos.callers import api_keys
from bentos.callers.api_keys import ApiKeys
from bentos.callers.caller import Scope
from bentos.database.database import FILE
from bentos.database.errors import StorageUnavailable
from bentos.settings import Settings
from bentos.settings_checks import variable_of

_WIDEST = {4: 8, 6: 16}
"""Shortest prefix of a network of proxies, by the version of IP: no operator has a larger one."""


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Checks proxies, keys, webhooks and the DICOM node."""
    yield _proxies(settings)
    if not settings.anonymous and not settings.signs_in:  # then nobody needs a key
        yield await _keys(settings)
    yield _webhooks(settings)
    for each in _dicom(settings):
        yield each
    if settings.dicom_service_key.get_secret_value() and settings.keeps:
        yield await _service_key(settings)


def _proxies(settings: Settings) -> Finding:
    check, variable = "proxies", variable_of("trusted_proxies")
    wide = [each for each in settings.trusted_proxies if each.prefixlen < _WIDEST[each.version]]
    if wide:
        found = f"{wide[0]} is trusted: clients there may claim any address"
        return warning(check, found, f"name the proxies alone in {variable}")
    if settings.trusted_proxies:
        return ok(check, f"{len(settings.trusted_proxies)} networks are trusted")
    if settings.keeps and settings.anonymous:
        found = "none is trusted: behind one, cookies lack Secure and all visitors share one limit"
        return warning(check, found, f"where there is one, set {variable}")
    return ok(check, "none is trusted")


def _webhooks(settings: Settings) -> Finding:
    check, variable = "webhooks", variable_of("webhooks")
    if not settings.webhooks:
        return ok(check, "off: no gateway connects to an address that a caller names")
    if not settings.keeps:
        return warning(check, "on, but there are no jobs", f"set {variable} to false, or a place")
    networks, wide = variable_of("webhook_networks"), settings.webhook_networks
    if whole := [each for each in wide if each.prefixlen < _WIDEST[each.version]]:
        found = f"callers may have a POST sent to any address in {whole[0]}"
        return warning(check, found, f"name only the networks of receivers in {networks}")
    if not settings.encryption_keys.get_secret_value():
        remedy = f"set {variable_of('encryption_keys')}"
        return warning(check, "on; their secrets are in the database without encryption", remedy)
    also = f", and to {len(wide)} networks of the operator's" if wide else ""
    return ok(check, f"on: to public addresses on ports 443 and 8443{also}")


async def _keys(settings: Settings) -> Finding:
    check, remedy = "API keys", "run chestxray keys create"
    is_sqlite = not settings.database.get_secret_value()
    if is_sqlite and not (Path(settings.data_folder) / FILE).exists():
        return warning(check, "there is none, and nobody may analyse without one", remedy)
    try:
        async with opening.database(settings) as database:
            keys = await ApiKeys(database).list()
    except StorageUnavailable as error:
        return fault(check, str(error), "see the finding on the database")
    if not any(Scope.ANALYSE in each.scopes for each in keys):
        found = f"none has the scope {Scope.ANALYSE}, and nobody may analyse without one"
        return warning(check, found, remedy)
    return ok(check, f"{len(keys)} are valid")


def _dicom(settings: Settings) -> Iterator[Finding]:
    if not settings.dicom_queue:
        return
    yield _queue(Path(settings.dicom_queue))
    for name in ("dicom_tls_certificate", "dicom_tls_key", "dicom_tls_ca"):
        file = getattr(settings, name)
        if file and not os.access(file, os.R_OK):
            remedy = f"set {variable_of(name)}, or let this user read it"
            yield fault("DICOM TLS", f"{file} cannot be read", remedy)
    if not settings.dicom_peers:
        remedy = f"set {variable_of('dicom_peers')}"
        yield warning("DICOM peers", "nobody may send", remedy)
    key = variable_of("dicom_service_key")
    if not settings.anonymous and not settings.dicom_service_key.get_secret_value():
        found = "the service answers 401 to a DICOM node without an API key"
        yield fault("DICOM node", found, f"set {key} to one with the scope {Scope.ANALYSE}")


def _queue(folder: Path) -> Finding:
    check = "DICOM queue"
    if not folder.exists():
        return ok(check, f"{folder} is made at the first start")
    # The node makes the folders in it for itself alone, whatever the one around them is.
    parts = [each for each in folder.iterdir() if each.is_dir()] or [folder]
    findings = [private_folder(check, each) for each in parts]
    wrong = (each for each in findings if each.level != Level.OK)
    return next(wrong, ok(check, f"{folder}, only for this user"))


async def _service_key(settings: Settings) -> Finding:
    """Whether the DICOM node's key is one of this database; it may be another service's."""
    check, remedy = "DICOM node", f"set {variable_of('dicom_service_key')} to a valid one"
    parsed = api_keys.parse(settings.dicom_service_key.get_secret_value())
    if parsed is None:
        return warning(check, "its key is none of this program", remedy)
    try:
        async with opening.database(settings) as database:
            key = await ApiKeys(database).get(parsed[0])
    except StorageUnavailable as error:
        return fault(check, str(error), "see the finding on the database")
    if key is None or not key.opens(parsed[1], now=datetime.now(UTC)):
        return warning(check, "its key is unknown here, revoked or expired", remedy)
    if Scope.ANALYSE not in key.scopes:
        return fault(check, f"its key lacks the scope {Scope.ANALYSE}", remedy)
    return ok(check, f"its key is {key.id}")
