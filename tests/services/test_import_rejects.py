"""A bad line is named with its number and reason, and the rest goes in."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.points import INT32_MAX
from app.services.importing import (
    LINE_LIMIT_BYTES,
    UNREADABLE,
    ImportOptions,
    LineOutcome,
    Reject,
    TextCounts,
    import_lines,
)
from app.store.driver import Store, UpdateMany
from tests.support.import_lines import NOW, Bring, Killed, Line, activity, coupon, customer, link, points, status, thing

ANYONE: Line = customer()
KINDS = (
    "kind must be one of customer, customerLink, activity, points, coupon, transaction, pass, status, email, note, "
    "dueDiligenceSearch, paymentInstrument, order, invoice, quote, creditMemo, kycRequest, kycDocument, amlCheck"
)
SALE = {"number": "1", "type": "SALE", "occurredAt": "2024-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{nope}\n", "The line is not JSON: unexpected character, expected a string key at character 2."),
        (b'{"kind": "customer"', "The line is not JSON: unexpected end of data at character 20."),
        (b"[" * 100_000, "The line is not JSON: depth limit exceeded at character 1026."),
        (b'{"kind": NaN}', "The line is not JSON: unexpected character, expected a JSON value at character 10."),
        (b"[1, 2]\n", "The line is JSON, but no object."),
        (b'{"kind": "caf\xe9"}\n', "The line is not UTF-8 at byte 14."),
        (b'"' + b"x" * LINE_LIMIT_BYTES, "The line is longer than 1 MiB; this is its beginning."),
        ({"kind": "cupon"}, f"{KINDS}; did you mean coupon?"),
        ({"kind": ["customer"]}, f"{KINDS}."),
        ({"id": "1"}, f"{KINDS}."),
        ({**ANYONE, "nmae": "Ada"}, "nmae is unknown; did you mean name?"),
        ({**ANYONE, "number": 1001}, "number must be text of at most 1,000 characters on one line."),
        ({**ANYONE, "number": "x" * 1_001}, "number must be text of at most 1,000 characters on one line."),
        (
            {**ANYONE, "registeredAt": "2024-01-01T00:00:00"},
            "registeredAt must be a time with its UTC offset, such as 2024-02-29T12:30:00Z.",
        ),
        ({**ANYONE, "dateOfBirth": "1990-02-30"}, "dateOfBirth must be a date, such as 2024-02-29."),
        ({**ANYONE, "email": "ada@"}, "email must be an e-mail address."),
        (
            {**ANYONE, "emails": [{"value": "a@example.com"}, {"valeu": "b@example.com"}]},
            "emails.1.value is required. emails.1.valeu is unknown; did you mean value?",
        ),
        (
            {**ANYONE, "emails": [{"value": "a@example.com", "primary": True}], "email": "b@example.com"},
            "emails must have one primary only, and email must be it.",
        ),
        (
            {**ANYONE, "phones": [{"value": "1", "primary": True}, {"value": "2", "primary": True}]},
            "phones must have one primary only.",
        ),
        (
            {**ANYONE, "tags": ["x"] * 101},
            "tags must be a list of at most 100, each text of at most 100 characters on one line.",
        ),
        ({**ANYONE, "paymentCount": INT32_MAX + 1}, "paymentCount must be a whole number from 0 to 2,147,483,647."),
        (
            {**ANYONE, "billingAddress": {"country": "Norway"}},
            "billingAddress.country must be a country of two capitals, such as NO.",
        ),
        (activity("a", actor={"kind": "ROBOT"}), "actor.kind must be one of AGENT, CUSTOMER, SYSTEM, API, IMPORT."),
        (activity("a", actor={"kind": "AGENT"}), "actor.name is required for AGENT."),
        ({**activity("a"), "customer": "esuite/E1001"}, "customer must be an object with source and id."),
        (
            activity("a", subject={"kind": "customer", "source": "s", "id": "i"}),
            "subject.kind must be one of coupon, pass, transaction, points, email, note, paymentInstrument, order, "
            "invoice, quote, creditMemo, kycRequest, kycDocument, amlCheck.",
        ),
        (
            activity("a", type="BILLING_DATE_CHANGED", attributes={"billDayFrom": 32}),
            "attributes.billDayFrom must be a whole number from 1 to 31. attributes.billDayTo is required.",
        ),
        (
            activity("a", attributes={"wide": {"a": "x" * 16_000}}),
            "attributes.wide must be text on one line, a number, true or false, a list of such texts, an exact amount "
            "with its currency, or a JSON object or list of at most 16,000 characters, at most 20 deep.",
        ),
        (activity("a", attributes={"bad\0name": 1}), "attributes must be an object of names and values."),
        (
            points("p", "EARNT", 5),
            "pointsKind must be one of EARNED, SPENT, ADJUSTED, EXPIRED, REFUNDED, RESERVED, RELEASED, PENDING.",
        ),
        (points("p", "EARNED", 0), "EARNED cannot have 0 points: the sign is wrong."),
        (
            points("p", "SPENT", -5, expiresAt="2030-01-01T00:00:00Z"),
            "expiresAt belongs to points that are added: EARNED, or ADJUSTED above 0.",
        ),
        (
            points("p", "EARNED", 5, refundOf={"source": "s", "id": "i"}),
            "refundOf belongs to points that are REFUNDED.",
        ),
        (points("p", "ADJUSTED", 5), "reason is required where points are ADJUSTED."),
        (
            points("p", "EARNED", 5, expiresAt="2024-01-01T00:00:00Z"),
            "Points that are given at 2024-01-01T00:00:00+00:00 cannot expire at 2024-01-01T00:00:00+00:00.",
        ),
        (coupon("c", redeemedBy={"kind": "SYSTEM"}), "redeemedAt and redeemedBy belong to a coupon that is redeemed."),
        (
            status("s", "GONE", "2024-01-01T00:00:00Z"),
            "to must be one of ACTIVE, BLOCKED, DEACTIVATED, ANONYMISED, MERGED.",
        ),
        (
            thing("transaction", "t", **SALE, amount={"amount": 12.5, "currency": "EUR"}),
            'amount must be an exact amount and its currency, such as "12.50 EUR".',
        ),
        (link("esuite/E1001", "esuite/E1001"), "to must be another identity than the line's own."),
    ],
)
async def test_a_bad_line_is_named_and_its_neighbours_go_in(
    store: Store, bring: Bring, line: Line | bytes, reason: str
) -> None:
    run = await bring(customer(), line, activity("after"), options=ImportOptions(strict=True))
    assert run.reasons == {2: reason}
    assert run.totals == {LineOutcome.IMPORTED: 2, LineOutcome.REJECTED: 1}
    assert run.summary.exit_code == 1
    assert len(await store.find("activities", {})) == 1


async def test_a_reject_keeps_the_line_as_it_was(bring: Bring) -> None:
    run = await bring(b'{"kind":  "cupon"} \r\n', b"\xff\n", b"x" * (2 * LINE_LIMIT_BYTES))
    assert [reject.input for reject in run.rejects[:2]] == ['{"kind":  "cupon"}', "\\xff"]
    assert len(run.rejects[2].input) == 1_000
    assert run.summary.counts == {(UNREADABLE, LineOutcome.REJECTED): 3}


async def test_the_summary_counts_by_kind_what_became_of_the_lines(bring: Bring) -> None:
    run = await bring(customer(), activity("a"), activity("b", of="lost/1"), points("p", "SPENT", -1), b"nope")
    assert str(run.summary).splitlines() == [
        "customer: 1 imported",
        "activity: 1 imported, 1 parked",
        "points: 1 rejected",
        "unreadable: 1 rejected",
        "1 rejected: The line is not JSON: invalid literal, expected 'null' at character 1.",
        "1 rejected: 1 points were asked for; 0 are spendable.",
    ]
    assert (run.summary.rejected, run.summary.exit_code) == (2, 1)
    assert str((await bring()).summary) == "There were no lines."


async def test_what_was_parked_leaves_only_once_its_reject_is_written(store: Store, bring: Bring) -> None:
    """No file that is imported again has such a line: whoever is killed before has it rejected again."""
    await bring(*(coupon(f"{number}", of=f"esuite/E{1001 + number}") for number in range(4)), activity("kept"))
    unreadable = {"$set": {"line.text": '{"kind": "coupon"}'}}
    await store.write("parked", [UpdateMany({"line.kind": "coupon"}, unreadable)])

    def dies(_: Reject) -> None:
        raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            await import_lines(store, [json.dumps(customer()).encode()], now=NOW, reject=dies)
        assert len(await store.find("parked", {"line.kind": "coupon"})) == 4
    run = await bring(customer())
    assert [reject.reason.endswith("(This line had been parked.)") for reject in run.rejects] == [True]
    assert len(await store.find("parked", {"line.kind": "coupon"})) == 3  # of those whom nobody knows yet
    assert (await bring(customer())).rejects == []


async def test_rejects_come_in_the_order_of_their_lines_and_those_that_waited_for_others_last(bring: Bring) -> None:
    future = activity("a", occurredAt="2999-01-01T00:00:00Z")
    run = await bring(points("p", "SPENT", -1), future, customer(), customer("1001", id="E2"), b"nope")
    assert [reject.line for reject in run.rejects] == [2, 4, 5, 1]


async def test_the_rejects_of_a_chunk_are_written_before_the_one_after_the_next_is_read(store: Store) -> None:
    rejects: list[Reject] = []
    seen: list[int] = []

    def lines() -> Iterator[bytes]:
        for _ in range(4):
            seen.append(len(rejects))
            yield b"nope"

    await import_lines(store, lines(), now=NOW, reject=rejects.append, lines_per_chunk=1)
    assert seen == [0, 0, 1, 2]


async def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_faults(bring: Bring) -> None:
    raw = json.dumps(customer()).encode()
    run = await bring(b"\xef\xbb\xbf" + raw + b"\r\n", b"\n", b"  \r\n", json.dumps(activity("a")).encode())
    assert run.totals == {LineOutcome.IMPORTED: 2}


async def test_lines_that_end_by_cr_alone_are_one_and_it_is_said_what_helps(bring: Bring) -> None:
    run = await bring(json.dumps(customer()).encode() + b"\r" + json.dumps(customer("C2")).encode() + b"\r")
    assert [reason.partition(". ")[2] for reason in run.reasons.values()] == [
        "Where lines end by CR alone: tr '\\r' '\\n'."
    ]


async def test_reasons_that_differ_in_numbers_count_as_one_and_few_are_shown(bring: Bring) -> None:
    numbers = [customer(str(number), id=f"other {number}") for number in range(3)]
    run = await bring(*[customer(str(number)) for number in range(3)], *numbers, {"kind": "cupon"})
    shown = "Customer number 0 belongs to another customer."
    assert run.summary.reasons.counts == {shown: 3, f"{KINDS}; did you mean coupon?": 1}
    assert f"3 rejected: {shown}" in str(run.summary).splitlines()
    letters = [chr(ord("a") + place) for place in range(25)]
    run = await bring(*({**ANYONE, f"unheard{letter}of": "x"} for letter in letters))
    assert str(run.summary).splitlines()[-1] == "and 5 other reasons"
    assert [each["lines"] for each in run.summary.as_json()["reasons"]] == [1] * 25


async def test_memory_for_reasons_is_bounded() -> None:
    counts = TextCounts()
    for place in range(1_200):
        counts.add(str(place))
    assert (len(counts.counts), counts.counts[TextCounts.OTHERS]) == (1_001, 200)


async def test_an_unknown_type_is_kept_as_legacy_and_said_with_the_nearest_one(bring: Bring) -> None:
    run = await bring(customer(), *(activity(name, type="BIRHTDAY") for name in "ab"), activity("c", type="QQQ"))
    assert str(run.summary).splitlines() == [
        "customer: 1 imported",
        "activity: 3 imported",
        "2 of the unknown type BIRHTDAY, kept as legacy; did you mean BIRTHDAY?",
        "1 of the unknown type QQQ, kept as legacy",
    ]
    assert run.summary.as_json()["unknownTypes"] == [
        {"type": "BIRHTDAY", "lines": 2, "suggestion": "BIRTHDAY"},
        {"type": "QQQ", "lines": 1, "suggestion": None},
    ]


async def test_an_unknown_type_is_rejected_with_the_nearest_one_where_such_are_refused(store: Store) -> None:
    rejects: list[Reject] = []
    lines = [customer(), activity("a", type="BIRHTDAY"), activity("b", type="QQQ"), activity("c")]
    raw = [json.dumps(line).encode() for line in lines]
    summary = await import_lines(
        store, raw, now=NOW, reject=rejects.append, options=ImportOptions(refuses_unknown_types=True)
    )
    assert [reject.reason for reject in rejects] == [
        "type BIRHTDAY is unknown; did you mean BIRTHDAY?",
        "type QQQ is unknown.",
    ]
    assert [row["type"] for row in await store.find("activities", {})] == ["BIRTHDAY"]
    assert summary.unknown_types.counts == {}


async def test_the_largest_line_that_passes_fits_the_database(bring: Bring) -> None:
    long, longer = "\N{GRINNING FACE}" * 1_000, "\N{GRINNING FACE}" * 10_000
    texts: dict[str, Any] = dict.fromkeys(("firstName", "organization", "website", "affiliateId"), long)
    actor = {"kind": "AGENT", "id": long, "name": long}
    named = [{"name": long, "value": long}] * 20
    run = await bring(
        customer(
            name=long,
            **texts,
            tags=["x" * 100] * 100,
            paymentCount=INT32_MAX,
            identities=[{"source": "x" * 1_000, "id": str(number)} for number in range(99)],
            phones=[{"value": long, "label": long}] * 50,
        ),
        activity("x" * 1_000, message=longer, actor=actor, points=-INT32_MAX, orderCustomFields=named, campaign=long),
        activity("a2", type=long, title=long, attributes={"$a.b": 2**63 - 1, long: long, "n": 12345678901234567890.5}),
        points("p1", "EARNED", INT32_MAX, reason=long, expiresAt="9999-12-31T23:59:59Z"),
        coupon("c1", code=long, value=long),
        thing("note", "n1", message=longer, createdAt="0001-01-01T00:00:00Z", mentions=[long] * 100),
        thing("email", "m1", subject=long, to=long, html="x" * 900_000, text="\0\n"),
        thing("transaction", "t1", **SALE, amount={"amount": "9" * 34, "currency": "EUR"}),
    )
    assert run.reasons == {}
    assert run.totals == {LineOutcome.IMPORTED: 8}


async def test_more_identities_than_a_customer_may_have_are_refused(bring: Bring) -> None:
    many = [{"source": "billing", "id": str(number)} for number in range(99)]
    run = await bring(customer(identities=many), link("loyalty/L", "esuite/E1001"))
    assert run.reasons == {2: "This would make 101 identities; a customer has at most 100."}
