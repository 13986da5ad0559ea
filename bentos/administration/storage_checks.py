"""Whether kept analyses have a place that works and that nobody else can read."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

from bentos.administration import opening
from bentos.administration.findings import Finding, fault, ok, warning
from bentos.callers.visitors import SECRET_FILE
from bentos.database import schema
from bentos.database.database import FILE, Database
from bentos.database.errors import StorageUnavailable
from bentos.history.blobs import PICTURES, open_blobs
from bentos.history.encryption import Keyring
from bentos.history.inventory import Inventory
from bentos.history.records import Records
from bentos.history_settings import SHORTEST_SECRET, parse_keys
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from bentos.webhooks import reencryption as webhook_secrets

_FEWEST_BYTES = 2**27
"""Below this a disk is full within minutes."""
_GIB = 2**30


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Checks everything that is stored; changes nothing but a probe object, which it deletes."""
    if not settings.keeps:
        yield ok("kept analyses", "none: no place for them is set")
        return
    for each in (*_folder(settings), _cookie_secret(settings)):
        yield each
    if not settings.database.get_secret_value() and not _is_made(settings):
        yield ok("database", f"{opening.place_of(settings)} is made at the first start")
    else:
        async with opening.database(settings) as database:
            async for finding in _database(settings, database):
                yield finding
    yield await _object_store(settings)


def _is_made(settings: Settings) -> bool:
    return (Path(settings.data_folder) / FILE).exists()


def _folder(settings: Settings) -> Iterator[Finding]:
    if not settings.data_folder:
        return
    folder = Path(settings.data_folder)
    if not folder.exists():
        yield ok("data folder", f"{folder} is made at the first start")
        return
    yield private_folder("data folder", folder)


def private_folder(check: str, folder: Path) -> Finding:
    """Whether a folder is ours, can be written, and only by us be read."""
    state = folder.stat()
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return fault(check, f"{folder} cannot be written", "give it to the user of the service")
    if state.st_mode & 0o077:
        mode = f"{state.st_mode & 0o777:o}"
        return fault(check, f"others may read {folder} (mode {mode})", f"chmod 700 {folder}")
    if state.st_uid != os.geteuid():
        remedy = "run chestxray as the user of the service"
        return warning(check, f"{folder} belongs to another user than this one", remedy)
    return ok(check, f"{folder}, only for this user")


async def _database(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    place = opening.place_of(settings)
    try:
        if not await schema.is_current(database):
            if database.is_sqlite:
                yield ok("database", f"{place} is brought to this version at the next start")
            else:
                remedy = "run chestxray migrate"
                yield fault("database", f"{place} has not the tables of this version", remedy)
            return
        yield ok("database", f"{place}, at this version")
        yield await _keys_in_use(settings, database)
        if settings.data_folder:
            yield await _space(settings, Records(database))
    except StorageUnavailable as error:
        newer = isinstance(error, schema.NewerVersion)
        remedy = "install that version" if newer else f"see {variable_of('database')}, and its log"
        yield fault("database", f"{place}: {error}", remedy)


async def _space(settings: Settings, records: Records) -> Finding:
    folder = Path(settings.data_folder).absolute()
    free = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists())).free
    wanted = 0 if settings.object_store else settings.max_kept_bytes - await records.total_bytes()
    found = f"{free / _GIB:.1f} GiB are free for {folder}"
    if free < _FEWEST_BYTES:
        return fault("disk", found, "delete something, or move the folder")
    if free < wanted:
        remedy = f"lower {variable_of('max_kept_bytes')}"
        return warning("disk", f"{found}; pictures may take {wanted / _GIB:.1f} GiB more", remedy)
    return ok("disk", found)


def _cookie_secret(settings: Settings) -> Finding:
    check, variable = "cookie secret", variable_of("cookie_secret")
    if settings.cookie_secret.get_secret_value():
        return ok(check, f"from {variable}")
    if settings.database.get_secret_value():
        found = "each gateway has one of its own, so that visitors lose what they kept"
        return warning(check, found, f"set {variable}, the same for all")
    file = Path(settings.data_folder) / SECRET_FILE
    if not file.exists():
        return ok(check, f"{file} is made at the first start")
    if file.stat().st_mode & 0o077:
        return fault(check, f"others may read {file}", f"chmod 600 {file}")
    if len(file.read_text()) < SHORTEST_SECRET:
        return fault(check, f"{file} is too short", "delete it: visitors lose what they kept")
    return ok(check, f"in {file}")


async def _keys_in_use(settings: Settings, database: Database) -> Finding:
    check, variable = "encryption", variable_of("encryption_keys")
    names = list(parse_keys(settings.encryption_keys.get_secret_value()))
    inventory = Inventory(database)
    used = await inventory.encryption_keys()
    jobs = await inventory.encryption_keys_of_jobs()
    webhooks = await webhook_secrets.encryption_keys(database)
    if missing := sorted({*used, *jobs, *webhooks} - {*names, ""}):
        counts = [sum(each.get(name, 0) for name in missing) for each in (used, jobs, webhooks)]
        found = "{} analyses, {} jobs and {} webhooks".format(*counts)
        found += f" cannot be read without the keys {', '.join(missing)}"
        return fault(check, found, f"add them to {variable}, behind the first")
    if not names:
        return ok(check, f"pictures are not encrypted by this service: {variable} is empty")
    if old := sum(count for name, count in webhooks.items() if name != names[0]):
        found = f"the secrets of {old} webhooks are not encrypted with {names[0]}, the first key"
        return warning(check, found, "run chestxray rotate-encryption")
    if others := sum(count for name, count in used.items() if name != names[0]):
        found = f"{others} analyses are not encrypted with {names[0]}, the first key"
        return warning(check, found, "run chestxray rotate-encryption")
    return ok(check, f"with {names[0]}")


async def _object_store(settings: Settings) -> Finding:
    """Writes, reads and deletes a probe, whose name is none of a picture."""
    folder = Path(settings.data_folder) / PICTURES
    check, place = "object store", settings.object_store or str(folder)
    if not settings.object_store and not folder.exists():
        return ok(check, f"{place} is made at the first start")
    keyring = Keyring(parse_keys(settings.encryption_keys.get_secret_value()))
    name, data = f"doctor.{uuid4().hex}", uuid4().bytes
    try:
        blobs = open_blobs(
            settings.object_store, data_folder=settings.data_folder, keyring=keyring, part=PICTURES
        )
        await blobs.put(name, data)
        read = await blobs.get(name, encrypted=bool(keyring.current))
        await blobs.delete([name])
        is_left = await blobs.exists(name)
    except (StorageUnavailable, OSError) as error:
        remedy = f"see {variable_of('object_store')} and the variables AWS_..."
        return fault(check, f"{place}: {error}", remedy)
    if read != data or is_left:
        found = "a probe was not read as it was written, or is still there after its deletion"
        return fault(check, f"{place}: {found}", "do not keep analyses there")
    return ok(check, f"{place}: a probe was written, read and deleted")
