"""Declares the collection of requests to other systems. Data; no I/O."""

from typing import Final

from app.catalogue.external_requests import REQUEST_KINDS
from app.domain.external_requests import MOST_OUTCOMES
from app.domain.vocabulary import DeliveryStatus, RequestExecutor, RequestStatus
from app.store.forms import (
    ACTOR,
    ANYTHING,
    BOOLEAN,
    COUNT,
    CUSTOMER_ID,
    PERSONAL,
    TIME,
    UNSENT,
    WORD,
    Collection,
    Index,
    list_of,
    object_of,
    one_of,
    personal,
    plain,
    reference,
)

_SEALED: Final = personal({"bsonType": "binData"})
_OUTCOME: Final = object_of(
    {"status": one_of(RequestStatus), "at": TIME, "recordedAt": TIME, "by": ACTOR, "decided": BOOLEAN},
    {
        "code": WORD,
        "message": PERSONAL,
        "reference": WORD,
        "attributes": personal(ANYTHING),
        "resultIds": list_of(WORD),
    },
)
# What other systems are asked to do. A request is its own outbox entry: what became of the sending is in
# ``deliveryStatus``, what became of the request in ``status``. ``sealed``: see store/sealed.py.
REQUESTS: Final = Collection(
    required={
        **CUSTOMER_ID,
        "kind": WORD,
        "status": one_of(RequestStatus),
        "open": BOOLEAN,
        "confidential": BOOLEAN,
        "executor": one_of(RequestExecutor),
        "attributes": plain(ANYTHING),  # by the kinds: store/personal.py
        "requestedBy": ACTOR,
        "requestedAt": TIME,
        "overdueAt": TIME,
        "outcomes": list_of(_OUTCOME, at_most=MOST_OUTCOMES + 1),  # its end has room, whatever was said before
    },
    optional={
        "openFor": WORD,
        "targetId": reference(*sorted({kind.target for kind in REQUEST_KINDS.values() if kind.target})),
        "reason": PERSONAL,
        "reference": WORD,
        "endpoint": WORD,
        "sealed": _SEALED,
        "link": object_of({"sealed": _SEALED, "expiresAt": TIME}),
        "expiresAt": TIME,
        "deliveryStatus": one_of(DeliveryStatus),
        "attempts": COUNT,
        "sentAt": TIME,
        **UNSENT,
    },
    indexes=(
        Index("customerId requestedAt order _id", partial_on="requestedAt"),
        Index("customerId kind requestedAt order _id", partial_on="kind"),
        Index("customerId status requestedAt order _id", partial_on="status"),
        Index("customerId open requestedAt order _id", partial_on="open"),
        Index("customerId confidential requestedAt order _id", partial_on="confidential"),
        Index("customerId openFor", partial_on="openFor", unique=True),  # nothing is asked for twice while it is open
        Index("targetId kind", partial_on="targetId"),
        Index("dueAt", partial_on="dueAt"),
        Index("expiresAt", partial_on="expiresAt"),
    ),
    retired=("openFor",),
)
