"""Finds card numbers in values: none of them is stored. Pure.

A card number has 12 to 19 digits, in groups or not, that pass Luhn's check. One in ten other numbers passes it, too:
where numbers are ordinary (`_NUMBERED`) only those count that begin, and are as long, as some issuer's.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final, cast

Place = tuple[str, ...]

_NUMBERED: Final = frozenset(
    "id source externalId number confirmNumber code serialNumber idempotencyKey sha256 affiliateId clickId contentId "
    "phones attributes amount html text url website downloadUrl referrer path listUnsubscribe".split()
)
"""Keys of identifiers, phone numbers, amounts, addresses of the web, and documents that machines make."""
_OWN_VALUE: Final = ("value",)
"""The value of a tax id or of a blocklist's entry; any other value is what the key above it says."""

_RUN: Final = re.compile(r"\d(?<![^\W_]\d)(?:[ ._-]?\d){11,}(?![^\W_])")
"""Digits in groups, from the first one to the last, that are not a part of a longer word. What is before the first one
is looked at behind it: where a pattern begins with a digit, all else is passed over at once.
"""
_OTHERS: Final = re.compile(
    r"(?<![^\W_])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"  # a date
    r"|(?:\d{1,3}\.){3}\d{1,3})(?![^\W_]|[.-]\d)",  # an IPv4 address
    re.IGNORECASE | re.ASCII,
)
_IBAN: Final = re.compile(r"(?<![^\W_])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![^\W_])", re.ASCII)
_ISSUED: Final = re.compile(
    r"3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11,16}"  # Diners Club
    r"|4\d{15}(?:\d{3})?"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"  # JCB
    r"|(?:5[06-8]|6\d|8[12])\d{14,17}"  # Maestro, Discover, UnionPay, RuPay
    r"|(?:220[0-4]|9792)\d{12}"  # Mir, Troy
)
_VALUES: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes(sum(divmod(2 * digit, 10)) for digit in range(10)))
_PHONE_DIGITS: Final = 15
"""A number behind a plus has as many at most (E.164)."""


class _Plain(dict[int, str]):
    """It writes every digit, blank and dash of Unicode as ASCII does, and leaves out what nobody sees."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        digit, category = unicodedata.digit(character, None), unicodedata.category(character)
        plain = {"Zs": " ", "Pd": "-", "Cf": ""}.get(category, character) if digit is None else str(digit)
        self[code] = "-" if character == "\N{MINUS SIGN}" else plain
        return self[code]


_PLAIN: Final = _Plain()


_EXPONENT: Final = re.compile(r"[0-9][eE]")


def may_hold(json_text: str) -> bool:
    """Returns False if no value in a JSON text can hold a card number: most lines are seen through at once.

    Escapes and exponents may be digits, or more of them, once the text is decoded.
    """
    plain = json_text if json_text.isascii() else json_text.translate(_PLAIN)
    return "\\" in plain or bool(_RUN.search(plain) or _EXPONENT.search(plain))


def holds_card_number(text: str, *, numbered: bool = False) -> bool:
    """Returns whether there are digits in the text that a card may have; ``numbered`` texts hold other numbers, too."""
    return any(_spans(text if text.isascii() else text.translate(_PLAIN), numbered=numbered))


def places_of(given: object, place: Place = ()) -> Iterator[Place]:
    """Yields where in an input or a line card numbers are. One in a key is where its object is."""
    match given:
        case str() | int() | float() | Decimal():
            numbered = not isinstance(given, str) or _is_numbered(place)
            if holds_card_number(str(given), numbered=numbered):
                yield place
        case Mapping():
            for key, value in cast(Mapping[str, Any], given).items():
                if holds_card_number(key):
                    yield place
                else:
                    yield from places_of(value, (*place, key))
        case list() | tuple():
            for at, value in enumerate(cast(Sequence[Any], given)):
                yield from places_of(value, (*place, str(at)))
        case _:
            pass


def masked(given: Any, place: Place = ()) -> Any:
    """Returns an input or a line with stars for the digits of its card numbers."""
    match given:
        case str():
            return _masked(given, numbered=_is_numbered(place))
        case int() | float() | Decimal():
            return _masked(str(given), numbered=True) if [*places_of(given)] else given
        case Mapping():
            items = cast(Mapping[str, Any], given).items()
            return {_masked(key, numbered=False): masked(value, (*place, key)) for key, value in items}
        case list():
            return [masked(value, (*place, str(at))) for at, value in enumerate(cast(Sequence[Any], given))]
        case _:
            return given


def _is_numbered(place: Place) -> bool:
    return place == _OWN_VALUE or not _NUMBERED.isdisjoint(place)


def _masked(text: str, *, numbered: bool) -> str:
    plain = text.translate(_PLAIN)
    spans = [*_spans(plain, numbered=numbered)]
    if spans and len(plain) != len(text):  # something in it cannot be seen: where the digits are is not known
        spans = [(0, len(text))]
    for start, end in spans:
        text = text[:start] + "".join("*" if each.isnumeric() else each for each in text[start:end]) + text[end:]
    return text


def _spans(plain: str, *, numbered: bool) -> Iterator[tuple[int, int]]:
    """Yields where card numbers begin and end. Behind one there may be other digits, such as its expiry."""
    if not _RUN.search(plain):
        return
    plain = _IBAN.sub(_unless_iban, _OTHERS.sub(_no_digits, plain))
    for run in _RUN.finditer(plain):
        groups = [each.span() for each in re.finditer(r"\d+", run[0])]
        digits = "".join(re.findall(r"\d", run[0]))
        is_phone = plain[: run.start()].endswith("+") and len(digits) <= _PHONE_DIGITS
        if not (numbered or is_phone) and 12 <= len(digits) <= 19 and _passes_luhn(digits):
            yield run.span()
            continue
        ends = [0, *accumulate(end - start for start, end in groups)]
        for first, (start, _) in enumerate(groups):
            for after in range(bisect_left(ends, ends[first] + 14), bisect_right(ends, ends[first] + 19)):
                part, (_, end) = digits[ends[first] : ends[after]], groups[after - 1]
                if _ISSUED.fullmatch(part) and _passes_luhn(part):
                    yield run.start() + start, run.start() + end


def _no_digits(found: re.Match[str]) -> str:
    return "x" * len(found[0])


def _unless_iban(found: re.Match[str]) -> str:
    """Returns the text without digits if it is an IBAN by its own check (ISO 7064, MOD 97-10)."""
    iban = found[0].replace(" ", "")
    return _no_digits(found) if int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1 else found[0]


def _passes_luhn(digits: str) -> bool:
    backwards = digits[::-1].encode()
    return (sum(backwards[::2].translate(_VALUES)) + sum(backwards[1::2].translate(_DOUBLED))) % 10 == 0
