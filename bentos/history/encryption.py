"""Encryption of pictures at rest: AES-256-GCM (NIST SP 800-38D) with named keys.

A random nonce of 96 bits for each picture is safe for 2**32 pictures under one key.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bentos.history.errors import CannotDecrypt

_MAGIC = b"CXR1"
"""Begins an encrypted picture, and no PNG."""
_NONCE_BYTES = 12


class Keyring:
    """Encrypts with the first key, and decrypts with any; without keys bytes stay as they are."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        """`keys` are 32 bytes each, by name."""
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self.current = next(iter(keys), "")
        """Name of the key that encrypts; empty where nothing is encrypted."""

    def encrypt(self, data: bytes, *, name: str) -> bytes:
        """Returns bytes that only decrypt under this `name`: no picture can replace another."""
        if not self.current:
            return data
        key, nonce = self.current.encode(), os.urandom(_NONCE_BYTES)
        head = _MAGIC + bytes([len(key)]) + key
        return head + nonce + self._keys[self.current].encrypt(nonce, data, head + name.encode())

    def decrypt(self, data: bytes, *, name: str, encrypted: bool) -> bytes:
        """Returns what was encrypted. Raises CannotDecrypt.

        `encrypted` is what the record says: bytes in the clear must not stand for encrypted ones.
        """
        if not data.startswith(_MAGIC):
            if encrypted:
                raise CannotDecrypt("a picture that was encrypted is not any longer")
            return data
        end = len(_MAGIC) + 1 + data[len(_MAGIC)]
        head, nonce, sealed = data[:end], data[end : end + _NONCE_BYTES], data[end + _NONCE_BYTES :]
        key = self._keys.get(head[len(_MAGIC) + 1 :].decode("ascii", "replace"))
        if key is None:
            raise CannotDecrypt("the key of a picture is not among CHESTXRAY_ENCRYPTION_KEYS")
        try:
            return key.decrypt(nonce, sealed, head + name.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotDecrypt("a picture was changed, or is another analysis's") from error
