"""Makes and reads ids that carry their kind: ``cus_``, ``act_``, … Pure."""

import base64
import secrets
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Final

from app.domain.kinds import BY_COLLECTION, BY_PREFIX
from app.domain.refusals import BadUserInput

ID_AT_MOST: Final = 100
"""Of an id that a client gives; ours have 28."""


def new_id(collection: str) -> str:
    """Returns a random id for a document that is born here."""
    return _id(collection, secrets.token_bytes(15))


@lru_cache(maxsize=10_000)
def derived_id(collection: str, *, source: str, source_id: str) -> str:
    """Returns the id of what ``source`` calls ``source_id``: the same for ever, so that importing twice writes once."""
    return _id(collection, blake2b(f"{source}\0{source_id}".encode(), digest_size=15, person=b"gateway-id").digest())


def file_id(content: bytes) -> str:
    """Returns the id of a file, which never changes: another content is another file. Files are no nodes."""
    return f"fil_{sha256(content).hexdigest()}"


def has_id_form(text: str) -> bool:
    """Returns whether the text is an id of some kind, of something that may or may not exist."""
    prefix, _, rest = text.partition("_")
    return bool(rest) and prefix in BY_PREFIX


def is_id_of(collection: str, text: str) -> bool:
    """Returns whether the text is an id of this kind, of something that may or may not exist."""
    return has_id_form(text) and text.startswith(f"{BY_COLLECTION[collection].prefix}_")


def check_id(text: str, *field: str, expected: str | None = None) -> None:
    """Raises BadUserInput for a malformed id: no id at all, one that is too long, or of another kind than expected.

    ``field`` is where a client gave it.
    """
    if len(text) > ID_AT_MOST or not (is_id_of(expected, text) if expected else has_id_form(text)):
        raise _malformed(*field, expected=expected)


def collection_of(node_id: str) -> str:
    """Returns the collection that an id belongs to. Raises BadUserInput for what is not an id."""
    prefix, _, rest = node_id.partition("_")
    kind = BY_PREFIX.get(prefix) if rest else None
    if kind is None:
        raise _malformed("id")
    return kind.collection


def _malformed(*field: str, expected: str | None = None) -> BadUserInput:
    start = f'"{BY_COLLECTION[expected].prefix}_"' if expected else "its kind, such as cus_ or act_"
    return BadUserInput(f"This is not an id of the kind that belongs here: one begins with {start}.", *field)


def _id(collection: str, entropy: bytes) -> str:
    return f"{BY_COLLECTION[collection].prefix}_{base64.b32encode(entropy).decode().lower()}"
