"""Declares what can be exported: tables and their columns, who may read them, links to files, stored conditions. Pure.

A column has the name of the field that shows the same in GraphQL, below ``Customer`` or ``Activity``.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final, cast

from app.catalogue import ATTRIBUTE_NAMES
from app.domain import customer_fields
from app.domain.access import Forbidden, Masks
from app.domain.activities import title_of
from app.domain.customers import country_of, emails_of
from app.domain.paging import Ahead, AnyOf, Between, Condition, Contains, Exactly, Has, HasNamed, In, Named, Where
from app.domain.refusals import BadUserInput, no_such
from app.domain.vocabulary import ExportFormat, ExportStatus, ExportTable

Document = dict[str, Any]
COLUMNS_AT_MOST: Final = 100
UNFINISHED: Final = frozenset({ExportStatus.QUEUED, ExportStatus.RUNNING})
ATTRIBUTE: Final = "attribute."
"""A column of the details that begins so is an attribute, by its name in the catalogue."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column reads one value of a row.

    ``read`` looks at no other ``keys`` of the row; the rules mask ``field`` of ``collection``.
    """

    name: str
    collection: str
    field: str
    keys: tuple[str, ...]
    read: Callable[[Document], Any]

    @property
    def title(self) -> str:
        return customer_fields.label_of(self.name.removeprefix(ATTRIBUTE))


TABLES: Final[Mapping[ExportTable, str]] = {
    ExportTable.CUSTOMERS: "id number name firstName lastName organization jobTitle status registeredAt lastActivityAt "
    "paymentCount spendablePoints tags country email emails phones website dateOfBirth billingAddress.line1 "
    "billingAddress.line2 billingAddress.city billingAddress.region billingAddress.postalCode billingAddress.country "
    "identities",
    ExportTable.ACTIONS: "type title total",
    ExportTable.CUSTOM_FIELDS: "username userId name value total",
    ExportTable.DETAILS: "id occurredAt type title group source actor.name actor.kind actor.accessLevel actor.userId "
    "message points isNote recordedAt customer.id customer.number customer.name",
}
"""The columns of each table, in their default order. Customers have the fields of the catalogue, too, by their keys."""

_COLLECTIONS: Final = {ExportTable.CUSTOMERS: "customers", ExportTable.DETAILS: "activities"}
_CUSTOMER: Final[Mapping[str, tuple[str, Callable[[Document], Any]]]] = {
    "country": ("country billingAddress", country_of),
    "emails": ("email emails", lambda row: [each["value"] for each in emails_of(row)]),
    "phones": ("phones", lambda row: [each["value"] for each in row.get("phones", ())]),
    "identities": ("identities", lambda row: [f"{each['source']} {each['id']}" for each in row.get("identities", ())]),
    "spendablePoints": ("spendable", lambda row: row.get("spendable")),
}
_KEYS: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("id",): ("_id",),
    ("actor", "userId"): ("actor", "id"),
    ("userId",): ("id",),
}
_SHOWN_AS: Final = {"spendablePoints": "points"}
"""The field that shows a column of another name."""
_ACTIVITY: Final[Mapping[str, tuple[str, Callable[[Document], Any]]]] = {
    "title": ("type", lambda row: title_of(row["type"])),
}
CUSTOMER: Final = "customer"
"""The key of a row of the details under which its customer is put, for columns of theirs."""


def check_format(format_: ExportFormat) -> None:
    """Raises BadUserInput for a format that a table of rows has not."""
    if format_ is ExportFormat.ZIP:
        raise BadUserInput("ZIP is the format of requestDataExport. Rows are written as CSV or NDJSON.", "format")


def choose_columns(table: ExportTable, names: Sequence[str] | None, masks: Masks) -> tuple[Column, ...]:
    """Returns the chosen columns, by default all that may be read. Raises BadUserInput, Forbidden."""
    known = TABLES[table].split()
    if table == ExportTable.CUSTOMERS:  # a field that a role may not read does not exist for it
        own = (column_of(table, key) for key in customer_fields.keys())  # noqa: SIM118 # not a mapping's
        known += [column.name for column in own if not _forbidden(column, masks)]
    if names is None:
        return tuple(column for name in known if not _forbidden(column := column_of(table, name), masks))
    if not 1 <= len(names) <= COLUMNS_AT_MOST:
        raise BadUserInput(f"1 to {COLUMNS_AT_MOST} columns may be chosen; there are {len(names)}.", "columns")
    attributes = {f"{ATTRIBUTE}{name}" for name in ATTRIBUTE_NAMES} if table == ExportTable.DETAILS else set[str]()
    for name in names:
        if name not in known and name not in attributes:
            sentence = no_such("column", name, [*known, *attributes])
            raise BadUserInput(f"{sentence} There are: {', '.join(known)}.", "columns")
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise BadUserInput(f'The column "{twice}" is chosen twice.', "columns")
    columns = tuple(column_of(table, name) for name in names)
    for column in columns:
        if _forbidden(column, masks):
            raise Forbidden(f'Your role may not read the column "{column.name}".', "columns")
    return columns


def _forbidden(column: Column, masks: Masks) -> bool:
    if customer_fields.is_key(column.name):  # one key holds them all
        each = [{"name": customer_fields.name_of(column.name)}]
        return masks.applied(column.collection, {"fields": each})["fields"] != each
    return masks.forbids(column.collection, column.field)


@cache
def column_of(table: ExportTable, name: str) -> Column:
    """Returns the column of this name, which is one that ``choose_columns`` let pass."""
    collection, path = _COLLECTIONS.get(table, ""), tuple(name.split("."))
    if table == ExportTable.DETAILS and path[0] == CUSTOMER:
        (key,) = _stored(path[1:])
        return Column(name, "customers", key, ("customerId",), _read((CUSTOMER, key)))
    if name.startswith(ATTRIBUTE):
        return Column(name, collection, "attribute", ("attributes",), _read(("attributes", *path[1:])))
    if collection == "customers" and customer_fields.is_key(name):
        return Column(name, collection, "fields", ("fields",), lambda row: customer_fields.value_of(row, name))
    special = {"customers": _CUSTOMER, "activities": _ACTIVITY}.get(collection, {})
    if name in special:
        keys, read = special[name]
        return Column(name, collection, _SHOWN_AS.get(name, name), tuple(keys.split()), read)
    path = _stored(path)
    return Column(name, collection, path[0], path[:1], _read(path))


def _stored(path: tuple[str, ...]) -> tuple[str, ...]:
    return _KEYS.get(path, path)


def _read(path: tuple[str, ...]) -> Callable[[Document], Any]:
    if len(path) == 1:
        (key,) = path
        return lambda row: row.get(key)
    outer, inner = path

    def read(row: Document) -> Any:
        within = row.get(outer)
        return cast(Document, within).get(inner) if isinstance(within, dict) else within

    return read


# ---------------------------------------------------------------- conditions, stored until a worker comes to them


def conditions_of(where: Where) -> list[Document]:
    """Returns the conditions as a document can hold them; ``where_of`` is the way back."""
    return [{"key": key, **_stored_condition(condition)} for key, condition in where]


def where_of(conditions: Iterable[Mapping[str, Any]]) -> Where:
    return tuple((each["key"], _condition(each)) for each in conditions)


def _stored_condition(condition: Condition) -> Document:
    match condition:
        case In(values):
            return {"in": [asdict(each) if isinstance(each, Named) else each for each in values]}
        case Exactly(text):
            return {"exactly": text}
        case Between(at_least, below):
            return {"atLeast": at_least, "below": below}
        case Has(element):
            return {"has": _stored_condition(element)}
        case HasNamed(name, value):
            return {"hasNamed": name, "value": _stored_condition(value)}
        case Contains(pattern, in_values):
            return {"contains": pattern, "inValues": in_values}
        case Ahead(lies_ahead):
            return {"ahead": lies_ahead}
        case AnyOf(wheres):
            return {"anyOf": [conditions_of(where) for where in wheres]}


def _condition(each: Mapping[str, Any]) -> Condition:
    match each:
        case {"in": values}:
            return In(tuple(Named(**cast(Any, value)) if isinstance(value, dict) else value for value in values))
        case {"exactly": text}:
            return Exactly(text)
        case {"has": {"atLeast": at_least, "below": below}}:
            return Has(Between(at_least, below))
        case {"hasNamed": name, "value": {"in": values}}:
            return HasNamed(name, In(tuple(values)))
        case {"hasNamed": name, "value": {"atLeast": at_least, "below": below}}:
            return HasNamed(name, Between(at_least, below))
        case {"contains": pattern, "inValues": in_values}:
            return Contains(pattern, in_values)
        case {"ahead": lies_ahead}:
            return Ahead(lies_ahead)
        case {"anyOf": wheres}:
            return AnyOf(tuple(map(where_of, wheres)))
        case _:
            return Between(each["atLeast"], each["below"])


# ---------------------------------------------------------------- files and links


def file_name(export: Mapping[str, Any], made: datetime) -> str:
    return f"{export['table'].lower().replace('_', '-')}-{made:%Y-%m-%d}.{export['format'].lower()}"


def link(export: Mapping[str, Any], until: datetime) -> str:
    """Returns the path that opens the file to everybody who has it, until then; it takes the export's secret."""
    expires = int(until.timestamp())
    return f"/exports/{export['_id']}?expires={expires}&signature={signature(export, expires)}"


def signature(export: Mapping[str, Any], expires: int) -> str:
    return hmac.new(export["secret"], f"{export['_id']}\n{expires}".encode(), sha256).hexdigest()
