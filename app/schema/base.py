"""Defines what all types share: documents as sources, nodes, scalars, enums with their words."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Final, NewType, ParamSpec, TypeAlias, TypeVar, cast

import orjson
import strawberry
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.scalar import ScalarDefinition
from strawberry.utils.str_converters import to_camel_case

from app.context import Context
from app.domain import times
from app.domain.amounts import DECIMAL
from app.domain.ids import collection_of, has_id_form
from app.domain.kinds import BY_COLLECTION, KINDS
from app.domain.merging import owners_of
from app.domain.points import MAX_TOTAL
from app.domain.refusals import Refusal

Info: TypeAlias = strawberry.Info[Context, None]
Document: TypeAlias = dict[str, Any]
E = TypeVar("E", bound=type[StrEnum])
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

# ---------------------------------------------------------------- sources

_KEYS: Final = {"id": "_id", "from_": "from", "list_": "list", "pass_": "pass", "user_id": "id", "external_id": "id"}
"""The few names that Python, MongoDB or the caches of clients, to which an ``id`` is an identity, force apart."""


@cache
def key_of(python_name: str) -> str:
    """Returns the document's key for a field: the field's own name, ``occurredAt``."""
    return _KEYS.get(python_name) or to_camel_case(python_name)


def read_key(source: object, python_name: str) -> object:
    """Returns the document's value for a field; documents flow untouched from the database to the response."""
    if type(source) is not dict:
        return getattr(source, python_name)
    document = cast(Document, source)
    return document.get(key_of(python_name))


@strawberry.interface(description="An object with a globally unique id, by which `node` and `nodes` find it.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="The globally unique id. Its prefix names the type: "
        + " ".join(f"{kind.prefix}_" for kind in KINDS)
        + "."
    )

    @classmethod
    def resolve_type(cls, document: Document, *_: object) -> str:
        return BY_COLLECTION[collection_of(document["_id"])].type

    @classmethod
    def is_type_of(cls, *_: object) -> bool:
        """Returns True: sources are plain documents, and their collection has settled what they are."""
        return True


Source: TypeAlias = Any
"""What a resolver returns where its field's type is declared: a document, a page, a row of the catalogue."""


def reads(keys: str) -> Callable[[F], F]:
    """Declares all keys that a resolver looks at in its source. Without it the whole document is read for it."""

    def declared(resolver: F) -> F:
        READ_KEYS[resolver] = tuple(keys.split())
        return resolver

    return declared


READ_KEYS: Final[dict[Callable[..., Any], tuple[str, ...]]] = {}


def fingerprint(value: object) -> str:
    """Returns a short name for a value that is the same in every process."""
    return sha256(repr(value).encode()).hexdigest()[:24]


def follow(info: Info, document: Document, key: str) -> Source:
    """Returns the document that ``key`` names, if any, still to be awaited. Raises Forbidden if it was masked."""
    node_id = document.get(key)
    if isinstance(node_id, Refusal):
        raise node_id
    return linked_document(info, node_id) if node_id else None


def follow_own(info: Info, document: Document, key: str) -> Source:
    """Returns what `follow` does, but null if the document belongs to another customer.

    An id that a source had wrong shows nobody else's. The resolver reads ``customerId``, too.
    """
    owners = owners_of(document)

    def own(found: Document | None) -> Document | None:
        return found if found is not None and not owners.isdisjoint(owners_of(found)) else None

    deferred = follow(info, document, key)
    if deferred is not None:
        info.context.loaders.documents.near(deferred.key, owners)
        deferred.then = own
    return deferred


async def load_deferred(deferred: Source) -> Source:
    """Returns what `follow` and its kin deferred, once it is read."""
    return None if deferred is None else await deferred


def linked_document(info: Info, node_id: object, *, owner: Document | None = None) -> Source:
    """Returns the document of an id that another one holds, still to be awaited. ``owner``: that other one, if both are
    of the same customer.

    Raises TypeError for what is not an id, before it costs its neighbours.
    """
    if not isinstance(node_id, str) or not has_id_form(node_id):
        raise TypeError("not an id")
    if owner is not None:
        info.context.loaders.documents.near(node_id, owners_of(owner))
    return info.context.loaders.documents.defer(node_id)


def result_or_error(call: Callable[P, Source], *args: P.args, **kwargs: P.kwargs) -> Source:
    """Returns what ``call`` returns or raises: an item that fails costs its own place in a list, no other."""
    try:
        return call(*args, **kwargs)
    except Exception as failed:
        return failed


# ---------------------------------------------------------------- scalars


_MILLISECONDS: Final = tuple(f".{number:03}Z" for number in range(1000))


def iso_time(value: object) -> str:
    """Returns the time as responses have it. Raises TypeError for what is not a time."""
    if type(value) is datetime and value.tzinfo is UTC:
        # As they are stored, a thousand of them in an answer: three times as fast as isoformat.
        seconds = orjson.dumps(value, None, orjson.OPT_OMIT_MICROSECONDS)[1:20].decode()
        return seconds + _MILLISECONDS[value.microsecond // 1000]
    if not isinstance(value, datetime):
        raise TypeError("not a time")
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _parse_time(value: object) -> datetime:
    """Returns the time exact to the microsecond: ``filters.during`` rounds it up, ``times.stored`` down."""
    try:
        if isinstance(value, str):
            return times.moment(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        'Give a time with its offset, such as "2026-01-31T09:30:00Z" or "2026-01-31T10:30:00+01:00", '
        "of the years 1 to 9999."
    )


def _serialize_date(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a date")
    return date.fromisoformat(value).isoformat()


def _parse_date(value: object) -> str:
    try:
        day = _serialize_date(value)
        if day == value:  # neither 20260131 nor 2026-W05-6
            return day
    except (TypeError, ValueError):
        pass
    raise ValueError('Give a date such as "2026-01-31".')


def _serialize_decimal(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError("not a decimal")
    return f"{value:f}"


def _parse_decimal(value: object) -> Decimal:
    if not isinstance(value, str) or not DECIMAL.fullmatch(value):
        raise ValueError('Give a decimal number as a string, such as "12.50".')
    return Decimal(value)


def _safe_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_TOTAL:
        return int(value)  # the driver's 64-bit integers are a class of their own
    raise ValueError(f"Give a whole number between -{MAX_TOTAL} and {MAX_TOTAL}.")


def _as_it_is(value: object) -> object:
    return value


Date = NewType("Date", str)
SafeInt = NewType("SafeInt", int)
Json = NewType("Json", dict[str, Any])

SCALARS: Final[dict[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A point in time as RFC 3339, in UTC with milliseconds, such as 2026-01-31T09:30:00.000Z. "
        "Inputs may have any offset and any number of digits: stored values are cut to "
        "milliseconds, bounds of a window are exact, and a leap second is the second after it. A "
        "time without an offset is an error.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=iso_time,
        parse_value=_parse_time,
    ),
    Date: strawberry.scalar(
        name="Date",
        description="A calendar date without time or time zone (RFC 3339, full-date), such as 2026-01-31.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=_serialize_date,
        parse_value=_parse_date,
    ),
    SafeInt: strawberry.scalar(
        name="SafeInt",
        description="A whole number from -(2^53 - 1) to 2^53 - 1 as a JSON number, the range that JavaScript "
        "represents exactly (RFC 8259, section 6). `Int` ends at 2^31 - 1.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=_safe_integer,
        parse_value=_safe_integer,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="A JSON object (RFC 8259), as an input of this schema has it: to be sent back as a variable.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_as_it_is,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A decimal number as a string (the numeric string of General Decimal Arithmetic without an "
        'exponent), such as "12.50": money is never a float.',
        specified_by_url="https://speleotrove.com/decimal/daconvs.html",
        serialize=_serialize_decimal,
        parse_value=_parse_decimal,
    ),
}

# ---------------------------------------------------------------- words


def describe(enum: E, description: str, **values: str) -> E:
    """Returns the enum as GraphQL sees it, with a description for each of its values."""
    named = strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = vars(named)["__strawberry_definition__"]
    for value in definition.values:
        value.description = values.pop(value.name)
    assert not values, f"{enum.__name__} has no {', '.join(values)}"
    return named


ShortList = Annotated[
    int | None, strawberry.argument(description="The number of rows to return. Default 20, maximum 100.")
]
