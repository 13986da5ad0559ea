"""`chestxray rotate-encryption`: encrypts what is kept anew with the first key of the settings."""

import sys

from tqdm import tqdm

from bentos.administration import opening
from bentos.history.inventory import Inventory
from bentos.history.reencryption import Reencryption
from bentos.settings import Settings
from bentos.settings_checks import variable_of
from bentos.webhooks import reencryption as webhook_secrets


async def rotate(settings: Settings) -> int:
    """Encrypts what is under another key; returns 1 if something still is."""
    async with opening.history(settings) as history:
        current = history.blobs.keyring.current
        if not current:
            print(f"{variable_of('encryption_keys')} is empty: there is no key", file=sys.stderr)
            return 1
        inventory = Inventory(history.database)
        counts = await inventory.encryption_keys()
        total = sum(count for key, count in counts.items() if key != current)
        # A bar is for people; without a terminal there is none.
        with tqdm(total=total, unit=" analyses", dynamic_ncols=True, disable=None) as bar:
            progress = await Reencryption(inventory, history.blobs).run(bar.update)
        secrets = await webhook_secrets.reencrypt(history.database, history.blobs.keyring)
        left = await inventory.encryption_keys()
        jobs = await inventory.encryption_keys_of_jobs()
        webhooks = await webhook_secrets.encryption_keys(history.database)
    print(f"encrypted with {current}: {progress.done} analyses")
    if secrets:
        print(f"and the secrets of webhooks: {secrets}")
    if progress.deleted:
        print(f"deleted meanwhile: {progress.deleted}")
    others = {key or "no key": count for key, count in left.items() if key != current}
    for name, count in sorted(others.items()):
        print(f"still encrypted with {name}: {count} analyses", file=sys.stderr)
    if waiting := sum(count for key, count in jobs.items() if key != current):
        print(f"jobs whose images need an older key until they end: {waiting}", file=sys.stderr)
    if unread := sum(count for key, count in webhooks.items() if key != current):
        print(f"webhooks whose secrets need an older key: {unread}", file=sys.stderr)
    if others or waiting or unread:
        return 1
    print(f"nothing needs another key than {current} any more")
    return 0
