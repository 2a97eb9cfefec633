"""Values of customers, one by one: what is bad costs itself, what is null takes away what its source gave."""

from typing import Any

import pytest

from app.domain.import_lines import DETAILS_OF_CUSTOMERS, LINE_SHAPES, LineKind
from app.services.importing import ImportOptions, LineOutcome
from app.store.driver import Store
from tests.support.import_lines import Bring, activity, ada, customer, points, status, thing

STRICT = ImportOptions(strict=True)
CORRECTING = ImportOptions(corrects=True)
ANOTHER: dict[str, Any] = {"source": "billing", "id": "B-1", "identities": [{"source": "esuite", "id": "E1001"}]}
BAD: dict[str, Any] = {
    "number": ["1001"],
    "name": "\x00",
    "registeredAt": "yesterday",
    "firstName": 7,
    "lastName": ["Lovelace"],
    "organization": "x" * 1_001,
    "jobTitle": {},
    "affiliateId": 12,
    "website": "ftp://nowhere",
    "locale": "German",
    "dateOfBirth": "10.12.1815",
    "email": "ada at example",
    "emails": [{"value": "nobody"}],
    "phones": [{"value": "1", "primary": True}, {"value": "2", "primary": True}],
    "billingAddress": {"country": "Norway"},
    "country": "Norway",
    "paymentCount": "many",
    "tags": "vip",
    "fields": "gold",
}


def test_every_detail_of_a_customer_is_tried() -> None:
    assert BAD.keys() == DETAILS_OF_CUSTOMERS
    assert LINE_SHAPES[LineKind.CUSTOMER].forms.keys() - BAD.keys() == {
        *("source", "id", "status", "mergedInto", "identities", "remove")
    }


@pytest.mark.parametrize("key", sorted(BAD))
async def test_a_bad_value_costs_itself_and_is_told(bring: Bring, store: Store, key: str) -> None:
    given = customer(firstName="Ada", email="ada@example.com")
    await bring(given, activity("A-1"))
    good: dict[str, Any] = {"paymentCount": 7} if key == "jobTitle" else {"jobTitle": "Analyst"}
    run = await bring({**given, **good, key: BAD[key]})
    assert run.rejects == []
    assert run.warnings[1].startswith(key)
    assert {name: (await ada(store))[name] for name in good} == good
    strict = await bring({**given, key: BAD[key]}, options=STRICT)
    assert strict.reasons[1].startswith(key)


@pytest.mark.parametrize("key", ["number", "name", "registeredAt"])
async def test_a_new_customer_needs_three_values_and_a_known_one_none(bring: Bring, store: Store, key: str) -> None:
    line = {name: value for name, value in customer().items() if name != key}
    assert (await bring(line)).reasons == {1: f"{key} is required of a customer who is new here."}
    bad = await bring({**line, key: BAD[key]})
    assert bad.reasons[1].startswith(f"{key} must be")
    assert bad.reasons[1].endswith(f"{key} is required of a customer who is new here.")
    await bring(customer())
    assert (await bring({**ANOTHER, "kind": "customer", "jobTitle": "Analyst"})).totals == {LineOutcome.UPDATED: 1}
    assert (await ada(store))["jobTitle"] == "Analyst"


@pytest.mark.parametrize("key", ["status", "mergedInto", "identities", "remove"])
async def test_what_decides_who_they_are_is_never_left_out(bring: Bring, key: str) -> None:
    assert (await bring({**customer(), key: "nonsense"})).reasons[1].startswith(key)


async def test_a_customer_with_a_bad_value_brings_all_their_rows(bring: Bring, store: Store) -> None:
    run = await bring(customer(email="ada at example"), activity("A-1"), activity("A-2"))
    assert run.totals == {LineOutcome.IMPORTED: 3}
    assert str(run.summary).endswith("1 warned: email must be an e-mail address.")
    assert run.summary.as_json()["warnings"] == [{"warning": "email must be an e-mail address.", "lines": 1}]
    assert run.summary.exit_code == 0
    assert "email" not in await ada(store)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("email", "ada@example.com"),
        ("phones", [{"value": "+47 91 23 45 67"}]),
        ("country", "NO"),
        ("dateOfBirth", "1815-12-10"),
        ("organization", "Analytical Engines"),
        ("billingAddress", {"city": "Oslo"}),
        ("tags", ["vip"]),
    ],
)
async def test_null_takes_away_what_its_source_gave(bring: Bring, store: Store, key: str, value: Any) -> None:
    await bring(customer(**{key: value}))
    assert (await ada(store)).get(key)
    assert (await bring(customer())).totals == {LineOutcome.UNCHANGED: 1}  # left out says nothing
    nothing: Any = {**customer(), key: None}
    assert (await bring(nothing)).totals == {LineOutcome.UPDATED: 1}
    assert not (await ada(store)).get(key)
    assert (await bring(nothing)).totals == {LineOutcome.UNCHANGED: 1}
    await bring(customer(**{key: value}))
    assert (await ada(store)).get(key)


async def test_null_of_a_source_leaves_what_another_gave(bring: Bring, store: Store) -> None:
    await bring(customer(email="ada@example.com", country="NO"))
    nothing = {**ANOTHER, "kind": "customer", "email": None, "country": None}
    await bring(nothing)
    assert ((await ada(store))["email"], (await ada(store))["country"]) == ("ada@example.com", "NO")
    await bring({**nothing, "country": "SE"})
    await bring(customer(email="ada@example.com", country=None))
    assert (await ada(store))["country"] == "SE"


async def test_two_nightly_systems_do_not_flip_a_value(bring: Bring, store: Store) -> None:
    one, other = customer(firstName="Ada"), {**ANOTHER, "kind": "customer", "firstName": "Augusta"}
    await bring(one)
    await bring(other)
    for _ in range(2):
        assert (await bring(one)).totals == {LineOutcome.UNCHANGED: 1}
        assert (await bring(other)).totals == {LineOutcome.UNCHANGED: 1}
    assert (await ada(store))["firstName"] == "Augusta"


# ---------------------------------------------------------------- corrections


@pytest.mark.parametrize(
    ("line", "new", "key"),
    [
        (activity("A-1", message="Called"), {"message": "Called back"}, "message"),
        (
            thing("note", "N-1", message="Likes tea", createdAt="2024-01-01T00:00:00Z"),
            {"message": "Likes coffee"},
            "message",
        ),
        (status("S-1", "BLOCKED", "2024-01-01T00:00:00Z"), {"to": "DEACTIVATED"}, "to"),
    ],
)
async def test_history_is_corrected_where_the_import_says_so_and_leaves_a_trace(
    bring: Bring, store: Store, line: Any, new: Any, key: str
) -> None:
    await bring(customer(), line)
    corrected = {**line, **new}
    assert key in (await bring(corrected)).reasons[1]
    before = (await ada(store))["revision"]
    assert (await bring(corrected, options=CORRECTING)).totals == {LineOutcome.UPDATED: 1}
    assert (await bring(corrected)).totals == {LineOutcome.UNCHANGED: 1}
    assert (await ada(store))["revision"] > before
    [trace] = await store.find("activities", {"type": "RECORD_CORRECTED"})
    assert trace["changes"] == [{"field": key, "from": line[key], "to": new[key]}]
    assert trace["attributes"] == {"changedFields": [key], "record": line["kind"], "recordSource": "loyalty"}
    if line["kind"] == "status":
        assert (await ada(store))["status"] == "DEACTIVATED"


async def test_a_legacy_activity_becomes_one_that_is_known(bring: Bring, store: Store) -> None:
    await bring(customer(), activity("A-1", type="BIRTDAY"))
    await bring(activity("A-1", type="BIRTHDAY"), options=CORRECTING)
    [found] = await store.find("activities", {"type": "BIRTHDAY"})
    assert found["legacy"] is False


async def test_points_and_owners_are_never_corrected(bring: Bring) -> None:
    await bring(customer(), customer("1002"), activity("A-1"), points("P-1", "EARNED", 5))
    run = await bring(points("P-1", "EARNED", 6), activity("A-1", of="esuite/E1002"), options=CORRECTING)
    assert run.totals == {LineOutcome.REJECTED: 2}


# ---------------------------------------------------------------- what is doubtful


async def test_a_balance_that_a_line_tells_is_compared_in_the_end(bring: Bring) -> None:
    lines = [
        points("P-3", "EARNED", 10, occurredAt="2024-03-01T00:00:00Z", balanceAfter=100),
        points("P-2", "SPENT", -10, occurredAt="2024-02-01T00:00:00Z", balanceAfter=90),
        points("P-1", "EARNED", 100, occurredAt="2024-01-01T00:00:00Z", balanceAfter=100),
    ]
    for lines_per_chunk in (1, 1_000):
        run = await bring(customer(), *lines, lines_per_chunk=lines_per_chunk)
        assert run.warnings == {}
    wrong = {**lines[1], "balanceAfter": 95}
    run = await bring(wrong)
    assert run.totals == {LineOutcome.UNCHANGED: 1}
    assert run.warnings == {1: "balanceAfter is 95, and the ledger here has 90 at that time."}


async def test_notes_and_mails_that_no_activity_names_are_told(bring: Bring) -> None:
    note = thing("note", "N-1", message="Likes tea", createdAt="2024-01-01T00:00:00Z")
    mail = thing("email", "M-1", subject="Hello", to="ada@example.com")
    run = await bring(customer(), note, mail, lines_per_chunk=1)
    assert [text for text, _ in run.summary.warnings.counts.most_common()] == [
        "no activity of this file names this note; it is on the timeline only if another does.",
        "no activity of this file names this email; it is on the timeline only if another does.",
    ]
    named: Any = {"note": {"source": "loyalty", "id": "N-1"}, "email": {"source": "loyalty", "id": "M-1"}}
    for lines in ([activity("A-1", **named), note, mail], [note, mail, activity("A-1", **named)]):
        assert (await bring(*lines, lines_per_chunk=1)).summary.warnings.counts == {}
