"""Defines what every batched read shares: keys in, a mapping out; order, gaps and caching."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from aiodataloader import DataLoader

from app.domain.paging import Prefetch
from app.metrics import BATCH

K = TypeVar("K")
V = TypeVar("V")


class Reader(Protocol):
    """A reader reads the keys that fields want: a loader, or pages."""

    def promise(self, key: Any, prefetch: Prefetch | None = None, /) -> asyncio.Future[Any]: ...

    async def load_all(self, keys: Sequence[Any], prefetch: Prefetch | None = None, /) -> list[Any]: ...


class Loader(Generic[K, V]):
    """A loader lives for one request: it reads a key once, and all keys of one tick together.

    A key that ``read`` does not find is None. An exception that ``read`` finds is raised for its own key only.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception]]]) -> None:
        self._read = read
        self._known: dict[K, asyncio.Future[Any]] = {}

    @cached_property
    def _loader(self) -> DataLoader[K, Any]:
        """Makes a loader for callers that wait for the tick to end; a whole level (``load_all``) needs none."""

        async def in_order(keys: list[K]) -> list[V | Exception | None]:
            BATCH.observe(len(keys))
            found = await self._fetch(keys, self._take_prefetch())
            return [found.get(key) for key in keys]

        return DataLoader(in_order, cache_map=self._known)

    async def load(self, key: K) -> V | None:
        return await self._loader.load(key)

    def promise(self, key: K, prefetch: Prefetch | None = None) -> asyncio.Future[V | None]:
        """Returns a future of the value, which is read with the others of this tick."""
        return self._loader.load(key)

    def defer(self, key: K, then: "Callable[[V | None], Any] | None" = None) -> "Deferred":
        """Returns a value that is read when it is awaited, or with the others of a level.

        Raises TypeError for what is no key but was stored as one: read with the others, it would cost all of them.
        """
        hash(key)
        return Deferred(self, key, then)

    def prime(self, key: K, value: V | None) -> None:
        """Takes a value that another loader has read, so that it is not read again."""
        if key not in self._known:
            self._known[key] = asyncio.get_running_loop().create_future()
            self._known[key].set_result(value)

    async def load_all(self, keys: Sequence[K], prefetch: Prefetch | None = None) -> "list[V | Exception | None]":
        """Returns the values of several keys, without waiting for the tick to end. An exception is its own key's."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        found: Mapping[K, V | Exception] = {}
        try:
            if missing:
                BATCH.observe(len(missing))
                found = await self._fetch(missing, prefetch)
        except Exception as failed:  # as DataLoader has it: not kept, the next one may try again
            found = dict.fromkeys(missing, failed)
        for key in missing:
            if not isinstance(value := found.get(key), Exception):
                self.prime(key, value)
        return [found[key] if key in found else await _outcome(self._known.get(key)) for key in keys]

    def _fetch(self, keys: Sequence[K], prefetch: Prefetch | None) -> Awaitable[Mapping[K, V | Exception]]:
        return self._read(keys)

    def _take_prefetch(self) -> Prefetch | None:
        return None


class CustomerLoader(Loader[K, V]):
    """This loader reads what may be customers, who come with what will be asked of them."""

    def __init__(self, read: Callable[[Sequence[K], Prefetch], Awaitable[Mapping[K, V | Exception]]]) -> None:
        self._read_with = read
        self._known: dict[K, asyncio.Future[Any]] = {}
        self._prefetch: Prefetch | None = None
        """What the keys of this tick come with."""

    def promise(self, key: K, prefetch: Prefetch | None = None) -> asyncio.Future[V | None]:
        if prefetch:
            self._prefetch = prefetch
        return super().promise(key)

    def _fetch(self, keys: Sequence[K], prefetch: Prefetch | None) -> Awaitable[Mapping[K, V | Exception]]:
        return self._read_with(keys, prefetch or _NOTHING)

    def _take_prefetch(self) -> Prefetch | None:
        prefetch, self._prefetch = self._prefetch, None
        return prefetch


_NOTHING = Prefetch()


def each_apart(keys: Iterable[K], make: Callable[[K], V]) -> dict[K, V | Exception]:
    """Returns what is made for each key. Where what is stored is too broken for that, it is the exception."""
    made: dict[K, V | Exception] = {}
    for key in keys:
        try:
            made[key] = make(key)
        except Exception as broken:
            made[key] = broken
    return made


async def _outcome(promise: "asyncio.Future[Any] | None") -> Any:
    """Returns what the promise brings; an exception is a value here."""
    if promise is None:
        return None
    try:
        return promise.result() if promise.done() else await promise
    except Exception as failed:
        return failed


@dataclass(slots=True, eq=False)
class Deferred:
    """A deferred value is a key that a field wants; ``then`` makes the field's value of what is read.

    Awaited, it is read with all others of the tick. A level of an execution (app/execution) reads all of its own in one
    call instead.
    """

    loader: Reader
    key: Any
    then: Callable[[Any], Any] | None = None

    def __await__(self) -> Generator[Any, None, Any]:
        value = yield from self.loader.promise(self.key).__await__()
        return self.then(value) if self.then else value
