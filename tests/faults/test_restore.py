"""A backup is restored: no mail goes out twice, whoever was erased stays erased, and no change is taken for a lost one.

The backup is a copy of the files of a real mongod that was told to stand still (fsyncLock), as MongoDB's manual has it.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from app.domain.access import ADMINISTRATOR
from app.services import details, erasing
from app.services.changes import Changes, CustomerLocks
from app.services.feed import number_entries
from app.services.restoring import REASON
from app.store import indexes, previews
from app.store.driver import Document, Store, UpdateMany
from app.store.mongod import embedded_mongod
from app.store.schema import COLLECTIONS
from tests.support.processes import ROOT
from tests.support.smtp_server import Does, Peer, mail_server
from tests.support.world import World

DATABASE: Final = "restored"
CANARY: Final = "Zebedee"


def app(uri: str, *words: str, succeeds: bool = True, **settings: str) -> str:
    """Runs a command as an operator does, and returns what it prints."""
    own = {"MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE, "LOG_LEVEL": "ERROR", **settings}
    ran = subprocess.run(
        [sys.executable, "-m", "app", *words], cwd=ROOT, env=os.environ | own, capture_output=True, text=True
    )
    assert (ran.returncode == 0) == succeeds, ran.stdout + ran.stderr
    return ran.stdout


async def work(uri: str, peer: Peer) -> None:
    """Does all that is due, as a worker does."""
    sending = {"SMTP_URL": peer.url, "MAIL_FROM": "service@gateway.example.com"}
    await asyncio.to_thread(lambda: app(uri, "worker", "--once", succeeds=True, **sending))


def backup(uri: str, folder: Path, *copies: Path) -> None:
    with MongoClient[Any](uri) as client:
        client.admin.command("fsync", lock=True)
        try:
            for copy in copies:
                shutil.copytree(folder / "db", copy / "db")
        finally:
            client.admin.command("fsyncUnlock")


async def queue(world: World, to: str) -> Document:
    email = await world.email(await world.customer(email=to), to=to)
    now = datetime.now(UTC)
    queued: Mapping[str, Any] = {"status": "QUEUED", "attempts": 0, "requestedAt": now, "dueAt": now}
    return await world.delivery(email, to=to, first=True, giveUpAt=now + timedelta(hours=1), **queued)


def changes(store: Store) -> Changes:
    return Changes(store, CustomerLocks(), ADMINISTRATOR, datetime.now(UTC).replace(microsecond=0), "r")


async def rename(store: Store, customer: Document, name: str) -> list[str]:
    """Changes a customer, and returns the ids of the feed's entries of them with their numbers."""
    await details.update(changes(store), customer["_id"], {"organization": name}, expected_revision=None, key=name)
    await number_entries(store)
    entries = await store.find("feed", {"customerId": customer["_id"]}, sort={"revision": 1})
    return [each["_id"] for each in entries]


async def texts_of(store: Store, text: str) -> list[str]:
    """Returns the collections that hold a text anywhere."""
    return [name for name in COLLECTIONS if text in repr(await store.find(name, {}))]


async def test_after_a_restore_no_mail_is_sent_twice_and_the_erased_stay_erased(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    async with mail_server() as peer:
        with embedded_mongod(first) as uri:
            async with Store.open(uri, DATABASE) as store:
                await indexes.apply(store)
                world = World(store)
                await queue(world, "before@example.com")
                await work(uri, peer)
                peer.does = lambda _: Does.SAYS_451
                tried = await queue(world, "tried@example.com")
                await work(uri, peer)
                waiting = await queue(world, "waiting@example.com")
                gone = await world.customer(firstName=CANARY, name=CANARY)
                await world.note(gone, message=f"{CANARY} called")
                changed = await world.customer()

                backup(uri, first, second, third)

                peer.does = lambda _: Does.TAKES_IT
                now = {"$set": {"dueAt": datetime.now(UTC)}}
                await store.write("deliveries", [UpdateMany({"dueAt": {"$exists": True}}, now)])
                await queue(world, "after@example.com")
                await work(uri, peer)
                lost = {*await rename(store, changed, "Lost")}
                reason = "Article 17"
                await erasing.anonymise(
                    changes(store), gone["_id"], confirm_number=gone["number"], reason=reason, key="erase"
                )
                await work(uri, peer)
                assert await texts_of(store, CANARY) == []
                kept = tmp_path / "erasures.ndjson"
                kept.write_text(app(uri, "erasures", "export"))
        assert CANARY not in kept.read_text()
        *erased, last = (json.loads(line) for line in kept.read_text().splitlines())
        assert {line["customerIds"][0] for line in erased} == {gone["_id"]}
        assert last == {"lines": len(erased)}
        assert sorted(Counter(mail.to[0] for mail in peer.mails).items()) == [
            (f"{name}@example.com", 1) for name in ("after", "before", "tried", "waiting")
        ]

        with embedded_mongod(second) as uri:
            async with Store.open(uri, DATABASE) as store:
                assert await texts_of(store, CANARY) != []
                app(uri, "erasures", "export", "--out", str(kept))  # too early, as each minute; it forgets nobody
                said = app(uri, "restored", DATABASE)
                assert said.startswith("Given up: 2 mails, 0 wallet messages, 0 requests.")
                assert "Erased again: 1." in app(uri, "erasures", "replay", str(kept))
                assert "Erased again: 0." in app(uri, "erasures", "replay", str(kept))
                await work(uri, peer)
                assert await texts_of(store, CANARY) == []
                mails = await store.find("deliveries", {"_id": {"$in": [tried["_id"], waiting["_id"]]}})
                assert {(each["status"], each["error"]) for each in mails} == {("FAILED", REASON)}
                told = await store.find("activities", {"type": "EMAIL_NOT_DELIVERED"})
                assert len(told) == 2
                # What is told from now on has ids that no receiver has seen, and there is a gap that everybody notices.
                assert not {*await rename(store, changed, "New")} & lost
                assert (await store.find("sequences", {"_id": "feed"}))[0]["last"] > 1_000_000
                assert await previews.differences(store) == []
                assert app(uri, "restored", DATABASE).startswith("Given up: 0 mails")
        assert max(Counter(mail.id for mail in peer.mails).values()) == 1

        # Without it they would go out again: that is what it is for.
        with embedded_mongod(third) as uri:
            async with Store.open(uri, DATABASE) as store:
                await store.write("deliveries", [UpdateMany({"dueAt": {"$exists": True}}, now)])
            await work(uri, peer)
        assert max(Counter(mail.id for mail in peer.mails).values()) == 2


async def test_another_database_is_left_alone(store: Store, mongodb_uri: str) -> None:
    world = World(store)
    await queue(world, "ada@example.com")
    assert "" == app(mongodb_uri, "restored", "another", succeeds=False, MONGODB_DATABASE="elsewhere")
    assert len(await store.find("deliveries", {"dueAt": {"$exists": True}})) == 1
