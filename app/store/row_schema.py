"""Declares the collections of what happens to a customer and of what they have. Data; no I/O."""

from collections.abc import Mapping
from typing import Final

from app.catalogue.model import ActivityGroup, Audience
from app.domain.due_diligence import DETAILS_AT_MOST, MAX_RESULTS
from app.domain.points import PointsKind
from app.domain.report import DIMENSIONS
from app.domain.uploads import MIME_TYPES
from app.domain.vocabulary import (
    CouponOrigin,
    CustomerStatus,
    DeliveryStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    PassType,
    PushStatus,
    TransactionStatus,
    TransactionType,
)
from app.store.driver import FOLDS_CASE
from app.store.forms import (
    ACTOR,
    ANYTHING,
    BODY,
    BOOLEAN,
    BUCKET,
    COUNT,
    COUNTRY,
    CURRENCY,
    CUSTOMER_ID,
    LONG_COUNT,
    LONG_PERSONAL,
    MONEY,
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

_NAMED_VALUES = personal(list_of(object_of({"name": WORD, "value": WORD})))
_PORTION = object_of({**BUCKET, "points": LONG_COUNT})
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


# Each by its customer. Other systems' rows are in store/mirrors.py.
ROWS: Final[Mapping[str, Collection]] = {
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
            "givenBy": WORD,
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
}
