"""What is copied stays what it copies: a catalogue that changed, an interruption anywhere, a customer who is broken."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, cast

import pytest

from app import catalogue, exporting
from app.catalogue import CATALOGUE, OwnCatalogue, copied
from app.catalogue.model import ActivityGroup, Audience, CatalogueType
from app.domain.cells import Layout, Separator
from app.domain.vocabulary import ExportFormat, ReportTable
from app.services.catalogue import apply as apply_catalogue
from app.services.daily_counts import count_days
from app.services.daily_counts import differences as wrong_days
from app.store import indexes, previews
from app.store.driver import Driver, Store, UpdateOne
from tests.support.gateway import Ask
from tests.support.world import NOW, World, ago

BIRTHDAY = CATALOGUE["BIRTHDAY"]
CHANGES: Mapping[str, CatalogueType | None] = {
    "a new type": None,
    "another group": replace(BIRTHDAY, group=ActivityGroup.ADDRESS),
    "for staff only": replace(BIRTHDAY, audience=Audience.STAFF),
    "a note": replace(BIRTHDAY, is_note=True),
}
"""What a newer version's catalogue says of BIRTHDAY. None: the older one did not know it."""


def use(monkeypatch: pytest.MonkeyPatch, row: CatalogueType | None) -> None:
    """The catalogue with this row instead; without one, BIRTHDAY is unknown."""
    others = {code: each for code, each in CATALOGUE.items() if code != "BIRTHDAY"}
    monkeypatch.setattr(catalogue, "CATALOGUE", {**others, **({"BIRTHDAY": row} if row else {})})


@pytest.fixture(params=CHANGES, ids=list(CHANGES))
async def newer(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> CatalogueType | None:
    """Leaves a database whole as the older version does; the newer version is the one that runs."""
    change = CHANGES[cast(str, request.param)]
    use(monkeypatch, None if change is None else BIRTHDAY)
    for _ in range(3):
        customer = await world.customer()
        rows = [copied("BIRTHDAY") | {"type": "BIRTHDAY", "occurredAt": ago(days=days)} for days in (3, 9)]
        rows.append({"type": "SUBSCRIPTION_RENEWED", "occurredAt": ago(days=6)})
        await world.many("activities", customer, *rows)
    await indexes.apply(world.store)
    await count_days(world.store, NOW, grace=timedelta())
    await assert_whole(world.store)
    use(monkeypatch, change or BIRTHDAY)
    return change


async def assert_whole(store: Store) -> None:
    """Everything that would be believed is so. What nobody believes may be outdated."""
    assert await previews.differences(store) == []
    assert await wrong_days(store) == []


async def assert_copied(store: Store) -> None:
    await assert_whole(store)
    assert await indexes.wrong_copies(store) == []
    for row in await store.find("activities", {}):
        assert row | copied(row["type"]) == row
    assert await previews.refresh_stale(store) == 0


async def test_a_catalogue_that_changed_reaches_rows_customers_heads_and_days(
    newer: CatalogueType | None, store: Store
) -> None:
    await indexes.apply(store)
    await assert_copied(store)
    is_note = newer is not None and newer.is_note
    for customer in await store.find("customers", {}):
        assert customer["lastByType"] == {"BIRTHDAY": ago(days=3), "SUBSCRIPTION_RENEWED": ago(days=6)}
        assert customer["lastActivityAt"] == (ago(days=6) if is_note else ago(days=3))
    await count_days(store, NOW, grace=timedelta())
    await count_days(store, NOW, grace=timedelta())
    await assert_copied(store)


REPORT = """query($f: ReportFilter!) { customerServiceReport(filter: $f) {
  total actions { type title total } details { totalCount nodes { type title } } } }"""


@pytest.mark.parametrize("counted", [False, True])
async def test_a_type_that_only_another_process_has_stays_in_every_count_until_a_catalogue_without_it_is_applied(
    counted: bool, ask: Ask, world: World
) -> None:
    """A command without CATALOGUE made such activities legacy, and they were gone from the report without a word."""
    store, ada = world.store, await world.customer()
    other = {**copied("BIRTHDAY"), "type": "PARCEL_LOST", "occurredAt": ago(days=3)}
    await world.many("activities", ada, other, other, {"type": "SUBSCRIPTION_RENEWED", "occurredAt": ago(days=3)})
    if counted:
        for _ in range(2):
            await count_days(store, NOW, grace=timedelta())
    await indexes.apply(store)
    window = {"from": ago(days=9).isoformat(), "to": NOW.isoformat()}

    report = (await ask(REPORT, f={"occurredAt": window}))["data"]["customerServiceReport"]
    actions = {each["type"]: (each["title"], each["total"]) for each in report["actions"]}
    assert actions == {"PARCEL_LOST": ("Parcel lost", 2), "SUBSCRIPTION_RENEWED": ("Subscription Renewed", 1)}
    assert report["total"] == report["details"]["totalCount"] == len(report["details"]["nodes"]) == 3
    layout = Layout(Separator.COMMA, False, None)
    plan = exporting.plan(ReportTable.DETAILS, ExportFormat.CSV, ["type", "title"], {"occurredAt": window}, {}, layout)
    file, done = BytesIO(), exporting.Done()
    await exporting.write(store, plan, done, file, lambda _: None)
    assert sorted(file.getvalue().decode().splitlines()[1:])[:2] == ["PARCEL_LOST,Parcel lost"] * 2

    assert await apply_catalogue(store, OwnCatalogue(), NOW) == 2
    await assert_copied(store)
    assert (await ask(REPORT, f={"occurredAt": window}))["data"]["customerServiceReport"]["total"] == 1


class Dies(BaseException):
    """As a process does: nobody catches it."""


class Mortal(Store):
    """Dies after a command, whichever a test names."""

    commands_left = 10**9

    async def _timed(self, command: str, work: Any) -> Any:
        answer = await super()._timed(command, work)
        self.commands_left -= 1
        if self.commands_left < 0:
            raise Dies
        return answer


async def test_wherever_an_apply_is_interrupted_nothing_wrong_is_believed_and_the_next_one_ends_it(
    newer: CatalogueType | None, store: Store, mongodb_uri: str, database_name: str, driver: Driver
) -> None:
    del newer
    before = {name: await store.find(name, {}) for name in ("activities", "customers", "heads", "tallies", "versions")}
    async with Mortal.open(mongodb_uri, database_name, driver=driver) as mortal:
        for commands in range(200):
            for name, documents in before.items():
                await store.command({"delete": name, "deletes": [{"q": {}, "limit": 0}]})
                await store.insert(name, documents)
            mortal.commands_left = commands
            try:
                await indexes.apply(mortal)
            except Dies:
                await assert_whole(store)
                await indexes.apply(store)
                await assert_copied(store)
            else:
                assert commands > 10
                return
    pytest.fail("It was never whole.")


async def test_one_who_cannot_be_written_keeps_nobody_else_from_it(
    store: Store, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, None)
    ada, bob = await world.customer(), await world.customer()
    for customer in (ada, bob):
        await world.many("activities", customer, copied("BIRTHDAY") | {"type": "BIRTHDAY"})
    broken = {"q": {"_id": ada["_id"]}, "u": {"$set": {"status": "NO_SUCH_STATUS"}}}
    await store.command({"update": "customers", "updates": [broken], "bypassDocumentValidation": True})
    use(monkeypatch, BIRTHDAY)
    await indexes.apply(store)
    (kept,) = await store.find("customers", {"_id": bob["_id"]})
    assert set(kept["lastByType"]) == {"BIRTHDAY"}
    (left,) = await store.find("activities", {"customerId": ada["_id"]})
    assert left["legacy"] is True


async def test_copies_that_were_made_by_other_rules_are_made_again_once(store: Store, world: World) -> None:
    ada = await world.customer()
    await world.activity(ada, "BIRTHDAY")
    await indexes.apply(store)
    await store.write("customers", [UpdateOne({"_id": ada["_id"]}, {"$unset": {"lastByType": ""}})])
    assert await indexes.wrong_copies(store) == [ada["_id"]]
    await indexes.apply(store)
    assert await indexes.wrong_copies(store) == [ada["_id"]]
    await store.write("versions", [UpdateOne({"_id": "copies"}, {"$set": {"fingerprint": "an older one's"}})])
    await indexes.apply(store)
    assert await indexes.wrong_copies(store) == []


async def test_a_new_type_is_found_among_customers(ask: Ask, store: Store, world: World, monkeypatch: Any) -> None:
    use(monkeypatch, None)
    ada = await world.customer(number="C-7")
    await world.many("activities", ada, copied("BIRTHDAY") | {"type": "BIRTHDAY", "occurredAt": datetime.now(UTC)})
    use(monkeypatch, BIRTHDAY)
    await indexes.apply(store)
    query = '{ customers(filter: {hasActivity: {type: "BIRTHDAY"}}) { nodes { number } } }'
    answer = await ask(query)
    assert answer == {"data": {"customers": {"nodes": [{"number": "C-7"}]}}}
