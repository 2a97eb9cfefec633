"""A row that an import moves from one customer to another: both are read as they are now, previews or none."""

from collections.abc import Callable
from itertools import permutations, product
from typing import Any, Final

import pytest

from app.domain.ids import derived_id
from app.store import previews
from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.import_lines import Bring, Killed, Line, coupon, customer, fingerprint, thing

IDS: Final = {n: derived_id("customers", source="esuite", source_id=f"E{n}") for n in ("1001", "1002", "1003")}


def _row(kind: str, content: dict[str, Any]) -> Callable[[str], Line]:
    return lambda number: thing(kind, "R-1", of=f"esuite/E{number}", **content)


ROWS: Final[dict[str, Callable[[str], Line]]] = {
    "coupons": lambda number: coupon("R-1", of=f"esuite/E{number}"),
    "transactions": _row(
        "transaction",
        {"number": "1", "type": "SALE", "occurredAt": "2024-01-01T00:00:00Z", "pointsAwarded": 0, "status": "ACCEPTED"},
    ),
    "passes": _row(
        "pass",
        {
            "serialNumber": "1",
            "type": "APPLE",
            "createdAt": "2024-01-01T00:00:00Z",
            "updatedAt": "2024-01-01T00:00:00Z",
        },
    ),
}
LISTS: Final = "query($id: ID!) { customer(by: {id: $id}) { coupons { nodes { id } } transactions { nodes { id } } passes { nodes { id } } } }"  # noqa: E501


async def lists(ask: Ask) -> dict[str, Any]:
    return {number: (await ask(LISTS, id=id_))["data"]["customer"] for number, id_ in IDS.items()}


async def owners_by_lists(ask: Ask, collection: str) -> list[str]:
    return [number for number, found in (await lists(ask)).items() if found[collection]["nodes"]]


@pytest.mark.parametrize("lines_per_chunk", [1, 1_000], ids=["one by one", "in one chunk"])
@pytest.mark.parametrize("collection", ROWS)
async def test_wherever_a_row_goes_it_is_found_there_and_nowhere_else(
    collection: str, lines_per_chunk: int, bring: Bring, ask: Ask, store: Store
) -> None:
    await bring(*(customer(number) for number in IDS))
    for way in permutations(IDS, 3):
        await bring(*(ROWS[collection](number) for number in way), lines_per_chunk=lines_per_chunk)
        assert await previews.differences(store) == []
        assert await owners_by_lists(ask, collection) == [way[-1]]
        assert await previews.refresh_stale(store) == 0


@pytest.mark.parametrize("collection", ROWS)
async def test_a_row_that_lines_of_one_chunk_move_delete_and_bring_back_is_where_the_last_says(
    collection: str, bring: Bring, store: Store
) -> None:
    """One that was to move, and is deleted instead, is deleted where it is."""
    await bring(*(customer(number) for number in IDS))
    for way in product(("1001", "1002", "deleted"), repeat=3):
        await bring(ROWS[collection]("1001"))
        lines, owner = list[Line](), "1001"
        for step in way:
            owner = owner if step == "deleted" else step
            line = ROWS[collection](owner)
            gone = thing(line["kind"], line["id"], of=f"esuite/E{owner}", deleted=True)
            lines.append(gone if step == "deleted" else line)
        run = await bring(*lines)
        assert run.reasons == {}
        owners = [row["customerId"] for row in await store.find(collection, {})]
        assert owners == ([] if way[-1] == "deleted" else [IDS[owner]]), way


@pytest.mark.parametrize("collection", ROWS)
async def test_whoever_dies_before_the_previews_are_made_leaves_nobody_with_a_wrong_one(
    collection: str, bring: Bring, ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(*(customer(number) for number in IDS), ROWS[collection]("1001"))
    await previews.refresh_stale(store)

    async def dies(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(Store, "merge", dies)
    with pytest.raises(Killed):
        await bring(ROWS[collection]("1002"))
    assert await previews.differences(store) == []
    assert await owners_by_lists(ask, collection) == ["1002"]


async def test_a_row_that_stays_where_it_is_changes_nobodys_revision(bring: Bring, store: Store) -> None:
    lines = [*(customer(number) for number in IDS), *(row("1001") for row in ROWS.values())]
    await bring(*lines)
    before = await fingerprint(store)
    await bring(*lines)
    assert await fingerprint(store) == before


async def test_a_file_follows_its_pass(bring: Bring, store: Store) -> None:
    """Whoever erases a customer erases their files, and no others'."""
    from base64 import b64encode
    from io import BytesIO
    from zipfile import ZipFile

    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("pass.json", "{}")
    content = {"serialNumber": "1", "type": "APPLE", "createdAt": "2024-01-01T00:00:00Z"}
    content |= {"updatedAt": "2024-01-01T00:00:00Z", "file": b64encode(packed.getvalue()).decode()}
    await bring(*(customer(number) for number in IDS))
    for number in ("1001", "1002"):
        ran = await bring(_row("pass", content)(number))
        assert ran.reasons == {}
        files: list[Document] = await store.find("files", {})
        assert [file["customerId"] for file in files] == [IDS[number]]
