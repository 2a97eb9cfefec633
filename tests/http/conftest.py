"""A database that is slow when a test wants it to be."""

from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from app.store.driver import Store
from tests.support.slow_database import ENDLESS, Slow


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    """Makes aggregates of a collection, with anything in it, go on in the database until they are ended."""
    aggregate = Store.aggregate

    def begin(collection: str) -> None:
        def slowly(
            self: Store, name: str | None, pipeline: Sequence[Any], **options: Any
        ) -> Coroutine[Any, Any, list[dict[str, Any]]]:
            return aggregate(self, name, [*ENDLESS, *pipeline] if name == collection else pipeline, **options)

        monkeypatch.setattr(Store, "aggregate", slowly)

    return begin
