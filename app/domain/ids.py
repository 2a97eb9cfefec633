"""Makes and reads ids that carry their kind: ``cus_``, ``act_``, … Pure."""

import base64
import secrets
from hashlib import blake2b, sha256

from app.domain.kinds import BY_COLLECTION, BY_PREFIX
from app.domain.refusals import BadUserInput


def new_id(collection: str) -> str:
    """Returns a random id for a document that is born here."""
    return _id(collection, secrets.token_bytes(15))


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


def collection_of(node_id: str, *, expected: str | None = None, argument: str = "id") -> str:
    """Returns the collection that ``node_id`` belongs to. Raises BadUserInput for an unknown or unexpected kind."""
    prefix, _, rest = node_id.partition("_")
    kind = BY_PREFIX.get(prefix) if rest else None
    if kind is None or (expected and kind.collection != expected):
        start = f'"{BY_COLLECTION[expected].prefix}_"' if expected else "its kind, such as cus_ or act_"
        raise BadUserInput(f"This is not an id of the kind that belongs here: one begins with {start}.", argument)
    return kind.collection


def _id(collection: str, entropy: bytes) -> str:
    return f"{BY_COLLECTION[collection].prefix}_{base64.b32encode(entropy).decode().lower()}"
