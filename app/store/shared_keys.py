"""Keeps keys that all processes on one database share, made by the first that asks. Collection ``secrets``."""

from secrets import token_bytes

from app.store.driver import DuplicateKey, Store


async def shared(store: Store, name: str, *, length: int) -> bytes:
    """Returns the key of that name, of ``length`` bytes. Raises StoreError."""
    if found := await store.find("secrets", {"_id": name}):
        return bytes(found[0]["key"])
    new = {"$setOnInsert": {"key": token_bytes(length)}}
    try:
        secret = await store.find_one_and_update("secrets", {"_id": name}, new, upsert=True)
    except DuplicateKey:  # another process made it, a moment earlier
        secret = await store.find_one_and_update("secrets", {"_id": name}, new)
    assert secret
    return bytes(secret["key"])
