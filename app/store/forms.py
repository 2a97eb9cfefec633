"""Defines how collections and their values are described: forms of values, indexes, what is personal. Data; no I/O."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from app.domain.kinds import BY_COLLECTION
from app.domain.vocabulary import AccessLevel, ActorKind

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """An index has ``keys`` in order, all ascending: a descending page walks it backwards.

    ``partial_on`` makes the index partial on the existence of one field, which every document has: the planner may then
    use it only for a query that constrains this field. That steers it where no hint can (inside ``$lookup``), so
    that a page reads what it returns and nothing else; see docs/decisions/0002.
    """

    keys: str
    partial_on: str | None = None
    unique: bool = False
    collation: Mapping[str, Any] | None = None
    ttl_days: int | None = None  # after the time in its key, documents are deleted

    suffix: str = ""  # of the name, where another index has the same keys

    @property
    def name(self) -> str:
        return "_".join(key.lstrip("_") for key in (*self.keys.split(), *self.suffix.split()))


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection has keys, required and optional, and the indexes by which its documents are found."""

    required: Mapping[str, Schema]
    optional: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    indexes: tuple[Index, ...] = ()
    retired: tuple[str, ...] = ()
    """Names of indexes of earlier versions that keep out what may be written now: `indexes --apply` drops them."""

    @property
    def superseded(self) -> Set[str]:
        """Returns names of the indexes that versions before decision 28 read by, and this one does not."""
        former = (
            replace(each, keys=each.keys.replace("order _id", "_id").replace("occurredAt seq", "occurredAt _id"))
            for each in self.indexes
        )
        return {each.name for each in former} - {each.name for each in self.indexes}

    @property
    def validator(self) -> Schema:
        return {"$jsonSchema": object_of(self.required, self.optional)}


def object_of(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Returns the schema of an object with these keys."""
    needs = {"required": list(required)} if required else {}
    return {"bsonType": "object", **needs, "properties": {**required, **(optional or {})}}


def list_of(items: Schema, *, at_most: int = 100) -> Schema:
    """Returns the schema of a list."""
    return {"bsonType": "array", "items": items, "maxItems": at_most}


def text(at_most: int = 1_000) -> Schema:
    """Returns the schema of a text that is not empty."""
    return {"bsonType": "string", "minLength": 1, "maxLength": at_most}


class Declared(dict[str, Any]):
    """A declared schema says whether its value is personal, which no schema of MongoDB can say."""

    personal: bool


class _Personal(Declared):
    personal = True


class _Plain(Declared):
    personal = False


def personal(schema: Schema) -> Declared:
    """Declares a value that says who a customer is, or something about them in free words: it is erased with them."""
    return _Personal(schema)


def plain(schema: Schema) -> Declared:
    """Declares a value that stays when its customer is erased."""
    return _Plain(schema)


def one_of(values: type[StrEnum]) -> Schema:
    """Returns the schema of a value of a closed set."""
    return {"enum": [value.value for value in values]}


def reference(*collections: str) -> Schema:
    """Returns the schema of the id of a document in one of these collections."""
    return {"bsonType": "string", "pattern": f"^({'|'.join(BY_COLLECTION[name].prefix for name in collections)})_"}


WORD = plain(text())
PERSONAL = personal(text())
LONG_PERSONAL = personal(text(10_000))
BODY = personal(text(4_000_000))
ANYTHING: Schema = {"bsonType": "object"}
TIME: Schema = {"bsonType": "date"}
DATE = personal({"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
BOOLEAN: Schema = {"bsonType": "bool"}
POINTS: Schema = {"bsonType": "int"}
COUNT: Schema = {"bsonType": "int", "minimum": 0}
TOTAL: Schema = {"bsonType": ["int", "long"]}
LONG_COUNT: Schema = {"bsonType": ["int", "long"], "minimum": 0}
ROW_ORDER: Schema = TOTAL
"""The key ``order`` of each row that is listed: among the rows of one moment, see domain/moments.py."""
BUCKET: dict[str, Schema] = {"expiresAt": {"bsonType": ["date", "null"]}}
"""When points expire; null is never."""
CURRENCY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{3}$"}
COUNTRY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{2}$"}
MONEY = object_of({"amount": {"bsonType": "decimal"}, "currency": CURRENCY})
IDENTITY = object_of({"source": WORD, "id": PERSONAL})
# Of colleagues and programs: what they did stays theirs. A customer who acted themselves is told apart by ``kind``.
PERSON = object_of({"id": WORD, "name": WORD})
ACTOR = object_of(
    {"kind": one_of(ActorKind), "name": WORD},
    {"id": WORD, "accessLevel": one_of(AccessLevel), "onBehalfOf": PERSON},
)
# Of an erased customer country and region stay, and how the postal code begins (store/personal.py).
ADDRESS = object_of(
    {},
    dict.fromkeys(("line1", "line2", "city", "postalCode"), PERSONAL) | {"region": WORD, "country": COUNTRY},
)
CUSTOMER_ID = {"customerId": reference("customers")}
# A document of these collections is its own outbox entry: it is to be sent for as long as it has ``dueAt``, when it is
# tried next. Who takes it moves ``dueAt`` to the end of their lease.
UNSENT = {"dueAt": TIME, "giveUpAt": TIME, "error": PERSONAL}
