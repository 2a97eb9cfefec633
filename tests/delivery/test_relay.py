"""The relay: what becomes of an entry, whatever its server does and whoever dies."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest

from app import metrics
from app.delivery import relay
from app.delivery.relay import Channel, Relay
from app.http import metrics_endpoint as figures_over_http
from app.http.metrics_endpoint import read_queues
from app.store import indexes
from app.store.driver import Document, Driver, Store
from tests.support.command_line import bare_environment, command
from tests.support.commands import Commands
from tests.support.processes import REPLICA_SET, Node, free_ports, initiate, within
from tests.support.query_plans import documents_read, explained, sorts
from tests.support.relays import LONG_SECONDS, Post, relay_to, running, until
from tests.support.smtp_server import Does, Peer
from tests.support.world import World

QUEUED = {"status": "QUEUED", "attempts": 1}
FAILED = {"status": "FAILED", "attempts": 1}
OUTCOMES: dict[Does, Document] = {
    Does.TAKES_IT: {"status": "SENT", "attempts": 1},
    Does.SAYS_451: {**QUEUED, "error": "The mail server put the mail off: 451 4.7.1 Greylisted, come back later"},
    Does.SAYS_550_TO_THE_ADDRESS: {**FAILED, "error": "The mail server refused the address: 550 5.1.1 No such mailbox"},
    Does.SAYS_550_TO_THE_MAIL: {**FAILED, "error": "The mail server refused the mail: 550 5.7.1 Looks like spam"},
    Does.STALLS: {**QUEUED, "error": "The server did not answer in time."},
    Does.DROPS_IT: {**QUEUED, "error": "The mail server broke off."},
    Does.KEEPS_IT_AND_DROPS: {**QUEUED, "error": "The mail server broke off."},
}
KEPT = {Does.TAKES_IT, Does.KEEPS_IT_AND_DROPS}
A_STALL_SECONDS = 1.0


def shown(delivery: Document) -> Document:
    return {key: delivery[key] for key in ("status", "attempts", "error") if key in delivery}


# ---------------------------------------------------------------- what becomes of an entry


@pytest.mark.parametrize("does", Does)
async def test_each_behaviour_of_the_server_is_told_as_it_is(does: Does, store: Store, post: Post, peer: Peer) -> None:
    peer.then(does)
    delivery = await post.queued(text="Hello")
    before = datetime.now(UTC)
    async with relay_to(peer.url, store, timeout_seconds=A_STALL_SECONDS if does is Does.STALLS else 30) as relay:
        await relay.once()
    now = await post.now(delivery)
    assert shown(now) == OUTCOMES[does]
    assert len(peer.mails) == (does in KEPT)
    waits = now["status"] == "QUEUED"
    assert ("dueAt" in now, "giveUpAt" in now, "deliveredAt" in now) == (waits, waits, does is Does.TAKES_IT)
    if waits:
        assert before + timedelta(seconds=1) < now["dueAt"] <= datetime.now(UTC) + timedelta(seconds=2)
        assert now["giveUpAt"] == delivery["giveUpAt"].replace(
            microsecond=delivery["giveUpAt"].microsecond // 1000 * 1000
        )


@pytest.mark.parametrize("does", [does for does in Does if OUTCOMES[does]["status"] == "QUEUED"])
async def test_what_was_put_off_is_tried_until_it_is_taken(does: Does, store: Store, post: Post, peer: Peer) -> None:
    peer.then(does)
    delivery = await post.queued(text="Hello")
    async with relay_to(peer.url, store, timeout_seconds=A_STALL_SECONDS if does is Does.STALLS else 30) as relay:
        await relay.once()
        await post.make_due(delivery)
        peer.then()
        while (await post.now(delivery))["status"] == "QUEUED":
            await relay.once()
    now = await post.now(delivery)
    assert (now["status"], "error" in now, "dueAt" in now, "giveUpAt" in now) == ("SENT", False, False, False)
    assert len(peer.mails) == (2 if does in KEPT else 1)
    assert len({mail.id for mail in peer.mails}) == 1


@pytest.mark.parametrize("does", [Does.SAYS_550_TO_THE_ADDRESS, Does.SAYS_550_TO_THE_MAIL])
async def test_what_was_refused_for_good_is_not_tried_again(does: Does, store: Store, post: Post, peer: Peer) -> None:
    peer.then(does)
    delivery = await post.queued(text="Hello")
    async with relay_to(peer.url, store) as relay:
        for _ in range(3):
            await relay.once()
            await post.make_due(delivery)
    assert (len(peer.offered), peer.mails) == (1, [])
    assert (await post.now(delivery))["status"] == "FAILED"


async def test_pauses_grow_and_the_last_try_falls_on_the_day_it_is_given_up(
    store: Store, post: Post, peer: Peer
) -> None:
    peer.does = lambda _to: Does.SAYS_451
    delivery = await post.queued(text="Hello", giveUpAt=datetime.now(UTC) + timedelta(seconds=100))
    pauses, now = list[float](), delivery
    async with relay_to(peer.url, store) as relay:
        for _ in range(9):
            before = datetime.now(UTC)
            await relay.once()
            now = await post.now(delivery)
            pauses.append((now["dueAt"] - before).total_seconds())
            await post.make_due(delivery)
    assert all(2**n - 0.01 <= pause for n, pause in enumerate(pauses[:6]))
    assert pauses[:5] == sorted(pauses[:5])
    assert now["dueAt"] == now["giveUpAt"]


async def test_what_nobody_takes_is_given_up_after_the_set_time_with_the_reason(
    store: Store, post: Post, peer: Peer
) -> None:
    peer.does = lambda _to: Does.SAYS_451
    delivery = await post.queued(text="Hello", giveUpAt=datetime.now(UTC))
    async with relay_to(peer.url, store) as relay:
        await relay.once()
        await relay.once()
    now = await post.now(delivery)
    said = "Given up after 1 attempt. The mail server put the mail off: 451 4.7.1 Greylisted, come back later"
    assert (now["status"], now["error"]) == ("FAILED", said)
    assert (now["attempts"], "dueAt" in now, "giveUpAt" in now) == (1, False, False)


async def test_a_server_that_is_not_there_is_said_so(store: Store, post: Post) -> None:
    (port,) = free_ports(1)
    delivery = await post.queued(text="Hello")
    async with relay_to(f"smtp://127.0.0.1:{port}", store) as relay:
        await relay.once()
    assert shown(await post.now(delivery)) == {**QUEUED, "error": "The mail server could not be reached."}


@pytest.mark.parametrize(
    "greeting", [b"554 5.3.2 Closed for today\r\n", b"421 Too busy\r\n", b"220 hi\r\n502 No\r\n502 No\r\n"]
)
async def test_a_server_that_serves_nobody_now_refuses_no_mail(greeting: bytes, store: Store, post: Post) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *answers = greeting.splitlines(keepends=True)
        writer.write(first)
        for answer in answers:
            await reader.readline()
            writer.write(answer)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        delivery = await post.queued(text="Hello")
        async with relay_to(f"smtp://127.0.0.1:{port}", store) as relay:
            await relay.once()
        now = await post.now(delivery)
    assert now["status"] == "QUEUED"
    assert now["error"].startswith("The mail server does not serve us: ")


async def test_once_tries_each_entry_once_however_slow_the_server_is(store: Store, post: Post, peer: Peer) -> None:
    """By the time that the last one is tried the pause of the first is over."""
    peer.does = lambda _to: Does.STALLS
    deliveries = [await post.queued(text="Hello") for _ in range(5)]
    async with relay_to(peer.url, store, timeout_seconds=0.6) as relay:
        await relay.once()
    assert [(await post.now(delivery))["attempts"] for delivery in deliveries] == [1] * 5


async def test_a_mail_that_is_gone_fails(store: Store, post: Post, peer: Peer) -> None:
    delivery = await post.queued(text="Hello")
    await store.command({"delete": "emails", "deletes": [{"q": {}, "limit": 0}]})
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    assert shown(await post.now(delivery)) == {**FAILED, "error": "The mail is not there any more."}


async def test_a_mail_that_was_taken_is_not_sent_again_because_the_database_cannot_note_it(
    store: Store, post: Post, peer: Peer
) -> None:
    """It keeps trying to note it: the lease has not ended, and the mail has arrived."""
    delivery = await post.queued(text="Hello")
    refuses = {"collMod": "emails", "validator": {"nothing": {"$exists": True}}}
    await store.command(refuses)
    try:
        async with relay_to(peer.url, store) as relay:
            noting = asyncio.create_task(relay.once())
            await until(lambda: peer.mails)
            await asyncio.sleep(0.5)
            assert (await post.now(delivery)).get("error") is None
            await indexes.apply(store)
            await noting
    finally:
        await indexes.apply(store)
    assert shown(await post.now(delivery)) == {"status": "SENT", "attempts": 1}
    (email,) = await store.find("emails", {})
    assert "sentAt" in email
    assert len(peer.mails) == 1


# ---------------------------------------------------------------- leases


async def taken(store: Store, collection: str = "deliveries") -> Document:
    (entry,) = await store.find(collection, {})
    assert entry["attempts"] == 1
    return entry


async def test_who_took_an_entry_has_it_until_their_lease_ends(store: Store, post: Post, peer: Peer) -> None:
    peer.does = lambda _to: Does.STALLS
    delivery = await post.queued(text="Hello")
    async with relay_to(peer.url, store) as dying, relay_to(peer.url, store) as other:
        before = datetime.now(UTC)
        died = asyncio.create_task(dying.once())
        await until(lambda: peer.offered)
        died.cancel()  # as good as killed: it writes nothing
        await asyncio.wait([died])
        peer.does = lambda _to: Does.TAKES_IT
        due, long = (await post.now(delivery))["dueAt"], timedelta(seconds=LONG_SECONDS)
        assert before + long < due <= datetime.now(UTC) + 2 * long
        await other.once()
        assert (await post.now(delivery))["attempts"] == 1
        await post.make_due(delivery)
        await other.once()
    assert shown(await post.now(delivery)) == {"status": "SENT", "attempts": 2}


@pytest.mark.parametrize("late", [Does.SAYS_451, Does.SAYS_550_TO_THE_MAIL, Does.TAKES_IT], ids=str)
@pytest.mark.parametrize("other", [Does.SAYS_451, Does.SAYS_550_TO_THE_MAIL, Does.TAKES_IT, Does.STALLS], ids=str)
async def test_of_one_whose_lease_ran_out_only_success_counts(
    late: Does, other: Does, store: Store, post: Post, peer: Peer
) -> None:
    """Two have it: the late one answers last."""
    delivery = await post.queued(text="Hello")
    first, second = _Held(late), _Held(other)
    relays = [
        Relay(store, [Channel("mail", "deliveries", "SENT", "deliveredAt", held.send)], 30) for held in (first, second)
    ]
    handling = [asyncio.create_task(relays[0].once())]
    await first.has_it.wait()
    await post.make_due(delivery)
    handling.append(asyncio.create_task(relays[1].once()))
    await second.has_it.wait()
    if other is not Does.STALLS:  # then the other has it still
        second.answers.set()
        await handling[1]
    between = await post.now(delivery)
    given_up, vain, over = counted("given_up"), counted("retries"), counted("handed_over")
    first.answers.set()
    await handling[0]
    now = await post.now(delivery)
    if late is Does.TAKES_IT:
        assert shown(now) == {"status": "SENT", "attempts": 2}
        assert (counted("given_up"), counted("retries"), counted("handed_over")) == (given_up, vain, over + 1)
    else:
        assert now == between
        assert (counted("given_up"), counted("retries"), counted("handed_over")) == (given_up, vain, over)
    second.answers.set()
    await handling[1]
    if late is Does.TAKES_IT:
        assert shown(await post.now(delivery)) == {"status": "SENT", "attempts": 2}


class _Held:
    """A handover that ends when the test says so."""

    def __init__(self, does: Does) -> None:
        self.does, self.has_it, self.answers = does, asyncio.Event(), asyncio.Event()

    async def send(self, _entry: Document) -> None:
        self.has_it.set()
        await self.answers.wait()
        if self.does is Does.SAYS_451:
            raise relay.TryLater("Later.")
        if self.does is Does.SAYS_550_TO_THE_MAIL:
            raise relay.Undeliverable("Never.")


def counted(name: str) -> float:
    (family,) = {
        "handed_over": metrics.DELIVERIES,
        "retries": metrics.RETRIES,
        "given_up": metrics.FAILURES,
    }[name].collect()
    return sum(
        each.value for each in family.samples if each.name.endswith("_total") and each.labels["channel"] == "mail"
    )


async def test_a_relay_that_is_stopped_lets_what_is_under_way_end(store: Store, post: Post) -> None:
    delivery, held = await post.queued(text="Hello"), _Held(Does.TAKES_IT)
    stopping = Relay(store, [Channel("mail", "deliveries", "SENT", "deliveredAt", held.send)], 30)
    async with running(stopping):
        await held.has_it.wait()
        asyncio.get_running_loop().call_later(0.2, held.answers.set)
    assert shown(await post.now(delivery)) == {"status": "SENT", "attempts": 1}


async def test_a_relay_that_is_stopped_while_it_claims_gives_the_entry_back_before_its_database_closes(
    store: Store, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery, held = await post.queued(text="Hello"), _Held(Does.TAKES_IT)
    claimed, answers, claim = asyncio.Event(), asyncio.Event(), Store.find_one_and_update

    async def slowly(its: Store, *args: Any, **options: Any) -> Document | None:
        found = await claim(its, *args, **options)
        claimed.set()
        await answers.wait()
        return found

    monkeypatch.setattr(Store, "find_one_and_update", slowly)
    async with running(Relay(store, [Channel("mail", "deliveries", "SENT", "deliveredAt", held.send)], 30)):
        await claimed.wait()
        assert (await post.now(delivery))["attempts"] == 1
        asyncio.get_running_loop().call_later(0.2, answers.set)
    entry = await post.now(delivery)
    assert shown(entry) == {"status": "QUEUED", "attempts": 0}
    assert entry["dueAt"] <= datetime.now(UTC)  # and not when the lease ends
    assert not held.has_it.is_set()


# ---------------------------------------------------------------- many of them


@pytest.mark.parametrize("drivers", [("motor", "motor"), ("pymongo", "pymongo"), ("motor", "pymongo")], ids="-".join)
async def test_two_relays_lose_nothing_and_without_faults_double_nothing(
    drivers: tuple[Driver, Driver], mongodb_uri: str, database_name: str, store: Store, post: Post, peer: Peer
) -> None:
    deliveries = [await post.queued(text="Hello") for _ in range(60)]
    async with (
        Store.open(mongodb_uri, database_name, driver=drivers[0]) as one,
        Store.open(mongodb_uri, database_name, driver=drivers[1]) as two,
        relay_to(peer.url, one) as first,
        relay_to(peer.url, two) as second,
        running(first, second),
    ):
        deliveries += [await post.queued(text="Hello") for _ in range(60)]
        await post.settled(len(deliveries))
    assert len(peer.mails) == len({mail.id for mail in peer.mails}) == len(deliveries)
    assert {delivery["attempts"] for delivery in await store.find("deliveries", {})} == {1}


async def test_one_relay_sends_several_at_once_over_as_many_connections(store: Store, post: Post, peer: Peer) -> None:
    peer.then(*[Does.STALLS] * 5)
    for _ in range(40):
        await post.queued(text="Hello")
    async with relay_to(peer.url, store) as relaying, running(relaying):
        await post.settled(35)
        assert len(peer.connections) <= 8
        peer.hang_up()  # the five go on with the pause of what broke off
        await post.settled(40)
    assert len(peer.mails) == 40


@pytest.mark.parametrize("own_driver", get_args(Driver))
async def test_a_commit_wakes_the_relay(
    own_driver: Driver,
    mongodb_uri: str,
    database_name: str,
    post: Post,
    peer: Peer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The timer alone would look once an hour."""
    monkeypatch.setattr(relay, "_LOOK_SECONDS", 3600)
    async with (
        Store.open(mongodb_uri, database_name, driver=own_driver) as own,
        relay_to(peer.url, own) as relaying,
        running(relaying),
    ):
        for sent in range(1, 4):
            await post.queued(text="Hello")
            await post.settled(sent)
    assert len(peer.mails) == 3


async def test_the_relay_hears_of_commits_also_after_its_stream_ended(
    mongodb_uri: str, database_name: str, peer: Peer, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropping the database (``seed --fresh``) ends every change stream of it without an error."""
    monkeypatch.setattr(relay, "_LOOK_SECONDS", 3600)
    async with Store.open(mongodb_uri, f"{database_name}_dropped", driver=driver) as own:
        post = Post(World(own), own)
        await indexes.apply(own)
        try:
            async with relay_to(peer.url, own) as relaying, running(relaying):
                await post.queued(text="Hello")
                await post.settled(1)
                await own.drop()
                await indexes.apply(own)
                await post.queued(text="Hello again")
                await post.settled(1)
        finally:
            await own.drop()
    assert len(peer.mails) == 2


async def test_the_relay_outlives_the_absence_of_the_database(tmp_path: Path, peer: Peer, driver: Driver) -> None:
    from app.store.mongod import find_mongod

    mongod, (port,) = find_mongod(), free_ports(1)
    assert mongod
    command = [str(mongod), "--dbpath", str(tmp_path), "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--replSet", REPLICA_SET, "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"]
    node = Node(command, tmp_path / "log", port=port)
    node.start()
    try:
        await asyncio.to_thread(initiate, [node])
        uri = f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"
        async with Store.open(uri, "away", driver=driver, timeout_seconds=10) as own:
            await indexes.apply(own)
            post = Post(World(own), own)
            async with relay_to(peer.url, own) as relaying, running(relaying):
                await post.queued(text="Hello")
                await post.settled(1)
                peer.does = lambda _to: Does.STALLS
                held = await post.queued(text="Under way while the database dies")
                await until(lambda: len(peer.offered) == 2)
                node.kill()
                peer.does = lambda _to: Does.TAKES_IT
                peer.hang_up()
                await asyncio.sleep(1)
                node.start()
                await asyncio.to_thread(within, 30, lambda: node.says("hello").get("isWritablePrimary"), "a primary")
                await post.queued(text="Afterwards")
                await post.settled(3)
                assert (await post.now(held))["attempts"] == 2
    finally:
        node.kill()
        node.client.close()
    assert len(peer.mails) == 3


# ---------------------------------------------------------------- what it costs, and what is counted


async def test_the_relay_reads_what_is_due_and_nothing_else(
    store: Store, post: Post, peer: Peer, commands: Commands
) -> None:
    email = await post.world.email(await post.world.customer(), text="Hello")
    await post.world.many(
        "deliveries",
        {"_id": email["customerId"]},
        *[{"emailId": email["_id"], "to": email["to"]} for _ in range(300)],
    )
    later = {"dueAt": datetime.now(UTC) + timedelta(days=1), "status": "QUEUED", "emailId": email["_id"]}
    await post.world.many("deliveries", {"_id": email["customerId"]}, *[later for _ in range(100)])
    for _ in range(3):
        await post.queued(text="Hello")
    commands.clear()
    async with relay_to(peer.url, store) as relay:
        await relay.once()
        await relay._until_next(relay.channels[0])  # pyright: ignore[reportPrivateUsage] # its second query
    queries = [
        body for name, body in commands.sent if body.get(name) == "deliveries" and name in ("find", "findAndModify")
    ]
    assert [("findAndModify" in body) for body in queries] == [False, True] * 3 + [False, False]
    for query in queries[-2:]:  # as they are when nothing is due, and 100 wait
        command = dict(query)
        if "findAndModify" in command:
            command = {
                "find": command["findAndModify"],
                "filter": command["query"],
                "sort": command["sort"],
                "limit": 1,
            }
        plan = await explained(store, command)
        assert documents_read(plan) <= 1
        assert not sorts(plan)


async def test_the_queue_is_counted_without_reading_what_was_sent(store: Store, post: Post, commands: Commands) -> None:
    email = await post.world.email(await post.world.customer(), text="Hello")
    await post.world.many(
        "deliveries",
        {"_id": email["customerId"]},
        *[{"emailId": email["_id"], "to": email["to"]} for _ in range(300)],
    )
    for _ in range(3):
        await post.queued(text="Hello")
    commands.clear()
    await read_queues(store)
    assert commands.names == ["aggregate"] * 4  # a channel each: mail, wallet, requests, webhooks
    read = [documents_read(await explained(store, command)) for _, command in [*commands.sent]]
    assert sum(read) <= 3, read


async def test_figures_tell_what_waits_and_for_how_long_and_what_became_of_the_rest(
    client: httpx2.AsyncClient, store: Store, post: Post, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures_over_http, "FRESH_SECONDS", 0)

    async def figures() -> dict[str, float]:
        text = (await client.get("/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith("gateway_outbox_") and 'channel="mail"' in line]
        return {line.split("{")[0].removeprefix("gateway_outbox_"): float(line.split()[-1]) for line in lines}

    before = await figures()
    assert (before["queued"], before["oldest_seconds"]) == (0, 0)
    waiting = await post.queued(text="Hello")
    for _ in range(2):
        await post.queued(text="Hello")
    peer.then(Does.SAYS_451, Does.SAYS_550_TO_THE_MAIL)
    queued = await figures()
    age = (datetime.now(UTC) - waiting["requestedAt"]).total_seconds()
    assert queued["queued"] == 3
    assert 0 <= queued["oldest_seconds"] <= age
    async with relay_to(peer.url, store) as relay:
        await relay.once()
    after = await figures()
    gone = {name: after[name] - before.get(name, 0) for name in after if name.endswith("_total")}
    assert gone == {"handed_over_total": 1, "retries_total": 1, "given_up_total": 1}
    assert (after["queued"], after["oldest_seconds"] > queued["oldest_seconds"]) == (1, True)


async def test_a_gateway_is_ready_while_its_mail_server_is_away(
    client: httpx2.AsyncClient, store: Store, post: Post
) -> None:
    (port,) = free_ports(1)
    delivery = await post.queued(text="Hello")
    async with relay_to(f"smtp://127.0.0.1:{port}", store) as relaying, running(relaying):
        await until(lambda: _tried(post, delivery))
        await until(lambda: _is_ready(client))  # a database that a busy machine slows is not the mail server's doing
    assert (await post.now(delivery))["status"] == "QUEUED"


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def _tried(post: Post, delivery: Document) -> bool:
    return "error" in await post.now(delivery)


@pytest.mark.parametrize(
    ("ending", "words"),
    [(signal.SIGTERM, ["worker"]), (signal.SIGHUP, ["worker"]), (signal.SIGTERM, ["worker", "--once"])],
)
async def test_a_worker_that_is_told_to_end_notes_what_a_server_has_just_taken(
    ending: signal.Signals,
    words: list[str],
    post: Post,
    peer: Peer,
    mongodb_uri: str,
    database_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each rollout of workers sent such mails twice."""
    offered, answers, take = asyncio.Event(), asyncio.Event(), peer.handle_DATA

    async def take_slowly(*given: Any) -> str:
        offered.set()
        await answers.wait()
        return await take(*given)

    monkeypatch.setattr(peer, "handle_DATA", take_slowly)
    delivery = await post.queued(text="Hello")
    settings = {"MONGODB_URI": mongodb_uri, "MONGODB_DATABASE": database_name, "SMTP_URL": peer.url}
    environment = bare_environment(**settings, MAIL_FROM="service@gateway.example.com")
    worker = await asyncio.create_subprocess_exec(*command(*words), env=environment, stderr=asyncio.subprocess.PIPE)
    await offered.wait()
    worker.send_signal(ending)
    await asyncio.sleep(0.2)  # a worker that dropped the mail would have done so by now
    answers.set()
    _, said = await worker.communicate()
    assert worker.returncode == (0 if (ending, words) == (signal.SIGTERM, ["worker"]) else 130)
    assert b"Traceback" not in said
    assert shown(await post.now(delivery)) == {"status": "SENT", "attempts": 1}
    assert len(peer.mails) == 1
