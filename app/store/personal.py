"""Says what of stored documents is personal, as schema.py and the catalogue declare it, and makes documents without it.

Pure. What an erasure leaves of a document, what a person gets as their data, and what is looked for afterwards all
follow from the one declaration.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from app.catalogue import ATTRIBUTE_NAMES, CUSTOMER_FIELDS, PERSONAL
from app.catalogue.external_requests import IMPERSONAL
from app.domain.moments import ORDER
from app.domain.vocabulary import ActorKind
from app.store.driver import Document
from app.store.forms import Collection, Declared, Schema
from app.store.schema import COLLECTIONS

ERASED: Final = "[erased]"
"""Stands where a document must have a text."""
ERASED_NAME: Final = "Anonymised customer"
_POSTAL_KEPT: Final = 2
"""Characters of a postal code that stay: they name a region."""
_ATTRIBUTES: Final = {"activities": frozenset({*ATTRIBUTE_NAMES} - {*PERSONAL}), "requests": IMPERSONAL}
"""The attributes that stay. What the catalogue does not know may be personal."""
_ERASE_AT_SOURCE: Final = "ERASE_AT_SOURCE"


def undeclared(name: str, collection: Collection) -> Iterator[str]:
    """Yields the paths of values that may hold a text and do not say whether it is personal."""
    for key, schema in {**collection.required, **collection.optional}.items():
        yield from _undeclared(f"{name}.{key}", schema)


def _undeclared(path: str, schema: Schema) -> Iterator[str]:
    if isinstance(schema, Declared) or "enum" in schema:
        return
    if "properties" in schema:
        for key, inner in cast(Mapping[str, Schema], schema["properties"]).items():
            yield from _undeclared(f"{path}.{key}", inner)
    elif "items" in schema:
        yield from _undeclared(f"{path}[]", schema["items"])
    elif "pattern" not in schema and not {"string", "object", "array", "binData"}.isdisjoint(_types(schema)):
        yield path


def _types(schema: Schema) -> set[str]:
    types: str | list[str] = schema.get("bsonType", [])
    return {types} if isinstance(types, str) else {*types}


# ---------------------------------------------------------------- without it


def without_personal(collection: str, document: Mapping[str, Any]) -> Document:
    """Returns what an erasure leaves of a document: who did what, when, how much; not of whom."""
    declared = COLLECTIONS[collection]
    left = _left({**declared.required, **declared.optional}, document, {*declared.required})
    if (impersonal := _ATTRIBUTES.get(collection)) is not None and "attributes" in document:
        attributes: Mapping[str, Any] = document["attributes"]
        left["attributes"] = {name: value for name, value in attributes.items() if name in impersonal}
    if collection == "customers" and "fields" in document:
        plain = {each.name for each in CUSTOMER_FIELDS.values() if not each.personal}
        left["fields"] = [each for each in document["fields"] if each["name"] in plain]
    if document.get("kind") == _ERASE_AT_SOURCE and "sealed" in document:
        left["sealed"] = document["sealed"]  # who is to be erased there; it goes when the source has the request
    return {**left, "_id": document["_id"], **({ORDER: document[ORDER]} if ORDER in document else {})}


def _left(properties: Mapping[str, Schema], document: Mapping[str, Any], required: set[str]) -> Document:
    left: Document = {}
    if document.get("kind") == ActorKind.CUSTOMER and "name" in document:  # an actor: the customer
        document = {"kind": document["kind"], "name": ERASED_NAME}
    for key, value in document.items():
        schema = properties.get(key)
        if schema is None:
            continue
        if isinstance(schema, Declared) and schema.personal:
            if key == "postalCode":
                left[key] = str(value)[:_POSTAL_KEPT]
            elif key in required:
                left[key] = _stand_in(schema)
        else:
            left[key] = _inside(schema, value)
    return left


def _inside(schema: Schema, value: Any) -> Any:
    if isinstance(schema, Declared) or value is None:
        return value
    if "properties" in schema and isinstance(value, dict):
        return _left(schema["properties"], cast(Document, value), {*schema.get("required", ())})
    if "items" in schema and isinstance(value, list):
        return [_inside(schema["items"], each) for each in cast(list[Any], value)]
    return value


def _stand_in(schema: Schema) -> Any:
    """Returns what stands where a document must have a value of this kind."""
    if "array" in _types(schema):
        return []
    if "object" in _types(schema):
        return {}
    return b"" if "binData" in _types(schema) else ERASED


# ---------------------------------------------------------------- what it is


def personal_texts(collection: str, document: Mapping[str, Any]) -> set[str]:
    """Returns all texts of a document that an erasure takes away."""
    kept = set(_texts(without_personal(collection, document)))
    return {text for text in _texts(document) if text not in kept}


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in cast(Document, value).values():
                yield from _texts(each)
        case list():
            for each in cast(list[Any], value):
                yield from _texts(each)
        case _:
            pass
