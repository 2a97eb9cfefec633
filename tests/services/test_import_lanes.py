"""Lines that have nothing to do with each other are brought in at a time, and it makes no difference to anything."""

import json
import random
from collections.abc import Sequence
from typing import Any, Final

import pytest

from app.domain.import_forms import Identity
from app.services.importing import ImportOptions
from app.services.importing.lanes import in_lanes
from app.services.importing.steps import Arrival, read
from app.store.driver import Document, Store
from tests.support.digest import delete_all
from tests.support.import_lines import Bring, Line, activity, coupon, customer, fingerprint, link, points, status, thing

OWNERS: Final = tuple(f"{number}" for number in range(1001, 1009))


def note(source_id: str, *, of: str) -> Line:
    return thing("note", source_id, of=of, createdAt="2024-01-01T00:00:00Z", message="Called.")


def row(source_id: str) -> Line:
    return {"source": "loyalty", "id": source_id}


def drawn(dice: random.Random, at: int) -> Line:
    owner = dice.choice(OWNERS)
    of = {"of": f"esuite/E{owner}" if dice.random() < 0.8 else f"other/{owner}"}
    match dice.randrange(8):
        case 0:
            return points(f"P-{at}", "EARNED", 10, **of)
        case 1:
            return points(f"P-{at}", "SPENT", -3, **of, occurredAt=f"2024-{dice.randint(1, 12):02}-02T00:00:00Z")
        case 2:
            return coupon(f"C-{dice.randrange(6)}", **of, code=f"TEN{at}")  # which goes from one to another
        case 3:
            return status(f"S-{at}", dice.choice(("ACTIVE", "BLOCKED")), f"2024-{dice.randint(1, 12):02}-01", **of)
        case 4:
            return note(f"N-{dice.randrange(20)}", **of)
        case 5:
            return activity(f"A-{at}", **of, note=row(f"N-{dice.randrange(20)}"))  # perhaps of another customer
        case _:
            return activity(f"A-{at}", **of)


def person(dice: random.Random) -> Line:
    """Draws a line that says who somebody is: they take numbers and identities from each other."""
    own, others = dice.choice(OWNERS), [{"source": "other", "id": owner} for owner in dice.sample(OWNERS, 2)]
    match dice.randrange(6):
        case 0:
            return {**customer(own), "number": dice.choice(OWNERS)}
        case 1:
            return customer(own, identities=others[:1])
        case 2:
            return customer(own, identities=others)
        case 3:
            return link(f"esuite/E{own}", f"other/{dice.choice(OWNERS)}")
        case 4:
            return customer(own, mergedInto={"source": "esuite", "id": f"E{dice.choice(OWNERS)}"}, status="MERGED")
        case _:
            return customer(own, name=f"Name {dice.randrange(4)}")


def revisions(document: Document) -> None:
    """Takes out what counts the steps: where a row goes to another customer, there may be one more."""
    for key in ("revision", "detailsRevision"):
        document.pop(key, None)


async def same_by_lanes(bring: Bring, store: Store, lines: Sequence[Line], *, lines_per_chunk: int) -> Any:
    """Brings lines in by one lane, by two and by five, asserts that nothing differs, and returns the last run."""
    said: list[Any] = []
    for lanes in (1, 2, 5):
        await delete_all(store)
        run = await bring(*lines, lines_per_chunk=lines_per_chunk, options=ImportOptions(lanes=lanes))
        said.append((await fingerprint(store, without=revisions), run.summary.counts, run.reasons))
    assert said[0] == said[1] == said[2]
    return run


@pytest.mark.parametrize("seed", range(12))
async def test_it_makes_no_difference_to_any_row_or_verdict(seed: int, bring: Bring, store: Store) -> None:
    dice = random.Random(seed)
    people = [*map(customer, OWNERS), *(link(f"esuite/E{owner}", f"other/{owner}") for owner in OWNERS)]
    lines = [*people, *(drawn(dice, at) for at in range(150))]
    dice.shuffle(lines)  # some wait for their customer
    await same_by_lanes(bring, store, lines, lines_per_chunk=60)


@pytest.mark.parametrize("seed", range(24))
async def test_it_makes_no_difference_to_who_is_who(seed: int, bring: Bring, store: Store) -> None:
    dice = random.Random(seed)
    lines = [person(dice) for _ in range(80)]
    lines += [activity(f"A-{at}", of=f"other/{dice.choice(OWNERS)}") for at in range(20)]
    run = await same_by_lanes(bring, store, lines, lines_per_chunk=20)
    assert len(run.summary.counts) > 4  # it was no file of rejects


ADA, BEN = Identity("esuite", "E1001"), Identity("other", "B")
BESIDE: Final = [activity(f"A-{at}", of="esuite/E1009") for at in range(9)]
"""Lines of somebody else, who fill a lane."""
TOGETHER: Final[dict[str, tuple[list[Document], list[Line]]]] = {
    "of one customer": ([], [activity("A", of="esuite/E1001"), note("N", of="esuite/E1001")]),
    "of one customer by two identities": (
        [{"_id": "cus_1", "number": "1", "identities": [ADA._asdict(), BEN._asdict()]}],
        [activity("A", of="esuite/E1001"), activity("B", of="other/B")],
    ),
    "of two who were merged": (
        [
            {"_id": "cus_1", "number": "1", "identities": [ADA._asdict()], "mergedIntoId": "cus_2"},
            {"_id": "cus_2", "number": "2", "identities": [BEN._asdict()]},
        ],
        [points("A", "EARNED", 1, of="esuite/E1001"), points("B", "EARNED", 1, of="other/B")],
    ),
    "of one row": ([], [coupon("C", of="esuite/E1001"), coupon("C", of="other/B")]),
    "of a row and of what refers to it": (
        [],
        [note("N", of="esuite/E1001"), activity("A", of="other/B", note=row("N"))],
    ),
    "of one number": ([], [customer("1001"), {**customer("1002"), "number": "1001"}]),
    "of who has a number and who is to have it": (
        [{"_id": "cus_1", "number": "7", "identities": [ADA._asdict()]}],
        [{**customer("1001"), "number": "8"}, {**customer("1002"), "number": "7"}],
    ),
    "of two who are linked": ([], [customer("1001"), link("other/B", "esuite/E1001")]),
    "of who is merged into another": (
        [],
        [customer("1001"), customer("1002", mergedInto={"source": "esuite", "id": "E1001"}, status="MERGED")],
    ),
}


def arrivals(lines: Sequence[Line]) -> list[Arrival]:
    taken = [read(number, json.dumps(line)) for number, line in enumerate(lines, 1)]
    return [each for each in taken if isinstance(each, Arrival)]


def numbers(lanes: Sequence[Sequence[Arrival]]) -> list[list[int]]:
    return [[each.number for each in lane] for lane in lanes]


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("what", TOGETHER)
def test_lines_that_look_at_the_same_rows_are_in_one_lane(what: str, lanes: int) -> None:
    customers, lines = TOGETHER[what]
    divided = numbers(in_lanes(arrivals([lines[0], *BESIDE, lines[1]]), customers, lanes))
    assert divided == [[*range(2, 11)], [1, 11]]


def test_others_are_divided_evenly_in_their_order() -> None:
    lines = [activity(f"A-{at}", of=f"esuite/{at % 12}") for at in range(96)]
    divided = numbers(in_lanes(arrivals(lines), [], 3))
    assert [len(lane) for lane in divided] == [32, 32, 32]
    assert all(lane == sorted(lane) for lane in divided)


def test_without_lines_there_are_no_lanes() -> None:
    assert in_lanes([], [], 2) == []
