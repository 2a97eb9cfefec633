"""Declares the collections that the gateway keeps for its own work. Data; no I/O."""

from collections.abc import Mapping
from typing import Final

from app.domain.cells import Separator
from app.domain.feed import DAYS_KEPT, IDS_AT_MOST
from app.domain.import_lines import UNDONE_WITHIN_DAYS
from app.domain.listings import PREVIEW_PARTS
from app.domain.segments import MAX_STARS
from app.domain.uploads import MIME_TYPES
from app.domain.vocabulary import (
    AccessLevel,
    ActorKind,
    AdjustmentStatus,
    BlocklistSource,
    BlocklistType,
    CustomerChangeKind,
    ErasureStatus,
    ExportFormat,
    ExportStatus,
    ExportTable,
    LineOutcome,
    MergeStatus,
    Outcome,
    ReadGroup,
    SegmentScope,
    WebhookDeliveryStatus,
    WebhookEndpointStatus,
)
from app.domain.webhooks import DELIVERIES_KEPT_DAYS, MAX_REDELIVERIES, MAX_SECRETS, MAX_TYPES
from app.store.driver import FOLDS_ACCENTS
from app.store.forms import (
    ACTOR,
    ANYTHING,
    BOOLEAN,
    BUCKET,
    COUNT,
    CUSTOMER_ID,
    IDENTITY,
    LONG_COUNT,
    PERSON,
    PERSONAL,
    POINTS,
    TIME,
    TOTAL,
    WORD,
    Collection,
    Index,
    list_of,
    object_of,
    one_of,
    personal,
    plain,
    reference,
    text,
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


OWN: Final[Mapping[str, Collection]] = {
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
                object_of({"sourceId": reference("customers"), **BUCKET, "points": TOTAL}), at_most=100_000
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
}
