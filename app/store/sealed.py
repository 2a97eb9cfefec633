"""Keeps secrets encrypted where they are stored: tokens that are handed on, ids to erase, links of customers.

The key is in the same database, for all processes. That keeps secrets out of searches, exports, logs and indexes; it
does not keep them from who has the whole database.
"""

import secrets
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
    nonce, encrypted = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    return (await _cipher(store)).decrypt(nonce, encrypted, about.encode()).decode()


async def _cipher(store: Store) -> AESGCM:
    return AESGCM(await shared(store, "sealed", length=_KEY_BYTES))
