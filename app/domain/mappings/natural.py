"""Makes of values as other systems write them what a line of an import says: exact times, amounts and texts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeGuard, TypeVar, cast

import orjson

from app.catalogue import CATALOGUE
from app.catalogue.model import AttributeKind
from app.domain.import_forms import DATE, LONG_TEXT, MONEY, TIME, TIME_OR_DATE, Form
from app.domain.import_lines import LINE_SHAPES

_DIGITS: Final[Mapping[str, int]] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
    **dict.fromkeys(
        (
            "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
            "CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
            "GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
            "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB "
            "PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP "
            "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWL"
        ).split(),
        2,
    ),
}
"""How many digits the minor unit of a currency has (ISO 4217)."""

_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|UTC|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?",
    re.IGNORECASE,
)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"%[HIMSfpcXzZ]")
_NAMED_ZONE: Final = re.compile(r"\b(?:UTC|GMT)\b", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_EPOCH: Final = re.compile(r"-?\d{9,16}(?:\.\d{1,6})?")
_WHOLE: Final = re.compile(r"-?\d+", re.ASCII)
_DIGITS_OF_DATE: Final = re.compile(
    r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])(?:[0-5]\d){1,2}"
)
"""As many digits as milliseconds since 1970 have: 202403011200 would be a moment of 1976."""
_COUNT_DIGITS: Final = 8  # more are a time, in seconds
_COUNT: Final = re.compile(rf"\d{{1,{_COUNT_DIGITS}}}", re.ASCII)
_MILLISECONDS_FROM: Final = 10**11
_MICROSECONDS_FROM: Final = 10**14
T = TypeVar("T")


class RowProblem(ValueError):
    """Raised with what is wrong with a row; the import writes it into the rejects file."""


@dataclass(frozen=True, slots=True)
class Habits:
    """The habits of a system are how it writes values.

    ``zone``: of times without an offset. ``times``: other forms of them, as `strptime` has them. ``minor``: whether
    whole amounts are in minor units. ``comma``: whether decimals come after a comma. ``nulls``: texts that stand for
    nothing. ``digits``: of currencies that ISO 4217 does not have.
    """

    zone: tzinfo | None = None
    times: Sequence[str] = ()
    minor: bool = False
    comma: bool = False
    nulls: frozenset[str] = frozenset({""})
    digits: Mapping[str, int] = field(default_factory=dict[str, int])


def _keys_of(*forms: Form) -> frozenset[str]:
    reads = [form.read for form in forms]
    return frozenset(key for shape in LINE_SHAPES.values() for key, form in shape.forms.items() if form.read in reads)


_TIMES: Final = _keys_of(TIME) | {"startAt", "endAt"}
_TIMES_OR_DATES: Final = _keys_of(TIME_OR_DATE)
_DATES: Final = _keys_of(DATE)
_AMOUNTS: Final = _keys_of(MONEY)
_LINES: Final = _keys_of(LONG_TEXT) | {"html", "text", "reason", "details"}
_COUNTS: Final = {
    "points",
    "pointsAwarded",
    "balanceAfter",
    "paymentCount",
    "quantity",
    "expMonth",
    "expYear",
    "maxAttempts",
}
_CODES: Final = {"currency", "country", "bankCountry"}


def exact_line(given: Mapping[str, Any], habits: Habits) -> dict[str, Any]:
    """Returns the line with exact values. Raises RowProblem."""
    line = dict(_exact(given, habits, ""))
    if isinstance(attributes := given.get("attributes"), dict):
        row = CATALOGUE.get(str(given.get("type")))
        kinds = {each.name: each.kind for each in row.attributes} if row else {}
        line["attributes"] = dict(_attributes(cast(Mapping[str, Any], attributes), kinds, habits))
    return line


def _exact(given: Mapping[str, Any], habits: Habits, within: str) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        place = f"{within}{key}"
        if _is_nothing(value, habits):
            continue
        yield key, _value(key, value, habits, place)


def _is_nothing(value: object, habits: Habits) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in habits.nulls)


def _value(key: str, value: Any, habits: Habits, place: str) -> Any:
    if key in _AMOUNTS and isinstance(value, dict):
        return _money(cast(Mapping[str, Any], value), habits, place)
    if isinstance(value, dict):
        return dict(_exact(cast(Mapping[str, Any], value), habits, f"{place}."))
    if isinstance(value, list):
        items = cast(list[Any], value)
        return [_value(key, each, habits, f"{place}.{at}") for at, each in enumerate(items) if each is not None]
    if key in _TIMES_OR_DATES and (day := _day(value, habits, place)):
        return day
    if key in _TIMES or key in _TIMES_OR_DATES:
        return written(value, habits, place)
    if key in _DATES and isinstance(value, str):
        return _day(value, habits, place) or value.strip()[:10]
    if isinstance(value, bool):
        return value
    if key in _COUNTS:
        return _count(value)
    text = str(value)
    if key in _CODES:
        return text.strip().upper()
    return text if key in _LINES else " ".join(text.split())


def _attributes(
    given: Mapping[str, Any], kinds: Mapping[str, AttributeKind], habits: Habits
) -> Iterator[tuple[str, Any]]:
    """Yields attributes, as the catalogue has their kinds; of others a number stays one."""
    for name, value in given.items():
        place, kind = f"attributes.{name}", kinds.get(name)
        if _is_nothing(value, habits):
            continue
        if _is_money(value):
            yield name, _money(value, habits, place)
        elif kind is AttributeKind.DATETIME:
            yield name, written(value, habits, place)
        elif kind is AttributeKind.DATE:
            yield name, _day(value, habits, place) or str(value).strip()[:10]
        elif isinstance(value, str) or kind is AttributeKind.TEXT:
            yield name, " ".join(str(value).split())
        else:
            yield name, _nested(value, place)


def _nested(value: Any, place: str) -> Any:
    """Returns a value of an attribute with numbers for what the mapping calls ``decimal``. Raises RowProblem."""
    match value:
        case {"$decimal": text, **others} if not others:
            if not _DECIMAL.fullmatch(str(text).strip()):
                raise RowProblem(f"{place}: {str(text)[:50]} is no number.")
            return orjson.Fragment(str(text).strip())
        case dict():
            return {key: _nested(each, f"{place}.{key}") for key, each in cast(dict[str, Any], value).items()}
        case list():
            return [_nested(each, f"{place}.{at}") for at, each in enumerate(cast(list[Any], value))]
        case _:
            return value


def _is_money(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, dict) and cast(dict[str, Any], value).keys() == {"amount", "currency"}


def _count(value: object) -> object:
    """Returns a whole number; what is none stays as it is, for the line's own judgement."""
    text = str(value).strip()
    return int(text.partition(".")[0]) if re.fullmatch(r"[+-]?\d{1,12}(?:\.0+)?", text) else value


# ---------------------------------------------------------------- times


def _day(value: object, habits: Habits, place: str) -> str | None:
    """Returns the date of a value that says no time of day; None of any other. Raises RowProblem."""
    text, days = str(value).strip(), dict[str, str]()
    for form in habits.times:
        if not _TIME_OF_DAY.search(form):
            with suppress(ValueError):
                days[form] = datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 -- a date has no zone
    if days:
        return _the_only(days, place, text)
    return text if _DAY.fullmatch(text) else None


def order_of(value: object, habits: Habits) -> str | None:
    """Returns a text that sorts as what a row is as of: a time, or a count of eight digits at most. None of nothing.

    A count sorts before each time. Raises RowProblem.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if _COUNT.fullmatch(text):
        return text.zfill(_COUNT_DIGITS)
    habits = replace(habits, zone=habits.zone or UTC)  # any will do for an order
    return _moment(value, habits, "asOf").astimezone(UTC).isoformat(timespec="microseconds")


def written(value: object, habits: Habits, place: str) -> str:
    """Returns a moment as RFC 3339 in UTC. Raises RowProblem."""
    moment = _moment(value, habits, place)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(value: object, habits: Habits, place: str) -> datetime:
    text = str(value).strip()
    try:
        if moments := {form: at for form in habits.times if (at := _by_form(form, habits, place, text))}:
            return _the_only(moments, place, text)
        if _EPOCH.fullmatch(text) and not _DIGITS_OF_DATE.fullmatch(text):
            return _of_epoch(Decimal(text))
        if found := _TIME.fullmatch(text):
            return _of_parts(found, habits, place, text)
    except (ValueError, OverflowError, InvalidOperation) as wrong:
        if isinstance(wrong, RowProblem):
            raise
    raise RowProblem(f"{place}: {text[:50]} is no time that the mapping knows; name its form in `times`.")


def _by_form(form: str, habits: Habits, place: str, text: str) -> datetime | None:
    """Returns the moment of a text in a form of the mapping; None if it is not in that form. Raises RowProblem."""
    try:
        parsed = datetime.strptime(text, form)  # noqa: DTZ007 -- the zone is given next
    except ValueError:
        return None
    if parsed.tzinfo:
        return parsed
    if "%Z" not in form:
        return _in_zone(parsed, habits, place, text)
    if not _NAMED_ZONE.search(text):  # strptime reads the name of a zone, and forgets it
        raise RowProblem(f"{place}: {text[:50]} names a zone; of those %Z reads UTC and GMT only.")
    return parsed.replace(tzinfo=UTC)


def _the_only(times: Mapping[str, T], place: str, text: str) -> T:
    """Returns what each form reads a text as. Raises RowProblem where one reads it as something else."""
    first, *others = times.items()
    for form, value in others:
        if value != first[1]:
            raise RowProblem(
                f"{place}: {text[:50]} is one time as {first[0]} and another as {form}. Leave one of them in `times`, "
                "or tell them apart in `lines`."
            )
    return first[1]


def _of_epoch(number: Decimal) -> datetime:
    """Returns a moment of seconds, milliseconds or microseconds since 1970, by their size."""
    size = abs(number)
    parts = 1 if size < _MILLISECONDS_FROM else 1_000 if size < _MICROSECONDS_FROM else 1_000_000
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(number * 1_000_000 / parts))


def _of_parts(found: re.Match[str], habits: Habits, place: str, text: str) -> datetime:
    day, minutes, seconds, fraction, offset = found.groups()
    at = datetime.combine(date.fromisoformat(day), time.fromisoformat(f"{minutes or '00:00'}:{seconds or '00'}"))
    at = at.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
    if not offset:
        return _in_zone(at, habits, place, text)
    if offset.upper() in ("Z", "UTC"):
        return at.replace(tzinfo=UTC)
    digits = offset[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return (at - ahead if offset[0] == "+" else at + ahead).replace(tzinfo=UTC)


def _in_zone(at: datetime, habits: Habits, place: str, text: str) -> datetime:
    """Returns a local time as a moment: the first of two. Raises RowProblem for one that no clock shows."""
    if habits.zone is None:
        raise RowProblem(
            f"{place}: {text[:50]} has no offset. Name the zone: --timezone Europe/Berlin, or `time_zone`."
        )
    moment = at.replace(tzinfo=habits.zone).astimezone(UTC)
    if moment.astimezone(habits.zone).replace(tzinfo=None) != at:
        raise RowProblem(f"{place}: {text[:50]} does not exist in {habits.zone}, where clocks were put forward then.")
    return moment


# ---------------------------------------------------------------- amounts


def _money(given: Mapping[str, Any], habits: Habits, place: str) -> object:
    amount, currency = given.get("amount"), given.get("currency")
    if amount is None or currency is None:
        return dict(given)
    code = str(currency).strip().upper()
    digits = habits.digits.get(code, _DIGITS.get(code))
    if digits is None:
        raise RowProblem(f"{place}: the currency {code[:10]} is unknown; say how many digits it has in `currencies`.")
    number = _number(amount, habits, place)
    if habits.minor:
        if not _WHOLE.fullmatch(f"{number}"):
            raise RowProblem(
                f"{place}: {str(amount)[:50]} has decimals, and `amounts` of the mapping says that amounts are whole, "
                "in the minor unit. Make it whole in `lines`, or leave `amounts` out."
            )
        number = number.scaleb(-digits)
    return {"amount": f"{number:f}", "currency": code}


def _number(value: object, habits: Habits, place: str) -> Decimal:
    """Returns an amount, also in the brackets of accountants, or with a minus behind it. Raises RowProblem."""
    text = str(value).strip()
    group, mark = (r"[\s'’.]", ",") if habits.comma else (r"[\s'’,]", r"\.")
    if found := re.fullmatch(rf"([+\-−]?)\s*(\d{{1,3}}(?:{group}\d{{3}})+|\d*)(?:{mark}(\d+))?", _signed_before(text)):
        sign, whole, rest = found.groups()
        whole = re.sub(r"\D", "", whole)
        if whole or rest:
            number = Decimal(f"{whole or '0'}.{rest or '0'}") if rest else Decimal(whole)
            return -number if sign in ("-", "−") else number
    raise RowProblem(
        f"{place}: {text[:50]} is no amount whose decimals come after a {'comma' if habits.comma else 'point'}: "
        "`decimal` of the mapping says after what they come. Take a sign of a currency away in `lines`: "
        'money(.amount | ltrimstr("€"); "EUR").'
    )


def _signed_before(text: str) -> str:
    """Returns an amount with its minus before it; one that has another already stays as it is."""
    if found := re.fullmatch(r"\((\d[^()]*)\)|(\d.*?)\s*[-−]", text):
        return f"-{found[1] or found[2]}"
    return text
