"""Keeps secrets encrypted where they are stored: tokens that are handed on, ids to erase, links of customers.

The key is in the same database, for all processes. That keeps secrets out of searches, exports, logs and indexes; it
does not keep them from who has the whole database.
"""

import secrets
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.store.driver import Store
from app.store.shared_keys import shared

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


async def seal(store: Store, text: str, about: str) -> bytes:
    """Returns the text encrypted. It opens only with the id that it is about. Raises StoreError."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + (await _cipher(store)).encrypt(nonce, text.encode(), about.encode())


async def unseal(store: Store, sealed: bytes, about: str) -> str:
    """Returns what was sealed. Raises StoreError, InvalidTag."""
    return (await unsealer(store))((about, sealed))


async def unsealer(store: Store) -> Callable[[tuple[str, bytes]], str]:
    """Returns what opens sealed bytes, given the id that they are about; it raises InvalidTag. Raises StoreError."""
    cipher = await _cipher(store)

    def unseal(key: tuple[str, bytes]) -> str:
        about, sealed = key
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode()).decode()

    return unseal


async def _cipher(store: Store) -> AESGCM:
    return AESGCM(await shared(store, "sealed", length=_KEY_BYTES))
