"""Declares every collection: what its documents look like and by which indexes they are found. Data; no I/O.

Keys are spelled as the GraphQL fields. A key that ends in ``Id`` names another document: ``emailId`` is what the
field ``email`` follows; ``customerId`` is the owner. Times are UTC with milliseconds, dates without a time are
``YYYY-MM-DD``, money is ``{amount: Decimal128, currency}``, points are 32-bit integers and their totals 64-bit ones.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.catalogue.model import ActivityGroup, Audience
from app.domain.cells import Separator
from app.domain.due_diligence import DETAILS_AT_MOST, MAX_RESULTS
from app.domain.feed import DAYS_KEPT, IDS_AT_MOST
from app.domain.import_lines import COLLECTION_OF, UNDONE_WITHIN_DAYS
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
    CustomerChangeKind,
    CustomerStatus,
    DeliveryStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    ErasureStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    LineOutcome,
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
    WebhookDeliveryStatus,
    WebhookEndpointStatus,
)
from app.domain.webhooks import DELIVERIES_KEPT_DAYS, MAX_REDELIVERIES, MAX_SECRETS, MAX_TYPES
from app.store.driver import FOLDS_ACCENTS, FOLDS_CASE
from app.store.forms import (
    ACTOR,
    ADDRESS,
    ANYTHING,
    BODY,
    BOOLEAN,
    COUNT,
    COUNTRY,
    CURRENCY,
    CUSTOMER_ID,
    DATE,
    IDENTITY,
    LONG_COUNT,
    LONG_PERSONAL,
    MONEY,
    PERSON,
    PERSONAL,
    POINTS,
    TIME,
    TOTAL,
    UNSENT,
    WORD,
    Collection,
    Index,
    Schema,
    list_of,
    object_of,
    one_of,
    personal,
    plain,
    reference,
    text,
)
from app.store.mirrors import MIRRORS
from app.store.request_schema import REQUESTS

_CONTACT_POINTS = personal(list_of(object_of({"value": WORD, "primary": BOOLEAN}, {"label": WORD})))
_LEAD_SOURCE = {key: personal(text(at_most)) for key, at_most in LENGTHS.items()}
_DETAIL = personal({"bsonType": ["string", "array", "object", "int", "long", "decimal", "bool", "date"]})
_NAMED_VALUES = personal(list_of(object_of({"name": WORD, "value": WORD})))
_BUCKET = {"expiresAt": {"bsonType": ["date", "null"]}}
_PORTION = object_of({**_BUCKET, "points": LONG_COUNT})
ROW_ORDER: Final[Schema] = TOTAL
"""The key ``order`` of each row that is listed: among the rows of one moment, see domain/moments.py."""
_FILE_ID: Schema = {"bsonType": "string", "pattern": "^fil_"}
_SENDING = {"attempts": COUNT, "requestedAt": TIME}

_ATTACHMENT = object_of(
    {
        "_id": {"bsonType": "string", "pattern": "^att_"},
        "uploadId": reference("uploads"),
        "name": personal(text(255)),
        "mimeType": {"enum": [*MIME_TYPES]},
        "bytes": LONG_COUNT,
        "sha256": personal(text()),
        "uploadedBy": ACTOR,
        "uploadedAt": TIME,
    },
    {"description": personal(text(255))},
)


def _bucket(name: str) -> Mapping[str, Collection]:
    return {
        f"{name}.files": Collection(
            required={"length": LONG_COUNT, "chunkSize": COUNT, "uploadDate": TIME, "filename": WORD},
            indexes=(Index("filename uploadDate"),),
        ),
        f"{name}.chunks": Collection(
            required={"files_id": WORD, "n": COUNT, "data": personal({"bsonType": "binData"})},
            indexes=(Index("files_id n", unique=True),),
        ),
    }


_DECLARED: Final[Mapping[str, Collection]] = {
    "customers": Collection(
        required={
            "number": WORD,
            "name": PERSONAL,
            "registeredAt": TIME,
            "paymentCount": COUNT,
            "tags": personal(list_of(text(100))),
            "status": one_of(CustomerStatus),
        },
        optional={
            "firstName": PERSONAL,
            "lastName": PERSONAL,
            "organization": PERSONAL,
            "jobTitle": PERSONAL,
            "dateOfBirth": DATE,
            "website": PERSONAL,
            "locale": WORD,
            "email": PERSONAL,
            "emails": _CONTACT_POINTS,
            "phones": _CONTACT_POINTS,
            "billingAddress": ADDRESS,
            "country": COUNTRY,
            "identities": personal(list_of(IDENTITY)),
            "hasStatusDetails": BOOLEAN,
            # Which source gave which of the tags; those of nobody here are people's.
            "tagSources": personal(list_of(object_of({"tag": text(100), "source": text()}), at_most=1_000)),
            # Those of the company's own catalogue, which says what of them is personal: store/personal.py.
            "fields": plain(list_of(object_of({"name": WORD, "value": {}}))),
            "taxIds": personal(
                list_of(
                    object_of(
                        {
                            "type": one_of(TaxIdType),
                            "value": WORD,
                            "isDefault": BOOLEAN,
                            "validity": one_of(TaxIdValidity),
                        }
                    )
                )
            ),
            "leadSource": object_of({}, {**_LEAD_SOURCE, "original": object_of({}, _LEAD_SOURCE)}),
            # What domain/due_diligence.py makes of manual scores and of the newest search of each factor.
            "dueDiligence": personal(
                object_of(
                    {
                        "required": BOOLEAN,
                        "factors": list_of(
                            object_of(
                                {"factor": one_of(DueDiligenceFactor)},
                                {
                                    **dict.fromkeys(("manual", "automatic"), one_of(DueDiligenceScore)),
                                    **dict.fromkeys(("manualAt", "searchedAt", "nextSearchAt"), TIME),
                                    "manualBy": ACTOR,
                                    "order": ROW_ORDER,
                                },
                            )
                        ),
                    }
                )
            ),
            "mergedIntoId": reference("customers"),
            # Of merges that were made here: which one closed this account, and whom a survivor has taken over. While
            # their rows are on the way, ``absorbingIds`` names whose, and ``rowsMoving`` is on each of these.
            "mergeId": reference("merges"),
            "mergedFromIds": list_of(reference("customers"), at_most=1_000),
            "mergedIdentities": list_of(IDENTITY),  # those of the survivor's that came with others
            "absorbingIds": list_of(reference("customers")),
            "mergeInProgressId": reference("merges"),
            "rowsMoving": {"enum": [True]},
            "affiliateId": WORD,
            # Which fields were edited here, with what they were before; what each source said last (domain/details.py).
            "edited": personal(list_of(object_of({"field": WORD}, {"before": _DETAIL}))),
            "sourceValues": personal(list_of(object_of({"source": WORD, "id": WORD, "values": ANYTHING}))),
            "detailsRevision": COUNT,  # the revision that changed the details last
            # What customers are listed by: copies, which every writer keeps up (domain/customers.py).
            "spendable": TOTAL,
            "pointsExpireAt": TIME,
            "pendingCopies": plain(ANYTHING),
            "lastActivityAt": TIME,
            "lastByType": plain(ANYTHING),
            "campaigns": {"bsonType": "array", "items": WORD},
            # What they are found by: texts as they are compared (domain/search.py).
            **dict.fromkeys(("searchName", "searchLastName"), LONG_PERSONAL),
            "searchNumber": plain(text(10_000)),
            **dict.fromkeys(
                ("searchTags", "searchEmails", "searchPhones", "searchWords"),
                personal(list_of(text(10_000), at_most=1_000)),
            ),
            "revision": COUNT,  # how many changes were made here: each counts it up, so that no two run side by side
            # The ledger's state as the rules left it (domain/points/); absent before the first entry.
            "points": object_of(
                dict.fromkeys(("earned", "spent", "expired", "reserved", "pending"), TOTAL)
                | {
                    "seq": COUNT,
                    "buckets": list_of(
                        object_of({**_BUCKET, "remaining": LONG_COUNT}, {"reserved": LONG_COUNT}), at_most=10_000
                    ),
                },
                {"owed": LONG_COUNT, "latestAt": TIME},
            ),
        },
        indexes=(
            Index("number", unique=True),
            Index("identities.source identities.id", partial_on="identities.id", unique=True),
            # Of the search: texts are compared as they are kept.
            *(Index(key, partial_on=key) for key in ("searchNumber", "searchEmails", "searchPhones", "searchWords")),
            Index("affiliateId", partial_on="affiliateId"),
            Index("tags"),  # for the menu of all labels
            Index("pointsExpireAt", partial_on="pointsExpireAt"),
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
                    "fields.name fields.value",
                    "lastByType.$**",
                )
            ),
        ),
        retired=(
            "email",
            "emails.value",
            "points.buckets.expiresAt",
            *(f"{key}_searched" for key in ("lastName", "email", "emails.value", "tags")),
        ),
    ),
    "activities": Collection(
        required={
            **CUSTOMER_ID,
            "type": WORD,
            "source": WORD,
            "occurredAt": TIME,
            "recordedAt": TIME,
            "actor": ACTOR,
            # Copied from the catalogue because the indexes need them; `indexes --apply` refreshes them.
            "group": one_of(ActivityGroup),
            "isNote": BOOLEAN,
            "legacy": BOOLEAN,
        },
        optional={
            "audience": one_of(Audience),  # the same; without it a customer never learns of the activity
            "title": PERSONAL,  # of a legacy entry, as its source shows it
            "message": LONG_PERSONAL,
            "attributes": plain(ANYTHING),  # by the catalogue: store/personal.py
            "changes": list_of(object_of({"field": WORD}, {"from": PERSONAL, "to": PERSONAL})),
            "points": POINTS,
            "emailId": reference("emails"),
            "noteId": reference("notes"),
            "subjectId": reference(
                *("coupons", "passes", "transactions", "points", "emails", "notes", "adjustments", "blocklist"),
                *("merges", "requests", *MIRRORS),
            ),
            **dict.fromkeys(DIMENSIONS.values(), WORD),
            "currency": CURRENCY,
            "country": COUNTRY,
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
        required={"revision": LONG_COUNT},
        optional={
            "form": WORD,
            **{part: personal(list_of(ANYTHING)) for parts in PREVIEW_PARTS.values() for part in parts},
        },
    ),
    # What was copied by which rules, so that a version with others makes the copies again: see store/indexes.py.
    "versions": Collection(required={"fingerprint": WORD}),
    # How many activities a day that is long over had, by type and kind of actor; see docs/decisions/0014. A day that is
    # ``stale``, has no counts yet or is not here at all is counted when it is asked for.
    "tallies": Collection(
        required={"stale": BOOLEAN, "since": TIME},
        optional={
            "counts": {
                "bsonType": "array",
                "items": object_of(
                    {"kind": one_of(ActorKind), "isSystem": BOOLEAN, "types": plain(ANYTHING)},
                    {"accessLevel": one_of(AccessLevel)},
                ),
            }
        },
    ),
    "points": Collection(
        required={
            **CUSTOMER_ID,
            "seq": {"bsonType": "int", "minimum": 1},
            "kind": one_of(PointsKind),
            "points": POINTS,
            "balanceAfter": TOTAL,
            "occurredAt": TIME,
            "recordedAt": TIME,
            "actor": ACTOR,
            "source": WORD,
        },
        optional={
            "reason": PERSONAL,
            "expiresAt": TIME,
            "transactionId": reference("transactions"),
            "graceEndsAt": TIME,
            "settlements": list_of(_PORTION, at_most=10_000),
            "shortfall": LONG_COUNT,
            "allocations": list_of(_PORTION, at_most=10_000),  # of earlier versions
            "refundOf": {"bsonType": "int", "minimum": 1},
            "adjustmentId": reference("adjustments"),
            "transferOfId": reference("points"),
            "idempotencyKey": plain(text(128)),
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
            **CUSTOMER_ID,
            "code": PERSONAL,
            "type": WORD,
            "value": WORD,
            "addedAt": TIME,
            "origin": one_of(CouponOrigin),
            "redeemed": BOOLEAN,
        },
        optional={"expiresAt": TIME, "redeemedAt": TIME, "redeemedBy": ACTOR},
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
            **CUSTOMER_ID,
            "number": WORD,
            "type": one_of(TransactionType),
            "occurredAt": TIME,
            "pointsAwarded": POINTS,
            "status": one_of(TransactionStatus),
        },
        optional={"amount": MONEY, "refundOfId": reference("transactions")},
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
            **CUSTOMER_ID,
            "serialNumber": WORD,
            "type": one_of(PassType),
            "createdAt": TIME,
            "updatedAt": TIME,
        },
        optional={"reward": WORD, "downloadUrl": personal(text(2_000)), "fileId": personal(_FILE_ID)},
        indexes=(
            Index("customerId createdAt order _id"),
            Index("customerId type createdAt order _id", partial_on="type"),
            Index("customerId updatedAt order _id"),
            Index("serialNumber", collation=FOLDS_CASE),
        ),
    ),
    "pushes": Collection(
        required={**CUSTOMER_ID, "passId": reference("passes"), "status": one_of(PushStatus), **_SENDING},
        optional={"informedAt": TIME, **UNSENT},
        indexes=(Index("passId requestedAt _id"), Index("customerId"), Index("dueAt", partial_on="dueAt")),
    ),
    "statuses": Collection(
        required={**CUSTOMER_ID, "to": one_of(CustomerStatus), "actor": ACTOR, "changedAt": TIME},
        # By recordedAt and arrival the order of changes of one moment is found; dueAt is when one of the future takes
        # effect.
        optional={
            "from": one_of(CustomerStatus),
            "reason": PERSONAL,
            "recordedAt": TIME,
            "arrival": COUNT,
            "dueAt": TIME,
        },
        indexes=(Index("customerId changedAt order _id"), Index("dueAt", partial_on="dueAt")),
    ),
    "emails": Collection(
        required={**CUSTOMER_ID, "subject": PERSONAL, "to": PERSONAL},
        optional={
            "html": BODY,
            "text": BODY,
            "sentAt": TIME,
            "fileIds": personal(list_of(_FILE_ID)),
            "attachments": personal(
                list_of(
                    object_of(
                        {"fileId": _FILE_ID, "name": text(), "mediaType": text(), "size": COUNT},
                        {"contentId": text()},
                    )
                )
            ),
            "replyTo": PERSONAL,
            "listUnsubscribe": LONG_PERSONAL,
            "listUnsubscribePost": BOOLEAN,
        },
        indexes=(Index("customerId sentAt order _id"),),
    ),
    "deliveries": Collection(
        required={
            **CUSTOMER_ID,
            "emailId": reference("emails"),
            "to": PERSONAL,
            "status": one_of(DeliveryStatus),
            **_SENDING,
        },
        optional={
            "first": BOOLEAN,
            "deliveredAt": TIME,
            **UNSENT,
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
        required={**CUSTOMER_ID, "name": PERSONAL, "mediaType": WORD, "content": personal({"bsonType": "binData"})},
        indexes=(Index("customerId"),),
    ),
    "notes": Collection(
        required={
            **CUSTOMER_ID,
            "message": LONG_PERSONAL,
            "author": ACTOR,
            "createdAt": TIME,
            "mentions": list_of(WORD),
        },
        optional={
            "linkIds": list_of(WORD),
            # All texts that it had, the first one and the present one included.
            "versions": personal(list_of(object_of({"message": LONG_PERSONAL, "author": ACTOR, "at": TIME}))),
            "pins": list_of(WORD, at_most=1_000),  # the subjects for whom it is pinned (domain/notes.py)
            "attachments": personal(list_of(_ATTACHMENT)),
        },
        indexes=(Index("customerId createdAt order _id"), Index("customerId pins", partial_on="pins")),
    ),
    # What systems found out about a customer, by the factor of due diligence that they searched for.
    "searches": Collection(
        required={
            **CUSTOMER_ID,
            "factor": one_of(DueDiligenceFactor),
            "score": one_of(DueDiligenceScore),
            "searchedAt": TIME,
            "results": personal(
                list_of(object_of({"url": text(2_000)}, {"details": text(DETAILS_AT_MOST)}), at_most=MAX_RESULTS)
            ),
        },
        optional={"nextSearchAt": TIME},
        indexes=(Index("customerId searchedAt order _id"),),
    ),
    # What a key of a subject's has written, so that the same change is made once.
    "idempotency": Collection(
        required={
            "subject": WORD,
            "key": plain(text(128)),
            "mutation": WORD,
            "inputHash": WORD,
            "wrote": plain(ANYTHING),
            "at": TIME,
        },
        # ``points``: what a change adjusted by hand, additions and deductions alike: it counts against its subject's
        # limit. Without ``customerId`` the change concerned no customer.
        optional={**CUSTOMER_ID, "points": LONG_COUNT},
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
            "at": TIME,
            "actor": object_of(
                {"subject": WORD, "name": WORD, "roles": list_of(one_of(AccessLevel))}, {"delegate": PERSON}
            ),
            "action": WORD,
            "outcome": one_of(Outcome),
            "requestId": WORD,
        },
        optional={
            "customerId": reference("customers"),
            "code": WORD,
            "wrote": list_of(WORD),
            "columns": list_of(WORD),
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
            **CUSTOMER_ID,
            "at": TIME,
            "viewer": object_of(
                {"id": WORD, "name": WORD, "roles": list_of(one_of(AccessLevel))}, {"delegate": PERSON}
            ),
            "groups": list_of(one_of(ReadGroup)),
            "expiresAt": TIME,
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
            **CUSTOMER_ID,
            "points": POINTS,
            "reason": PERSONAL,
            "status": one_of(AdjustmentStatus),
            "requestedAt": TIME,
            "requestedBy": ACTOR,
        },
        optional={
            "expiresAt": TIME,
            "decidedAt": TIME,
            "decidedBy": ACTOR,
            "decisionReason": PERSONAL,
            "entryId": reference("points"),
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
            "type": one_of(BlocklistType),
            "value": PERSONAL,
            "source": one_of(BlocklistSource),
            "reason": PERSONAL,
            "createdAt": TIME,
            "createdBy": ACTOR,
        },
        optional={
            **CUSTOMER_ID,
            "listed": {"enum": [True]},
            "expiresAt": TIME,
            "removedAt": TIME,
            "removedBy": ACTOR,
            "removalReason": PERSONAL,
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
            **CUSTOMER_ID,
            "accountIds": list_of(reference("customers"), at_most=1_001),
            "status": one_of(ErasureStatus),
            "reason": WORD,  # why the law, or the company, has it erased
            "erasedAt": TIME,
            "erasedBy": ACTOR,
            "attempts": COUNT,
            "erased": LONG_COUNT,
            "total": LONG_COUNT,
        },
        optional={"dueAt": TIME, "finishedAt": TIME},
        indexes=(Index("customerId erasedAt"), Index("dueAt", partial_on="dueAt")),
    ),
    # Hashes of identities whose customer was erased: see store/tombstones.py.
    "tombstones": Collection(required={"_id": WORD, "at": TIME}),
    # Customers who became one. The worker has something to do for it for as long as it has ``dueAt``.
    "merges": Collection(
        required={
            **CUSTOMER_ID,
            "sourceIds": list_of(reference("customers")),
            "status": one_of(MergeStatus),
            "reason": PERSONAL,
            "createdAt": TIME,
            "createdBy": ACTOR,
            "attempts": COUNT,
            "moved": LONG_COUNT,
            "total": LONG_COUNT,
            # What undoes it: the sources as they were, and the survivor's keys that changed, before and after.
            "snapshots": personal(list_of(ANYTHING)),
            "before": personal(ANYTHING),
            "after": personal(ANYTHING),
            "transfers": list_of(
                object_of({"sourceId": reference("customers"), **_BUCKET, "points": TOTAL}), at_most=100_000
            ),
            "chainedIds": list_of(reference("customers"), at_most=1_000),
        },
        optional={
            "dueAt": TIME,
            "finishedAt": TIME,
            "undoneAt": TIME,
            "undoneBy": ACTOR,
            "undoReason": PERSONAL,
            "pointsKept": LONG_COUNT,
        },
        indexes=(Index("customerId createdAt"), Index("dueAt", partial_on="dueAt")),
    ),
    # Saved segments of customers, whose they are by ``subject``. ``filter`` and ``orderBy`` are as the schema's inputs
    # have them. ``slot``: which of its subject's places for segments it holds.
    "segments": Collection(
        required={
            "name": plain(text(100)),
            "searchName": plain(text(1_000)),
            "scope": one_of(SegmentScope),
            "subject": WORD,
            "owner": ACTOR,
            "sharedWith": list_of(plain(text(255))),
            "starredBy": list_of(WORD, at_most=MAX_STARS),
            "filter": plain(ANYTHING),
            "slot": COUNT,
            "createdAt": TIME,
            "updatedAt": TIME,
        },
        optional={
            "description": WORD,
            "columns": list_of(WORD),
            "orderBy": object_of({"field": WORD, "direction": WORD}),
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
            "table": one_of(ExportTable),
            "format": one_of(ExportFormat),
            "columns": list_of(WORD),
            "where": plain({"bsonType": "array"}),
            "order": WORD,
            "descending": BOOLEAN,
            "status": one_of(ExportStatus),
            "requestedBy": object_of({"subject": WORD, "roles": list_of(one_of(AccessLevel))}),
            "requestedAt": TIME,
            "key": plain(text(128)),
            "inputHash": WORD,
            "secret": plain({"bsonType": "binData"}),
            "attempts": COUNT,
            "rows": COUNT,
            "bytes": LONG_COUNT,
        },
        optional={
            **CUSTOMER_ID,  # of a data subject
            "slot": COUNT,
            "separator": one_of(Separator),
            "byteOrderMark": BOOLEAN,
            "timeZone": WORD,
            "dueAt": TIME,
            "total": COUNT,
            "position": plain({"bsonType": "array"}),
            "startedAt": TIME,
            "finishedAt": TIME,
            "expiresAt": TIME,
            "error": PERSONAL,
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
            "name": personal(text(255)),
            "mimeType": {"enum": [*MIME_TYPES]},
            "bytes": LONG_COUNT,
            "sha256": {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"},
            "createdBy": object_of({"subject": WORD, "roles": list_of(one_of(AccessLevel))}),
            "createdAt": TIME,
            "expiresAt": TIME,
        },
        optional={
            **CUSTOMER_ID,
            "slot": COUNT,
            "fileId": WORD,
            "completedAt": TIME,
            "noteId": reference("notes"),
            "dueAt": TIME,
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
            "text": plain(text(4_000_000)),
            "keys": list_of(plain(text(256))),
            "operations": list_of(WORD),
            "loadedAt": TIME,
        },
        indexes=(Index("keys", unique=True), Index("operations")),
    ),
    # What subjects asked for in a minute: see store/counters.py.
    "counters": Collection(
        required={"count": {"bsonType": ["int", "long"]}, "expiresAt": TIME},
        indexes=(Index("expiresAt", ttl_days=0),),
    ),
    # What was written of customers, without the values: see services/feed.py.
    "feed": Collection(
        required={
            **CUSTOMER_ID,
            "revision": LONG_COUNT,
            "at": TIME,
            "kind": one_of(CustomerChangeKind),
            "collections": list_of(WORD),
            "types": list_of(WORD, at_most=IDS_AT_MOST),
            "addedIds": list_of(reference("activities"), at_most=IDS_AT_MOST),
            "rewrittenIds": list_of(reference("activities"), at_most=IDS_AT_MOST),
        },
        optional={"isUnnumbered": BOOLEAN, "sequence": LONG_COUNT, "isPartial": BOOLEAN},
        indexes=(
            Index("customerId revision"),
            Index("isUnnumbered customerId revision", partial_on="isUnnumbered"),
            Index("sequence", unique=True, partial_on="sequence"),
            Index("at", ttl_days=DAYS_KEPT),
        ),
    ),
    # Who has a customer's record open just now: see services/presence.py.
    "presence": Collection(
        required={**CUSTOMER_ID, "viewer": PERSON, "since": TIME, "expiresAt": TIME},
        indexes=(Index("customerId since"), Index("expiresAt", ttl_days=0)),
    ),
    # The last number that was given, by what is numbered.
    "sequences": Collection(required={"_id": WORD, "last": LONG_COUNT}),
    # Who is told of what is in the feed: docs/webhooks.md. ``secrets``: the newest first, sealed. ``position``: the
    # number of the last entry of which deliveries were made. ``lease``: which process walks and sends for it.
    "webhookEndpoints": Collection(
        required={
            "name": WORD,
            "url": WORD,
            "types": list_of(WORD, at_most=MAX_TYPES),
            "secrets": list_of(plain({"bsonType": "binData"}), at_most=MAX_SECRETS),
            "status": one_of(WebhookEndpointStatus),
            "slot": COUNT,
            "position": LONG_COUNT,
            # Windows of the feed that are delivered once more: entries after a number until another, of a time.
            "redeliveries": list_of(
                object_of({"after": LONG_COUNT, "until": LONG_COUNT, "from": TIME, "to": TIME}),
                at_most=MAX_REDELIVERIES,
            ),
            "createdAt": TIME,
            "createdBy": ACTOR,
            "updatedAt": TIME,
        },
        optional={
            "description": WORD,
            "disabledReason": WORD,
            "disabledAt": TIME,
            "lastFailure": object_of({"at": TIME, "message": WORD}),
            "lease": object_of({"holder": WORD, "until": TIME}),
        },
        indexes=(Index("slot", unique=True), Index("createdAt _id")),
    ),
    # What each of them is told. It is to be sent for as long as it has ``dueAt``, and in the order of the customer's
    # revisions: see delivery/webhooks.py.
    "webhookDeliveries": Collection(
        required={
            **CUSTOMER_ID,
            "endpointId": reference("webhookEndpoints"),
            "revision": LONG_COUNT,
            "sequence": LONG_COUNT,
            "kind": one_of(CustomerChangeKind),
            "at": TIME,
            "types": list_of(WORD, at_most=IDS_AT_MOST),
            "activityIds": list_of(reference("activities"), at_most=2 * IDS_AT_MOST),
            "status": one_of(WebhookDeliveryStatus),
            "attempts": COUNT,
            "queuedAt": TIME,
        },
        optional={
            "isPartial": BOOLEAN,
            "dueAt": TIME,
            "error": WORD,
            "deliveredAt": TIME,
            "settledAt": TIME,
        },
        indexes=(
            Index("endpointId sequence"),
            Index("endpointId status sequence"),
            Index("endpointId customerId sequence"),
            Index("endpointId dueAt", partial_on="dueAt"),
            Index("endpointId customerId revision", partial_on="dueAt"),
            Index("settledAt", ttl_days=DELIVERIES_KEPT_DAYS),
        ),
    ),
    # Each import: what was brought in, by whom, and what became of its lines (services/importing/batches.py).
    "imports": Collection(
        required={
            "fileName": WORD,
            "startedAt": TIME,
            "startedBy": ACTOR,
            "seenAt": TIME,
            "lines": LONG_COUNT,
            "counts": list_of(
                object_of({"kind": WORD, "outcome": one_of(LineOutcome), "lines": LONG_COUNT}), at_most=1_000
            ),
        },
        # ``previewsAt``: when the worker last made the previews that it had left stale. ``settledLines``: up to where
        # no line waits for another, so that the rest may be sent by another request. ``pausedAt``: when one broke off,
        # and ``resumedAt`` when another went on.
        # ``linesRead``: how many there were by then, of which ``linesHeld`` wait: ``lines`` stand still meanwhile.
        optional={
            **dict.fromkeys(("finishedAt", "undoneAt", "previewsAt", "pausedAt", "resumedAt"), TIME),
            **dict.fromkeys(("settledLines", "linesRead", "linesHeld"), LONG_COUNT),
        },
        indexes=(Index("startedAt _id"),),
    ),
    # What a transaction of an import wrote that was not there before, each row with a digest by which a later change is
    # noticed: what an undo takes back. Those of earlier versions have no ``at`` until `rebuild` gives them one.
    "importSteps": Collection(
        required={
            "importId": reference("imports"),
            "rows": list_of(
                object_of(
                    {"collection": WORD, "ids": list_of(WORD, at_most=100_000)},
                    {
                        "digests": list_of(plain({"bsonType": "binData"}), at_most=100_000),
                        "revisions": list_of(LONG_COUNT, at_most=100_000),
                    },
                )
            ),
        },
        optional={"at": TIME},
        indexes=(Index("importId"), Index("at", ttl_days=UNDONE_WITHIN_DAYS)),
    ),
    # Keys that all processes share: see store/shared_keys.py.
    "secrets": Collection(required={"key": plain({"bsonType": "binData"})}, indexes=()),
    # The sources of imported activities that the catalogue does not have: what may be filtered by.
    "sources": Collection(required={"_id": WORD}),
    # Lines of an import that name a customer nobody knows yet; they come in once that identity appears.
    "parked": Collection(
        required={"identity": IDENTITY, "line": personal(ANYTHING), "parkedAt": TIME},
        indexes=(Index("identity.source identity.id parkedAt line.number"),),
    ),
    **MIRRORS,
    "requests": REQUESTS,
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
    "adjustments",
    "blocklist",
    "uploads",
    *MIRRORS,
    "requests",
)
"""What follows a customer who is merged into another (services/merging.py). Not the entries of a ledger and the changes
of a status: they say how that account came to its end. Not keys, the audit log, looks and merges: they say what was
done."""


def _that_moves(collection: Collection) -> Collection:
    """Returns the collection with the customers whose its rows were before, the first one first."""
    former = {"formerOwners": list_of(object_of({"mergeId": reference("merges"), **CUSTOMER_ID}))}
    index = Index("formerOwners.mergeId", partial_on="formerOwners.mergeId")
    return replace(collection, optional={**collection.optional, **former}, indexes=(*collection.indexes, index))


def _that_comes_in(collection: Collection) -> Collection:
    """Returns the collection with what its source calls a row. Rows of our own, and of earlier versions, have none."""
    whose = {
        key: schema for key, schema in (("source", WORD), ("sourceId", PERSONAL)) if key not in collection.required
    }
    return replace(collection, optional={**collection.optional, **whose})


def _completed(name: str, collection: Collection) -> Collection:
    if name in COLLECTION_OF.values() and name != "customers":  # a customer has identities
        collection = _that_comes_in(collection)
    return _that_moves(collection) if name in ROWS_OF_CUSTOMERS else collection


COLLECTIONS: Final[Mapping[str, Collection]] = {
    name: _completed(name, collection) for name, collection in _DECLARED.items()
}


def rows_of(collection: str, customer_id: str | Mapping[str, Any]) -> dict[str, Any]:
    """Returns the condition that rows are of a customer, so that an index answers it whose first key that is."""
    index = next(each for each in COLLECTIONS[collection].indexes if each.keys.split()[0] == "customerId")
    there = {index.partial_on: {"$exists": True}} if index.partial_on not in (None, "customerId") else {}
    return {"customerId": customer_id, **there}
