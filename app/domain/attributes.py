"""Reads and writes the values of activity attributes: how each kind is stored and written as text. Pure.

A value has three forms: raw, as documents store it; text, canonical; and what JSON naturally holds. ``parse`` reads all
three into the raw one. ``parse(kind, to_text(raw)) == raw``, except for a LIST with ", " inside an item.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from typing import Final, TypeAlias, TypedDict, cast

from app.catalogue.model import AttributeKind, CatalogueAttribute, did_you_mean
from app.domain.amounts import DECIMAL
from app.domain.times import moment, stored


class Amount(TypedDict):
    amount: Decimal
    currency: str


Raw: TypeAlias = str | int | bool | Decimal | Amount | datetime | list[str]

TEXT_AT_MOST: Final = 1_000
LIST_AT_MOST: Final = 100
JSON_AT_MOST: Final = 16_000
JSON_DEPTH: Final = 20
"""Lists and objects inside one another."""

FORMS: Mapping[AttributeKind, str] = {
    AttributeKind.TEXT: f"text of at most {TEXT_AT_MOST:,} characters, without control characters",
    AttributeKind.INTEGER: "a whole number within 64 bits, such as 12",
    AttributeKind.DECIMAL: "a decimal number of at most 34 digits, such as 12.5",
    AttributeKind.MONEY: 'an exact amount and its currency, such as "12.50 EUR"',
    AttributeKind.BOOLEAN: "true or false",
    AttributeKind.DATE: "a date, such as 2024-02-29",
    AttributeKind.DATETIME: "a time with its UTC offset, such as 2024-02-29T12:30:00Z",
    AttributeKind.LIST: f'a list of at most {LIST_AT_MOST} texts, none of them empty, such as "street, city"',
    AttributeKind.JSON: f"a JSON object or list of at most {JSON_AT_MOST:,} characters, at most {JSON_DEPTH} deep",
}


class AttributeProblems(ValueError):
    """Raised with everything that is wrong with a set of attributes; ``problems`` holds (name, sentence) pairs.
    Services turn it into a refusal, an import into a reject.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__(" ".join(sentence for _, sentence in problems))
        self.problems = problems


def to_text(raw: Raw) -> str:
    """Returns the canonical text of a stored value. Raises TypeError for what no kind holds."""
    match raw:
        case bool():
            return "true" if raw else "false"
        case Decimal():
            return f"{raw:f}"
        case datetime():
            moment = raw if raw.tzinfo is UTC else raw.astimezone(UTC)
            return moment.isoformat(timespec="milliseconds")[:-6] + "Z"
        case list():
            return ", ".join(raw)
        case {"amount": amount, "currency": currency}:
            return f"{amount:f} {currency}"
        case str() | int():
            return str(raw)
        case _:  # a stored value of no kind: its text is nobody's business
            raise TypeError(f"No attribute kind holds a {type(raw).__name__}.")


def items(raw: Raw) -> list[str] | None:
    """Returns the items of a LIST, None for any other kind."""
    return raw if isinstance(raw, list) else None


def kind_of(raw: object) -> AttributeKind:
    """Returns the kind that a value shows by itself. Raises TypeError for what no kind holds."""
    match raw:
        case bool():
            return AttributeKind.BOOLEAN
        case int():
            return AttributeKind.INTEGER
        case Decimal() | float():
            return AttributeKind.DECIMAL
        case datetime():
            return AttributeKind.DATETIME
        case list():
            return AttributeKind.LIST
        case {"amount": object(), "currency": object()}:
            return AttributeKind.MONEY
        case str() if raw.startswith(("{", "[")) and _is_json(raw):
            return AttributeKind.JSON
        case str():
            return AttributeKind.DATE if _is_date(raw) else AttributeKind.TEXT
        case _:
            raise TypeError(f"No attribute kind holds a {type(raw).__name__}.")


def label_of(name: str) -> str:
    """Returns a label for a name that the catalogue lacks: ``maskedPAN`` becomes words, acronyms stay."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+", " ", name)
    words = [word if len(word) > 1 and word.isupper() else word.lower() for word in spaced.split()]
    label = " ".join(words) or name
    return label[:1].upper() + label[1:]


def parse(kind: AttributeKind, value: object) -> Raw:
    """Returns the raw form of a value. Raises ValueError with one sentence that says what was expected.

    Times become UTC, cut to the milliseconds that MongoDB keeps. The text of a LIST is split at every ", ": an item
    that contains it has to come in a JSON list.
    """
    try:
        return PARSERS[kind](value)
    except (ValueError, OverflowError):
        raise ValueError(f"The value must be {FORMS[kind]}.") from None


def parse_time(value: object) -> datetime:
    """Returns a time as it is stored. Raises ValueError."""
    return cast(datetime, parse(AttributeKind.DATETIME, value))


def parse_all(definitions: Iterable[CatalogueAttribute], given: Mapping[str, object]) -> dict[str, Raw]:
    """Returns the raw attributes by name; null counts as not given. Raises AttributeProblems with all that is wrong."""
    defined = {definition.name: definition for definition in definitions}
    raws: dict[str, Raw] = {}
    problems: list[tuple[str, str]] = []
    for name, definition in defined.items():
        if given.get(name) is not None:
            try:
                raws[name] = _parse_defined(definition, given[name])
            except ValueError:
                problems.append((name, f"{name} must be {_form(definition)}."))
        elif definition.required:
            problems.append((name, f"{name} is required."))
    problems += ((name, f"{name} is unknown{did_you_mean(name, defined)}") for name in given if name not in defined)
    if problems:
        raise AttributeProblems(problems)
    return raws


def _parse_defined(definition: CatalogueAttribute, value: object) -> Raw:
    raw = parse(definition.kind, value)
    if definition.between and raw not in range(definition.between[0], definition.between[1] + 1):
        raise ValueError
    return raw


def _form(definition: CatalogueAttribute) -> str:
    if definition.between:
        return "a whole number from {} to {}".format(*definition.between)
    return FORMS[definition.kind]


# One reader per kind. Each raises a bare ValueError: parse says what was expected, and never repeats what came, which
# may be long or private.


def _text(value: object) -> str:
    # Surrogates have no UTF-8 form, so neither MongoDB nor a response could carry them.
    if not isinstance(value, str) or len(value) > TEXT_AT_MOST:
        raise ValueError
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise ValueError
    return value


def _integer(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _decimal(value: object) -> Decimal:
    match value:
        case str() if DECIMAL.fullmatch(value):
            number = Decimal(value)
        case float():
            number = Decimal(repr(value))
        case int() | Decimal() if not isinstance(value, bool):
            number = Decimal(value)
        case _:
            raise ValueError
    exponent = number.as_tuple().exponent
    # MongoDB's Decimal128 keeps 34 digits; counted as written plainly, so that 1E+6000 is no 6,000 characters of text.
    if not isinstance(exponent, int) or max(number.adjusted(), 0) + 1 + max(-exponent, 0) > 34:
        raise ValueError
    return number if number else number.copy_abs()  # there is no -0.00


def _money(value: object) -> Amount:
    match value:
        case str():
            amount, _, currency = value.partition(" ")
        case {"amount": str() | int() | Decimal() as amount, "currency": str() as currency}:
            # A third key would be lost without a word.
            if len(cast(Mapping[str, object], value)) > 2:
                raise ValueError
        case _:
            raise ValueError
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ValueError
    return {"amount": _decimal(amount), "currency": currency}


def _boolean(value: object) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value)
    if not isinstance(value, bool):
        raise ValueError
    return value


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _date(value: object) -> str:
    if not isinstance(value, str) or not _is_date(value):
        raise ValueError
    return value


def _datetime(value: object) -> datetime:
    """Reads RFC 3339, and what else of ISO 8601 Python reads: source systems write it."""
    if isinstance(value, str):
        try:
            return stored(moment(value))
        except ValueError:
            value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError
    return stored(value.astimezone(UTC))


def _list(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split(", ") if value else []
    if not isinstance(value, list) or len(cast(list[object], value)) > LIST_AT_MOST:
        raise ValueError
    if not all(texts := [_text(item) for item in cast(list[object], value)]):
        raise ValueError
    return texts


def _json(value: object) -> str:
    """Reads an object or a list, or the text of one, into its canonical text. Numbers stay as exact as they came."""
    try:
        read: object = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    except RecursionError:
        raise ValueError from None
    if not isinstance(read, dict | list):
        raise ValueError
    text = _json_text(cast(object, read), JSON_DEPTH)
    if len(text) > JSON_AT_MOST or any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise ValueError
    return text


def _json_text(value: object, depth: int) -> str:
    match value:
        case Decimal():
            if not isfinite(float(value)):  # whoever reads it makes a float of it
                raise ValueError
            return str(value)
        case dict() | list() if not depth:
            raise ValueError
        case dict():
            inside = cast(dict[str, object], value).items()
            return f"{{{','.join(f'{_json_text(key, 0)}:{_json_text(each, depth - 1)}' for key, each in inside)}}}"
        case list():
            return f"[{','.join(_json_text(each, depth - 1) for each in cast(list[object], value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)


PARSERS: Mapping[AttributeKind, Callable[[object], Raw]] = {
    AttributeKind.TEXT: _text,
    AttributeKind.INTEGER: _integer,
    AttributeKind.DECIMAL: _decimal,
    AttributeKind.MONEY: _money,
    AttributeKind.BOOLEAN: _boolean,
    AttributeKind.DATE: _date,
    AttributeKind.DATETIME: _datetime,
    AttributeKind.LIST: _list,
    AttributeKind.JSON: _json,
}
