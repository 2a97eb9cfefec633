"""A scratch reads what is live, and keeps to itself what it writes."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from app.store.driver import DeleteOne, Document, Store, UpdateOne
from app.store.scratch import Scratch, scratch_of
from tests.support.digest import digest
from tests.support.import_lines import NOW


@pytest.fixture
async def scratch(store: Store) -> AsyncGenerator[Scratch]:
    """Gives a scratch of a database with five sources."""
    await store.insert("sources", [{"_id": name} for name in "abcde"])
    before = await digest(store)
    async with scratch_of(store, NOW) as scratch:
        yield scratch
    assert await digest(store) == before


async def names(store: Store, where: Document | None = None, **options: Any) -> str:
    found = await store.find("sources", where or {}, sort={"_id": 1}, **options)
    return "".join(row["_id"] for row in found)


async def test_it_reads_live_rows_with_what_it_has_written(scratch: Scratch, store: Store) -> None:
    assert await names(scratch) == "abcde"
    await scratch.write("sources", [DeleteOne({"_id": "a"})])
    await scratch.insert("sources", [{"_id": "f"}])
    assert await names(scratch) == "bcdef"
    assert await names(store) == "abcde"
    counted = await scratch.aggregate("sources", [{"$match": {"_id": {"$lt": "d"}}}, {"$count": "rows"}])
    assert counted == [{"rows": 2}]


async def test_a_limit_counts_the_rows_that_are_there_by_now(scratch: Scratch) -> None:
    assert await names(scratch, limit=2) == "ab"
    await scratch.write("sources", [DeleteOne({"_id": name}) for name in "ab"])
    assert await names(scratch, limit=2) == "cd"


async def test_a_transaction_that_fails_takes_back_what_it_wrote_and_what_it_copied(scratch: Scratch) -> None:
    class Failed(Exception): ...

    async def fails(session: Any) -> None:
        assert await names(scratch, session=session) == "abcde"
        await scratch.write("sources", [DeleteOne({"_id": "a"})], session=session)
        assert await names(scratch, session=session) == "bcde"
        raise Failed

    with pytest.raises(Failed):
        await scratch.transaction(fails)
    assert await names(scratch) == "abcde"


async def test_a_transaction_that_commits_is_seen_by_the_next(scratch: Scratch) -> None:
    async def body(session: Any) -> str:
        seen = await names(scratch, {"_id": {"$gt": "b"}}, session=session)
        await scratch.write("sources", [DeleteOne({"_id": seen[0]})], session=session)
        return seen

    assert [await scratch.transaction(body) for _ in range(3)] == ["cde", "de", "e"]


async def test_a_row_is_what_it_was_when_it_was_read_first(scratch: Scratch, store: Store) -> None:
    assert await names(scratch, {"_id": "a"}) == "a"
    await store.write("sources", [UpdateOne({"_id": "a"}, {"$set": {"x": 1}})])
    assert await scratch.find("sources", {"_id": "a"}) == [{"_id": "a"}]
    await store.write("sources", [UpdateOne({"_id": "a"}, {"$unset": {"x": 1}})])
