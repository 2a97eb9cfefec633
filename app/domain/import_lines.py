"""Declares the lines of an import: one shape for each kind, and what a line means beyond its single values. Pure.

A line comes here as a decoded JSON object. docs/import.md tells people the same, with examples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final, cast

from app.catalogue import CATALOGUE, copied
from app.catalogue.model import AttributeKind, CatalogueType, did_you_mean
from app.domain import attributes, card_numbers, customer_fields
from app.domain.attributes import AttributeProblems, Raw
from app.domain.customers import primary_first
from app.domain.due_diligence import DETAILS_AT_MOST, MAX_RESULTS
from app.domain.ids import derived_id
from app.domain.import_forms import (
    ATTRIBUTES,
    BODY,
    BOOLEAN,
    CONTENT,
    CONTENT_ID,
    COUNT,
    COUNTRY,
    CURRENCY,
    DATE,
    EMAIL_ADDRESS,
    HTTPS_URL,
    IDENTITY,
    LINK,
    LOCALE,
    LONG_TEXT,
    MAILBOXES,
    MEDIA_TYPE,
    MONEY,
    NAME,
    PKPASS,
    POINTS,
    SOURCE,
    SUBJECT,
    TEXT,
    TIME,
    TIME_OR_DATE,
    UNSUBSCRIBE,
    WEBSITE,
    Form,
    Identity,
    LineShape,
    Problems,
    integer,
    list_of,
    matching,
    object_of,
    one_of,
    reference,
    reference_to_one_of,
    text,
    trimmed,
)
from app.domain.kinds import BY_IMPORT_WORD
from app.domain.mirrors import status_of
from app.domain.points import INT32_MAX, TRANSFERS, PointsKind
from app.domain.vocabulary import (
    AccessLevel,
    ActorKind,
    AmlCheckStatus,
    AmlConfidence,
    AmlEntityType,
    AmlListType,
    AmlPriority,
    AmlTrigger,
    CouponOrigin,
    CreditMemoReason,
    CreditMemoStatus,
    CustomerStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    InvoiceStatus,
    InvoiceType,
    KycDocumentStatus,
    KycDocumentType,
    KycRequestStatus,
    OrderCancelCategory,
    OrderCanceller,
    OrderKind,
    OrderStatus,
    PassType,
    PaymentInstrumentStatus,
    QuoteCondition,
    QuoteStatus,
    QuoteType,
    TransactionStatus,
    TransactionType,
)


class LineKind(StrEnum):
    """The kind of a line is the word that the line says."""

    CUSTOMER = "customer"
    CUSTOMER_LINK = "customerLink"
    ACTIVITY = "activity"
    POINTS = "points"
    COUPON = "coupon"
    TRANSACTION = "transaction"
    PASS = "pass"  # noqa: S105 -- of the wallet, not a password
    STATUS = "status"
    EMAIL = "email"
    NOTE = "note"
    DUE_DILIGENCE_SEARCH = "dueDiligenceSearch"
    PAYMENT_INSTRUMENT = "paymentInstrument"
    ORDER = "order"
    INVOICE = "invoice"
    QUOTE = "quote"
    CREDIT_MEMO = "creditMemo"
    KYC_REQUEST = "kycRequest"
    KYC_DOCUMENT = "kycDocument"
    AML_CHECK = "amlCheck"


UNDONE_WITHIN_DAYS: Final = 90
"""For so long it is known what an import wrote."""
COLLECTION_OF: Final[Mapping[str, str]] = {
    kind: BY_IMPORT_WORD[kind].collection for kind in LineKind if kind is not LineKind.CUSTOMER_LINK
}
HISTORY: Final = frozenset(
    (LineKind.ACTIVITY, LineKind.POINTS, LineKind.STATUS, LineKind.NOTE, LineKind.DUE_DILIGENCE_SEARCH)
)
"""What happened is never rewritten; the other kinds have a present, which a later line may change."""
CORRECTABLE: Final = HISTORY - {LineKind.POINTS, LineKind.DUE_DILIGENCE_SEARCH}
"""History that a source may tell anew where the import says so. Points are a ledger: another entry corrects one."""

STATUSES: Final[Mapping[LineKind, type[StrEnum]]] = {
    LineKind.PAYMENT_INSTRUMENT: PaymentInstrumentStatus,
    LineKind.ORDER: OrderStatus,
    LineKind.INVOICE: InvoiceStatus,
    LineKind.QUOTE: QuoteStatus,
    LineKind.CREDIT_MEMO: CreditMemoStatus,
    LineKind.KYC_REQUEST: KycRequestStatus,
    LineKind.KYC_DOCUMENT: KycDocumentStatus,
    LineKind.AML_CHECK: AmlCheckStatus,
}
"""The kinds of what other systems own, with our words for the statuses that they have there."""

REFERENCES: Final = {
    *("emailId", "noteId", "subjectId", "transactionId", "refundOfId"),
    *("orderId", "invoiceId", "requestId", "inheritedFromId"),
}
"""The keys of documents that name rows of other lines."""

ACTOR_KEYS: Final = ("actor", "author", "redeemedBy", "reviewer")
"""The keys of a line that say who did something."""

IMPORTER: Final = {"kind": ActorKind.IMPORT.value, "name": "System"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line is read: ``document`` is what will be stored, but for what only the database knows.

    ``owner`` is None where the line itself says who a customer is. There ``document`` holds all ``identities`` of the
    customer, or those that a customerLink joins; the line's own is the first.
    """

    kind: LineKind
    identity: Identity
    owner: Identity | None
    document: dict[str, Any]
    warnings: tuple[str, ...] = ()
    """What was wrong with values that were left out for it."""
    id: str = field(init=False)
    """Of the row that the line tells of; a link between identities tells of none."""

    def __post_init__(self) -> None:
        collection = COLLECTION_OF.get(self.kind)
        own = derived_id(collection, source=self.identity.source, source_id=self.identity.id) if collection else ""
        object.__setattr__(self, "id", own)

    @property
    def names(self) -> Sequence[Identity]:
        """Returns the customer that the line speaks of, by all identities that it gives."""
        return (self.owner,) if self.owner else self.document["identities"]


def parse(given: Mapping[str, Any], *, may_hold_card_number: bool = True, strict: bool = False) -> Line:
    """Returns the line that an object says. Raises Problems with all that is wrong.

    A bad value of a customer costs itself only, unless ``strict``: a customer who does not come in keeps out all that
    is theirs. Of a line that holds a card number nothing else is said: what is wrong with a value may repeat it.
    """
    if may_hold_card_number and (places := [*card_numbers.places_of(given)]):
        raise Problems(*(f"{'.'.join(place) or 'The line'} holds the number of a card." for place in places))
    word = given.get("kind")
    if not isinstance(word, str) or word not in LINE_SHAPES:
        raise Problems(f"kind must be one of {', '.join(LINE_SHAPES)}{did_you_mean(word, LINE_SHAPES)}")
    kind = LineKind(word)
    deletes = _deletes(kind, given)
    shape = _DELETION if deletes else LINE_SHAPES[kind]
    # A deletion may say whatever it likes of what is gone.
    ignored = LINE_SHAPES[kind].forms.keys() - _DELETION.forms.keys() if deletes else {"deleted"}
    apart = DETAILS_OF_CUSTOMERS if kind is LineKind.CUSTOMER and not strict else frozenset[str]()
    document, warnings = shape.read_apart(
        {key: value for key, value in given.items() if key != "kind" and key not in ignored}, apart
    )
    if kind is LineKind.CUSTOMER:
        document = _customer(document, None if strict else warnings)
        nulls = {"email" if key == "emails" else key for key, value in given.items() if value is None}
        document["cleared"] = sorted((nulls & CLEARED_BY_NULL | _fields_cleared(given)) - document.keys())
    elif kind in _COMPLETED and not deletes:
        document = _COMPLETED[kind](document)
    for key in ACTOR_KEYS:
        if key in document:
            document[key] = _actor(key, document[key], document["source"])
    identity = Identity(document["source"], document.pop("id"))
    owner = document.pop("customer", None)
    if owner is None or deletes:
        del document["source"]
    else:
        document["sourceId"] = identity.id
    if owner is None:
        document["identities"] = [identity, *document.get("identities", [])]
    return Line(kind, identity, owner, document, tuple(warnings))


def _deletes(kind: LineKind, given: Mapping[str, Any]) -> bool:
    """Returns whether the line deletes what it names. Raises Problems where it cannot."""
    deleted = given.get("deleted")
    if deleted is None or deleted is False or deleted == "":
        return False
    if deleted is not True:
        raise Problems("deleted must be true or false.")
    if kind not in _DELETABLE:
        way_out = "; anonymiseCustomer erases one" if kind is LineKind.CUSTOMER else ""
        raise Problems(f"deleted must be left out: no line deletes a {kind}{way_out}.")
    return True


# ---------------------------------------------------------------- shapes


def _thing(required: Mapping[str, Form], optional: Mapping[str, Form]) -> LineShape:
    return LineShape({"source": SOURCE, "id": TEXT, "customer": IDENTITY, **required}, optional)


_ACTOR = object_of(
    "kind and name", {"kind": one_of(ActorKind)}, {"id": TEXT, "name": NAME, "accessLevel": one_of(AccessLevel)}
)
_ADDRESS = dict.fromkeys(("line1", "line2", "city", "region", "postalCode"), TEXT) | {"country": COUNTRY}
_CONTACT = {"primary": BOOLEAN, "label": TEXT}
_NAMED_VALUES = list_of(object_of("name and value", {"name": NAME, "value": NAME}))
_REASON = text(lines=True)
_SUBJECTS = {
    kind.value: COLLECTION_OF[kind]
    for kind in (
        *(LineKind.COUPON, LineKind.PASS, LineKind.TRANSACTION, LineKind.POINTS, LineKind.EMAIL, LineKind.NOTE),
        *STATUSES,
    )
}
_LINKS = {**_SUBJECTS, LineKind.ACTIVITY.value: COLLECTION_OF[LineKind.ACTIVITY]}


def _mirror(required: Mapping[str, Form], optional: Mapping[str, Form], *, time: str = "createdAt") -> LineShape:
    """Returns the shape of what the source owns. Its status is any word."""
    return _thing({"status": TEXT.into("sourceStatus"), time: TIME, **required}, optional)


_ITEM = {"quantity": COUNT, "amount": MONEY}

_DELETABLE: Final = frozenset((LineKind.COUPON, LineKind.TRANSACTION, LineKind.PASS, LineKind.EMAIL, *STATUSES))
_DELETION: Final = LineShape({"source": SOURCE, "id": TEXT, "customer": IDENTITY, "deleted": BOOLEAN})
_REMOVABLE: Final = (
    *("firstName", "lastName", "organization", "jobTitle", "website", "locale", "dateOfBirth", "email", "phones"),
    *("billingAddress", "country", "affiliateId"),
)
CLEARED_BY_NULL: Final = frozenset((*_REMOVABLE, "tags"))

LINE_SHAPES: Final[Mapping[str, LineShape]] = {
    LineKind.CUSTOMER: LineShape(
        {"source": SOURCE, "id": TEXT},
        {
            # The three that a customer who is new here must have.
            "number": NAME,
            "name": NAME,
            "registeredAt": TIME,
            **dict.fromkeys(("firstName", "lastName", "organization", "jobTitle", "affiliateId"), NAME),
            "website": WEBSITE,
            "locale": LOCALE,
            "dateOfBirth": DATE,
            "email": EMAIL_ADDRESS,
            "emails": list_of(object_of("value", {"value": EMAIL_ADDRESS}, _CONTACT)),
            "phones": list_of(object_of("value", {"value": TEXT}, _CONTACT)),
            "billingAddress": object_of("the lines of an address", {}, _ADDRESS),
            "country": COUNTRY,
            "paymentCount": COUNT,
            "tags": list_of(trimmed(100)),
            "fields": ATTRIBUTES,
            "status": one_of(CustomerStatus),
            "mergedInto": IDENTITY,
            "identities": list_of(IDENTITY),
            "remove": list_of(matching("|".join(_REMOVABLE), f"one of {', '.join(_REMOVABLE)}")),
        },
    ),
    LineKind.CUSTOMER_LINK: LineShape({"source": SOURCE, "id": TEXT, "to": IDENTITY}),
    LineKind.ACTIVITY: _thing(
        {"type": TEXT, "occurredAt": TIME},
        {
            "title": TEXT,
            "actor": _ACTOR,
            "message": LONG_TEXT,
            "attributes": ATTRIBUTES,
            "points": POINTS,
            "email": reference("emails").into("emailId"),
            "note": reference("notes").into("noteId"),
            "subject": reference_to_one_of(_SUBJECTS).into("subjectId"),
            **dict.fromkeys(("campaign", "campaignCategory", "product", "callCenter"), NAME),
            "currency": CURRENCY,
            "country": COUNTRY,
            "orderCustomFields": _NAMED_VALUES,
            "customFieldsSet": _NAMED_VALUES,
        },
    ),
    LineKind.POINTS: _thing(
        # The line's own ``kind`` says already that it is about points.
        {
            "pointsKind": one_of(kind for kind in PointsKind if kind not in TRANSFERS).into("kind"),
            "points": POINTS,
            "occurredAt": TIME,
        },
        {
            "reason": _REASON,
            "expiresAt": TIME_OR_DATE,
            "balanceAfter": integer(-INT32_MAX),
            "actor": _ACTOR,
            "transaction": reference("transactions").into("transactionId"),
            "refundOf": reference("points").into("refundOfId"),
        },
    ),
    LineKind.COUPON: _thing(
        {"code": NAME, "type": TEXT, "value": TEXT, "addedAt": TIME, "origin": one_of(CouponOrigin)},
        {"expiresAt": TIME, "redeemed": BOOLEAN, "redeemedAt": TIME, "redeemedBy": _ACTOR},
    ),
    LineKind.TRANSACTION: _thing(
        {"number": NAME, "type": one_of(TransactionType), "occurredAt": TIME},
        {
            "amount": MONEY,
            "pointsAwarded": POINTS,
            "status": one_of(TransactionStatus),
            "refundOf": reference("transactions").into("refundOfId"),
        },
    ),
    LineKind.PASS: _thing(
        {"serialNumber": NAME, "type": one_of(PassType), "createdAt": TIME},
        {"updatedAt": TIME, "reward": TEXT, "downloadUrl": HTTPS_URL, "file": PKPASS},
    ),
    LineKind.STATUS: _thing(
        {"to": one_of(CustomerStatus), "changedAt": TIME},
        {"from": one_of(CustomerStatus), "reason": _REASON, "actor": _ACTOR},
    ),
    LineKind.EMAIL: _thing(
        {"subject": SUBJECT, "to": TEXT},
        {
            "html": BODY,
            "text": BODY,
            "sentAt": TIME,
            "replyTo": MAILBOXES,
            "listUnsubscribe": UNSUBSCRIBE,
            "listUnsubscribePost": BOOLEAN,
            "attachments": list_of(
                object_of(
                    "name, type and content",
                    {"name": TEXT, "type": MEDIA_TYPE.into("mediaType"), "content": CONTENT},
                    {"contentId": CONTENT_ID},
                )
            ),
        },
    ),
    LineKind.NOTE: _thing(
        {"message": LONG_TEXT, "createdAt": TIME},
        {"author": _ACTOR, "mentions": list_of(TEXT), "links": list_of(reference_to_one_of(_LINKS)).into("linkIds")},
    ),
    LineKind.DUE_DILIGENCE_SEARCH: _thing(
        {"factor": one_of(DueDiligenceFactor), "searchedAt": TIME, "score": one_of(DueDiligenceScore)},
        {
            "nextSearchAt": TIME,
            "results": list_of(
                object_of(
                    "url, and details if there are any",
                    {"url": LINK},
                    {"details": text(DETAILS_AT_MOST, lines=True)},
                ),
                at_most=MAX_RESULTS,
            ),
        },
    ),
    LineKind.PAYMENT_INSTRUMENT: _mirror(
        {"method": TEXT},
        {
            **dict.fromkeys(("brand", "fingerprint", "stickyGateway", "digitalWallet"), TEXT),
            **dict.fromkeys(("holder", "bankName"), NAME),
            "last4": matching("[0-9A-Za-z]{1,4}", "the last characters of the number, at most 4"),
            "expMonth": integer(1, 12),
            "expYear": integer(1970, 9999),
            "billingAddress": object_of("the lines of an address", {}, _ADDRESS),
            "bankCountry": COUNTRY,
            **dict.fromkeys(("isDefault", "useAsBackup"), BOOLEAN),
            "lastPaymentAt": TIME,
        },
    ),
    LineKind.ORDER: _mirror(
        # The line's own ``kind`` says already that it is an order.
        {"number": NAME, "orderKind": one_of(OrderKind).into("kind"), "currency": CURRENCY},
        {
            "items": list_of(object_of("name", {"name": TEXT}, {"plan": TEXT, **_ITEM})),
            **dict.fromkeys(("startAt", "renewsAt", "churnAt"), TIME),
            "currentPeriod": object_of("startAt and endAt", {"startAt": TIME, "endAt": TIME}),
            "inTrial": BOOLEAN,
            "cancelledBy": one_of(OrderCanceller),
            "cancelCategory": one_of(OrderCancelCategory),
        },
    ),
    LineKind.INVOICE: _mirror(
        {"number": NAME, "type": one_of(InvoiceType), "amount": MONEY},
        {
            "amountDue": MONEY,
            **dict.fromkeys(("dueAt", "issuedAt", "paidAt"), TIME),
            "order": reference("orders").into("orderId"),
        },
    ),
    LineKind.QUOTE: _mirror(
        {"type": one_of(QuoteType), "initialAmount": MONEY},
        {
            "number": NAME,
            "expiresAt": TIME,
            "acceptance": list_of(
                object_of("condition and fulfilled", {"condition": one_of(QuoteCondition), "fulfilled": BOOLEAN})
            ),
            "recurringAmount": MONEY,
            "order": reference("orders").into("orderId"),
            "invoice": reference("invoices").into("invoiceId"),
        },
    ),
    LineKind.CREDIT_MEMO: _mirror(
        {"number": NAME, "total": MONEY, "unused": MONEY},
        {
            "reason": one_of(CreditMemoReason),
            "issuedAt": TIME,
            "invoice": reference("invoices").into("invoiceId"),
            "items": list_of(object_of("name", {"name": TEXT}, _ITEM)),
        },
    ),
    LineKind.KYC_REQUEST: _mirror(
        {},
        {
            "documents": list_of(
                object_of("type", {"type": one_of(KycDocumentType)}, {"subtypes": list_of(TEXT), "maxAttempts": COUNT})
            ),
            "reason": _REASON,
            "expiresAt": TIME,
        },
    ),
    LineKind.KYC_DOCUMENT: _mirror(
        {"type": one_of(KycDocumentType)},
        {
            "subtype": TEXT,
            "rejection": object_of("type", {"type": TEXT}, {"message": LONG_TEXT}),
            "reviewer": _ACTOR,
            **dict.fromkeys(("reviewedAt", "processedAt"), TIME),
            "tags": list_of(trimmed(100)),
            "request": reference("kycRequests").into("requestId"),
        },
    ),
    LineKind.AML_CHECK: _mirror(
        {},
        {
            "trigger": one_of(AmlTrigger),
            "priority": one_of(AmlPriority),
            "reviewer": _ACTOR,
            "reviewedAt": TIME,
            "hits": list_of(
                object_of(
                    "name and listType",
                    {"name": NAME, "listType": one_of(AmlListType)},
                    {"entityType": one_of(AmlEntityType), "confidence": one_of(AmlConfidence)},
                )
            ),
            "inheritedFrom": reference("amlChecks").into("inheritedFromId"),
            "noMatchReason": _REASON,
        },
        time="startedAt",
    ),
}

DETAILS_OF_CUSTOMERS: Final = LINE_SHAPES[LineKind.CUSTOMER].forms.keys() - {
    *("source", "id", "status", "mergedInto", "identities", "remove")
}
"""What a line may say wrongly of a customer without being rejected: what says nothing of who they are, or may do."""
NEEDED_OF_NEW_CUSTOMERS: Final = ("number", "name", "registeredAt")

KEYS_OF_LINES: Final[Mapping[LineKind, Mapping[str, str]]] = {
    kind: {"customerId": "customer"}
    | {form.key: key for key, form in {**shape.required, **shape.optional}.items() if form.key}
    for kind, shape in ((LineKind(word), shape) for word, shape in LINE_SHAPES.items())
}
"""How a line spells the keys that are stored under another name."""

TIMES: Final[Mapping[LineKind, str]] = {
    LineKind.CUSTOMER: "registeredAt",
    **dict.fromkeys((LineKind.ACTIVITY, LineKind.POINTS, LineKind.TRANSACTION), "occurredAt"),
    LineKind.COUPON: "addedAt",
    LineKind.STATUS: "changedAt",
    LineKind.EMAIL: "sentAt",
    LineKind.DUE_DILIGENCE_SEARCH: "searchedAt",
    **dict.fromkeys((LineKind.PASS, LineKind.NOTE, *STATUSES), "createdAt"),
    LineKind.AML_CHECK: "startedAt",
}
"""When things are of. A link is of no time."""


# ---------------------------------------------------------------- what a line means beyond its single values


def _customer(given: dict[str, Any], warnings: list[str] | None) -> dict[str, Any]:
    """Returns what a line says of a customer. What is wrong with contacts goes to ``warnings`` if there are any."""
    customer = dict(given)
    if customer.get("status") == CustomerStatus.ANONYMISED:
        raise Problems(_NO_ANONYMISING.format("status"))
    if both := sorted({*customer.get("remove", ())} & customer.keys()):
        raise Problems(f"remove must not name what the line gives: {', '.join(both)}.")
    for key, value in (("phones", None), ("emails", customer.get("email"))):
        if contacts := customer.get(key):
            try:
                customer[key] = _contacts(key, contacts, value)
            except Problems as wrong:
                if warnings is None:
                    raise
                warnings += wrong.sentences
                del customer[key]
    if emails := customer.get("emails"):
        customer["email"] = emails[0]["value"]
    else:
        customer.pop("emails", None)
    problems: list[str] = []
    for name, value in customer.pop("fields", {}).items():
        try:
            # One that is taken away has to be known, too.
            customer_fields.check_name(name)
            if value is not None and value != "":
                customer[customer_fields.key_of(name)] = customer_fields.parse(name, value)
        except ValueError as wrong:
            problems.append(str(wrong))
    if warnings is None and problems:
        raise Problems(*problems)
    if warnings is not None:
        warnings += problems
    return customer


def _fields_cleared(given: Mapping[str, Any]) -> set[str]:
    """Returns the keys of fields that a line says are null: those that it names, or all."""
    fields: object = given.get("fields", {})
    if fields is None:
        return {*customer_fields.keys()}
    named = cast(dict[str, Any], fields) if isinstance(fields, dict) else {}
    return {customer_fields.key_of(name) for name, value in named.items() if value is None} & {*customer_fields.keys()}


_NO_ANONYMISING: Final = (
    "{} must not be ANONYMISED: an import cannot anonymise, as it would leave the personal data where they are. Erase "
    "the person in the gateway."
)


def _status(given: dict[str, Any]) -> dict[str, Any]:
    for key in ("to", "from"):
        if given.get(key) == CustomerStatus.ANONYMISED:
            raise Problems(_NO_ANONYMISING.format(key))
    return {"actor": IMPORTER, **given}


def _contacts(key: str, contacts: Sequence[Mapping[str, Any]], value: str | None = None) -> list[dict[str, Any]]:
    primary = [contact["value"] for contact in contacts if contact.get("primary")]
    if len(primary) > 1 or (value and primary not in ([], [value])):
        raise Problems(f"{key} must have one primary only" + (", and email must be it." if value else "."))
    return primary_first(contacts, value or next(iter(primary), contacts[0]["value"]))


def _link(given: dict[str, Any]) -> dict[str, Any]:
    if given["to"] == (given["source"], given["id"]):
        raise Problems("to must be another identity than the line's own.")
    return {"source": given["source"], "id": given["id"], "identities": [given["to"]]}


def _activity(given: dict[str, Any]) -> dict[str, Any]:
    activity = {"actor": IMPORTER, **given}
    activity |= copied(given["type"])
    row = CATALOGUE.get(given["type"])
    if row:
        # People are shown the catalogue's title: a copy would only contradict it one day.
        activity.pop("title", None)
    if raws := _attributes(row, activity.pop("attributes", {})):
        activity["attributes"] = raws
    return activity


def _attributes(row: CatalogueType | None, given: Mapping[str, object]) -> dict[str, Raw]:
    """Returns attributes of the catalogue as it demands them, and others as given: sources may know more than it."""
    definitions = {definition.name: definition for definition in row.attributes} if row else {}
    raws: dict[str, Raw] = {}
    problems: list[str] = []
    try:
        raws = attributes.parse_all(
            definitions.values(), {name: value for name, value in given.items() if name in definitions}
        )
    except AttributeProblems as wrong:
        problems += [sentence for _, sentence in wrong.problems]
    for name, value in given.items():
        if name not in definitions and value is not None:
            try:
                raws[name] = _unknown_attribute(value)
            except (TypeError, ValueError):
                problems.append(
                    f"{name} must be text on one line, a number, true or false, a list of such texts, an exact amount "
                    f"with its currency, or {attributes.FORMS[AttributeKind.JSON]}."
                )
    if problems:
        raise Problems(*problems).within("attributes")
    return raws


def _unknown_attribute(value: object) -> Raw:
    """Returns a value of the kind that it shows by itself; what has others inside is kept whole. Raises ValueError."""
    if not isinstance(value, dict | list):
        return attributes.parse(attributes.kind_of(value), value)
    amount = isinstance(value, dict) and {"amount", "currency"} == cast(dict[str, Any], value).keys()
    texts = isinstance(value, list) and all(isinstance(each, str) for each in cast(list[object], value))
    kind = AttributeKind.MONEY if amount else AttributeKind.LIST if texts else AttributeKind.JSON
    return attributes.parse(kind, cast(object, value))


def _points(given: dict[str, Any]) -> dict[str, Any]:
    kind, gives = given["kind"], given["points"] > 0 and given["kind"] in (PointsKind.EARNED, PointsKind.ADJUSTED)
    if "expiresAt" in given and not gives:
        raise Problems("expiresAt belongs to points that are added: EARNED, or ADJUSTED above 0.")
    if "refundOfId" in given and kind != PointsKind.REFUNDED:
        raise Problems("refundOf belongs to points that are REFUNDED.")
    if "reason" not in given and kind == PointsKind.ADJUSTED:
        raise Problems("reason is required where points are ADJUSTED.")
    return {"actor": IMPORTER, **given}


def _coupon(given: dict[str, Any]) -> dict[str, Any]:
    coupon = {"redeemed": "redeemedAt" in given, **given}
    if not coupon["redeemed"] and ("redeemedAt" in coupon or "redeemedBy" in coupon):
        raise Problems("redeemedAt and redeemedBy belong to a coupon that is redeemed.")
    return coupon


def _email(given: dict[str, Any]) -> dict[str, Any]:
    ids = [each["contentId"] for each in given.get("attachments", ()) if "contentId" in each]
    if len(set(ids)) < len(ids):
        raise Problems("attachments must have different contentIds.")
    if given.get("listUnsubscribePost") and "listUnsubscribe" not in given:
        raise Problems("listUnsubscribePost belongs to a listUnsubscribe.")
    return given


def _owned_elsewhere(kind: LineKind, given: dict[str, Any]) -> dict[str, Any]:
    if kind is LineKind.CREDIT_MEMO and given["unused"]["currency"] != given["total"]["currency"]:
        raise Problems("unused must be in the currency of total.")
    status = status_of(STATUSES[kind], given["sourceStatus"])
    return {**_ABSENT.get(kind, {}), **given, "status": status}


_ABSENT: Final[Mapping[LineKind, Mapping[str, Any]]] = {
    LineKind.PAYMENT_INSTRUMENT: {"isDefault": False, "useAsBackup": False},
    LineKind.ORDER: {"items": [], "inTrial": False},
    LineKind.QUOTE: {"acceptance": []},
    LineKind.CREDIT_MEMO: {"items": []},
    LineKind.KYC_REQUEST: {"documents": []},
    LineKind.KYC_DOCUMENT: {"tags": []},
    LineKind.AML_CHECK: {"hits": []},
}
"""What a line means by what it leaves out."""


def _actor(key: str, given: dict[str, Any], source: str) -> dict[str, Any]:
    """Returns the actor with the name that people are shown; without one for a customer, who is called by their own."""
    kind = given["kind"]
    machine = kind in (ActorKind.SYSTEM, ActorKind.IMPORT)
    if machine or (source == "esuite" and kind in (ActorKind.API, ActorKind.CUSTOMER)):  # that system says so
        return {**given, "name": "System"}
    if kind != ActorKind.CUSTOMER and "name" not in given and "id" not in given:
        raise Problems(f"{key}.name is required for {kind}.")
    return {"name": given["id"], **given} if kind != ActorKind.CUSTOMER and "name" not in given else given


_COMPLETED: Final[Mapping[LineKind, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    LineKind.CUSTOMER_LINK: _link,
    LineKind.ACTIVITY: _activity,
    LineKind.POINTS: _points,
    LineKind.COUPON: _coupon,
    LineKind.TRANSACTION: lambda given: {"pointsAwarded": 0, "status": TransactionStatus.ACCEPTED.value, **given},
    LineKind.PASS: lambda given: {"updatedAt": given["createdAt"], **given},
    LineKind.STATUS: _status,
    LineKind.EMAIL: _email,
    LineKind.DUE_DILIGENCE_SEARCH: lambda given: {"results": list[Any](), **given},
    **{kind: partial(_owned_elsewhere, kind) for kind in STATUSES},
    LineKind.NOTE: lambda given: {"author": IMPORTER, "mentions": list[str](), **given},
}
