"""Makes text comparable: what is stored and what is asked for pass the same functions. Pure.

- ``cleaned``: as people are shown it, without the blanks that nobody typed on purpose.
- ``folded``: as it is found; case, accents, kinds of apostrophe and invisible characters make no difference.
- ``address``: an e-mail address, which is exact but for case and for how its domain is written.
- ``words`` and ``phones``: what a search finds a customer by.

``search_copies`` keeps these of a customer in their document; all code that writes one there writes the other. A change
of what they return needs another ``SEARCH_REVISION``: then `indexes --apply` makes them again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, cast
from unicodedata import category, normalize

import idna
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from app.domain.refusals import Refusal

SEARCH_REVISION: Final = 1
SEARCH_COPIES: Final = frozenset(
    {"searchName", "searchLastName", "searchNumber", "searchTags", "searchEmails", "searchPhones", "searchWords"}
)
SEARCHED_KEYS: Final = (
    "name",
    "firstName",
    "lastName",
    "organization",
    "number",
    "tags",
    "email",
    "emails",
    "phones",
    "country",
    "billingAddress",
)
"""All that ``search_copies`` looks at."""
_MAX_WORDS: Final = 100
_MAX_WORD_CHARACTERS: Final = 60

# ---------------------------------------------------------------- text


def cleaned(text: str) -> str:
    """Returns the text in Unicode's composed form, without blank ends, and with single blanks inside."""
    return " ".join(normalize("NFC", text).split())


def folded(text: str) -> str:
    """Returns the text as it is compared; empty where nothing of it can be seen."""
    return normalize("NFC", " ".join(_decomposed(text, _FOLDS).split()))


def pattern_of(text: str) -> str:
    """Returns a regular expression for texts that contain this one, whatever their case and accents.

    No character has a meaning of its own. Blanks match any blanks.
    """
    term, parts, at = folded(text), list[str](), 0
    while at < len(term):
        pair = term[at : at + 2]
        if pair in _SPELLINGS and len(pair) == 2:
            both = "".join(map(_class_of, pair))
            parts.append(f"(?:{both}|[{''.join(_SPELLINGS[pair])}])")
        else:
            parts.append(_class_of(pair[0]))
        at += len(pair) if pair in _SPELLINGS else 1
    return "".join(parts)


def _class_of(character: str) -> str:
    if character == " ":
        return r"\s+"
    others = _SPELLINGS.get(character)
    if others is None:
        return re.escape(character)
    return f"(?:[{re.escape(character)}{''.join(map(re.escape, others))}][\u0300-\u036f]*)"


def is_visible(text: str) -> bool:
    """Returns whether anything of the text can be seen: a mark alone finds everybody or nobody."""
    if _SEEN.search(text):
        return True
    return any(category(character)[0] not in "CMZ" for character in folded(text))


_SEEN: Final = re.compile("[!-~]")


_FOLDS: Final = {
    **dict.fromkeys("’‘‛ʼʹ′`´", "'"),
    **dict.fromkeys("‐‑‒–—―−⁃", "-"),
    **dict.fromkeys("“”„‟″", '"'),
    "ı": "i",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}
_TRANSLITERATIONS: Final = {**_FOLDS, "ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"}
"""As German and Scandinavian names are written without their letters."""
_BLANK_LETTERS: Final = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u07fa\u1cd3\u1ce1\u1cf2\u1cf3\u1cf7\u0824\u0828\u180a\ufe73"
)
"""Letters and symbols that have no shape, or no place of their own in the order of any language."""
_MARKS: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u180b-\u180f\ufe00-\ufe0f\ufe20-\ufe2f\U000e0100-\U000e01ef]"
)
"""Accents and points. Not the vowels of Indian scripts, nor what tells Japanese syllables apart."""


_SPELLINGS: Final[dict[str, list[str]]] = {}
"""What folds to a letter, or to two: accented forms and ligatures of the Latin, Greek and Cyrillic blocks."""


def _decomposed(text: str, letters: Mapping[str, str]) -> str:
    """Replaces letters first, then accents: a letter that has an accent of its own may be written as two."""
    if _LATIN.fullmatch(text):  # which most texts are
        return text.translate(_FOLDED_LATIN if letters is _FOLDS else _TRANSLITERATED_LATIN)
    return _decomposed_by_rules(text, letters)


def _decomposed_by_rules(text: str, letters: Mapping[str, str]) -> str:
    composed = normalize("NFC", "".join(map(_weight, normalize("NFC", text)))).casefold()
    replaced = normalize("NFKD", "".join(letters.get(character, character) for character in composed)).casefold()
    visible = "".join(_weight(letters.get(character, character)) for character in replaced)
    return normalize("NFKD", visible)


@lru_cache(4_096)
def _weight(character: str) -> str:
    if character.isspace():
        return " "
    if category(character[0]) in ("Cc", "Cf", "Cs", "Cn") or character in _BLANK_LETTERS or _MARKS.match(character):
        return ""
    return character


_LATIN: Final = re.compile("[\0-\u024f]*")
"""Here each letter is a character, and becomes the same among whatever others."""

_FOLDED_LATIN: Final = {point: _decomposed_by_rules(chr(point), _FOLDS) for point in range(0x250)}
_TRANSLITERATED_LATIN: Final = {point: _decomposed_by_rules(chr(point), _TRANSLITERATIONS) for point in range(0x250)}


for _point in range(0xA0, 0x530):
    _plain = normalize("NFC", " ".join(_decomposed(chr(_point), _FOLDS).split()))
    if _plain != chr(_point) and (_plain.isalpha() and len(_plain) <= 2):
        _SPELLINGS.setdefault(_plain, []).append(chr(_point))


# ---------------------------------------------------------------- e-mail addresses


def address(text: str) -> str:
    """Returns an e-mail address, or the beginning of one, as it is compared: case and the form of its domain aside."""
    plain = text if _IN_ASCII.fullmatch(text) else _without_blanks(text)
    local, at, domain = plain.rpartition("@")
    if not at:
        return normalize("NFC", plain.casefold())
    return f"{normalize('NFC', local.casefold())}@{_domain(domain)}"


_IN_ASCII: Final = re.compile("[!-~]*")


def _without_blanks(text: str) -> str:
    return "".join(c for c in normalize("NFC", text) if not c.isspace() and category(c) not in ("Cc", "Cf", "Cs"))


@lru_cache(4_096)
def _domain(domain: str) -> str:
    try:
        return idna.decode(domain, uts46=True)
    except (idna.IDNAError, UnicodeError):  # a beginning, or none that anybody could register
        return normalize("NFKC", domain).lower()


# ---------------------------------------------------------------- words of names


def words(names: Iterable[str]) -> list[str]:
    """Returns all by which names are found, each from its beginning: words, joined parts, other spellings; sorted."""
    found: set[str] = set()
    for name in names:
        chunks = name.split()
        for chunk in (*chunks, "".join(chunks)):
            found |= _words_of(chunk)
    return sorted(found)[:_MAX_WORDS]


@lru_cache(4_096)  # many are called the same
def _words_of(chunk: str) -> frozenset[str]:
    parts = {chunk} if chunk.isalnum() else {chunk, *_pieces(chunk), *_parts(chunk)}
    spellings = {spelling for part in parts for spelling in _spellings(part)}
    short = {_UMLAUT.sub(r"\1", spelling) for spelling in spellings}  # Mueller, who types Muller
    return frozenset((spellings | short) - {""})


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a search has several ``ways`` to be found: each is all its beginnings together."""

    ways: tuple[tuple[str, ...], ...]


def query_words(text: str) -> tuple[Word, ...]:
    return tuple(word for chunk in text.split() if (word := _asked(chunk)).ways)


def _asked(chunk: str) -> Word:
    joined = [(spelling,) for spelling in _spellings(chunk)]
    parts = _parts(chunk)
    apart = [tuple(_spellings(part)[0] for part in parts)] if len(parts) > 1 else []
    return Word(tuple(dict.fromkeys(way for way in (*joined, *apart) if all(way))))


def _pieces(chunk: str) -> list[str]:
    """Splits at marks other than apostrophes: O'Brien is one word to many, and two to others."""
    return [piece for piece in _BETWEEN_PIECES.split(normalize("NFC", chunk)) if piece]


def _parts(chunk: str) -> list[str]:
    """Splits at apostrophes, hyphens and other marks."""
    return [part for part in _MARKS_BETWEEN.split(normalize("NFC", chunk)) if part]


def _spellings(chunk: str) -> list[str]:
    """Returns letters and figures alone: folded, and transliterated where that is another way."""
    ways = (_FOLDS,) if chunk.isascii() else (_FOLDS, _TRANSLITERATIONS)
    both = (_decomposed(chunk, letters) for letters in ways)
    plain = (normalize("NFC", _MARKS_BETWEEN.sub("", each))[:_MAX_WORD_CHARACTERS] for each in both)
    return list(dict.fromkeys(plain))


_BETWEEN_PIECES: Final = re.compile(r"[^\w'’‘`´ʼ]+")
_MARKS_BETWEEN: Final = re.compile(r"[\W_]+")
_UMLAUT: Final = re.compile("([aou])e")


def begins(word: Word, held: Iterable[str], *, whole: bool = False) -> bool:
    """Returns whether one of these words begins with the asked one; or equals it, if ``whole``."""
    held = list(held)
    return any(
        all(any(each == part if whole else each.startswith(part) for each in held) for part in way) for way in word.ways
    )


# ---------------------------------------------------------------- phone numbers

_DIGITS_AT_LEAST: Final = 5


def phones(value: str, country: str | None) -> list[str]:
    """Returns a stored number in E.164, where that is known, and without its country."""
    if number := _number(value, country):
        return [_e164(number), phonenumbers.national_significant_number(number)]
    digits = _digits(value)
    return [digits.lstrip("0")] if len(digits) >= _DIGITS_AT_LEAST and digits.strip("0") else []


@dataclass(frozen=True, slots=True)
class Phone:
    """A number of a search: ``exact`` holds it in E.164 as it may be meant, ``national`` without its country."""

    exact: tuple[str, ...]
    national: tuple[str, ...]


def query_phone(text: str, region: str | None) -> Phone | None:
    """Returns the phone number that the text is, or None. Numbers without a country are from ``region``."""
    if len(digits := _digits(text)) < _DIGITS_AT_LEAST or len(digits) > 20 or not _LIKE_A_NUMBER.fullmatch(text):
        return None
    numbers = [number for number in (_number(text, region), _number(f"+{digits}", None)) if number]
    exact = dict.fromkeys(_e164(number) for number in numbers)
    national = dict.fromkeys(phonenumbers.national_significant_number(number) for number in numbers)
    return Phone(tuple(exact), tuple(dict.fromkeys((*national, digits.lstrip("0")))))


_LIKE_A_NUMBER: Final = re.compile(
    r"(?:tel:)?[+\d\s()/.\-‐-―−\u200b-\u200f\u202a-\u202e\u2060]+(?:(?:x|ext\.?)\s*\d+)?", re.I
)


def _digits(text: str) -> str:
    return "".join(str(int(character)) for character in text if category(character) == "Nd")


@cache
def _is_region(country: str) -> bool:
    return country in phonenumbers.SUPPORTED_REGIONS


def usable_region(region: str) -> str:
    """Returns the region unchanged. Raises ValueError for one that has no phone numbers."""
    if not _is_region(region):
        raise ValueError("no region with phone numbers has these two letters")
    return region


def _number(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    international = _DOUBLE_ZERO.sub("+", text)
    try:
        number = phonenumbers.parse(international[:250], region if region and _is_region(region) else None)
    except NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


_DOUBLE_ZERO: Final = re.compile(r"^\s*00(?=[1-9])")


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


# ---------------------------------------------------------------- of a customer


def names_of(customer: Mapping[str, Any]) -> list[str]:
    keys = ("name", "firstName", "lastName", "organization")
    return [name for key in keys if isinstance(name := customer.get(key), str)]


def addresses_of(customer: Mapping[str, Any]) -> list[str]:
    """Returns the customer's e-mail addresses, the registered one first; none where the viewer may not see them."""
    values = [customer.get("email"), *(each.get("value") for each in _list(customer, "emails"))]
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))


def phones_of(customer: Mapping[str, Any]) -> list[str]:
    return [value for each in _list(customer, "phones") if isinstance(value := each.get("value"), str)]


def home_of(customer: Mapping[str, Any]) -> str | None:
    """Returns the country that the customer's phone numbers are from, where these do not say so."""
    billing = customer.get("billingAddress")
    return customer.get("country") or (
        cast(Mapping[str, Any], billing).get("country") if type(billing) is dict else None
    )


def search_copies(customer: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all keys of ``SEARCH_COPIES`` that have a value."""
    numbers = [form for value in phones_of(customer) for form in phones(value, home_of(customer))]
    made: dict[str, Any] = {
        "searchName": folded(str(customer["name"])),
        "searchNumber": folded(str(customer["number"])),
        "searchLastName": folded(str(customer.get("lastName") or "")),
        "searchTags": _each(folded(str(tag)) for tag in customer.get("tags") or ()),
        "searchEmails": _each(map(address, addresses_of(customer))),
        "searchPhones": _each(numbers),
        "searchWords": words(names_of(customer)),
    }
    return {key: value for key, value in made.items() if value}


def _each(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _list(customer: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """Returns the list under the key; empty where another value is stored, or it was masked."""
    value = customer.get(key)
    if isinstance(value, Refusal) or not isinstance(value, list):
        return []
    return [cast(dict[str, Any], each) for each in cast(list[Any], value) if isinstance(each, dict)]
