"""Ids that carry their kind: ``cus_``, ``act_``, … Pure."""

import base64
import secrets
from hashlib import blake2b, sha256
from typing import Final

from app.domain.refusals import BadUserInput

COLLECTION_OF: Final = {
    "cus": "customers",
    "act": "activities",
    "pts": "points",
    "cpn": "coupons",
    "txn": "transactions",
    "pas": "passes",
    "psh": "pushes",
    "sts": "statuses",
    "eml": "emails",
    "dlv": "deliveries",
    "not": "notes",
    "aud": "audit",
    "exp": "exports",
    "adj": "adjustments",
}
_PREFIX_OF: Final = {collection: prefix for prefix, collection in COLLECTION_OF.items()}


def prefix_of(collection: str) -> str:
    return _PREFIX_OF[collection]


def new_id(collection: str) -> str:
    """A random id for a document that is born here."""
    return _id(collection, secrets.token_bytes(15))


def derived_id(collection: str, *, source: str, source_id: str) -> str:
    """The id of what ``source`` calls ``source_id``: the same for ever, so that importing twice writes once."""
    return _id(collection, blake2b(f"{source}\0{source_id}".encode(), digest_size=15, person=b"gateway-id").digest())


def file_id(content: bytes) -> str:
    """The id of a file, which never changes: another content is another file. Files are no nodes."""
    return f"fil_{sha256(content).hexdigest()}"


def collection_of(node_id: str, *, expected: str | None = None, argument: str = "id") -> str:
    """The collection that ``node_id`` belongs to. Raises BadUserInput for no kind of ours, or another than expected."""
    prefix, _, rest = node_id.partition("_")
    collection = COLLECTION_OF.get(prefix)
    if collection is None or not rest or (expected and collection != expected):
        wanted = f'begins with "{_PREFIX_OF[expected]}_"' if expected else "begins with its kind, such as cus_ or act_"
        raise BadUserInput(f"This is not an id of the kind that belongs here: one {wanted}.", argument)
    return collection


def _id(collection: str, entropy: bytes) -> str:
    return f"{_PREFIX_OF[collection]}_{base64.b32encode(entropy).decode().lower()}"
