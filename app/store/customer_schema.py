"""Declares the collection of customers. Data; no I/O."""

from typing import Final

from app.domain.lead_source import LENGTHS
from app.domain.vocabulary import (
    CustomerStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    TaxIdType,
    TaxIdValidity,
)
from app.store.driver import FOLDS_ACCENTS
from app.store.forms import (
    ACTOR,
    ADDRESS,
    ANYTHING,
    BOOLEAN,
    BUCKET,
    COUNT,
    COUNTRY,
    DATE,
    IDENTITY,
    LONG_COUNT,
    LONG_PERSONAL,
    PERSONAL,
    ROW_ORDER,
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

_CONTACT_POINTS = personal(list_of(object_of({"value": WORD, "primary": BOOLEAN}, {"label": WORD})))
_LEAD_SOURCE = {key: personal(text(at_most)) for key, at_most in LENGTHS.items()}
_DETAIL = personal({"bsonType": ["string", "array", "object", "int", "long", "decimal", "bool", "date"]})

CUSTOMERS: Final = Collection(
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
        # their rows are on the way, ``absorbingIds`` names whose, and ``rowsMoving`` is on each of these; while they
        # are on the way back, ``undoingId`` is on all of them.
        "mergeId": reference("merges"),
        "mergedFromIds": list_of(reference("customers"), at_most=1_000),
        "mergedIdentities": list_of(IDENTITY),  # those of the survivor's that came with others
        # How many of a survivor's payments the others had, each by all that their systems call them.
        "mergedPayments": list_of(
            object_of({"customerId": reference("customers"), "count": COUNT, "identities": list_of(IDENTITY)}),
            at_most=1_000,
        ),
        "absorbingIds": list_of(reference("customers")),
        "mergeInProgressId": reference("merges"),
        "rowsMoving": {"enum": [True]},
        "undoingId": reference("merges"),
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
                    object_of({**BUCKET, "remaining": LONG_COUNT}, {"reserved": LONG_COUNT}), at_most=10_000
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
)
