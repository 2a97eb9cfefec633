"""Says whether a row is still what was written: by its digest, of the bytes in which it is stored."""

from hashlib import blake2b
from typing import Final

import bson

from app.store.driver import CODEC, Document

_SIZE: Final = 8


def row_digest(row: Document) -> bytes:
    """Returns the digest of a row, the order of its keys aside."""
    return blake2b(bson.encode(dict(sorted(row.items())), codec_options=CODEC), digest_size=_SIZE).digest()
