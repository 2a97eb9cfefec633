"""Where a source's history meets ours: statuses, closed accounts, labels, values taken away, lines nobody foresaw."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.statuses import in_order, status_now
from app.services import writing
from app.services.importing import LineOutcome
from app.services.statuses import apply_due
from app.store.driver import Document, Store, UpdateOne
from tests.support.gateway import Ask
from tests.support.import_lines import ADA, NOW, Bring, Line, activity, ada, coupon, customer, status, thing

MOMENT = "2024-01-01T00:00:00Z"
EMAIL = {"subject": "Hi", "to": "a@example.com"}
SALE = {"number": "1", "type": "SALE", "occurredAt": MOMENT}


# ---------------------------------------------------------------- statuses

CHAIN = ["ACTIVE", "BLOCKED", "DEACTIVATED", "ACTIVE", "BLOCKED"]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_changes_of_one_moment_are_ordered_by_their_chain_however_they_come(
    order: tuple[int, ...], store: Store, bring: Bring
) -> None:
    chain = [("ACTIVE", "BLOCKED"), ("BLOCKED", "DEACTIVATED"), ("DEACTIVATED", "ACTIVE")]
    await bring(customer(), status("s0", "ACTIVE", "2023-01-01T00:00:00Z"))
    lines = [status(f"s{index + 1}", chain[index][1], MOMENT, **{"from": chain[index][0]}) for index in order]
    await bring(*lines)
    assert (await ada(store))["status"] == "ACTIVE"


@pytest.mark.parametrize("last", ["BLOCKED", "ACTIVE"])
async def test_changes_of_one_moment_without_a_chain_are_ordered_as_they_arrived(
    last: str, store: Store, bring: Bring
) -> None:
    first = "ACTIVE" if last == "BLOCKED" else "BLOCKED"
    for name in ("x", "y", "z"):  # whatever their ids are
        await bring(customer(name, identities=[]))
        own = f"esuite/E{name}"
        await bring(status(f"{name}1", first, MOMENT, of=own), status(f"{name}2", last, MOMENT, of=own))
    assert {each["status"] for each in await store.find("customers", {})} == {last}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(CHAIN), st.sampled_from(CHAIN)), max_size=8))
def test_an_order_is_by_time_and_has_each_change_once(given_: list[tuple[int, str, str]]) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    history = [
        {"changedAt": at + timedelta(days=day), "from": one, "to": other, "arrival": index}
        for index, (day, one, other) in enumerate(given_)
    ]
    ordered = in_order(history)
    assert sorted(each["arrival"] for each in ordered) == list(range(len(history)))
    assert [each["changedAt"] for each in ordered] == sorted(each["changedAt"] for each in history)
    assert status_now(history, at + timedelta(days=9)) == (ordered[-1]["to"] if ordered else None)


@given(
    chain=st.lists(st.sampled_from(["ACTIVE", "BLOCKED", "DEACTIVATED"]), min_size=2, max_size=9),
    random=st.randoms(use_true_random=False),
    is_known=st.booleans(),
)
def test_a_chain_of_one_moment_is_found_in_whatever_order_it_comes(
    chain: list[str], random: Random, is_known: bool
) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    before = [{"changedAt": at - timedelta(days=1), "to": chain[0], "arrival": 0}] if is_known else []
    links = [
        {"changedAt": at, "from": one, "to": other, "arrival": arrival}
        for (one, other), arrival in zip(pairwise(chain), random.sample(range(1, 99), len(chain) - 1), strict=True)
    ]
    ordered = in_order([*before, *links])
    walked = ordered[len(before) :]
    assert all(one["to"] == other["from"] for one, other in pairwise(walked))
    assert not is_known or walked[0]["from"] == chain[0]


async def test_a_change_of_the_future_takes_effect_when_it_is_dated(store: Store, bring: Bring) -> None:
    later = NOW + timedelta(days=2)
    await bring(customer(), status("s1", "ACTIVE", MOMENT), status("s2", "BLOCKED", later.isoformat()))
    assert (await ada(store))["status"] == "ACTIVE"
    assert await apply_due(store, NOW + timedelta(days=1)) == 0
    before = (await ada(store))["revision"]
    assert await apply_due(store, later) == 1
    assert ((await ada(store))["status"], (await ada(store))["revision"]) == ("BLOCKED", before + 1)
    assert await apply_due(store, later) == 0


async def test_no_history_of_a_source_overrules_what_was_decided_here_later(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer(), status("s1", "BLOCKED", MOMENT), status("s2", "BLOCKED", "2099-01-01T00:00:00Z"))
    change = """mutation($i: ChangeCustomerStatusInput!) { changeCustomerStatus(input: $i) { userErrors { code } } }"""
    own = {"customerId": ADA, "status": "ACTIVE", "reason": "Called", "idempotencyKey": "k"}
    assert (await ask(change, i=own))["data"]["changeCustomerStatus"]["userErrors"] == []
    # The mutation is dated by the machine's clock: the import's is later than that here.
    await store.write("statuses", [UpdateOne({"reason": "Called"}, {"$set": {"changedAt": NOW - timedelta(hours=1)}})])
    await bring(status("s3", "BLOCKED", "2020-01-01T00:00:00Z"))
    assert (await ada(store))["status"] == "ACTIVE"


@pytest.mark.parametrize(
    "line",
    [
        status("s1", "ANONYMISED", MOMENT),
        status("s1", "ACTIVE", MOMENT, **{"from": "ANONYMISED"}),
        customer(status="ANONYMISED"),
    ],
)
async def test_nobody_is_anonymised_by_an_import(line: Any, store: Store, bring: Bring) -> None:
    await bring(customer())
    run = await bring(line)
    assert "ANONYMISED" in run.reasons[1]
    assert "cannot anonymise" in run.reasons[1]
    assert (await ada(store))["status"] == "ACTIVE"


async def test_a_closed_account_takes_history_and_nothing_else(store: Store, bring: Bring) -> None:
    sale = thing("transaction", "T1", **SALE)
    await bring(customer(), sale, status("s1", "MERGED", "2025-01-01T00:00:00Z"))
    assert (await ada(store))["status"] == "MERGED"
    taken = [
        activity("a1"),
        thing("note", "n1", message="Hi", createdAt=MOMENT),
        status("s0", "BLOCKED", "2020-01-01T00:00:00Z"),
        sale,
        customer(),
    ]
    assert (await bring(*taken)).rejects == []
    refused = [
        customer(name="Another"),
        coupon("c1"),
        thing("transaction", "T2", **SALE),
        thing("pass", "p1", serialNumber="1", type="APPLE", createdAt=MOMENT),
        thing("email", "e1", **EMAIL),
        status("s2", "ACTIVE", "2026-01-01T00:00:00Z", **{"from": "MERGED"}),
        {**sale, "status": "REFUNDED"},
    ]
    run = await bring(*refused)
    assert len(run.rejects) == len(refused)
    assert all("closed for good (MERGED)" in reject.reason for reject in run.rejects)
    assert (await ada(store))["status"] == "MERGED"


# ---------------------------------------------------------------- labels

TAG = "mutation($i: TagCustomerInput!) { tagCustomer(input: $i) { userErrors { code } } }"
UNTAG = TAG.replace("tagCustomer", "untagCustomer")


async def labels(store: Store) -> set[str]:
    return {*(await ada(store))["tags"]}


async def test_a_source_takes_away_what_it_gave_and_nothing_of_anybody_elses(
    ask: Ask, store: Store, bring: Bring
) -> None:
    await bring(customer(tags=["newsletter", "b2b"]))
    for key, tag in (("1", "vip"), ("2", "Calls at night")):
        await ask(TAG, i={"customerId": ADA, "tag": tag, "idempotencyKey": key})
    known = [{"source": "esuite", "id": "E1001"}]
    await bring({**customer(tags=["b2b", "gold"]), "source": "loyalty", "identities": known})
    assert await labels(store) == {"newsletter", "b2b", "vip", "Calls at night", "gold"}
    await bring(customer(tags=["fresh"]))  # esuite takes its two away; loyalty still gives b2b
    assert await labels(store) == {"b2b", "vip", "Calls at night", "gold", "fresh"}
    await bring(customer())  # says nothing about labels
    assert "fresh" in await labels(store)
    await ask(UNTAG, i={"customerId": ADA, "tag": "gold", "idempotencyKey": "3"})
    await bring(customer(tags=[]))
    assert await labels(store) == {"b2b", "vip", "Calls at night"}
    assert (await bring(customer(tags=[]))).totals == {LineOutcome.UNCHANGED: 1}


async def test_labels_of_an_older_database_that_the_source_does_not_give_are_peoples(
    store: Store, bring: Bring
) -> None:
    await bring(customer(tags=["old"]))
    older = {"$set": {"tags": ["old", "vip"]}, "$unset": {"tagSources": "", "sourceValues": ""}}
    await store.write("customers", [UpdateOne({"_id": ADA}, older)])
    await bring(customer(tags=["old"]))
    await bring(customer(tags=["new"]))
    assert await labels(store) == {"vip", "new"}


# ---------------------------------------------------------------- taken away


async def test_a_value_is_taken_away_by_its_name(store: Store, bring: Bring) -> None:
    whole = customer(email="a@example.com", dateOfBirth="1990-01-01", phones=[{"value": "+4791234567"}], country="NO")
    await bring(whole)
    assert (await bring(customer(email="", dateOfBirth=""))).totals == {LineOutcome.UNCHANGED: 1}
    taken = customer(remove=["email", "dateOfBirth", "phones", "country"])
    assert (await bring(taken)).totals == {LineOutcome.UPDATED: 1}
    now = await ada(store)
    assert not {"email", "emails", "dateOfBirth", "phones", "country", "searchEmails", "searchPhones"} & now.keys()
    assert (await bring(taken)).totals == {LineOutcome.UNCHANGED: 1}
    run = await bring(customer(remove=["name"]), customer(remove=["email"], email="b@example.com"))
    assert "remove" in run.reasons[1]
    assert run.reasons[2] == "remove must not name what the line gives: email."


PRESENT = {
    "coupon": coupon("x"),
    "transaction": thing("transaction", "x", **SALE),
    "pass": thing("pass", "x", serialNumber="1", type="APPLE", createdAt=MOMENT),
    "email": thing("email", "x", **EMAIL),
}
COLLECTIONS = {"coupon": "coupons", "transaction": "transactions", "pass": "passes", "email": "emails"}


@pytest.mark.parametrize("kind", PRESENT)
async def test_a_thing_with_a_present_is_deleted_and_can_come_back(kind: str, store: Store, bring: Bring) -> None:
    deleted = thing(kind, "x", deleted=True)
    assert (await bring(customer(), deleted)).totals == {LineOutcome.IMPORTED: 1, LineOutcome.UNCHANGED: 1}
    await bring(PRESENT[kind])
    before = (await ada(store))["revision"]
    assert (await bring(deleted)).totals == {LineOutcome.DELETED: 1}
    assert await store.find(COLLECTIONS[kind], {}) == []
    assert (await ada(store))["revision"] == before + 1
    # In one chunk, in any order: the last line counts.
    assert (await bring(PRESENT[kind], deleted, PRESENT[kind])).rejects == []
    assert len(await store.find(COLLECTIONS[kind], {})) == 1
    await bring(deleted, PRESENT[kind], deleted)
    assert await store.find(COLLECTIONS[kind], {}) == []


@pytest.mark.parametrize("kind", ["activity", "note", "status", "points"])
async def test_history_is_not_deleted(kind: str, bring: Bring) -> None:
    run = await bring(customer(), thing(kind, "x", deleted=True))
    assert run.reasons[2] == f"deleted must be left out: no line deletes a {kind}."


async def test_a_customer_is_not_deleted_and_it_is_said_who_is_erased_how(bring: Bring) -> None:
    run = await bring(customer(deleted=True))
    reason = "deleted must be left out: no line deletes a customer; anonymiseCustomer erases one."
    assert run.reasons == {1: reason}


@pytest.mark.parametrize("line", [customer(), activity("x"), *PRESENT.values()], ids=lambda line: line["kind"])
@pytest.mark.parametrize("said", [False, None, ""])
async def test_what_is_said_not_to_be_deleted_comes_in(line: Line, said: object, bring: Bring) -> None:
    """Change captures say so in each row."""
    assert (await bring(customer(), {**line, "deleted": said})).rejects == []
    assert (await bring({**line, "deleted": said})).totals == {LineOutcome.UNCHANGED: 1}


@pytest.mark.parametrize("kind", PRESENT)
async def test_what_else_a_line_says_of_what_it_deletes_does_not_matter(kind: str, store: Store, bring: Bring) -> None:
    await bring(customer(), PRESENT[kind])
    refused = await bring({**PRESENT[kind], "deleted": True, "nmae": "x"}, {**PRESENT[kind], "deleted": "true"})
    assert refused.reasons == {1: "nmae is unknown.", 2: "deleted must be true or false."}
    assert (await bring({**PRESENT[kind], "deleted": True})).totals == {LineOutcome.DELETED: 1}


# ---------------------------------------------------------------- lines nobody foresaw


async def test_the_last_day_of_the_calendar_is_rejected_and_stops_nobody(store: Store, bring: Bring) -> None:
    far = activity("a1", occurredAt="9999-12-31T23:59:59.999Z")
    run = await bring(far, activity("a2"), customer(), activity("a3"))
    assert [(reject.line, reject.reason) for reject in run.rejects] == [(1, "occurredAt lies in the future.")]
    assert len(await store.find("activities", {})) == 2
    assert await store.find("parked", {}) == []
    assert (await bring(customer(), activity("a4"))).rejects == []


@pytest.mark.parametrize("lines_per_chunk", [1, 3, 1_000])
async def test_a_line_that_nobody_foresaw_is_rejected_with_an_id_and_stops_no_other(
    lines_per_chunk: int, store: Store, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises: here what a line becomes, once it is in a transaction; parked before, and not."""
    activity_summary_update = writing.activity_summary_update

    def raising(activities: Any) -> Document:
        activities = list(activities)
        if any(each.get("message") == "poison" for each in activities):
            raise OverflowError("nobody thought of this")
        return activity_summary_update(activities)

    monkeypatch.setattr(writing, "activity_summary_update", raising)
    lines = [activity("bad1", message="poison"), activity("good1"), customer(), activity("good2")]
    lines += [activity("bad2", message="poison"), activity("good3")]
    run = await bring(*lines, lines_per_chunk=lines_per_chunk)
    assert {reject.line for reject in run.rejects} == {1, 5}
    assert all("is in the log under" in reject.reason for reject in run.rejects)
    assert len(await store.find("activities", {})) == 3
    assert await store.find("parked", {}) == []


@pytest.mark.parametrize("source", ["platform", " Platform", "PLATFORM\u200b"])
async def test_nobody_outside_is_this_gateway(source: str, bring: Bring) -> None:
    for line in ({**customer(), "source": source}, customer(identities=[{"source": source, "id": "1"}])):
        assert "platform" in (await bring(line)).reasons[1]
    assert "platform" in (await bring({**activity("a"), "source": source})).reasons[1]


@pytest.mark.parametrize("blank", [" ", "\u200b", "\u00ad", "\u3164", "\t"])
async def test_a_name_or_number_of_nothing_to_see_is_rejected(blank: str, bring: Bring) -> None:
    run = await bring(customer(name=blank), customer(number=blank), customer(tags=[blank]))
    assert run.reasons.keys() == {1, 2}
    assert run.warnings[3].startswith("tags must be")


async def test_names_and_numbers_are_kept_without_the_blanks_that_nobody_meant(store: Store, bring: Bring) -> None:
    await bring(customer(number=" 7  8 ", name="  Zoe\u0308   Müller "), activity("a", of="esuite/E 7  8 "))
    (found,) = await store.find("customers", {})
    assert (found["number"], found["name"]) == ("7 8", "Zoë Müller")


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("9223372036854775807", 9223372036854775807),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("123456789012345678901234567890", None),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("1.5", "1.5"),
        ("-0.00", "0.00"),
        ("0." + "1" * 40, None),
    ],
)
async def test_a_number_is_exact_or_rejected(number: str, kept: object, store: Store, bring: Bring) -> None:
    line = json.dumps(activity("a", attributes={"score": "@"})).replace('"@"', number).encode()
    run = await bring(customer(), line)
    if kept is None:
        assert "attributes.score" in run.reasons[2]
        return
    assert run.rejects == []
    (found,) = await store.find("activities", {})
    score = found["attributes"]["score"]
    assert score == kept if isinstance(kept, int) else f"{score:f}" in (str(kept), "0.0")


@pytest.mark.parametrize("subject", ["=?utf-8?q?a=00b?=", "=?utf-8?b?YQpi?=", "=?iso-8859-1?q?a=0D=0Ab?="])
async def test_a_subject_that_decodes_to_a_control_character_is_rejected(subject: str, bring: Bring) -> None:
    run = await bring(customer(), thing("email", "e", subject=subject, to="a@example.com"))
    assert "subject" in run.reasons[2]


async def test_what_differs_by_blanks_alone_is_the_same_history(store: Store, bring: Bring) -> None:
    """An older version kept them as they came."""
    await bring(customer(), activity("a", message="one\ntwo", actor={"kind": "AGENT", "name": "Mira Sol"}))
    older = {"$set": {"message": "one\r\ntwo", "actor.name": " Mira  Sol"}}
    await store.write("activities", [UpdateOne({}, older)])
    again = activity("a", message="one\r\ntwo", actor={"kind": "AGENT", "name": " Mira  Sol"})
    assert (await bring(again)).totals == {LineOutcome.UNCHANGED: 1}


@pytest.mark.parametrize("kind", PRESENT)
async def test_the_same_id_twice_in_one_file_is_unchanged_at_the_second_run(
    kind: str, store: Store, bring: Bring
) -> None:
    other = {"coupon": {"value": "20 %"}, "transaction": {"number": "2"}, "pass": {"reward": "Tea"}}
    second = {**PRESENT[kind], **other.get(kind, {"subject": "Ho"})}
    lines = [customer(name="One"), customer(name="Two"), PRESENT[kind], second]
    await bring(*lines)
    (kept,), before = await store.find(COLLECTIONS[kind], {}), await ada(store)
    again = await bring(*lines)
    assert again.totals == {LineOutcome.UNCHANGED: 4}
    assert (await store.find(COLLECTIONS[kind], {}), await ada(store)) == ([kept], before)
