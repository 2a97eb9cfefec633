"""Accounts in which every text is a canary, and what each role may learn of them.

A canary says whose it is and what kind of thing it is. What a role may learn is said here a second time, from shared
words and not from the code's rules: see ``MAY_LEARN``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from app.domain import points
from app.domain.access import SCOPE_OF, Role
from app.domain.ids import new_id
from app.domain.uploads import Attaching, attachment
from app.store.driver import Document
from tests.support.tokens import token
from tests.support.world import LATER, NOW, World

ALL_BUT_THE_LOG = {
    "plain",
    "birthday",
    "agent",
    "contact",
    "mail",
    "code",
    "label",
    "words",
    "note",
    "staff",
    "legacy",
    "attribute",
    "personal",
    "export",
    "adjustment",
    "blocklist",
    "merge",
    "erasure",
    "segment",
    "diligence",
    "billing",
    "kyc",
    "aml",
    "request",
}
PLAIN = {"plain", "attribute"}
MAY_LEARN: Mapping[Role, set[str]] = {
    Role.ADMIN: ALL_BUT_THE_LOG | {"audit", "look", "webhook"},
    Role.CS_ADMIN: ALL_BUT_THE_LOG,
    Role.CUSTOMER_SERVICE_AGENT: ALL_BUT_THE_LOG - {"export", "diligence", "aml"},
    Role.SALES_REP: ALL_BUT_THE_LOG - {"adjustment", "diligence", "kyc", "aml"},
    Role.FINANCE: ALL_BUT_THE_LOG,
    Role.API_USER: ALL_BUT_THE_LOG - {"note", "export", "diligence", "aml"},
    Role.AFFILIATE: {*PLAIN, "agent"},
    Role.CUSTOMER: {*PLAIN, "contact", "mail", "code", "personal", "birthday", "billing"},
}
STRANGERS = {Role.AFFILIATE, Role.CUSTOMER}
"""Who is no member of staff, and sees few customers."""
OTHERS: Mapping[Role, bool] = {role: role not in STRANGERS for role in Role}
"""Whether the role sees customers other than its own."""

CANARY = re.compile(r"canary-(own|referred|other)-([a-z]+)")


@dataclass(frozen=True)
class Account:
    """One customer with one document of every kind; ``documents`` by GraphQL type."""

    whose: str
    customer: Document
    documents: Mapping[str, Document]
    activities: list[Document]


def canary(whose: str, kind: str) -> str:
    """Writes a text that says whose it is and what kind of thing it is."""
    return f"canary-{whose}-{kind}"


async def account_of(world: World, whose: str, **given: Any) -> Account:
    """Stores an account in which every text is a canary."""

    def a(kind: str) -> str:
        return canary(whose, kind)

    agent = {"kind": "AGENT", "id": a("agent"), "name": a("agent"), "accessLevel": "CUSTOMER_SERVICE_AGENT"}
    scorer = {"kind": "AGENT", "id": a("diligence"), "name": a("diligence")}
    manual = {"factor": "FRAUD", "manual": "UNLIKELY", "manualBy": scorer, "manualAt": NOW}
    mailbox = f"{a('contact')}@example.com"
    customer = await world.customer(
        name=a("plain"),
        firstName=a("plain"),
        organization=a("plain"),
        jobTitle=a("plain"),
        website=a("contact"),
        dateOfBirth="1990-01-01",
        email=mailbox,
        emails=[{"value": mailbox, "label": a("contact"), "primary": True}],
        phones=[{"value": a("contact"), "primary": True}],
        billingAddress={"line1": a("contact"), "city": a("contact"), "country": "DE"},
        identities=[{"source": "esuite", "id": a("contact")}],
        tags=[a("label")],
        dueDiligence={"required": True, "factors": [manual]},
        **given,
    )
    known_as = {"sourceId": a("contact")}
    email = await world.email(
        customer, subject=a("mail"), to=a("mail"), html=a("mail"), text=a("mail"), sentAt=NOW, sourceId=a("mail")
    )
    delivery = await world.delivery(email, to=a("mail"), error=a("mail"))
    upload = await world.upload(name=a("note"), customerId=customer["_id"])
    attached = attachment(upload, Attaching(upload["_id"], a("note")), agent)
    note = await world.note(
        customer,
        message=a("note"),
        author=agent,
        mentions=[a("note")],
        linkIds=[customer["_id"]],
        attachments=[attached],
        sourceId=a("note"),
    )
    found = {"url": f"https://example.com/{a('diligence')}", "details": a("diligence")}
    search = await world.search(customer, results=[found], sourceId=a("diligence"))
    mirrors = await _mirrors_of(world, customer, whose)
    requester = {"kind": "AGENT", "id": a("request"), "name": a("request")}
    said = {"status": "SUCCEEDED", "decided": True, "at": NOW, "recordedAt": NOW, "by": requester}
    request = await world.request(
        customer,
        status="SUCCEEDED",
        open=False,
        attributes={"description": a("request")},
        reason=a("request"),
        reference=a("request"),
        error=a("request"),
        deliveryStatus="SENT",
        attempts=1,
        requestedBy=requester,
        outcomes=[{**said, "code": a("request"), "message": a("request"), "reference": a("request")}],
    )
    coupon = await world.coupon(
        customer,
        code=a("code"),
        type=a("plain"),
        value=a("plain"),
        redeemed=True,
        redeemedAt=NOW,
        redeemedBy=agent,
        **known_as,
    )
    sale = await world.transaction(customer, number=a("plain"))
    refund = await world.transaction(customer, number=a("plain"), type="REFUND", refundOfId=sale["_id"], **known_as)
    pass_ = await world.pass_(customer, serialNumber=a("plain"), reward=a("plain"), **known_as)
    push = await world.push(pass_, error=a("plain"))
    status = await world.status(customer, reason=a("words"), actor=agent, **known_as)
    asker = {"kind": "AGENT", "id": a("adjustment"), "name": a("adjustment")}
    decision = {"decidedBy": asker, "decidedAt": NOW, "decisionReason": a("adjustment"), "status": "DECLINED"}
    adjustment = await world.adjustment(customer, reason=a("adjustment"), requestedBy=asker, **decision)
    blocker = {"kind": "AGENT", "id": a("blocklist"), "name": a("blocklist")}
    blocked = await world.blocklist_entry(
        customer, value=a("blocklist"), reason=a("blocklist"), createdBy=blocker, expiresAt=LATER
    )
    merger = {"kind": "AGENT", "id": a("merge"), "name": a("merge")}
    undone = {"undoneBy": merger, "undoneAt": NOW, "undoReason": a("merge")}
    merge = await world.merge(customer, reason=a("merge"), createdBy=merger, **undone)
    saver = {"kind": "AGENT", "id": a("segment"), "name": a("segment")}
    segment = await world.segment(
        name=a("segment"),
        description=a("segment"),
        scope="PUBLIC",
        subject=a("segment"),
        owner=saver,
        filter={"name": a("segment")},
    )
    eraser = {"kind": "AGENT", "id": a("erasure"), "name": a("erasure")}
    erasure = await world.erasure(customer, reason=a("erasure"), erasedBy=eraser)
    (entry,) = await world.ledger(
        customer,
        points.earn(points.empty(), 100, now=NOW, expires_at=LATER),
        reason=a("words"),
        actor=agent,
        transactionId=sale["_id"],
        adjustmentId=adjustment["_id"],
        **known_as,
    )
    sent = await world.activity(
        customer,
        "EMAIL_SENT",
        message=a("words"),
        actor=agent,
        emailId=email["_id"],
        subjectId=email["_id"],
        attributes={"emailSubject": a("personal"), "toAddress": a("personal"), "productName": a("attribute")},
        changes=[
            {"field": "fields.creditLimit", "from": a("staff"), "to": a("staff")},
            {"field": "leadSource", "from": a("staff"), "to": a("staff")},
            {"field": "fields.shoeSize", "from": a("contact"), "to": a("contact")},
        ],
        **known_as,
    )
    activities = [
        sent,
        await world.activity(customer, "NOTE_ADDED", message=a("note"), noteId=note["_id"], subjectId=note["_id"]),
        await world.activity(customer, "FRAUD_RESULT", source=a("staff"), subjectId=coupon["_id"]),
        await world.activity(customer, "MOON_PHASE_SEEN", title=a("legacy"), attributes={"moon": a("personal")}),
        await world.activity(customer, "SUBSCRIPTION_RENEWED", points=5, subjectId=pass_["_id"]),
        await world.activity(customer, "BIRTHDAY", actor={"kind": "SYSTEM", "name": a("birthday")}),
    ]
    entry_of_log = {
        "_id": new_id("audit"),
        "at": NOW,
        "actor": {"subject": a("audit"), "name": a("audit"), "roles": ["ADMIN"]},
        "action": "addNote",
        "outcome": "ACCEPTED",
        "requestId": a("audit"),
        "customerId": customer["_id"],
        "wrote": [note["_id"]],
    }
    await world.store.insert("audit", [entry_of_log])
    reader = {"id": a("look"), "name": a("look"), "roles": ["ADMIN"], "delegate": {"id": a("look"), "name": a("look")}}
    look = await world.look(customer, viewer=reader)
    operator = {"kind": "AGENT", "id": a("audit"), "name": a("audit")}
    batch = await world.import_(fileName=a("audit"), startedBy=operator)
    export = await world.export(status="FAILED", error=a("export"))
    admin = {"kind": "AGENT", "id": a("webhook"), "name": a("webhook")}
    endpoint = await world.webhook_endpoint(
        name=a("webhook"),
        description=a("webhook"),
        url=f"https://{a('webhook')}.example.com/",
        createdBy=admin,
        disabledReason=a("webhook"),
        lastFailure={"at": NOW, "message": a("webhook")},
    )
    told = await world.webhook_delivery(endpoint, customer, error=a("webhook"))
    documents = {
        "Export": export,
        "AuditEntry": entry_of_log,
        "PointsAdjustment": adjustment,
        "BlocklistEntry": blocked,
        "Merge": merge,
        "Erasure": erasure,
        "Segment": segment,
        "Look": look,
        "Import": batch,
        "WebhookEndpoint": endpoint,
        "WebhookDelivery": told,
        "Customer": customer,
        "Email": email,
        "EmailDelivery": delivery,
        "Note": note,
        "Upload": upload,
        "DueDiligenceSearch": search,
        "Request": request,
        **mirrors,
        "Coupon": coupon,
        "Transaction": refund,
        "Pass": pass_,
        "PassPush": push,
        "StatusChange": status,
        "PointsEntry": entry,
        "Activity": sent,
    }
    return Account(whose, customer, documents, activities)


async def _mirrors_of(world: World, customer: Document, whose: str) -> Mapping[str, Document]:
    """Stores one of all that other systems own, by GraphQL type."""

    def of(kind: str, *keys: str) -> Document:
        return dict.fromkeys(("source", "sourceId", "sourceStatus", *keys), canary(whose, kind))

    instrument = await world.mirror(
        "paymentInstruments",
        customer,
        **of("billing", "method", "brand", "last4", "holder", "fingerprint", "stickyGateway", "bankName"),
        billingAddress={"line1": canary(whose, "billing"), "country": "DE"},
    )
    order = await world.mirror(
        "orders", customer, **of("billing", "number"), items=[{"name": canary(whose, "billing")}]
    )
    invoice = await world.mirror("invoices", customer, **of("billing", "number"), orderId=order["_id"])
    quote = await world.mirror(
        "quotes", customer, **of("billing", "number"), orderId=order["_id"], invoiceId=invoice["_id"]
    )
    memo = await world.mirror("creditMemos", customer, **of("billing", "number"), invoiceId=invoice["_id"])
    request = await world.mirror("kycRequests", customer, **of("kyc", "reason"))
    reviewer = {"kind": "AGENT", "id": canary(whose, "kyc"), "name": canary(whose, "kyc")}
    document = await world.mirror(
        "kycDocuments",
        customer,
        **of("kyc", "subtype"),
        reviewer=reviewer,
        rejection={"type": canary(whose, "kyc")},
        requestId=request["_id"],
    )
    check = await world.mirror(
        "amlChecks",
        customer,
        **of("aml", "noMatchReason"),
        hits=[{"name": canary(whose, "aml"), "listType": "PEP"}],
    )
    return {
        "PaymentInstrument": instrument,
        "Order": order,
        "Invoice": invoice,
        "Quote": quote,
        "CreditMemo": memo,
        "KycRequest": request,
        "KycDocument": document,
        "AmlCheck": check,
    }


def token_of(role: Role, own: Account, *more: Role) -> str:
    """Issues a token for the role, or for several; as a customer, for the own account."""
    roles = (role, *more)
    return token(
        *roles,
        customer_id=own.customer["_id"] if Role.CUSTOMER in roles else None,
        affiliate_id="aff-1" if Role.AFFILIATE in roles else None,
    )


def learnt(text: str) -> set[tuple[str, str]]:
    """Returns whose canaries of which kind are in a text."""
    return set(CANARY.findall(text))


def reaching_of(roles: Collection[Role], whose: str) -> set[Role]:
    """Returns those of the roles that reach this account. An affiliate's own account is theirs as a customer."""
    reaching = set(roles) - STRANGERS
    if whose == "own" and Role.CUSTOMER in roles:
        return reaching | {Role.CUSTOMER}
    return reaching or {Role.AFFILIATE} & set(roles) if whose != "other" else reaching


def allowed_of(roles: Collection[Role]) -> set[tuple[str, str]]:
    """Returns by account and kind what the roles that reach the account may learn, each by itself.

    Which rows there are is decided for the whole viewer: with an affiliate's role, and none of staff's, the narrower.
    """
    narrow = {"birthday"} if Role.AFFILIATE in roles and set(roles) <= STRANGERS else set[str]()
    return {
        (whose, kind)
        for whose in ("own", "referred", "other")
        for role in reaching_of(roles, whose)
        for kind in MAY_LEARN[role] - narrow
    }


SETS_OF_ROLES: list[tuple[Role, ...]] = [
    *((role,) for role in Role),
    *(pair for pair in combinations(Role, 2) if SCOPE_OF[pair[0]] is not SCOPE_OF[pair[1]]),
    tuple(role for role in Role if role not in STRANGERS),
]
"""Each role; those that reach different customers, two by two; and those that reach all of them, all at once: their
rights add up wherever they have any (tests/graph/test_access.py has each two of them, without a request)."""
