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
from app.catalogue.requests import REQUEST_KINDS
from app.domain.cells import Separator
from app.domain.due_diligence import DETAILS_AT_MOST, MAX_RESULTS
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
    DueDiligenceFactor,
    DueDiligenceScore,
    ErasureStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    MergeStatus,
    Outcome,
    PassType,
    PushStatus,
    ReadGroup,
    RequestExecutor,
    RequestStatus,
    SegmentScope,
    TaxIdType,
    TaxIdValidity,
    TransactionStatus,
    TransactionType,
)
from app.store.driver import FOLDS_ACCENTS, FOLDS_CASE

Schema = Mapping[str, Any]
REQUEST_TARGETS: Final = sorted({kind.target for kind in REQUEST_KINDS.values() if kind.target})


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


def _one_of(values: type[StrEnum]) -> Schema:
    return {"enum": [value.value for value in values]}


def _reference(*collections: str) -> Schema:
    return {"bsonType": "string", "pattern": f"^({'|'.join(BY_COLLECTION[name].prefix for name in collections)})_"}


_WORD = plain(_text())
_PERSONAL = personal(_text())
_LONG_PERSONAL = personal(_text(10_000))
_BODY = personal(_text(4_000_000))
_ANYTHING: Schema = {"bsonType": "object"}
_SEALED: Schema = {"bsonType": "binData"}
_TIME: Schema = {"bsonType": "date"}
_DATE = personal({"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
_BOOLEAN: Schema = {"bsonType": "bool"}
_POINTS: Schema = {"bsonType": "int"}
_COUNT: Schema = {"bsonType": "int", "minimum": 0}
_TOTAL: Schema = {"bsonType": ["int", "long"]}
_LONG_COUNT: Schema = {"bsonType": ["int", "long"], "minimum": 0}
_CURRENCY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{3}$"}
_COUNTRY: Schema = {"bsonType": "string", "pattern": "^[A-Z]{2}$"}
_MONEY = _object({"amount": {"bsonType": "decimal"}, "currency": _CURRENCY})
_IDENTITY = _object({"source": _WORD, "id": _PERSONAL})
# Of colleagues and programs: what they did stays theirs. A customer who acted themselves is told apart by ``kind``.
_PERSON = _object({"id": _WORD, "name": _WORD})
_ACTOR = _object(
    {"kind": _one_of(ActorKind), "name": _WORD},
    {"id": _WORD, "accessLevel": _one_of(AccessLevel), "onBehalfOf": _PERSON},
)
_CONTACT_POINTS = personal(_list(_object({"value": _WORD, "primary": _BOOLEAN}, {"label": _WORD})))
# Of an erased customer country and region stay, and how the postal code begins (store/personal.py).
_ADDRESS = _object(
    {},
    dict.fromkeys(("line1", "line2", "city", "postalCode"), _PERSONAL) | {"region": _WORD, "country": _COUNTRY},
)
_LEAD_SOURCE = {key: personal(_text(at_most)) for key, at_most in LENGTHS.items()}
_DETAIL = personal({"bsonType": ["string", "array", "object"]})
_NAMED_VALUES = personal(_list(_object({"name": _WORD, "value": _WORD})))
_BUCKET = {"expiresAt": {"bsonType": ["date", "null"]}}
_PORTION = _object({**_BUCKET, "points": _LONG_COUNT})
_CUSTOMER_ID = {"customerId": _reference("customers")}
ROW_ORDER: Final[Schema] = _TOTAL
"""The key ``order`` of each row that is listed: among the rows of one moment, see domain/moments.py."""
_FILE_ID: Schema = {"bsonType": "string", "pattern": "^fil_"}
_SENDING = {"attempts": _COUNT, "requestedAt": _TIME}
# A document of these collections is its own outbox entry: it is to be sent for as long as it has ``dueAt``, when it is
# tried next. Who takes it moves ``dueAt`` to the end of their lease.
_UNSENT = {"dueAt": _TIME, "giveUpAt": _TIME, "error": _PERSONAL}

_ATTACHMENT = _object(
    {
        "_id": {"bsonType": "string", "pattern": "^att_"},
        "uploadId": _reference("uploads"),
        "name": personal(_text(255)),
        "mimeType": {"enum": [*MIME_TYPES]},
        "bytes": _LONG_COUNT,
        "sha256": personal(_text()),
        "uploadedBy": _ACTOR,
        "uploadedAt": _TIME,
    },
    {"description": personal(_text(255))},
)


def _bucket(name: str) -> Mapping[str, Collection]:
    return {
        f"{name}.files": Collection(
            required={"length": _LONG_COUNT, "chunkSize": _COUNT, "uploadDate": _TIME, "filename": _WORD},
            indexes=(Index("filename uploadDate"),),
        ),
        f"{name}.chunks": Collection(
            required={"files_id": _WORD, "n": _COUNT, "data": personal({"bsonType": "binData"})},
            indexes=(Index("files_id n", unique=True),),
        ),
    }


_DECLARED: Final[Mapping[str, Collection]] = {
    "customers": Collection(
        required={
            "number": _WORD,
            "name": _PERSONAL,
            "registeredAt": _TIME,
            "paymentCount": _COUNT,
            "tags": personal(_list(_text(100))),
            "status": _one_of(CustomerStatus),
        },
        optional={
            "firstName": _PERSONAL,
            "lastName": _PERSONAL,
            "organization": _PERSONAL,
            "jobTitle": _PERSONAL,
            "dateOfBirth": _DATE,
            "website": _PERSONAL,
            "locale": _WORD,
            "email": _PERSONAL,
            "emails": _CONTACT_POINTS,
            "phones": _CONTACT_POINTS,
            "billingAddress": _ADDRESS,
            "country": _COUNTRY,
            "identities": personal(_list(_IDENTITY)),
            "hasStatusDetails": _BOOLEAN,
            # Which source gave which of the tags; those of nobody here are people's.
            "tagSources": personal(_list(_object({"tag": _text(100), "source": _text()}), at_most=1_000)),
            "taxIds": personal(
                _list(
                    _object(
                        {
                            "type": _one_of(TaxIdType),
                            "value": _WORD,
                            "isDefault": _BOOLEAN,
                            "validity": _one_of(TaxIdValidity),
                        }
                    )
                )
            ),
            "leadSource": _object({}, {**_LEAD_SOURCE, "original": _object({}, _LEAD_SOURCE)}),
            # What domain/due_diligence.py makes of manual scores and of the newest search of each factor.
            "dueDiligence": personal(
                _object(
                    {
                        "required": _BOOLEAN,
                        "factors": _list(
                            _object(
                                {"factor": _one_of(DueDiligenceFactor)},
                                {
                                    **dict.fromkeys(("manual", "automatic"), _one_of(DueDiligenceScore)),
                                    **dict.fromkeys(("manualAt", "searchedAt", "nextSearchAt"), _TIME),
                                    "manualBy": _ACTOR,
                                    "order": ROW_ORDER,
                                },
                            )
                        ),
                    }
                )
            ),
            "mergedIntoId": _reference("customers"),
            # Of merges that were made here: which one closed this account, and whom a survivor has taken over. While
            # their rows are on the way, ``absorbingIds`` names whose, and ``rowsMoving`` is on each of these.
            "mergeId": _reference("merges"),
            "mergedFromIds": _list(_reference("customers"), at_most=1_000),
            "mergedIdentities": _list(_IDENTITY),  # those of the survivor's that came with others
            "absorbingIds": _list(_reference("customers")),
            "mergeInProgressId": _reference("merges"),
            "rowsMoving": {"enum": [True]},
            "affiliateId": _WORD,
            # Which fields were edited here, with what they were before; what each source said last (domain/details.py).
            "edited": personal(_list(_object({"field": _WORD}, {"before": _DETAIL}))),
            "sourceValues": personal(_list(_object({"source": _WORD, "id": _WORD, "values": _ANYTHING}))),
            "detailsRevision": _COUNT,  # the revision that changed the details last
            # What customers are listed by: copies, which every writer keeps up (domain/customers.py).
            "spendable": _TOTAL,
            "lastActivityAt": _TIME,
            "lastByType": plain(_ANYTHING),
            "campaigns": {"bsonType": "array", "items": _WORD},
            # What they are found by: texts as they are compared (domain/search.py).
            **dict.fromkeys(("searchName", "searchLastName"), _LONG_PERSONAL),
            "searchNumber": plain(_text(10_000)),
            **dict.fromkeys(
                ("searchTags", "searchEmails", "searchPhones", "searchWords"),
                personal(_list(_text(10_000), at_most=1_000)),
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
            "type": _WORD,
            "source": _WORD,
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
            "title": _PERSONAL,  # of a legacy entry, as its source shows it
            "message": _LONG_PERSONAL,
            "attributes": plain(_ANYTHING),  # by the catalogue: store/personal.py
            "changes": _list(_object({"field": _WORD}, {"from": _PERSONAL, "to": _PERSONAL})),
            "points": _POINTS,
            "emailId": _reference("emails"),
            "noteId": _reference("notes"),
            "subjectId": _reference(
                "coupons",
                "passes",
                "transactions",
                "points",
                "emails",
                "notes",
                "adjustments",
                "blocklist",
                "merges",
                "requests",
            ),
            **dict.fromkeys(DIMENSIONS.values(), _WORD),
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
            "form": _WORD,
            **{part: personal(_list(_ANYTHING)) for parts in PREVIEW_PARTS.values() for part in parts},
        },
    ),
    # What was copied by which rules, so that a version with others makes the copies again: see store/indexes.py.
    "versions": Collection(required={"fingerprint": _WORD}),
    # How many activities a day that is long over had, by type and kind of actor; see docs/decisions/0014. A day that is
    # ``stale``, has no counts yet or is not here at all is counted when it is asked for.
    "tallies": Collection(
        required={"stale": _BOOLEAN, "since": _TIME},
        optional={
            "counts": {
                "bsonType": "array",
                "items": _object(
                    {"kind": _one_of(ActorKind), "isSystem": _BOOLEAN, "types": plain(_ANYTHING)},
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
            "source": _WORD,
        },
        optional={
            "reason": _PERSONAL,
            "expiresAt": _TIME,
            "transactionId": _reference("transactions"),
            "graceEndsAt": _TIME,
            "settlements": _list(_PORTION, at_most=10_000),
            "shortfall": _LONG_COUNT,
            "allocations": _list(_PORTION, at_most=10_000),  # of earlier versions
            "refundOf": {"bsonType": "int", "minimum": 1},
            "adjustmentId": _reference("adjustments"),
            "transferOfId": _reference("points"),
            "idempotencyKey": plain(_text(128)),
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
            "code": _PERSONAL,
            "type": _WORD,
            "value": _WORD,
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
            "number": _WORD,
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
            "serialNumber": _WORD,
            "type": _one_of(PassType),
            "createdAt": _TIME,
            "updatedAt": _TIME,
        },
        optional={"reward": _WORD, "downloadUrl": personal(_text(2_000)), "fileId": personal(_FILE_ID)},
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
            "reason": _PERSONAL,
            "recordedAt": _TIME,
            "arrival": _COUNT,
            "dueAt": _TIME,
        },
        indexes=(Index("customerId changedAt order _id"), Index("dueAt", partial_on="dueAt")),
    ),
    "emails": Collection(
        required={**_CUSTOMER_ID, "subject": _PERSONAL, "to": _PERSONAL},
        optional={
            "html": _BODY,
            "text": _BODY,
            "sentAt": _TIME,
            "fileIds": personal(_list(_FILE_ID)),
            "attachments": personal(
                _list(
                    _object(
                        {"fileId": _FILE_ID, "name": _text(), "mediaType": _text(), "size": _COUNT},
                        {"contentId": _text()},
                    )
                )
            ),
            "replyTo": _PERSONAL,
            "listUnsubscribe": _LONG_PERSONAL,
            "listUnsubscribePost": _BOOLEAN,
        },
        indexes=(Index("customerId sentAt order _id"),),
    ),
    "deliveries": Collection(
        required={
            **_CUSTOMER_ID,
            "emailId": _reference("emails"),
            "to": _PERSONAL,
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
        required={**_CUSTOMER_ID, "name": _PERSONAL, "mediaType": _WORD, "content": personal({"bsonType": "binData"})},
        indexes=(Index("customerId"),),
    ),
    "notes": Collection(
        required={
            **_CUSTOMER_ID,
            "message": _LONG_PERSONAL,
            "author": _ACTOR,
            "createdAt": _TIME,
            "mentions": _list(_WORD),
        },
        optional={
            "linkIds": _list(_WORD),
            # All texts that it had, the first one and the present one included.
            "versions": personal(_list(_object({"message": _LONG_PERSONAL, "author": _ACTOR, "at": _TIME}))),
            "pins": _list(_WORD, at_most=1_000),  # the subjects for whom it is pinned (domain/notes.py)
            "attachments": personal(_list(_ATTACHMENT)),
        },
        indexes=(Index("customerId createdAt order _id"), Index("customerId pins", partial_on="pins")),
    ),
    # What systems found out about a customer, by the factor of due diligence that they searched for.
    "searches": Collection(
        required={
            **_CUSTOMER_ID,
            "factor": _one_of(DueDiligenceFactor),
            "score": _one_of(DueDiligenceScore),
            "searchedAt": _TIME,
            "results": personal(
                _list(_object({"url": _text(2_000)}, {"details": _text(DETAILS_AT_MOST)}), at_most=MAX_RESULTS)
            ),
        },
        optional={"nextSearchAt": _TIME},
        indexes=(Index("customerId searchedAt order _id"),),
    ),
    # What a key of a subject's has written, so that the same change is made once.
    "idempotency": Collection(
        required={
            "subject": _WORD,
            "key": plain(_text(128)),
            "mutation": _WORD,
            "inputHash": _WORD,
            "wrote": plain(_ANYTHING),
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
                {"subject": _WORD, "name": _WORD, "roles": _list(_one_of(AccessLevel))}, {"delegate": _PERSON}
            ),
            "action": _WORD,
            "outcome": _one_of(Outcome),
            "requestId": _WORD,
        },
        optional={
            "customerId": _reference("customers"),
            "code": _WORD,
            "wrote": _list(_WORD),
            "columns": _list(_WORD),
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
                {"id": _WORD, "name": _WORD, "roles": _list(_one_of(AccessLevel))}, {"delegate": _PERSON}
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
            "reason": _PERSONAL,
            "status": _one_of(AdjustmentStatus),
            "requestedAt": _TIME,
            "requestedBy": _ACTOR,
        },
        optional={
            "expiresAt": _TIME,
            "decidedAt": _TIME,
            "decidedBy": _ACTOR,
            "decisionReason": _PERSONAL,
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
            "value": _PERSONAL,
            "source": _one_of(BlocklistSource),
            "reason": _PERSONAL,
            "createdAt": _TIME,
            "createdBy": _ACTOR,
        },
        optional={
            **_CUSTOMER_ID,
            "listed": {"enum": [True]},
            "expiresAt": _TIME,
            "removedAt": _TIME,
            "removedBy": _ACTOR,
            "removalReason": _PERSONAL,
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
    # Customers who are anonymised. The worker has something to do for it for as long as it has ``dueAt``.
    "erasures": Collection(
        required={
            **_CUSTOMER_ID,
            "accountIds": _list(_reference("customers"), at_most=1_001),
            "status": _one_of(ErasureStatus),
            "reason": _WORD,  # why the law, or the company, has it erased
            "erasedAt": _TIME,
            "erasedBy": _ACTOR,
            "attempts": _COUNT,
            "erased": _LONG_COUNT,
            "total": _LONG_COUNT,
        },
        optional={"dueAt": _TIME, "finishedAt": _TIME},
        indexes=(Index("customerId erasedAt"), Index("dueAt", partial_on="dueAt")),
    ),
    # Hashes of identities whose customer was erased: see store/tombstones.py.
    "tombstones": Collection(required={"_id": _WORD, "at": _TIME}),
    # Customers who became one. The worker has something to do for it for as long as it has ``dueAt``.
    "merges": Collection(
        required={
            **_CUSTOMER_ID,
            "sourceIds": _list(_reference("customers")),
            "status": _one_of(MergeStatus),
            "reason": _PERSONAL,
            "createdAt": _TIME,
            "createdBy": _ACTOR,
            "attempts": _COUNT,
            "moved": _LONG_COUNT,
            "total": _LONG_COUNT,
            # What undoes it: the sources as they were, and the survivor's keys that changed, before and after.
            "snapshots": personal(_list(_ANYTHING)),
            "before": personal(_ANYTHING),
            "after": personal(_ANYTHING),
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
            "undoReason": _PERSONAL,
            "pointsKept": _LONG_COUNT,
        },
        indexes=(Index("customerId createdAt"), Index("dueAt", partial_on="dueAt")),
    ),
    # What other systems are asked to do. A request is its own outbox entry; what became of the sending is in
    # ``deliveryStatus``, what became of the request in ``status``. ``sealed``: see store/sealed.py.
    "requests": Collection(
        required={
            **_CUSTOMER_ID,
            "kind": _WORD,
            "status": _one_of(RequestStatus),
            "open": _BOOLEAN,
            "executor": _one_of(RequestExecutor),
            "attributes": personal(_ANYTHING),
            "requestedBy": _ACTOR,
            "requestedAt": _TIME,
            "overdueAt": _TIME,
            "outcomes": _list(
                _object(
                    {"status": _one_of(RequestStatus), "at": _TIME, "recordedAt": _TIME, "by": _ACTOR},
                    {
                        "decided": _BOOLEAN,
                        "code": _WORD,
                        "message": _PERSONAL,
                        "reference": _WORD,
                        "attributes": personal(_ANYTHING),
                        "resultIds": _list(_WORD),
                    },
                )
            ),
        },
        optional={
            "targetId": _reference(*REQUEST_TARGETS),
            "reason": _PERSONAL,
            "reference": _WORD,
            "endpoint": _WORD,
            "sealed": personal(_SEALED),
            "link": _object({"sealed": personal(_SEALED), "expiresAt": _TIME}),
            "expiresAt": _TIME,
            "deliveryStatus": _one_of(DeliveryStatus),
            "attempts": _COUNT,
            "sentAt": _TIME,
            **_UNSENT,
        },
        indexes=(
            Index("customerId requestedAt order _id", partial_on="requestedAt"),
            Index("customerId kind requestedAt order _id", partial_on="kind"),
            Index("customerId status requestedAt order _id", partial_on="status"),
            Index("customerId open requestedAt order _id", partial_on="open"),
            Index("targetId kind", partial_on="targetId"),
            Index("dueAt", partial_on="dueAt"),
            Index("expiresAt", partial_on="expiresAt"),
        ),
    ),
    # Saved segments of customers, whose they are by ``subject``. ``filter`` and ``orderBy`` are as the schema's inputs
    # have them. ``slot``: which of its subject's places for segments it holds.
    "segments": Collection(
        required={
            "name": plain(_text(100)),
            "searchName": plain(_text(1_000)),
            "scope": _one_of(SegmentScope),
            "subject": _WORD,
            "owner": _ACTOR,
            "sharedWith": _list(plain(_text(255))),
            "starredBy": _list(_WORD, at_most=MAX_STARS),
            "filter": plain(_ANYTHING),
            "slot": _COUNT,
            "createdAt": _TIME,
            "updatedAt": _TIME,
        },
        optional={
            "description": _WORD,
            "columns": _list(_WORD),
            "orderBy": _object({"field": _WORD, "direction": _WORD}),
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
            "columns": _list(_WORD),
            "where": plain({"bsonType": "array"}),
            "order": _WORD,
            "descending": _BOOLEAN,
            "status": _one_of(ExportStatus),
            "requestedBy": _object({"subject": _WORD, "roles": _list(_one_of(AccessLevel))}),
            "requestedAt": _TIME,
            "key": plain(_text(128)),
            "inputHash": _WORD,
            "secret": plain({"bsonType": "binData"}),
            "attempts": _COUNT,
            "rows": _COUNT,
            "bytes": _LONG_COUNT,
        },
        optional={
            **_CUSTOMER_ID,  # of a data subject
            "slot": _COUNT,
            "separator": _one_of(Separator),
            "byteOrderMark": _BOOLEAN,
            "timeZone": _WORD,
            "dueAt": _TIME,
            "total": _COUNT,
            "position": plain({"bsonType": "array"}),
            "startedAt": _TIME,
            "finishedAt": _TIME,
            "expiresAt": _TIME,
            "error": _PERSONAL,
        },
        indexes=(
            Index("requestedBy.subject key", unique=True),
            Index("requestedBy.subject slot", partial_on="slot", unique=True),
            Index("customerId", partial_on="customerId"),
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
            "name": personal(_text(255)),
            "mimeType": {"enum": [*MIME_TYPES]},
            "bytes": _LONG_COUNT,
            "sha256": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
            "createdBy": _object({"subject": _WORD, "roles": _list(_one_of(AccessLevel))}),
            "createdAt": _TIME,
            "expiresAt": _TIME,
        },
        optional={
            **_CUSTOMER_ID,
            "slot": _COUNT,
            "fileId": _WORD,
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
            "text": plain(_text(4_000_000)),
            "keys": _list(plain(_text(256))),
            "operations": _list(_WORD),
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
    "secrets": Collection(required={"key": plain({"bsonType": "binData"})}, indexes=()),
    # The sources of imported activities that the catalogue does not have: what may be filtered by.
    "sources": Collection(required={"_id": _WORD}),
    # Lines of an import that name a customer nobody knows yet; they come in once that identity appears.
    "parked": Collection(
        required={"identity": _IDENTITY, "line": personal(_ANYTHING), "parkedAt": _TIME},
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
    "searches",
    "requests",
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
