"""The blocklist: what is added, found, refused and removed, by whom, and what systems that enforce it are told."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.domain import blocklist
from app.domain.access import PERMITTED, Permission, Role, Viewer
from app.domain.changes import Invalid
from app.domain.vocabulary import BlocklistSource, BlocklistType
from app.services import blocklist as service
from app.services.changes import Changes, CustomerLocks, Wrote
from app.store.driver import Document, Store
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.mutations import ADD_TO_BLOCKLIST, REMOVE_FROM_BLOCKLIST
from tests.support.tokens import token
from tests.support.world import LATER, NOW, World, ago

BLOCKED = """query($values: [BlocklistValueInput!]!) { blocked(values: $values) {
  blocked entry { id value customer { id } } } }"""
LISTED = """query($filter: BlocklistFilter, $first: Int, $after: String) {
  blocklist(filter: $filter, first: $first, after: $after) { totalCount nodes { id } pageInfo { endCursor } } }"""
ADA = {"type": "EMAIL", "value": "Ada@Example.com"}
CARD = "4111 1111 1111 1111"


async def _add(ask: Ask, key: str = "k", bearer: str | None = None, **given: Any) -> dict[str, Any]:
    asked = {**ADA, "reason": "Chargebacks", "idempotencyKey": key, **given}
    answer = await ask(ADD_TO_BLOCKLIST, input=asked, token=bearer or token())
    assert "errors" not in answer, answer
    return answer["data"]["addToBlocklist"]


async def _remove(ask: Ask, entry: dict[str, Any], key: str = "r", **given: Any) -> dict[str, Any]:
    asked = {"entryId": entry["id"], "reason": "A mistake", "idempotencyKey": key, **given}
    answer = await ask(REMOVE_FROM_BLOCKLIST, input=asked)
    assert "errors" not in answer, answer
    return answer["data"]["removeFromBlocklist"]


async def _blocked(ask: Ask, *values: dict[str, str]) -> list[bool]:
    answer = await ask(BLOCKED, values=values)
    assert "errors" not in answer, answer
    assert all(each["blocked"] is (each["entry"] is not None) for each in answer["data"]["blocked"])
    return [each["blocked"] for each in answer["data"]["blocked"]]


async def _listed(ask: Ask, **filter_: Any) -> list[str]:
    page = (await ask(LISTED, filter=filter_))["data"]["blocklist"]
    assert page["totalCount"] == len(page["nodes"])
    return [node["id"] for node in page["nodes"]]


def _codes(payload: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    return [(error["code"], tuple(error["field"])) for error in payload["userErrors"]]


async def _counts(store: Store) -> list[int]:
    return [len(await store.find(name, {})) for name in ("blocklist", "activities", "audit", "idempotency")]


# ---------------------------------------------------------------- added


async def test_a_value_of_nobody_is_added_with_an_audit_row_and_no_activity(ask: Ask, store: Store) -> None:
    payload = await _add(ask, expiresAt="2999-01-01T00:00:00Z")
    entry = payload["entry"]
    assert payload["userErrors"] == []
    assert payload["activity"] is payload["customer"] is None
    assert entry == {
        "id": entry["id"],
        "type": "EMAIL",
        "value": "ada@example.com",
        "source": "MANUAL_BLOCKLISTS",
        "reason": "Chargebacks",
        "expiresAt": "2999-01-01T00:00:00.000Z",
        "createdBy": {"userId": "tess", "accessLevel": "ADMIN"},
        "customer": None,
        "removedAt": None,
        "removedBy": None,
        "removalReason": None,
    }
    assert entry["id"].startswith("blk_")
    assert await _counts(store) == [1, 0, 1, 1]
    [row] = await store.find("audit", {})
    assert (row["action"], row["outcome"], row["wrote"]) == ("addToBlocklist", "ACCEPTED", [entry["id"]])
    assert "customerId" not in row
    assert await _blocked(ask, ADA) == [True]
    assert await _listed(ask) == [entry["id"]]


async def test_a_value_of_a_customer_is_told_once_on_their_timeline(ask: Ask, world: World) -> None:
    ada = await world.customer()
    payload = await _add(ask, customerId=ada["_id"])
    activity = payload["activity"]
    assert (activity["type"], activity["message"], activity["subject"]) == (
        "BILLING_CUSTOMER_BLOCKLISTED",
        "Chargebacks",
        {"id": payload["entry"]["id"]},
    )
    assert payload["entry"]["customer"] == payload["customer"] == {"id": ada["_id"]}
    removed = await _remove(ask, payload["entry"])
    assert (removed["activity"]["type"], removed["activity"]["message"]) == ("BLOCKLIST_ENTRY_REMOVED", "A mistake")
    rows = await world.store.find("activities", {"customerId": ada["_id"]})
    assert [row["attributes"] for row in rows] == [{"blocklistType": "EMAIL"}] * 2
    assert {row["audience"] for row in rows} == {"STAFF"}


async def test_a_blocked_customer_is_whom_the_entry_is_about(ask: Ask, world: World) -> None:
    ada, eve = await world.customer(), await world.customer()
    given = {"type": "CUSTOMER_ID", "value": ada["_id"]}
    assert _codes(await _add(ask, **given, customerId=eve["_id"])) == [("INVALID", ("customerId",))]
    payload = await _add(ask, **given)
    assert payload["customer"] == {"id": ada["_id"]}
    assert await _blocked(ask, given, {**given, "value": eve["_id"]}) == [True, False]
    assert _codes(await _add(ask, "n", type="CUSTOMER_ID", value="cus_nobody")) == [("NOT_FOUND", ("value",))]


@pytest.mark.parametrize("whose", ["nobody's", "a customer's"])
async def test_a_change_is_made_once_for_its_key(whose: str, ask: Ask, world: World) -> None:
    given = {} if whose == "nobody's" else {"customerId": (await world.customer())["_id"]}
    payloads = await asyncio.gather(*(_add(ask, **given) for _ in range(4)))
    assert payloads == [payloads[0]] * 4
    assert _codes(await _add(ask, **given, reason="Another")) == [("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]
    removals = await asyncio.gather(*(_remove(ask, payloads[0]["entry"]) for _ in range(4)))
    assert removals == [removals[0]] * 4
    conflicts = [await _remove(ask, payloads[0]["entry"], reason="Else"), await _remove(ask, payloads[0]["entry"], "k")]
    assert [_codes(each) for each in conflicts] == [[("IDEMPOTENCY_CONFLICT", ("idempotencyKey",))]] * 2
    assert await _counts(world.store) == [1, 2 * bool(given), 5, 2]
    other = await _add(ask, bearer=token(subject="eve"), **given)  # whose key it is another of
    assert other["userErrors"] == []


async def test_of_two_at_once_one_is_told_of_the_others_entry(ask: Ask, world: World) -> None:
    ada = await world.customer()
    whose: list[dict[str, Any]] = [{}, {"customerId": ada["_id"]}] * 3
    payloads = await asyncio.gather(
        *(_add(ask, f"{at}", token(subject=f"s{at}"), **each) for at, each in enumerate(whose))
    )
    [added] = [payload["entry"] for payload in payloads if not payload["userErrors"]]
    refused = [payload for payload in payloads if payload["userErrors"]]
    assert [_codes(each) for each in refused] == [[("ALREADY_BLOCKED", ("value",))]] * 5
    assert all(added["id"] in each["userErrors"][0]["message"] for each in refused)
    assert len(await world.store.find("blocklist", {})) == 1


async def test_all_faults_come_at_once_and_nothing_is_written(ask: Ask, store: Store) -> None:
    payload = await _add(ask, "", value="nobody", reason=" ")
    assert _codes(payload) == [("INVALID", (each,)) for each in ("value", "reason", "idempotencyKey")]
    assert _codes(await _add(ask, expiresAt="2020-01-01T00:00:00Z")) == [("INVALID", ("expiresAt",))]
    assert await _counts(store) == [0, 0, 2, 0]


# ---------------------------------------------------------------- values

VALUES: list[tuple[str, str, str]] = [
    ("PAYMENT_CARD", " tok_1Nirg82eZvKYlo2C ", "tok_1Nirg82eZvKYlo2C"),
    ("BANK_ACCOUNT", "de89 3704-0044 0532 0130 00", "DE89370400440532013000"),
    ("CUSTOMER_ID", " cus_ada ", "cus_ada"),
    ("EMAIL", "ADA@Bücher.Example", "ada@bücher.example"),
    ("EMAIL", "ada@xn--bcher-kva.example", "ada@bücher.example"),
    ("EMAIL_DOMAIN", "XN--Bcher-KVA.example", "bücher.example"),
    ("EMAIL_DOMAIN", "Example.COM", "example.com"),
    ("IP_ADDRESS", "192.0.2.7", "192.0.2.7"),
    ("IP_ADDRESS", "2001:0DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("IP_ADDRESS", "::ffff:192.0.2.7", "192.0.2.7"),
    ("COUNTRY", "kp", "KP"),
    ("FINGERPRINT", "a1B2-c3", "a1B2-c3"),
    ("BIN", "411111", "411111"),
    ("BIN", "41111122", "41111122"),
    ("ADDRESS", "  Hauptstraße  1, Köln ", "hauptstrasse 1, koln"),
]
FAULTS: list[tuple[str, str]] = [
    ("PAYMENT_CARD", "\u200b"),
    ("BANK_ACCOUNT", "DE8"),
    ("BANK_ACCOUNT", "DE89_3704"),
    ("CUSTOMER_ID", "act_x"),
    ("EMAIL", "nobody"),
    ("EMAIL_DOMAIN", "example"),
    ("EMAIL_DOMAIN", "@example.com"),
    ("EMAIL_DOMAIN", "ada@example.com"),
    ("IP_ADDRESS", "192.0.2.256"),
    ("IP_ADDRESS", "192.0.2.0/24"),
    ("IP_ADDRESS", "fe80::1%eth0"),
    ("IP_ADDRESS", "3232235777"),
    ("COUNTRY", "Norway"),
    ("FINGERPRINT", "a\nb"),
    ("FINGERPRINT", "x" * 256),
    ("BIN", "41111"),
    ("BIN", "411111222"),
    ("ADDRESS", "\u0301"),
]


@pytest.mark.parametrize(("type_", "given", "stored"), VALUES)
def test_a_value_is_stored_in_the_one_form_of_its_type(type_: str, given: str, stored: str) -> None:
    assert blocklist.read(BlocklistType(type_), given, "value") == stored
    assert blocklist.read(BlocklistType(type_), stored, "value") == stored


@pytest.mark.parametrize(("type_", "given"), FAULTS)
def test_what_is_no_value_of_its_type_is_refused(type_: str, given: str) -> None:
    with pytest.raises(Invalid) as refusal:
        blocklist.read(BlocklistType(type_), given, "values", "3", "value")
    assert refusal.value.field == ("values", "3", "value")


def test_both_tables_have_all_types() -> None:
    assert {type_ for type_, *_ in VALUES} == {type_ for type_, _ in FAULTS} == {*BlocklistType}


@pytest.mark.parametrize("type_", BlocklistType)
def test_a_card_number_is_refused_whatever_the_type_and_not_repeated(type_: BlocklistType) -> None:
    for number in ("4111111111111111", CARD, "4111-1111-1111-1111", "4111.1111.1111.1111", "6759649826438453"):
        for text in (number, f"card {number}, 12/30", f"{number}@example.com", f"cus_{number}"):
            with pytest.raises(Invalid) as refusal:
                blocklist.read(type_, text, "value")
            assert number not in str(refusal.value)


def test_other_digits_are_no_card_number() -> None:
    for text in ("4111111111111112", "41111111111", "a4111111111111111", "tok_4111111111111111a"):
        assert blocklist.read(BlocklistType.PAYMENT_CARD, text, "value") == text


# ---------------------------------------------------------------- expiry, removal


async def test_an_expired_entry_blocks_nothing_and_its_value_may_be_added_again(ask: Ask, world: World) -> None:
    expired = await world.blocklist_entry(value="ada@example.com", expiresAt=ago(days=1))
    await world.blocklist_entry(value="eve@example.com", expiresAt=LATER)
    assert await _blocked(ask, ADA, {"type": "EMAIL", "value": "eve@example.com"}) == [False, True]
    payload = await _add(ask)
    assert payload["userErrors"] == []
    assert await _blocked(ask, ADA) == [True]
    assert expired["_id"] not in await _listed(ask)
    [stored] = await world.store.find("blocklist", {"_id": expired["_id"]})
    assert (stored["removalReason"], stored["removedBy"]["id"]) == (
        "It had expired, and the value was added again.",
        "tess",
    )
    assert _codes(await _add(ask, "again")) == [("ALREADY_BLOCKED", ("value",))]


async def test_an_addition_that_is_sent_again_after_its_expiry_is_the_same(ask: Ask, store: Store) -> None:
    viewer = Viewer("tess", "Tess Tester", frozenset({Role.ADMIN}))
    now = datetime.now(UTC).replace(microsecond=0)
    before = Changes(store, CustomerLocks(), viewer, now - timedelta(hours=2), "r")

    async def add(of: Changes, key: str) -> Wrote:
        return await service.add(
            of,
            BlocklistType.EMAIL,
            "ada@example.com",
            customer_id=None,
            expires_at=now - timedelta(hours=1),
            source=BlocklistSource.MANUAL_BLOCKLISTS,
            reason="Chargebacks",
            key=key,
        )

    first = await add(before, "k")
    assert await add(replace(before, now=now), "k") == first
    assert await _blocked(ask, ADA) == [False]
    with pytest.raises(Invalid, match="in the future"):
        await add(replace(before, now=now), "l")


def test_an_entry_blocks_until_the_moment_at_which_it_expires() -> None:
    entry = {"expiresAt": NOW}
    assert [blocklist.has_expired(entry, NOW + timedelta(milliseconds=ms)) for ms in (-1, 0, 1)] == [False, True, True]
    assert not blocklist.has_expired({}, LATER)


async def test_a_removed_entry_is_readable_by_its_id_and_listed_no_more(ask: Ask, store: Store) -> None:
    entry = (await _add(ask))["entry"]
    removed = await _remove(ask, entry)
    assert removed["entry"] == {
        **entry,
        "removedAt": removed["entry"]["removedAt"],
        "removedBy": {"userId": "tess"},
        "removalReason": "A mistake",
    }
    assert await _listed(ask) == []
    assert await _blocked(ask, ADA) == [False]
    assert _codes(await _remove(ask, entry, "again")) == [("NOT_FOUND", ("entryId",))]
    node = await ask("query($id: ID!) { node(id: $id) { ... on BlocklistEntry { removalReason } } }", id=entry["id"])
    assert node["data"]["node"] == {"removalReason": "A mistake"}
    assert (await _add(ask, "k2"))["userErrors"] == []
    assert [row["action"] for row in await store.find("audit", {"outcome": "ACCEPTED"})] == [
        "addToBlocklist",
        "removeFromBlocklist",
        "addToBlocklist",
    ]


async def test_an_entry_of_a_closed_account_can_be_removed_and_none_be_added(ask: Ask, world: World) -> None:
    closed = await world.customer(status="MERGED")
    entry = await world.blocklist_entry(closed)
    assert (await _remove(ask, {"id": entry["_id"]}))["userErrors"] == []
    assert _codes(await _add(ask, customerId=closed["_id"])) == [("CUSTOMER_CLOSED", ("customerId",))]


# ---------------------------------------------------------------- read


async def test_the_list_is_newest_first_filtered_and_paged(ask: Ask, world: World) -> None:
    ada = await world.customer()
    rows: list[Document] = [
        await world.blocklist_entry(ada, type="COUNTRY", value="KP", createdAt=ago(days=3)),
        await world.blocklist_entry(type="COUNTRY", value="NO", createdAt=ago(days=2), source="RISK_SCORE_RULES"),
        await world.blocklist_entry(createdAt=ago(days=1)),
    ]
    oldest, middle, newest = (row["_id"] for row in rows)
    assert await _listed(ask) == [newest, middle, oldest]
    assert await _listed(ask, types=["COUNTRY"]) == [middle, oldest]
    assert await _listed(ask, types=["COUNTRY", "EMAIL"], sources=["MANUAL_BLOCKLISTS"]) == [newest, oldest]
    assert await _listed(ask, customerId=ada["_id"]) == [oldest]
    assert await _listed(ask, createdAt={"from": ago(days=2).isoformat()}) == [newest, middle]
    assert await _listed(ask, types=[]) == []
    seen, after = list[str](), None
    for _ in rows:
        page = (await ask(LISTED, first=1, after=after))["data"]["blocklist"]
        after, seen = page["pageInfo"]["endCursor"], [*seen, *(node["id"] for node in page["nodes"])]
    assert seen == [newest, middle, oldest]


async def test_entries_of_one_request_are_in_their_order(ask: Ask) -> None:
    values = [f"{at}@example.com" for at in range(5)]
    inputs: dict[str, Any] = {
        f"i{at}": {"type": "EMAIL", "value": value, "reason": "Why", "idempotencyKey": value}
        for at, value in enumerate(values)
    }
    declared = ", ".join(f"${name}: AddToBlocklistInput!" for name in inputs)
    asked = " ".join(f"{name}: addToBlocklist(input: ${name}) {{ entry {{ id }} }}" for name in inputs)
    answer = await ask(f"mutation({declared}) {{ {asked} }}", **inputs)
    assert await _listed(ask) == [payload["entry"]["id"] for payload in answer["data"].values()][::-1]


async def test_a_hundred_values_take_one_command_and_answer_in_their_order(
    ask: Ask, world: World, commands: Commands
) -> None:
    types = [type_ for type_ in BlocklistType if type_ in ("EMAIL", "FINGERPRINT")]
    for at in range(50):
        await world.blocklist_entry(type=types[at % 2], value=f"{at}@example.com")
    values = [{"type": types[at % 2], "value": f"{at}@Example.com"} for at in range(98)]
    values += values[:2]
    expected = [each["type"] == "EMAIL" and at < 50 for at, each in enumerate(values)]
    expected[98] = True
    commands.clear()
    assert await _blocked(ask, *values) == expected
    assert commands.names == ["find"]
    [(_, sent)] = commands.sent
    plan = await world.store.command(
        {"explain": {"find": "blocklist", "filter": sent["filter"]}, "verbosity": "executionStats"}
    )
    assert "COLLSCAN" not in str(plan["queryPlanner"])
    assert "type_value" in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalDocsExamined"] == 25
    too_many = await ask(BLOCKED, values=[*values, ADA])
    assert too_many["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert await _blocked(ask) == []


async def test_a_value_that_cannot_be_asked_for_is_named(ask: Ask) -> None:
    answer = await ask(BLOCKED, values=[ADA, {"type": "FINGERPRINT", "value": CARD}])
    [error] = answer["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": ["values", "1", "value"]}
    assert CARD not in error["message"]


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("role", Role)
async def test_each_role_reads_and_changes_the_blocklist_as_it_may(role: Role, ask: Ask, world: World) -> None:
    ada = await world.customer(affiliateId="aff-1")
    entry = await world.blocklist_entry(ada, value="eve@example.com")
    bearer = token(
        role,
        customer_id=ada["_id"] if role is Role.CUSTOMER else None,
        affiliate_id="aff-1" if role is Role.AFFILIATE else None,
    )
    reads, manages = (role in PERMITTED[each] for each in (Permission.READ_BLOCKLIST, Permission.MANAGE_BLOCKLIST))
    assert reads is (role not in (Role.AFFILIATE, Role.CUSTOMER))
    assert manages is (role in (Role.ADMIN, Role.CS_ADMIN, Role.FINANCE, Role.API_USER))
    reading: list[tuple[str, dict[str, Any]]] = [(LISTED, {}), (BLOCKED, {"values": [ADA]})]
    for query, variables in reading:
        answer = await ask(query, token=bearer, **variables)
        assert [each["extensions"]["code"] for each in answer.get("errors", [])] == ["FORBIDDEN"] * (not reads)
    node = await ask("query($id: ID!) { node(id: $id) { id } }", token=bearer, id=entry["_id"])
    assert (node["data"]["node"] is not None) is reads
    before = await _counts(world.store)
    for about in ({}, {"customerId": ada["_id"]}):
        given = {**ADA, "value": f"{len(about)}@example.com", "reason": "Why", "idempotencyKey": "k", **about}
        answer = await ask(ADD_TO_BLOCKLIST, token=bearer, input=given)
        assert ("errors" not in answer) is manages
    removal = {"entryId": entry["_id"], "reason": "Why", "idempotencyKey": "r"}
    answer = await ask(REMOVE_FROM_BLOCKLIST, token=bearer, input=removal)
    assert ("errors" not in answer) is manages
    blocklist_, activities, audit, keys = before
    assert await _counts(world.store) == [
        blocklist_ + 2 * manages,
        activities + 2 * manages,
        audit + 3,
        keys + 3 * manages,
    ]


async def test_only_programs_say_that_something_else_than_a_person_found_the_value(ask: Ask) -> None:
    for role in sorted(PERMITTED[Permission.MANAGE_BLOCKLIST]):
        given = {**ADA, "reason": "Score 98", "idempotencyKey": role, "source": "RISK_SCORE_RULES"}
        answer = await ask(ADD_TO_BLOCKLIST, token=token(role), input=given)
        if role is Role.API_USER:
            assert answer["data"]["addToBlocklist"]["entry"]["source"] == "RISK_SCORE_RULES"
        else:
            assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN", "field": ["source"]}
