"""Says how the values in a line of an import are read, and what is said of those that cannot be. Pure.

What is read fits the validators of the collections (store/schema.py): no line that passes here can stop a write.
"""

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import getaddresses
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

from email_validator import EmailNotValidError, validate_email

from app.catalogue.model import AttributeKind, did_you_mean
from app.domain import attributes
from app.domain.customers import is_web_address
from app.domain.ids import derived_id
from app.domain.points import INT32_MAX
from app.domain.search import cleaned, folded, is_visible

_FILE_AT_MOST = 512 * 1024  # in base64 it still fits into a line


class Identity(NamedTuple):
    """An identity is what a source system calls a thing."""

    source: str
    id: str

    def __str__(self) -> str:
        return f"{self.id} of {self.source}"


class Problems(ValueError):
    """Raised with all that is wrong with an object: sentences that begin with the key, as a path where it lies deeper.

    The import catches it and writes the sentences into the rejects file.
    """

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences

    def within(self, key: str) -> "Problems":
        return Problems(*(f"{key}.{sentence}" for sentence in self.sentences))


class Form(NamedTuple):
    """A form reads one value. ``read`` raises ValueError, or Problems where it can say more.

    ``requirement`` completes "<key> must be …". ``key`` is how a document spells the key, if the line has another.
    """

    requirement: str
    read: Callable[[Any], Any]
    key: str = ""

    def into(self, key: str) -> "Form":
        return self._replace(key=key)


@dataclass(frozen=True, slots=True)
class LineShape:
    """A shape holds the keys of an object. A value that is null or an empty text counts as left out."""

    required: Mapping[str, Form] = field(default_factory=dict[str, Form])
    optional: Mapping[str, Form] = field(default_factory=dict[str, Form])
    forms: Mapping[str, Form] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forms", {**self.required, **self.optional})

    def read(self, given: object) -> dict[str, Any]:
        """Returns the document that the object says. Raises Problems, or ValueError if it is not an object."""
        document, _ = self.read_apart(given, frozenset())
        return document

    def read_apart(self, given: object, apart: Set[str]) -> tuple[dict[str, Any], list[str]]:
        """Returns the document, and what is wrong with keys that stand ``apart``: a bad value of these costs no other.

        Raises Problems with what is wrong with all others, or ValueError if it is not an object.
        """
        if not isinstance(given, dict):
            raise ValueError
        given = cast(dict[str, Any], given)
        forms = self.forms
        document: dict[str, Any] = {}
        problems: list[str] = []
        left_out: list[str] = []
        for key, form in forms.items():
            value = given.get(key)
            if value is None or value == "":
                if key in self.required:
                    problems.append(f"{key} is required.")
                continue
            wrong = left_out if key in apart else problems
            try:
                document[form.key or key] = form.read(value)
            except Problems as inner:
                wrong += inner.within(key).sentences
            except ValueError:
                wrong.append(f"{key} must be {form.requirement}.")
        problems += (f"{key} is unknown{did_you_mean(key, forms)}" for key in given.keys() - forms.keys())
        if problems:
            raise Problems(*left_out, *problems)
        return document, left_out


# ---------------------------------------------------------------- single values

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][\w!#$&^.+-]*/[A-Za-z0-9][\w!#$&^.+-]*", re.ASCII)
_CONTENT_ID = re.compile(r"[!-;=?-~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # has no UTF-8 form, so nothing could carry it


def text(at_most: int = 1_000, *, lines: bool = False) -> Form:
    """Returns the form of a text that shows something. ``lines`` admits line breaks and tabs."""
    refused = _CONTROL_IN_LINES if lines else _CONTROL

    def read(value: object) -> str:
        if not isinstance(value, str) or len(value) > at_most:
            raise ValueError
        if value.isascii() and value.isprintable() and value.strip():  # most, and at once
            return value
        given = value.replace("\r\n", "\n").replace("\r", "\n") if lines else value
        if refused.search(given) or not is_visible(given):
            raise ValueError
        return given

    return Form(f"text of at most {at_most:,} characters" + ("" if lines else " on one line"), read)


def trimmed(at_most: int = 1_000) -> Form:
    """Returns the form of a text that names something: without blank ends, with single blanks inside."""
    form = text(at_most)

    def read(value: object) -> str:
        return cleaned(form.read(value))

    return form._replace(read=read)


def body(at_most: int) -> Form:
    """Returns the form of a text that is stored as it is, whatever its line ends and controls."""

    def read(value: object) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= at_most or _SURROGATE.search(value):
            raise ValueError
        return value

    return Form(f"text of at most {at_most:,} characters", read)


OURS = "platform"


def _source(value: object) -> str:
    given = TEXT.read(value)
    if _is_ours(given):
        raise ValueError
    return given


@lru_cache(1_000)
def _is_ours(source: str) -> bool:
    return folded(source) == OURS


def _subject(value: object) -> str:
    """Returns a subject that is a line of text also once its encoded words (RFC 2047) are decoded."""
    given = TEXT.read(value)
    if "=?" in given:
        try:
            decoded = str(make_header(decode_header(given)))
        except (LookupError, UnicodeError, ValueError, HeaderParseError):
            decoded = given
        if _CONTROL.search(decoded):
            raise ValueError
    return given


def matching(pattern: str, requirement: str) -> Form:
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError
        return value

    return Form(requirement, read)


def integer(at_least: int, at_most: int = INT32_MAX) -> Form:
    def read(value: object) -> int:
        number = attributes.parse(AttributeKind.INTEGER, value)
        if not isinstance(number, int) or not at_least <= number <= at_most:
            raise ValueError
        return number

    return Form(f"a whole number from {at_least:,} to {at_most:,}", read)


def one_of(values: Iterable[StrEnum]) -> Form:
    words = [each.value for each in values]

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(value)
        return str(value)

    return Form(f"one of {', '.join(words)}", read)


def _as_attribute(kind: AttributeKind) -> Form:
    return Form(attributes.FORMS[kind], partial(attributes.parse, kind))


def _first_of(forms: Iterable[Form], value: object) -> Any:
    for form in forms:
        with suppress(ValueError):
            return form.read(value)
    raise ValueError


def _email_address(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    local, _, domain = value.rpartition("@")
    if len(value) <= 100 and domain.isascii() and _PLAIN.fullmatch(local):  # most; no rule looks at both parts then
        return f"{local}@{_mail_domain(domain)}"
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValueError from None


_PLAIN = re.compile(r"(?!.{65})[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")


@lru_cache(4_096)  # many have their mail at the same host
def _mail_domain(domain: str) -> str:
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).domain
    except EmailNotValidError:
        raise ValueError from None


def _pkpass(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError
    content = base64.b64decode(value, validate=True)
    if not (content.startswith(b"PK\x03\x04") and len(content) <= _FILE_AT_MOST):
        raise ValueError
    return content


def _content(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError
    content = base64.b64decode(value, validate=True)
    if len(content) > _FILE_AT_MOST:
        raise ValueError
    return content


def _media_type(value: object) -> str:
    if not isinstance(value, str) or len(value) > 200 or not _MEDIA_TYPE.fullmatch(value):
        raise ValueError
    return value.lower()


def _content_id(value: object) -> str:
    """Returns the id without the angle brackets that a header has around it."""
    given = text(250).read(value).strip()
    bare = given[1:-1] if given.startswith("<") and given.endswith(">") else given
    if not _CONTENT_ID.fullmatch(bare):
        raise ValueError
    return bare


def _mailboxes(value: object) -> str:
    """Returns one address or several, with or without names, as they stand in a header."""
    given = TEXT.read(value)
    found = getaddresses([given])
    if not found or any("@" not in each for _, each in found):
        raise ValueError
    for _, each in found:
        _email_address(each)
    return given


def _attributes(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError
    given = cast(dict[str, object], value)
    for name in given:
        TEXT.read(name)
    return given


TEXT = text()
SUBJECT = Form(f"{TEXT.requirement}, also when it is decoded", _subject)
SOURCE = Form(f"{TEXT.requirement}, and not {OURS}, which is this gateway itself", _source)
LONG_TEXT = text(10_000, lines=True)
NAME = trimmed()
BODY = body(4_000_000)
TIME = _as_attribute(AttributeKind.DATETIME)
DATE = _as_attribute(AttributeKind.DATE)
TIME_OR_DATE = Form(f"{TIME.requirement}, or {DATE.requirement}", partial(_first_of, (TIME, DATE)))
MONEY = _as_attribute(AttributeKind.MONEY)
BOOLEAN = _as_attribute(AttributeKind.BOOLEAN)
POINTS = integer(-INT32_MAX)
COUNT = integer(0)
CURRENCY = matching("[A-Z]{3}", "a currency of three capitals, such as EUR")
LOCALE = matching("[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?", "a language tag, such as de or de-CH (BCP 47)")
COUNTRY = matching("[A-Z]{2}", "a country of two capitals, such as NO")
EMAIL_ADDRESS = Form("an e-mail address", _email_address)


def _website(value: object) -> str:
    address = TEXT.read(value)
    if not is_web_address(address):
        raise ValueError
    return address


WEBSITE = Form("the address of a web page, such as https://example.com, of at most 1,000 characters", _website)


def _link(value: object) -> str:
    address = text(2_000).read(value)
    if not re.fullmatch(r"(?i:https?)://[^\s<>\"]+", address) or not is_web_address(address):
        raise ValueError
    return address


LINK = Form("an address of at most 2,000 characters that begins with http:// or https://", _link)
HTTPS_URL = matching(r"https://[^\s<>\"]{1,1990}", "an https:// address")
CONTENT = Form("a file of at most 512 KiB in base64", _content)
MEDIA_TYPE = Form("a media type, such as application/pdf", _media_type)
CONTENT_ID = Form("the id by which the HTML names it, without cid:", _content_id)
MAILBOXES = Form("one or more e-mail addresses, with commas between them", _mailboxes)
UNSUBSCRIBE = matching(
    r"<(?:https?|mailto):[!-;=?-~]{1,900}>(?:\s*,\s*<(?:https?|mailto):[!-;=?-~]{1,900}>){0,3}",
    "one to four addresses as the header has them, such as <https://example.com/u/1>, <mailto:u@example.com>",
)
PKPASS = Form("a pass file (.pkpass) of at most 512 KiB in base64", _pkpass)
ATTRIBUTES = Form("an object of names and values", _attributes)


# ---------------------------------------------------------------- what is made of others


def object_of(requirement: str, required: Mapping[str, Form], optional: Mapping[str, Form] | None = None) -> Form:
    return Form(f"an object with {requirement}", LineShape(required, optional or {}).read)


def list_of(form: Form, *, at_most: int = 100) -> Form:
    def read(value: object) -> list[Any]:
        if not isinstance(value, list) or len(cast(list[Any], value)) > at_most:
            raise ValueError
        items: list[Any] = []
        for position, item in enumerate(cast(list[Any], value)):
            try:
                items.append(form.read(item))
            except Problems as inner:
                raise inner.within(str(position)) from None
        return items

    return Form(f"a list of at most {at_most}, each {form.requirement}", read)


_NAMED = object_of("source and id", {"source": SOURCE, "id": TEXT})


def _identity(value: object) -> Identity:
    if isinstance(value, dict) and all(isinstance(each, str) for each in cast(dict[str, object], value).values()):
        return _named(*cast(dict[str, str], value).items())
    return Identity(**_NAMED.read(value))


@lru_cache(10_000)  # a customer has many lines
def _named(*items: tuple[str, str]) -> Identity:
    return Identity(**_NAMED.read(dict(items)))


IDENTITY = Form(_NAMED.requirement, _identity)


def reference(collection: str) -> Form:
    """Returns the form that reads {source, id} of an imported thing as its id here, whether it exists yet or not."""

    def read(value: object) -> str:
        source, source_id = _identity(value)
        return derived_id(collection, source=source, source_id=source_id)

    return Form(IDENTITY.requirement, read)


def reference_to_one_of(collections: Mapping[str, str]) -> Form:
    """Returns the form that reads {kind, source, id}, where several kinds may be meant."""
    kind = matching("|".join(collections), f"one of {', '.join(collections)}")
    named = object_of("kind, source and id", {"kind": kind, "source": TEXT, "id": TEXT})

    def read(value: object) -> str:
        given = named.read(value)
        return derived_id(collections[given["kind"]], source=given["source"], source_id=given["id"])

    return Form(named.requirement, read)
