"""Reads what a client says to page through a list: how many rows, and from which cursor on. Pure.

A cursor is where a page ended. It counts only for the list that gave it, and is encrypted: a client learns nothing that
a row hides, and nobody makes one up to find out where a row would stand.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from app.domain.moments import MAX_ORDER, ORDER
from app.domain.paging import AnyOf, In, Page, PageRequest, Position, Selection, Where
from app.domain.points import MAX_TOTAL
from app.domain.refusals import BadCursor, BadUserInput
from app.domain.times import first_millisecond, stored

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AT_MOST: Final = 12_000  # a name may have 1,000 characters, each of them written as six, in base64
_TEXTS: Final = {"_id", "type", "name", "searchName", "number"}
_INTEGERS: Final = {"seq", "sequence", "points", "spendable", "pointsAwarded"}


KEY_BYTES: Final = 32


class Cipher:
    """The cipher encrypts equal positions equally, so that a client may compare cursors (AES-SIV, RFC 5297).

    The key is this process's own until `use` brings the one that all processes share.
    """

    def __init__(self) -> None:
        self.use(secrets.token_bytes(KEY_BYTES))

    def use(self, key: bytes) -> None:
        aes = AESSIV(key)
        self.encrypt, self.decrypt = aes.encrypt, aes.decrypt


CIPHER: Final = Cipher()

DEFAULT_SIZE: Final = 20
MAXIMUM_SIZE: Final = 100


def page_request_of(
    selection: Selection,
    parent: str,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    at: datetime | None = None,
) -> PageRequest:
    """Returns the part of ``parent``'s list that Relay's four arguments ask for. Raises BadUserInput, BadCursor.

    The schema gives ``first`` its default, which is not a request to page forwards.
    """
    backwards = last is not None or before is not None
    if backwards and first == DEFAULT_SIZE:
        first = None
    if backwards and (first is not None or after is not None):
        raise BadUserInput(
            "Page forwards with first and after, or backwards with last and before, not both ways.", "last"
        )
    if at is not None:
        if after is not None or before is not None:
            raise BadUserInput("A page begins at a time or at a cursor: leave out at, after or before.", "at")
        if not selection.listing.orders[selection.order].keys[0].endswith("At"):
            raise BadUserInput("Only a list in the order of time has a page at a time: leave out orderBy or at.", "at")
        return PageRequest(
            selection, size_of(last if backwards else first), _position_at(selection, at), last is not None
        )
    name, size, cursor = ("last", last, before) if backwards else ("first", first, after)
    position = None if cursor is None else decode(cursor, selection, parent)
    return PageRequest(selection, size_of(size, name), position, backwards)


def _position_at(selection: Selection, at: datetime) -> Position:
    """Returns the position in a list by time from which a page begins with the rows of that moment.

    Raises BadUserInput where there is no millisecond before it, or behind it.
    """
    try:
        if selection.descending:
            return stored(at) + _MILLISECOND, None, ""
        return first_millisecond(at) - _MILLISECOND, MAX_ORDER, "\uffff"
    except OverflowError:
        raise BadUserInput("A page begins between the first and the last millisecond there is.", "at") from None


def size_of(size: int | None, name: str = "first") -> int:
    """Returns the number of rows that the argument ``name`` asks for, or the default. Raises BadUserInput."""
    if size is None:
        return DEFAULT_SIZE
    if not 0 <= size <= MAXIMUM_SIZE:
        raise BadUserInput(f"{name} must lie between 0 and {MAXIMUM_SIZE}; it is {size}.", name)
    return size


def cursor_of(page: Page, document: Mapping[str, Any]) -> str:
    selection = page.request.selection
    keys = selection.listing.orders[selection.order].keys
    return encode(selection, page.parent, tuple(document.get(key) for key in keys))


def encode(selection: Selection, parent: str, position: Position) -> str:
    values = [(value - _EPOCH) // _MILLISECOND if isinstance(value, datetime) else value for value in position]
    plain = json.dumps([_tag(selection, parent), *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(CIPHER.encrypt(plain, None)).rstrip(b"=").decode()


def decode(cursor: str, selection: Selection, parent: str) -> Position:
    """Returns the position in a cursor.

    Raises BadCursor for what ``encode`` never made, or made for another list, filter, order or owner.
    """
    try:
        tag, *values = _items(cursor)
    except ValueError:
        raise BadCursor("This is not a cursor of ours: pass one that a page gave, unchanged.") from None
    if tag != _tag(selection, parent):
        raise BadCursor("This cursor belongs to another list: its filter, order or owner differs. Begin without one.")
    order = selection.listing.orders[selection.order]
    try:
        return tuple(
            _value(key, value, may_be_none=order.may_lack_first and index == 0)
            for index, (key, value) in enumerate(zip(order.keys, values, strict=True))
        )
    except (ValueError, OverflowError):
        raise BadCursor("This cursor was altered: pass one that a page gave, unchanged.") from None


def _items(cursor: str) -> list[Any]:
    if len(cursor) > _AT_MOST:
        raise ValueError
    try:  # what is no JSON is a ValueError too
        encrypted = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        decoded = json.loads(CIPHER.decrypt(encrypted, None))
    except (binascii.Error, UnicodeError, RecursionError, InvalidTag) as broken:
        raise ValueError from broken
    if not isinstance(decoded, list) or not decoded:
        raise ValueError
    return cast(list[Any], decoded)


def _value(key: str, value: Any, *, may_be_none: bool) -> Any:
    """Returns the value if the key's type has it: a cursor comes from outside, nothing else reaches the database."""
    if value is None and may_be_none:
        return None
    if key in _TEXTS:
        if type(value) is str:
            value.encode()  # half a surrogate pair is a ValueError: no text to the database
            return value
    elif key == ORDER:
        if value is None or (type(value) is int and abs(value) <= MAX_ORDER):
            return value
    elif type(value) is int:
        if key not in _INTEGERS:
            return _EPOCH + value * _MILLISECOND
        if abs(value) <= MAX_TOTAL:
            return value
    raise ValueError(key)


def _tag(selection: Selection, parent: str) -> str:
    return base64.urlsafe_b64encode(blake2b(_list_of(selection) + parent.encode(), digest_size=6).digest()).decode()


@lru_cache(256)
def _list_of(selection: Selection) -> bytes:
    """Returns what is equal for each spelling of the same rows in the same order, and for no others."""
    listing = selection.listing
    where, keys = _canonical(selection.where), listing.orders[selection.order].keys
    return repr((listing.collection, listing.prefix, where, selection.order, keys, selection.descending)).encode()


def _canonical(value: object) -> object:
    """Returns conditions, and the values of a set, in an order of their own, each once."""
    match value:
        case In(values):
            return "In", sorted({repr(each) for each in values})
        case AnyOf(wheres):
            return "AnyOf", sorted({repr(_canonical(where)) for where in wheres})
        case tuple():
            return sorted((key, repr(_canonical(condition))) for key, condition in cast(Where, value))
        case _:
            return value
