"""Cursors and the four arguments of a page, without a database."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import listings
from app.domain.cursors import DEFAULT_SIZE, decode, encode, page_request_of
from app.domain.listings import ACTIVITIES, COUPONS, PASSES, POINTS, STATUSES, TRANSACTIONS
from app.domain.moments import MAX_ORDER, ORDER
from app.domain.paging import (
    AnyOf,
    Between,
    Exactly,
    In,
    Listing,
    Named,
    Order,
    PageRequest,
    Position,
    Selection,
    Where,
)
from app.domain.points import INT32_MAX
from app.domain.refusals import BadCursor, BadUserInput
from app.store.schema import COLLECTIONS

LISTINGS = (ACTIVITIES, POINTS, COUPONS, TRANSACTIONS, PASSES, STATUSES)
ADA = "cus_ada"
BY_TIME = Selection(ACTIVITIES, (("legacy", In((False,))),), "OCCURRED_AT")

times = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
integers = st.integers(-INT32_MAX - 1, INT32_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def values(listing: Listing, key: str) -> st.SearchStrategy[Any]:
    match key:
        case "_id" | "type":
            return texts
        case "order":
            return st.none() | st.integers(0, MAX_ORDER)
        case "seq" | "pointsAwarded":
            return integers
        case "expiresAt" | "redeemedAt":
            return times | st.none()
        case "points":
            return integers | st.none() if listing is ACTIVITIES else integers
        case _:
            return times


@st.composite
def places(draw: st.DrawFn) -> tuple[Selection, Position]:
    listing = draw(st.sampled_from(LISTINGS))
    order = draw(st.sampled_from(list(listing.orders)))
    selection = Selection(listing, (), order, draw(st.booleans()))
    return selection, tuple(draw(values(listing, key)) for key in listing.orders[order].keys)


@given(place=places())
def test_a_cursor_is_read_as_the_position_it_was_made_of(place: tuple[Selection, Position]) -> None:
    selection, position = place
    assert decode(encode(selection, ADA, position), selection, ADA) == position


@given(text=st.text(max_size=600))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        decode(text, BY_TIME, ADA)


@given(data=st.binary(max_size=40), at=st.integers(0, 80))
def test_a_cursor_with_anything_put_into_it_is_refused_or_means_the_same_kind_of_place(data: bytes, at: int) -> None:
    cursor = encode(BY_TIME, ADA, (datetime(2026, 1, 31, tzinfo=UTC), None, "act_x"))
    altered = cursor[:at] + data.decode("latin-1") + cursor[at + len(data) :]
    try:
        time, order, node_id = decode(altered, BY_TIME, ADA)
    except BadCursor:
        return
    assert (type(time), type(node_id)) == (datetime, str)
    assert order is None or type(order) is int


WINDOW: Where = (("occurredAt", Between(datetime(2026, 1, 1, tzinfo=UTC))),)


@pytest.mark.parametrize(
    "other",
    [
        (Selection(ACTIVITIES, BY_TIME.where, "OCCURRED_AT"), "cus_eve"),
        (Selection(ACTIVITIES, BY_TIME.where, "OCCURRED_AT", descending=False), ADA),
        (Selection(ACTIVITIES, BY_TIME.where, "TYPE"), ADA),
        (Selection(ACTIVITIES, (("legacy", In((False, True))),), "OCCURRED_AT"), ADA),
        (Selection(ACTIVITIES, (*BY_TIME.where, *WINDOW), "OCCURRED_AT"), ADA),
        (Selection(POINTS, BY_TIME.where, "OCCURRED_AT"), ADA),
        (Selection(TRANSACTIONS, BY_TIME.where, "OCCURRED_AT"), ADA),
    ],
)
def test_a_cursor_counts_only_for_the_list_that_gave_it(other: tuple[Selection, str]) -> None:
    cursor = encode(*other, (datetime(2026, 1, 31, tzinfo=UTC), None, "act_x"))
    with pytest.raises(BadCursor, match="another list"):
        decode(cursor, BY_TIME, ADA)


conditions = st.one_of(
    st.lists(st.sampled_from("abcd"), max_size=4).map(tuple).map(In),
    st.sampled_from([Exactly("a"), Exactly("b"), Between(1, 2), Between(1), Between(None, 2), In((Named("a", "b"),))]),
)
wheres = st.dictionaries(st.sampled_from("xyz"), conditions, max_size=3)


@given(where=wheres, other=wheres, also=wheres, random=st.randoms(use_true_random=False))
def test_a_cursor_survives_another_spelling_of_the_same_set_and_no_other_set(
    where: dict[str, Any], other: dict[str, Any], also: dict[str, Any], random: Random
) -> None:
    def spelled(where: dict[str, Any]) -> Where:
        """With keys and values in another order, and some of them twice."""
        keys = random.sample(sorted(where), len(where))
        return tuple((key, In(values_of(where[key])) if isinstance(where[key], In) else where[key]) for key in keys)

    def values_of(condition: In) -> tuple[Any, ...]:
        twice = [*condition.values, *condition.values[:1]]
        return tuple(random.sample(twice, len(twice)))

    def meaning(where: dict[str, Any]) -> object:
        return {key: set(each.values) if isinstance(each, In) else each for key, each in where.items()}

    def selected(*wheres: dict[str, Any]) -> Selection:
        either = AnyOf(tuple(map(spelled, random.sample(wheres, len(wheres)))))
        return Selection(ACTIVITIES, (*spelled(where), ("either?", either)), "OCCURRED_AT")

    place = (datetime(2026, 1, 31, tzinfo=UTC), None, "act_x")
    cursor = encode(selected(where, also), ADA, place)
    assert decode(cursor, selected(where, also), ADA) == place
    if meaning(other) != meaning(where):
        with pytest.raises(BadCursor, match="another list"):
            decode(cursor, Selection(ACTIVITIES, spelled(other), "OCCURRED_AT"), ADA)
        if meaning(other) != meaning(also):
            with pytest.raises(BadCursor, match="another list"):
                decode(cursor, selected(where, other), ADA)


NOTHING: dict[str, Any] = {"first": None, "after": None, "last": None, "before": None}


@pytest.mark.parametrize(
    ("asked", "size", "backwards"),
    [
        ({}, DEFAULT_SIZE, False),
        ({"first": 0}, 0, False),
        ({"first": 100}, 100, False),
        ({"last": 100}, 100, True),
        ({"last": 0}, 0, True),
    ],
)
def test_a_page_is_as_large_as_asked_for(asked: dict[str, Any], size: int, backwards: bool) -> None:
    assert page_request_of(BY_TIME, ADA, **NOTHING | asked) == PageRequest(BY_TIME, size, None, backwards)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_cursor_alone_says_which_way(backwards: bool) -> None:
    place = (datetime(2026, 1, 31, tzinfo=UTC), None, "act_x")
    asked: dict[str, Any] = {"before" if backwards else "after": encode(BY_TIME, ADA, place)}
    assert page_request_of(BY_TIME, ADA, **NOTHING | asked) == PageRequest(BY_TIME, DEFAULT_SIZE, place, backwards)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"first": 101}, "first"),
        ({"first": -1}, "first"),
        ({"last": 101}, "last"),
        ({"last": -1}, "last"),
        ({"first": 1, "last": 1}, "last"),
        ({"first": 1, "before": "x"}, "last"),
        ({"after": "x", "last": 1}, "last"),
        ({"after": "x", "before": "x"}, "last"),
    ],
)
def test_arguments_that_contradict_each_other_or_their_limits_are_refused(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(BadUserInput) as refusal:
        page_request_of(BY_TIME, ADA, **NOTHING | asked)
    assert refusal.value.field == (field,)


KEYS = sorted(
    {
        (listing.collection, key)
        for listing in vars(listings).values()
        if isinstance(listing, Listing)
        for order in listing.orders.values()
        for key in order.keys
        if key not in ("_id", ORDER)
    }
)


@pytest.mark.parametrize(("collection", "key"), KEYS, ids=".".join)
def test_a_cursor_knows_the_type_of_each_key_that_a_list_is_ordered_by(collection: str, key: str) -> None:
    declared = {**COLLECTIONS[collection].required, **COLLECTIONS[collection].optional}[key]
    kinds = {declared["bsonType"]} if isinstance(declared["bsonType"], str) else {*declared["bsonType"]}
    value = {"date": datetime(2026, 1, 31, 9, 30, tzinfo=UTC), "string": "a"}.get(min(kinds), 7)
    listing = Listing(collection, (), {"ONE": Order((key,))})
    selection = Selection(listing, (), "ONE")
    assert decode(encode(selection, "", (value,)), selection, "") == (value,)
