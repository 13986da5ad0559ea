"""Encrypts the secrets of webhooks anew with the current key, while the service runs."""

import logging

from sqlalchemy import func, select, update

from bentos.database.database import Database
from bentos.database.tables import webhooks
from bentos.history.encryption import Keyring
from bentos.history.errors import CannotDecrypt
from bentos.webhooks.endpoints import Endpoint, endpoint_of, opened, sealed

logger = logging.getLogger(__name__)


async def encryption_keys(database: Database) -> dict[str, int]:
    """Returns how many webhooks name each key; "" where secrets are not encrypted.

    Raises StorageUnavailable.
    """
    counted = select(webhooks.c.encryption_key, func.count()).group_by(webhooks.c.encryption_key)
    async with database.reading() as connection:
        return {key: count for key, count in await connection.execute(counted)}


async def reencrypt(database: Database, keyring: Keyring) -> int:
    """Encrypts all that is under another key, and returns how many webhooks that were.

    Raises StorageUnavailable.
    """
    others = select(webhooks).where(webhooks.c.encryption_key != keyring.current)
    async with database.reading() as connection:
        found = [endpoint_of(row) for row in (await connection.execute(others)).mappings()]
    return sum([await _replace(database, keyring, each) for each in found])


async def _replace(database: Database, keyring: Keyring, endpoint: Endpoint) -> bool:
    """Leaves a webhook as it is that was rotated or deleted meanwhile."""
    before, key = (endpoint.secret, endpoint.previous_secret), endpoint.encryption_key
    try:
        texts = [each and opened(keyring, endpoint.id, each, key=key) for each in before]
    except CannotDecrypt as error:
        logger.error("the secret of a webhook keeps its key: %s", error)
        return False
    secret, previous = [each and sealed(keyring, endpoint.id, str(each)) for each in texts]
    same = (webhooks.c.id == endpoint.id, webhooks.c.secret == endpoint.secret)
    values = {"secret": secret, "previous_secret": previous, "encryption_key": keyring.current}
    async with database.writing() as connection:
        changed = await connection.execute(update(webhooks).where(*same).values(**values))
    return bool(changed.rowcount)
