"""What every batched read shares: keys in, a mapping out. Order, gaps and caching are dealt with here, once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from aiodataloader import DataLoader

from app.metrics import BATCH

K = TypeVar("K")
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Lives for one request: reads a key once, and all keys of one tick together. None where ``read`` finds nothing.

    An exception that ``read`` finds is raised for its own key only.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]]) -> None:
        async def in_order(keys: list[K]) -> list[V | Exception | None]:
            BATCH.observe(len(keys))
            found = await read(keys)
            return [found.get(key) for key in keys]

        self._loader: DataLoader[K, Any] = DataLoader(in_order)

    async def load(self, key: K) -> V | None:
        return await self._loader.load(key)

    def prime(self, key: K, value: V) -> None:
        """What another loader has read need not be read again."""
        self._loader.prime(key, value)
