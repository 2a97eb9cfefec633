"""Reads and writes the fields that a company's own catalogue adds to customers (docs/catalogue.md). Pure.

A customer's document has them as a list of names and values, which one index serves. What a source says of one stands
beside its other values, under ``key_of`` its name.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from app.catalogue import CUSTOMER_FIELDS
from app.catalogue.model import AttributeKind, Audience, CatalogueField, did_you_mean
from app.domain import attributes
from app.domain.attributes import Raw, to_text
from app.domain.search import cleaned, is_visible
from app.domain.vocabulary import AccessLevel

_PREFIX: Final = "fields."


def key_of(name: str) -> str:
    return f"{_PREFIX}{name}"


def is_key(key: str) -> bool:
    return key.startswith(_PREFIX)


def name_of(key: str) -> str:
    return key.removeprefix(_PREFIX)


def label_of(key: str) -> str:
    """Returns the name to show to people of a customer's detail, or of a field, by its key."""
    field = CUSTOMER_FIELDS.get(name_of(key)) if is_key(key) else None
    return field.label if field else attributes.label_of(name_of(key))


def keys() -> list[str]:
    """Returns the key of each field that is declared."""
    return [key_of(name) for name in CUSTOMER_FIELDS]


def check_name(name: str, known: Collection[str] = CUSTOMER_FIELDS) -> None:
    """Raises ValueError for a name that no field has of those that are known to whoever gives it."""
    if name not in known:
        raise ValueError(f"{key_of(name[:100])} is unknown{did_you_mean(name, known)}")


def parse(name: str, value: object) -> Raw:
    """Returns the value of a field as it is stored. Raises ValueError, which says what is wrong."""
    try:
        return read(CUSTOMER_FIELDS[name], value)
    except ValueError as wrong:
        raise ValueError(f"{key_of(name)} must be {wrong}") from None


def read(field: CatalogueField, value: object) -> Raw:
    """Returns the raw form of a value. Raises ValueError, which ends a sentence: what it must be."""
    try:
        raw = attributes.parse(field.kind, value)
    except ValueError:
        raise ValueError(f"{form_of(field)}.") from None
    if isinstance(raw, str) and field.kind is AttributeKind.TEXT:
        raw = cleaned(raw)
        if not is_visible(raw):
            raise ValueError(f"{form_of(field)}.") from None
    if field.values and raw not in field.values:
        raise ValueError(form_of(field) + did_you_mean(str(raw), field.values)) from None
    return raw


def form_of(field: CatalogueField) -> str:
    return f"one of {', '.join(field.values)}" if field.values else attributes.FORMS[field.kind]


def value_of(customer: Mapping[str, Any], key: str) -> Any:
    """Returns what a customer has under a key of their document, or under the key of a field; None if nothing."""
    if is_key(key):
        return values_of(customer).get(name_of(key))
    return customer.get(key)


def values_of(customer: Mapping[str, Any]) -> dict[str, Raw]:
    return {each["name"]: each["value"] for each in customer.get("fields") or ()}


def with_values(customer: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the customer with those of these values that are fields; None takes one away."""
    new = {name_of(key): value for key, value in given.items() if is_key(key)}
    values = {**values_of(customer), **new} if new else {}
    left = [{"name": name, "value": values[name]} for name in sorted(values) if values[name] is not None]
    others = {key: value for key, value in customer.items() if not (new and key == "fields")}
    return {**others, "fields": left} if left else others


def united(everybody: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the fields of several customers who become one: the first who has a value has the say."""
    values: dict[str, Raw] = {}
    for each in everybody:
        values = {**values_of(each), **values}
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def texts_of(customer: Mapping[str, Any]) -> list[str]:
    """Returns what a customer has in the declared fields, as people read it: ``Tier: GOLD``."""
    values = values_of(customer)
    return [f"{field.label}: {to_text(values[name])}" for name, field in CUSTOMER_FIELDS.items() if name in values]


# ---------------------------------------------------------------- who may know of them


def is_known(roles: frozenset[AccessLevel], field: CatalogueField) -> bool:
    """Returns whether a field exists for a viewer of these roles, with every customer whom they see."""
    if not roles <= {AccessLevel.CUSTOMER, AccessLevel.AFFILIATE}:
        return True
    if AccessLevel.AFFILIATE in roles:
        return field.audience is Audience.CUSTOMER and not field.personal
    return field.audience is not Audience.STAFF


def known(roles: frozenset[AccessLevel]) -> Sequence[CatalogueField]:
    """Returns the fields that exist for these roles, in the order of the catalogue."""
    return [field for field in CUSTOMER_FIELDS.values() if is_known(roles, field)]


def readable(roles: frozenset[AccessLevel], stored: Sequence[Mapping[str, Any]] | None) -> list[Mapping[str, Any]]:
    """Returns those of a customer's fields that these roles may read."""
    names = {field.name for field in known(roles)}
    return [each for each in stored or () if each["name"] in names]


def readable_changes(
    roles: frozenset[AccessLevel], changes: Sequence[Mapping[str, Any]] | None
) -> Sequence[Mapping[str, Any]] | None:
    """Returns those of an activity's changes of details that these roles may read."""
    keys = {key_of(field.name) for field in known(roles)}
    return changes and [each for each in changes if not is_key(each["field"]) or each["field"] in keys]
