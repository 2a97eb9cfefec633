"""Declares every collection: what its documents look like and by which indexes they are found. Data; no I/O.

Keys are spelled as the GraphQL fields. A key that ends in ``Id`` names another document: ``emailId`` is what the
field ``email`` follows; ``customerId`` is the owner. Times are UTC with milliseconds, dates without a time are
``YYYY-MM-DD``, money is ``{amount: Decimal128, currency}``, points are 32-bit integers and their totals 64-bit ones.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from app.catalogue.model import ActivityGroup, Audience
from app.domain.cells import Separator
from app.domain.kinds import BY_COLLECTION
from app.domain.lead_source import LENGTHS
from app.domain.listings import PREVIEW_PARTS
from app.domain.points import PointsKind
from app.domain.report import DIMENSIONS
from app.domain.segments import MAX_STARS
from app.domain.uploads import MIME_TYPES
from app.domain.vocabulary import (
    AccessLevel,
    ActorKind,
    AdjustmentStatus,
    BlocklistSource,
    BlocklistType,
    CouponOrigin,
    CustomerStatus,
    DeliveryStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    MergeStatus,
    Outcome,
    PassType,
    PushStatus,
    ReadGroup,
    SegmentScope,
    TaxIdType,
    TaxIdValidity,
    TransactionStatus,
    TransactionType,
)
from app.store.driver import FOLDS_ACCENTS, FOLDS_CASE

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
        return {"$jsonSchema": _object(self.required, self.optional)}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    needs = {"required": list(required)} if required else {}
    return {"bsonType": "object", **needs, "properties": {**required, **(optional or {})}}


def _list(items: Schema, *, at_most: int = 100) -> Schema:
    return {"bsonType": "array", "items": items, "maxItems": at_most}


def _text(at_most: int = 1_000) -> Schema:
    return {"bsonType": "string", "minLength": 1, "maxLength": at_most}


def _one_of(values: type[StrEnum]) -> Schema:
    return {"enum": [value.value for value in values]}


def _reference(*collections: str) -> Schema:
    return {"bsonType": "string", "pattern": f"^({'|'.join(BY_COLLECTION[name].prefix for name in collections)})_"}


_TEXT = _text()
_LONG_TEXT = _text(10_000)
_BODY = _text(4_000_000)
_TIME: Schema = {"bsonType": "date"}
_DATE: Schema = {"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
_BOOLEAN: Schema = {"bsonType": "bool"}
_POINTS: Schema = {"bsonType": "int"}
_COUNT: Schema = {"bsonType": "int", "minimum": 0}
_TOTAL: Schema = {"bsonType": ["int", "long"]}
_LONG_COUNT: Schema = {"bsonType": ["int", "long"], "minimum": 0}
_CURRENCY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{3}$"}
_COUNTRY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{2}$"}
_MONEY = _object({"amount": {"bsonType": "decimal"}, "currency": _CURRENCY})
_IDENTITY = _object({"source": _TEXT, "id": _TEXT})
_PERSON = _object({"id": _TEXT, "name": _TEXT})
_ACTOR = _object(
    {"kind": _one_of(ActorKind), "name": _TEXT},
    {"id": _TEXT, "accessLevel": _one_of(AccessLevel), "onBehalfOf": _PERSON},
)
_CONTACT_POINTS = _list(_object({"value": _TEXT, "primary": _BOOLEAN}, {"label": _TEXT}))
_ADDRESS = _object({}, dict.fromkeys(("line1", "line2", "city", "region", "postalCode"), _TEXT) | {"country": _COUNTRY})
_LEAD_SOURCE = {key: _text(at_most) for key, at_most in LENGTHS.items()}
_DETAIL: Schema = {"bsonType": ["string", "array", "object"]}
_NAMED_VALUES = _list(_object({"name": _TEXT, "value": _TEXT}))
_BUCKET = {"expiresAt": {"bsonType": ["date", "null"]}}
_PORTION = _object({**_BUCKET, "points": _LONG_COUNT})
_CUSTOMER_ID = {"customerId": _reference("customers")}
ROW_ORDER: Final[Schema] = _TOTAL
"""The key ``order`` of each row that is listed: among the rows of one moment, see domain/moments.py."""
_FILE_ID: Schema = {"bsonType": "string", "pattern": "^fil_"}
_SENDING = {"attempts": _COUNT, "requestedAt": _TIME}
# A document of these collections is its own outbox entry: it is to be sent for as long as it has ``dueAt``, when it is
# tried next. Who takes it moves ``dueAt`` to the end of their lease.
_UNSENT = {"dueAt": _TIME, "giveUpAt": _TIME, "error": _TEXT}

_ATTACHMENT = _object(
    {
        "_id": {"bsonType": "string", "pattern": "^att_"},
        "uploadId": _reference("uploads"),
        "name": _text(255),
        "mimeType": {"enum": [*MIME_TYPES]},
        "bytes": _LONG_COUNT,
        "sha256": _TEXT,
        "uploadedBy": _ACTOR,
        "uploadedAt": _TIME,
    },
    {"description": _text(255)},
)


def _bucket(name: str) -> Mapping[str, Collection]:
    return {
        f"{name}.files": Collection(
            required={"length": _LONG_COUNT, "chunkSize": _COUNT, "uploadDate": _TIME, "filename": _TEXT},
            indexes=(Index("filename uploadDate"),),
        ),
        f"{name}.chunks": Collection(
            required={"files_id": _TEXT, "n": _COUNT, "data": {"bsonType": "binData"}},
            indexes=(Index("files_id n", unique=True),),
        ),
    }


_DECLARED: Final[Mapping[str, Collection]] = {
    "customers": Collection(
        required={
            "number": _TEXT,
            "name": _TEXT,
            "registeredAt": _TIME,
            "paymentCount": _COUNT,
            "tags": _list(_text(100)),
            "status": _one_of(CustomerStatus),
        },
        optional={
            "firstName": _TEXT,
            "lastName": _TEXT,
            "organization": _TEXT,
            "jobTitle": _TEXT,
            "dateOfBirth": _DATE,
            "website": _TEXT,
            "locale": _TEXT,
            "email": _TEXT,
            "emails": _CONTACT_POINTS,
            "phones": _CONTACT_POINTS,
            "billingAddress": _ADDRESS,
            "country": _COUNTRY,
            "identities": _list(_IDENTITY),
            "hasStatusDetails": _BOOLEAN,
            # Which source gave which of the tags; those of nobody here are people's.
            "tagSources": _list(_object({"tag": _text(100), "source": _TEXT}), at_most=1_000),
            "taxIds": _list(
                _object(
                    {
                        "type": _one_of(TaxIdType),
                        "value": _TEXT,
                        "isDefault": _BOOLEAN,
                        "validity": _one_of(TaxIdValidity),
                    }
                )
            ),
            "leadSource": _object({}, {**_LEAD_SOURCE, "original": _object({}, _LEAD_SOURCE)}),
            "mergedIntoId": _reference("customers"),
            # Of merges that were made here: which one closed this account, and whom a survivor has taken over. While
            # their rows are on the way, ``absorbingIds`` names whose, and ``rowsMoving`` is on each of these.
            "mergeId": _reference("merges"),
            "mergedFromIds": _list(_reference("customers"), at_most=1_000),
            "mergedIdentities": _list(_IDENTITY),  # those of the survivor's that came with others
            "absorbingIds": _list(_reference("customers")),
            "mergeInProgressId": _reference("merges"),
            "rowsMoving": {"enum": [True]},
            "affiliateId": _TEXT,
            # Which fields were edited here, with what they were before; what each source said last (domain/details.py).
            "edited": _list(_object({"field": _TEXT}, {"before": _DETAIL})),
            "sourceValues": _list(_object({"source": _TEXT, "id": _TEXT, "values": {"bsonType": "object"}})),
            "detailsRevision": _COUNT,  # the revision that changed the details last
            # What customers are listed by: copies, which every writer keeps up (domain/customers.py).
            "spendable": _TOTAL,
            "lastActivityAt": _TIME,
            "lastByType": {"bsonType": "object"},
            "campaigns": {"bsonType": "array", "items": _TEXT},
            # What they are found by: texts as they are compared (domain/search.py).
            **dict.fromkeys(("searchName", "searchLastName", "searchNumber"), _LONG_TEXT),
            **dict.fromkeys(
                ("searchTags", "searchEmails", "searchPhones", "searchWords"), _list(_LONG_TEXT, at_most=1_000)
            ),
            "revision": _COUNT,  # how many changes were made here: each counts it up, so that no two run side by side
            # The ledger's state as the rules left it (domain/points/); absent before the first entry.
            "points": _object(
                dict.fromkeys(("earned", "spent", "expired", "reserved", "pending"), _TOTAL)
                | {
                    "seq": _COUNT,
                    "buckets": _list(
                        _object({**_BUCKET, "remaining": _LONG_COUNT}, {"reserved": _LONG_COUNT}), at_most=10_000
                    ),
                },
                {"owed": _LONG_COUNT, "latestAt": _TIME},
            ),
        },
        indexes=(
            Index("number", unique=True),
            Index("identities.source identities.id", partial_on="identities.id", unique=True),
            # Of the search: texts are compared as they are kept.
            *(Index(key, partial_on=key) for key in ("searchNumber", "searchEmails", "searchPhones", "searchWords")),
            Index("affiliateId", partial_on="affiliateId"),
            Index("tags"),  # for the menu of all labels
            Index("points.buckets.expiresAt", partial_on="points.buckets.expiresAt"),
            # One for each order and one for each condition of the list of customers; see docs/decisions/0015.
            *(
                Index(keys, collation=FOLDS_ACCENTS, suffix="searched")
                for keys in (
                    "name _id",
                    "searchName _id",
                    "searchLastName",
                    "searchNumber",
                    "number _id",
                    "registeredAt _id",
                    "lastActivityAt _id",
                    "spendable _id",
                    "searchEmails",
                    "status",
                    "searchTags",
                    "country",
                    "billingAddress.country",
                    "paymentCount",
                    "campaigns",
                    "affiliateId",
                    "lastByType.$**",
                )
            ),
        ),
        retired=(
            "email",
            "emails.value",
            *(f"{key}_searched" for key in ("lastName", "email", "emails.value", "tags")),
        ),
    ),
    "activities": Collection(
        required={
            **_CUSTOMER_ID,
            "type": _TEXT,
            "source": _TEXT,
            "occurredAt": _TIME,
            "recordedAt": _TIME,
            "actor": _ACTOR,
            # Copied from the catalogue because the indexes need them; `indexes --apply` refreshes them.
            "group": _one_of(ActivityGroup),
            "isNote": _BOOLEAN,
            "legacy": _BOOLEAN,
        },
        optional={
            "audience": _one_of(Audience),  # the same; without it a customer never learns of the activity
            "title": _TEXT,  # of a legacy entry, as its source shows it
            "message": _LONG_TEXT,
            "attributes": {"bsonType": "object"},
            "changes": _list(_object({"field": _TEXT}, {"from": _TEXT, "to": _TEXT})),
            "points": _POINTS,
            "emailId": _reference("emails"),
            "noteId": _reference("notes"),
            "subjectId": _reference(
                "coupons", "passes", "transactions", "points", "emails", "notes", "adjustments", "blocklist", "merges"
            ),
            **dict.fromkeys(DIMENSIONS.values(), _TEXT),
            "currency": _CURRENCY,
            "country": _COUNTRY,
            "orderCustomFields": _NAMED_VALUES,
            "customFieldsSet": _NAMED_VALUES,
        },
        indexes=(
            Index("customerId legacy occurredAt order _id", partial_on="occurredAt"),
            Index("customerId legacy type occurredAt order _id", partial_on="type"),
            Index("customerId legacy group occurredAt order _id", partial_on="group"),
            Index("customerId legacy actor.kind occurredAt order _id", partial_on="actor.kind"),
            Index("customerId legacy source occurredAt order _id", partial_on="source"),
            Index("customerId legacy actor.id occurredAt order _id", partial_on="actor.id"),
            Index("customerId legacy isNote occurredAt order _id", partial_on="isNote"),
            Index("customerId legacy audience occurredAt order _id", partial_on="audience"),
            Index("customerId legacy points occurredAt order _id"),
            # Across customers, for the report: what stands behind ``_id`` is there to be counted without a document.
            Index(
                "legacy occurredAt order _id type isNote actor.kind actor.accessLevel actor.name",
                partial_on="occurredAt",
            ),
            Index("legacy type occurredAt order _id", partial_on="type"),
            Index("legacy actor.accessLevel occurredAt order _id type", partial_on="actor.accessLevel"),
            Index("legacy actor.name occurredAt order _id type", partial_on="actor.name"),
            Index("legacy actor.id occurredAt order _id type actor.kind", partial_on="actor.id"),
            *(Index(f"legacy {name} occurredAt order _id type", partial_on=name) for name in DIMENSIONS.values()),
            Index("legacy actor.kind actor.name occurredAt", partial_on="actor.kind"),
            Index("legacy orderCustomFields occurredAt order _id type", partial_on="orderCustomFields"),
            Index("legacy occurredAt order _id", partial_on="customFieldsSet"),
            Index("attributes.orderId", partial_on="attributes.orderId", collation=FOLDS_CASE),
        ),
    ),
    # The newest rows of each list that hangs on a customer, as they were at this revision: see store/previews.py.
    # Another version's heads may have other parts, and are kept here, too.
    "heads": Collection(
        required={"revision": _LONG_COUNT},
        optional={
            "form": _TEXT,
            **{part: _list({"bsonType": "object"}) for parts in PREVIEW_PARTS.values() for part in parts},
        },
    ),
    # What was copied by which rules, so that a version with others makes the copies again: see store/indexes.py.
    "versions": Collection(required={"fingerprint": _TEXT}),
    # How many activities a day that is long over had, by type and kind of actor; see docs/decisions/0014. A day that is
    # ``stale``, has no counts yet or is not here at all is counted when it is asked for.
    "tallies": Collection(
        required={"stale": _BOOLEAN, "since": _TIME},
        optional={
            "counts": {
                "bsonType": "array",
                "items": _object(
                    {"kind": _one_of(ActorKind), "isSystem": _BOOLEAN, "types": {"bsonType": "object"}},
                    {"accessLevel": _one_of(AccessLevel)},
                ),
            }
        },
    ),
    "points": Collection(
        required={
            **_CUSTOMER_ID,
            "seq": {"bsonType": "int", "minimum": 1},
            "kind": _one_of(PointsKind),
            "points": _POINTS,
            "balanceAfter": _TOTAL,
            "occurredAt": _TIME,
            "recordedAt": _TIME,
            "actor": _ACTOR,
            "source": _TEXT,
        },
        optional={
            "reason": _TEXT,
            "expiresAt": _TIME,
            "transactionId": _reference("transactions"),
            "graceEndsAt": _TIME,
            "settlements": _list(_PORTION, at_most=10_000),
            "shortfall": _LONG_COUNT,
            "allocations": _list(_PORTION, at_most=10_000),  # of earlier versions
            "refundOf": {"bsonType": "int", "minimum": 1},
            "adjustmentId": _reference("adjustments"),
            "transferOfId": _reference("points"),
            "idempotencyKey": _text(128),
        },
        indexes=(
            Index("customerId seq", partial_on="seq", unique=True),
            Index("customerId kind seq occurredAt", partial_on="kind"),
            Index("customerId kind occurredAt seq", partial_on="recordedAt"),
            Index("customerId kind points occurredAt seq", partial_on="points"),
            Index("transactionId kind occurredAt seq", partial_on="transactionId"),
        ),
    ),
    "coupons": Collection(
        required={
            **_CUSTOMER_ID,
            "code": _TEXT,
            "type": _TEXT,
            "value": _TEXT,
            "addedAt": _TIME,
            "origin": _one_of(CouponOrigin),
            "redeemed": _BOOLEAN,
        },
        optional={"expiresAt": _TIME, "redeemedAt": _TIME, "redeemedBy": _ACTOR},
        indexes=(
            Index("customerId addedAt order _id", partial_on="addedAt"),
            Index("customerId redeemed addedAt order _id", partial_on="redeemed"),
            Index("customerId origin addedAt order _id", partial_on="origin"),
            Index("customerId type addedAt order _id", partial_on="type"),
            Index("customerId expiresAt order _id", partial_on="_id"),
            Index("customerId redeemedAt order _id", partial_on="value"),
            Index("code", collation=FOLDS_CASE),
        ),
    ),
    "transactions": Collection(
        required={
            **_CUSTOMER_ID,
            "number": _TEXT,
            "type": _one_of(TransactionType),
            "occurredAt": _TIME,
            "pointsAwarded": _POINTS,
            "status": _one_of(TransactionStatus),
        },
        optional={"amount": _MONEY, "refundOfId": _reference("transactions")},
        indexes=(
            Index("customerId occurredAt order _id", partial_on="occurredAt"),
            Index("customerId type occurredAt order _id", partial_on="type"),
            Index("customerId status occurredAt order _id", partial_on="status"),
            Index("customerId pointsAwarded occurredAt order _id", partial_on="pointsAwarded"),
            Index("refundOfId occurredAt order _id", partial_on="refundOfId"),
            Index("number", collation=FOLDS_CASE),
        ),
    ),
    "passes": Collection(
        required={
            **_CUSTOMER_ID,
            "serialNumber": _TEXT,
            "type": _one_of(PassType),
            "createdAt": _TIME,
            "updatedAt": _TIME,
        },
        optional={"reward": _TEXT, "downloadUrl": _text(2_000), "fileId": _FILE_ID},
        indexes=(
            Index("customerId createdAt order _id"),
            Index("customerId type createdAt order _id", partial_on="type"),
            Index("customerId updatedAt order _id"),
            Index("serialNumber", collation=FOLDS_CASE),
        ),
    ),
    "pushes": Collection(
        required={**_CUSTOMER_ID, "passId": _reference("passes"), "status": _one_of(PushStatus), **_SENDING},
        optional={"informedAt": _TIME, **_UNSENT},
        indexes=(Index("passId requestedAt _id"), Index("customerId"), Index("dueAt", partial_on="dueAt")),
    ),
    "statuses": Collection(
        required={**_CUSTOMER_ID, "to": _one_of(CustomerStatus), "actor": _ACTOR, "changedAt": _TIME},
        # By recordedAt and arrival the order of changes of one moment is found; dueAt is when one of the future takes
        # effect.
        optional={
            "from": _one_of(CustomerStatus),
            "reason": _TEXT,
            "recordedAt": _TIME,
            "arrival": _COUNT,
            "dueAt": _TIME,
        },
        indexes=(Index("customerId changedAt order _id"), Index("dueAt", partial_on="dueAt")),
    ),
    "emails": Collection(
        required={**_CUSTOMER_ID, "subject": _TEXT, "to": _TEXT},
        optional={
            "html": _BODY,
            "text": _BODY,
            "sentAt": _TIME,
            "fileIds": _list(_FILE_ID),
            "attachments": _list(
                _object({"fileId": _FILE_ID, "name": _TEXT, "mediaType": _TEXT, "size": _COUNT}, {"contentId": _TEXT})
            ),
            "replyTo": _TEXT,
            "listUnsubscribe": _LONG_TEXT,
            "listUnsubscribePost": _BOOLEAN,
        },
        indexes=(Index("customerId sentAt order _id"),),
    ),
    "deliveries": Collection(
        required={
            **_CUSTOMER_ID,
            "emailId": _reference("emails"),
            "to": _TEXT,
            "status": _one_of(DeliveryStatus),
            **_SENDING,
        },
        optional={
            "first": _BOOLEAN,
            "deliveredAt": _TIME,
            **_UNSENT,
        },  # first: of a mail that was never sent before
        indexes=(
            Index("emailId requestedAt order _id"),
            Index("customerId requestedAt"),
            Index("to requestedAt"),
            Index("dueAt", partial_on="dueAt"),
        ),
    ),
    # What mails carry: a pass as its wallet takes it.
    "files": Collection(
        required={**_CUSTOMER_ID, "name": _TEXT, "mediaType": _TEXT, "content": {"bsonType": "binData"}},
        indexes=(Index("customerId"),),
    ),
    "notes": Collection(
        required={
            **_CUSTOMER_ID,
            "message": _LONG_TEXT,
            "author": _ACTOR,
            "createdAt": _TIME,
            "mentions": _list(_TEXT),
        },
        optional={
            "linkIds": _list(_TEXT),
            # All texts that it had, the first one and the present one included.
            "versions": _list(_object({"message": _LONG_TEXT, "author": _ACTOR, "at": _TIME})),
            "pins": _list(_TEXT, at_most=1_000),  # the subjects for whom it is pinned (domain/notes.py)
            "attachments": _list(_ATTACHMENT),
        },
        indexes=(Index("customerId createdAt order _id"), Index("customerId pins", partial_on="pins")),
    ),
    # What a key of a subject's has written, so that the same change is made once.
    "idempotency": Collection(
        required={
            "subject": _TEXT,
            "key": _text(128),
            "mutation": _TEXT,
            "inputHash": _TEXT,
            "wrote": {"bsonType": "object"},
            "at": _TIME,
        },
        # ``points``: what a change adjusted by hand, additions and deductions alike: it counts against its subject's
        # limit. Without ``customerId`` the change concerned no customer.
        optional={**_CUSTOMER_ID, "points": _LONG_COUNT},
        indexes=(
            Index("customerId subject key", unique=True),
            Index("customerId subject at", partial_on="points"),
            Index("at", ttl_days=90),
        ),
        retired=(Index("customerId key").name,),
    ),
    # Who changed what, accepted or refused. Append-only.
    "audit": Collection(
        required={
            "at": _TIME,
            "actor": _object(
                {"subject": _TEXT, "name": _TEXT, "roles": _list(_one_of(AccessLevel))}, {"delegate": _PERSON}
            ),
            "action": _TEXT,
            "outcome": _one_of(Outcome),
            "requestId": _TEXT,
        },
        optional={
            "customerId": _reference("customers"),
            "code": _TEXT,
            "wrote": _list(_TEXT),
            "columns": _list(_TEXT),
        },
        indexes=(
            Index("at order _id"),
            Index("customerId at order _id", partial_on="customerId"),
            Index("actor.subject at order _id", partial_on="actor.subject"),
        ),
    ),
    # Who read which customer's record, a row for each quarter of an hour: see operations/looks.py. Rows keep the
    # customer that was read, also when that one is merged into another.
    "looks": Collection(
        required={
            **_CUSTOMER_ID,
            "at": _TIME,
            "viewer": _object(
                {"id": _TEXT, "name": _TEXT, "roles": _list(_one_of(AccessLevel))}, {"delegate": _PERSON}
            ),
            "groups": _list(_one_of(ReadGroup)),
            "expiresAt": _TIME,
        },
        indexes=(
            Index("at _id"),
            Index("customerId at _id", partial_on="customerId"),
            Index("viewer.id at _id", partial_on="viewer.id"),
            Index("expiresAt", ttl_days=0),  # the time is a setting, and may change
        ),
    ),
    # Points that one person asks for and another approves.
    "adjustments": Collection(
        required={
            **_CUSTOMER_ID,
            "points": _POINTS,
            "reason": _TEXT,
            "status": _one_of(AdjustmentStatus),
            "requestedAt": _TIME,
            "requestedBy": _ACTOR,
        },
        optional={
            "expiresAt": _TIME,
            "decidedAt": _TIME,
            "decidedBy": _ACTOR,
            "decisionReason": _TEXT,
            "entryId": _reference("points"),
        },
        indexes=(
            Index("requestedAt order _id"),
            Index("customerId requestedAt order _id", partial_on="customerId"),
            Index("status requestedAt order _id", partial_on="status"),
        ),
    ),
    # Values that may not be used. ``listed``: until the entry is removed, then the key is gone; of a value one is.
    "blocklist": Collection(
        required={
            "type": _one_of(BlocklistType),
            "value": _TEXT,
            "source": _one_of(BlocklistSource),
            "reason": _TEXT,
            "createdAt": _TIME,
            "createdBy": _ACTOR,
        },
        optional={
            **_CUSTOMER_ID,
            "listed": {"enum": [True]},
            "expiresAt": _TIME,
            "removedAt": _TIME,
            "removedBy": _ACTOR,
            "removalReason": _TEXT,
        },
        indexes=(
            Index("type value", partial_on="listed", unique=True),
            Index("listed createdAt order _id", partial_on="listed"),
            *(
                Index(f"listed {name} createdAt order _id", partial_on="listed")
                for name in ("customerId", "type", "source")
            ),
            Index("customerId", partial_on="customerId"),
        ),
    ),
    # Customers who became one. The worker has something to do for it for as long as it has ``dueAt``.
    "merges": Collection(
        required={
            **_CUSTOMER_ID,
            "sourceIds": _list(_reference("customers")),
            "status": _one_of(MergeStatus),
            "reason": _TEXT,
            "mergedAt": _TIME,
            "mergedBy": _ACTOR,
            "attempts": _COUNT,
            "moved": _LONG_COUNT,
            "total": _LONG_COUNT,
            # What undoes it: the sources as they were, and the survivor's keys that changed, before and after.
            "sources": _list({"bsonType": "object"}),
            "before": {"bsonType": "object"},
            "after": {"bsonType": "object"},
            "transfers": _list(
                _object({"sourceId": _reference("customers"), **_BUCKET, "points": _TOTAL}), at_most=100_000
            ),
            "chainedIds": _list(_reference("customers"), at_most=1_000),
        },
        optional={
            "dueAt": _TIME,
            "finishedAt": _TIME,
            "undoneAt": _TIME,
            "undoneBy": _ACTOR,
            "undoReason": _TEXT,
            "pointsKept": _LONG_COUNT,
        },
        indexes=(Index("customerId mergedAt"), Index("dueAt", partial_on="dueAt")),
    ),
    # Saved segments of customers, whose they are by ``subject``. ``filter`` and ``orderBy`` are as the schema's inputs
    # have them. ``slot``: which of its subject's places for segments it holds.
    "segments": Collection(
        required={
            "name": _text(100),
            "searchName": _text(1_000),
            "scope": _one_of(SegmentScope),
            "subject": _TEXT,
            "owner": _ACTOR,
            "sharedWith": _list(_text(255)),
            "starredBy": _list(_TEXT, at_most=MAX_STARS),
            "filter": {"bsonType": "object"},
            "slot": _COUNT,
            "createdAt": _TIME,
            "updatedAt": _TIME,
        },
        optional={
            "description": _TEXT,
            "columns": _list(_TEXT),
            "orderBy": _object({"field": _TEXT, "direction": _TEXT}),
        },
        indexes=(
            Index("subject searchName", unique=True),
            Index("subject slot", unique=True),
            Index("name _id", collation=FOLDS_ACCENTS, suffix="searched"),
        ),
    ),
    # What is asked for as a file. The worker has something to do for it for as long as it has ``dueAt``.
    # ``slot``: which of its subject's places for unfinished exports it holds. The file is under its id in GridFS.
    "exports": Collection(
        required={
            "table": _one_of(ExportTable),
            "format": _one_of(ExportFormat),
            "columns": _list(_TEXT),
            "where": {"bsonType": "array"},
            "order": _TEXT,
            "descending": _BOOLEAN,
            "status": _one_of(ExportStatus),
            "requestedBy": _object({"subject": _TEXT, "roles": _list(_one_of(AccessLevel))}),
            "requestedAt": _TIME,
            "key": _text(128),
            "inputHash": _TEXT,
            "secret": {"bsonType": "binData"},
            "attempts": _COUNT,
            "rows": _COUNT,
            "bytes": _LONG_COUNT,
        },
        optional={
            "slot": _COUNT,
            "separator": _one_of(Separator),
            "byteOrderMark": _BOOLEAN,
            "timeZone": _TEXT,
            "dueAt": _TIME,
            "total": _COUNT,
            "position": {"bsonType": "array"},
            "startedAt": _TIME,
            "finishedAt": _TIME,
            "expiresAt": _TIME,
            "error": _TEXT,
        },
        indexes=(
            Index("requestedBy.subject key", unique=True),
            Index("requestedBy.subject slot", partial_on="slot", unique=True),
            Index("dueAt", partial_on="dueAt"),
            Index("requestedAt", ttl_days=90),
        ),
    ),
    # GridFS, as any driver reads it; see store/files.py.
    **_bucket("exported"),
    **_bucket("uploaded"),
    # Files that people send to attach them to a note, and the note that each is attached to. ``slot``: which of its
    # subject's places for open uploads it holds, until it is attached. ``fileId``: its content in GridFS, once that is
    # complete. ``dueAt``: when the worker deletes what nobody uses of it.
    "uploads": Collection(
        required={
            "name": _text(255),
            "mimeType": {"enum": [*MIME_TYPES]},
            "bytes": _LONG_COUNT,
            "sha256": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
            "createdBy": _object({"subject": _TEXT, "roles": _list(_one_of(AccessLevel))}),
            "createdAt": _TIME,
            "expiresAt": _TIME,
        },
        optional={
            **_CUSTOMER_ID,
            "slot": _COUNT,
            "fileId": _TEXT,
            "completedAt": _TIME,
            "noteId": _reference("notes"),
            "dueAt": _TIME,
        },
        indexes=(
            Index("createdBy.subject slot", partial_on="slot", unique=True),
            Index("customerId", partial_on="customerId"),
            Index("dueAt", partial_on="dueAt"),
        ),
    ),
    # Documents that are executed by their ids: see store/trusted_documents.py.
    "documents": Collection(
        required={
            "_id": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
            "text": _BODY,
            "keys": _list(_text(256)),
            "operations": _list(_TEXT),
            "loadedAt": _TIME,
        },
        indexes=(Index("keys", unique=True), Index("operations")),
    ),
    # What subjects asked for in a minute: see store/counters.py.
    "counters": Collection(
        required={"count": {"bsonType": ["int", "long"]}, "expiresAt": _TIME},
        indexes=(Index("expiresAt", ttl_days=0),),
    ),
    # Keys that all processes share: see store/shared_keys.py.
    "secrets": Collection(required={"key": {"bsonType": "binData"}}, indexes=()),
    # The sources of imported activities that the catalogue does not have: what may be filtered by.
    "sources": Collection(required={"_id": _TEXT}),
    # Lines of an import that name a customer nobody knows yet; they come in once that identity appears.
    "parked": Collection(
        required={"identity": _IDENTITY, "line": {"bsonType": "object"}, "parkedAt": _TIME},
        indexes=(Index("identity.source identity.id parkedAt line.number"),),
    ),
}

ROWS_OF_CUSTOMERS: Final = (
    "activities",
    "coupons",
    "transactions",
    "passes",
    "pushes",
    "emails",
    "deliveries",
    "files",
    "notes",
    "adjustments",
    "blocklist",
    "uploads",
)
"""What follows a customer who is merged into another (services/merging.py). Not the entries of a ledger and the changes
of a status: they say how that account came to its end. Not keys, the audit log, looks and merges: they say what was
done."""


def _that_moves(collection: Collection) -> Collection:
    """Returns the collection with the customers whose its rows were before, the first one first."""
    former = {"formerOwners": _list(_object({"mergeId": _reference("merges"), **_CUSTOMER_ID}))}
    index = Index("formerOwners.mergeId", partial_on="formerOwners.mergeId")
    return replace(collection, optional={**collection.optional, **former}, indexes=(*collection.indexes, index))


COLLECTIONS: Final[Mapping[str, Collection]] = {
    name: _that_moves(collection) if name in ROWS_OF_CUSTOMERS else collection for name, collection in _DECLARED.items()
}


def rows_of(collection: str, customer_id: str | Mapping[str, Any]) -> dict[str, Any]:
    """Returns the condition that rows are of a customer, so that an index answers it whose first key that is."""
    index = next(each for each in COLLECTIONS[collection].indexes if each.keys.split()[0] == "customerId")
    there = {index.partial_on: {"$exists": True}} if index.partial_on not in (None, "customerId") else {}
    return {"customerId": customer_id, **there}
