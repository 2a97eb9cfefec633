from app.store import indexes
from app.store.driver import Store


async def test_a_new_database_differs_by_nothing_once_applied(store: Store) -> None:
    assert await indexes.differences(store) == []
