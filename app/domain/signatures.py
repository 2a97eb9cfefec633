"""Signs and checks messages as Standard Webhooks has it: one id for all attempts, a time, one signature per secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

TOLERANCE_SECONDS: Final = 300
"""By which the clock of who signs may differ from ours."""


class BadSignature(Exception):
    """Raised for a message that nobody with the secret has signed, or signed long ago; the sender sees 401."""


def signed(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the headers of one attempt. ``timestamp`` is in seconds."""
    signatures = " ".join(f"v1,{_signature(secret, message_id, timestamp, body)}" for secret in secrets)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}


def verify(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, *, now: float) -> str:
    """Returns the id of a message that one of the secrets has signed. Raises BadSignature."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (0 < len(message_id) <= 128 and message_id.isprintable() and message_id.isascii()):
        raise BadSignature("webhook-id is missing or malformed.")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("webhook-timestamp is missing or malformed.")
    if abs(int(timestamp) - now) > TOLERANCE_SECONDS:
        raise BadSignature(f"webhook-timestamp differs from our clock by more than {TOLERANCE_SECONDS} seconds.")
    expected = [_signature(secret, message_id, int(timestamp), body).encode() for secret in secrets]
    for word in headers.get("webhook-signature", "").split(" ")[:10]:
        version, _, signature = word.partition(",")
        if version == "v1" and any(hmac.compare_digest(signature.encode(), each) for each in expected):
            return message_id
    raise BadSignature("No signature is that of a secret which is known here.")


def _signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()


def secret_of(text: str) -> bytes:
    """Reads ``whsec_`` and base64. Raises ValueError for another form, or if it is not 24 to 64 bytes long."""
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if not (text.startswith("whsec_") and 24 <= len(secret) <= 64):
        raise ValueError("not whsec_ and 24 to 64 bytes in base64")
    return secret
