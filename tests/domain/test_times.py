"""Moments are what RFC 3339 takes and nothing else, and a window holds the milliseconds that lie in it."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.paging import Between
from app.domain.times import first_millisecond, moment, stored
from app.schema.filters import TimeRange, during

NEW_YEAR = datetime(2017, 1, 1, tzinfo=UTC)

TAKEN = {
    "1985-04-12T23:20:50.52Z": datetime(1985, 4, 12, 23, 20, 50, 520_000, UTC),
    "1996-12-19T16:39:57-08:00": datetime(1996, 12, 20, 0, 39, 57, 0, UTC),
    "1990-12-31T23:59:60Z": datetime(1991, 1, 1, tzinfo=UTC),
    "1990-12-31T15:59:60-08:00": datetime(1991, 1, 1, tzinfo=UTC),
    "2017-01-01T05:29:60+05:30": NEW_YEAR,
    "2016-12-31T23:59:60.25Z": NEW_YEAR + timedelta(microseconds=250_000),
    "2015-06-30t23:59:60z": datetime(2015, 7, 1, tzinfo=UTC),
    "1937-01-01T12:00:27.87+00:20": datetime(1937, 1, 1, 11, 40, 27, 870_000, UTC),
    "2026-01-31t09:30:00z": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    "2026-01-31T09:30:00-00:00": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
    "2026-01-31T09:30:00+23:59": datetime(2026, 1, 30, 9, 31, tzinfo=UTC),
    "2026-01-31T09:30:00-23:59": datetime(2026, 2, 1, 9, 29, tzinfo=UTC),
    "2024-02-29T00:00:00Z": datetime(2024, 2, 29, tzinfo=UTC),
    "0001-01-01T00:00:00Z": datetime(1, 1, 1, tzinfo=UTC),
    "9999-12-31T23:59:59Z": datetime(9999, 12, 31, 23, 59, 59, 0, UTC),
    f"2026-01-31T09:30:00.{'1' * 500}Z": datetime(2026, 1, 31, 9, 30, 0, 111_111, UTC),
}


@pytest.mark.parametrize("text", TAKEN)
def test_what_rfc_3339_takes_is_a_moment(text: str) -> None:
    assert moment(text) == TAKEN[text]
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T09:30:00",
        "2026-01-31T09:30Z",
        "2026-01-31T09Z",
        "2026-01-31 09:30:00Z",
        "2026-01-31_09:30:00Z",
        "20260131T093000Z",
        "2026-01-31T093000Z",
        "20260131T09:30:00Z",
        "2026-W05-6T09:30:00Z",
        "2026W056T09:30:00Z",
        "2026-031T09:30:00Z",
        "2026-01-31T09:30:00+0100",
        "2026-01-31T09:30:00+01",
        "2026-01-31T09:30:00+1:00",
        "2026-01-31T09:30:00+01:60",
        "2026-01-31T09:30:00+24:00",
        "2026-01-31T09:30:00+01:00:00",
        "2026-01-31T09:30:00+01:00:30.5",
        "2026-01-31T09:30:00 Z",
        "2026-01-31T09:30:00ZZ",
        "2026-01-31T09:30:00.Z",
        "2026-01-31T09:30:00,5Z",
        "2026-01-31T09:30:00.5",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:60:00Z",
        "2026-01-31T23:59:61Z",
        "2026-01-31T12:00:60Z",
        "2026-01-30T23:59:60Z",
        "2026-01-31T23:59:60+01:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+2026-01-31T09:30:00Z",
        "-0001-01-31T09:30:00Z",
        "12026-01-31T09:30:00Z",
        "26-01-31T09:30:00Z",
        " 2026-01-31T09:30:00Z",
        "2026-01-31T09:30:00Z\n",
        "\uff12026-01-31T09:30:00Z",
        "2026-01-31T09:30:0\u0660Z",
        "1769851800",
        "now",
    ],
)
def test_what_rfc_3339_does_not_take_is_none(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01", "9999-12-31T23:59:60Z"])
def test_a_moment_beyond_the_calendar_is_none(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment(text)


def written(second: Fraction) -> str:
    """A moment of one minute, as exact as it is: a finite decimal fraction."""
    whole, rest = divmod(second, 1)
    return f"2026-01-31T09:30:{whole:02}.{int(rest * 10**12):012}Z"


moments = st.integers(0, 5 * 10**3).flatmap(
    lambda milliseconds: st.sampled_from([-(2 * 10**6), -1, 0, 1, 2 * 10**6, 500 * 10**6]).map(
        lambda picoseconds: Fraction(milliseconds + 10, 1_000) + Fraction(picoseconds, 10**12)
    )
)
BEGIN = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@given(moments)
@example(Fraction(1, 10**12))
@example(Fraction(999_999_999_999, 10**12))
def test_a_moment_is_stored_as_the_millisecond_it_lies_in_and_bounds_are_the_next(at: Fraction) -> None:
    milliseconds = at * 1_000
    assert stored(moment(written(at))) == BEGIN + timedelta(milliseconds=milliseconds.__floor__())
    assert first_millisecond(moment(written(at))) == BEGIN + timedelta(milliseconds=milliseconds.__ceil__())


@given(moments, moments, moments, st.integers(0, 6 * 10**3))
def test_a_row_is_in_the_windows_that_its_time_is_in(a: Fraction, b: Fraction, c: Fraction, row: int) -> None:
    at, (begin, between, end) = Fraction(row, 1_000), sorted((a, b, c))
    held = [
        (begin, end, holds(begin, end, row)),
        (begin, between, holds(begin, between, row)),
        (between, end, holds(between, end, row)),
    ]
    for first, last, is_in in held:
        assert is_in == (first <= at < last)
    assert held[0][2] == held[1][2] + held[2][2]  # never in two that adjoin, and never in none


def holds(begin: Fraction, end: Fraction, row: int) -> bool:
    if begin == end:
        return False
    ((_, window),) = during("at", TimeRange(from_=moment(written(begin)), to=moment(written(end))))
    assert isinstance(window, Between)
    return window.at_least <= BEGIN + timedelta(milliseconds=row) < window.below
