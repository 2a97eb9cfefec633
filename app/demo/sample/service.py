"""Tells what agents do for a customer: notes, points by hand, vouchers, mails sent again, money back, blocks."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from app.demo.sample.attached_files import PHOTO, page
from app.demo.sample.coupons import GOODWILL, add_coupon
from app.demo.sample.goods import price
from app.demo.sample.life import Life
from app.demo.sample.people import ADMIN, FINANCE, LEADS, SERVICE
from app.domain import due_diligence
from app.domain import points as ledger
from app.domain.attributes import Raw
from app.domain.vocabulary import (
    AdjustmentStatus,
    BlocklistSource,
    BlocklistType,
    CouponOrigin,
    CustomerStatus,
    DeliveryStatus,
    DueDiligenceFactor,
    DueDiligenceScore,
    PushStatus,
)
from app.store.driver import Document

_NOTES: Final = (
    "Called about the invoice; explained the discount that ran out.",
    "Wants invoices by post from now on. Told them that e-mail is all we have.",
    "Parcel arrived damaged, photos are in the ticket. @{colleague} please refund if it happens again.",
    "Very happy with the app. Asked when the audio edition comes.",
    "Promised a call back on Monday. @{colleague}, can you take it?",
    "Identity checked by date of birth and last invoice.",
)
_ADJUSTMENTS: Final = (
    (150, "Goodwill: parcel arrived late"),
    (100, "Points of an order in the shop were missing"),
    (300, "Goodwill: damaged parcel"),
    (-40, "Points were credited twice"),
    (-60, "Test order of the web shop"),
)
# Why a customer is blocked, and what ends it.
_BLOCKS: Final = {
    "Chargeback under investigation": "Chargeback withdrawn by the bank",
    "Three unpaid invoices": "All invoices paid",
    "Sign-ins from two continents in an hour": "Customer confirmed both sign-ins",
}
_NO_MAILBOX: Final = "The mail server refused the address: 550 5.1.1 The mailbox does not exist"
_TAGS: Final = ("call-back", "paper-invoice", "loyal", "complaint")


def contact(life: Life) -> None:
    """Makes one of the ordinary contacts, drawn by how often they happen."""
    contacts: dict[Callable[[Life], None], int] = {
        leave_note: 8,
        adjust_points: 4,
        move_house: 3,
        resend_mail: 4,
        send_voucher: 2,
        settle_money: 2,
        tag: 2,
        comment: 2,
        record_by_hand: 1,
        send_pass: 2,
    }
    life.random.choices(list(contacts), list(contacts.values()))[0](life)


# ---------------------------------------------------------------- ordinary contacts


def leave_note(life: Life, *, links: list[Document] | None = None) -> None:
    agent, colleague = life.random.sample((*SERVICE, *LEADS), 2)
    text = life.one_of(_NOTES)
    transactions = life.documents["transactions"]
    if links is None:
        links = transactions[-1:] if life.chance(0.4) else []
    message = text.format(colleague=colleague["id"])
    note = life.write(
        "notes",
        {
            "message": message,
            "author": agent,
            "createdAt": life.clock,
            "mentions": [colleague["id"]] if "@" in text else [],
            "linkIds": [linked["_id"] for linked in links] or None,
        },
    )
    life.tell("NOTE_ADDED", by=agent, message=message, about=note, more={"noteId": note["_id"]})


def leave_note_with_files(life: Life) -> None:
    agent, message = SERVICE[0], "Parcel arrived damaged. The photo and the delivery note are attached."
    attached = [
        life.attach("parcel.png", "image/png", PHOTO, description="The dent", by=agent),
        life.attach("delivery-note.pdf", "application/pdf", page("Delivery note"), description="As signed", by=agent),
    ]
    note = life.write(
        "notes",
        {"message": message, "author": agent, "createdAt": life.clock, "mentions": [], "attachments": attached},
    )
    for upload in life.documents["uploads"][-len(attached) :]:
        upload["noteId"] = note["_id"]
    life.tell("NOTE_ADDED", by=agent, message=message, about=note, more={"noteId": note["_id"]})


def adjust_points(life: Life) -> None:
    points, reason = life.one_of(_ADJUSTMENTS)
    spendable = ledger.spendable(ledger.as_of(life.points, life.clock))
    if points + spendable < 0:
        points, reason = _ADJUSTMENTS[0]
    agent = life.one_of(SERVICE)
    # Some agents still work in the loyalty platform, which calls the same thing by another name.
    here = life.chance(0.7)
    source, code = ("platform", "POINTS_ADJUSTED") if here else ("loyalty", "POINTS_ADDED")
    if not here and points < 0:
        code = "POINTS_DEDUCTED"
    posting = ledger.adjust(life.points, points, now=life.clock)
    entry = life.post(posting, by=agent, reason=reason, source=source)[-1]
    life.tell(code, by=agent, points=points, message=reason, about=entry)


def ask_for_points(life: Life) -> None:
    """Asks for more points than an agent may adjust alone: a supervisor has to approve."""
    agent, reason = life.one_of(SERVICE), "Goodwill: a year of late deliveries, promised by the complaints team"
    adjustment = life.write(
        "adjustments",
        {
            "points": 2_500,
            "reason": reason,
            "status": AdjustmentStatus.PENDING.value,
            "requestedAt": life.clock,
            "requestedBy": agent,
        },
    )
    life.tell("POINTS_ADJUSTMENT_REQUESTED", by=agent, message=reason, about=adjustment)


def approve_points(life: Life) -> None:
    adjustment, lead = life.documents["adjustments"][-1], life.one_of(LEADS)
    points, reason = adjustment["points"], adjustment["reason"]
    (*_, entry) = life.post(
        ledger.adjust(life.points, points, now=life.clock), by=lead, reason=reason, source="platform"
    )
    entry["adjustmentId"] = adjustment["_id"]
    decision = {"status": AdjustmentStatus.APPROVED.value, "decidedAt": life.clock, "decidedBy": lead}
    adjustment.update(decision, entryId=entry["_id"])
    life.tell("POINTS_ADJUSTED", by=lead, points=points, message=reason, about=entry)


def decline_points(life: Life) -> None:
    adjustment, lead, reason = life.documents["adjustments"][-1], life.one_of(LEADS), "Already given in March."
    decision = {"status": AdjustmentStatus.DECLINED.value, "decidedAt": life.clock, "decidedBy": lead}
    adjustment.update(decision, decisionReason=reason)
    life.tell("POINTS_ADJUSTMENT_DECLINED", by=lead, message=reason, about=adjustment)


def move_house(life: Life) -> None:
    fields: dict[str, Raw] = {"changedFields": ["line1", "postalCode", "city"]}
    by = life.one_of((life.myself, life.one_of(SERVICE)))
    life.tell("ADDRESS_DETAILS_MODIFIED", fields, by=by)
    life.tell("ADDRESS_CHANGED", fields, by=by)
    if life.chance(0.5):
        life.tell("CUSTOMER_UPDATED", fields, by=by)


def edit(life: Life, field: str, before: str) -> None:
    """Writes that a colleague has corrected a detail: an agent, in a lead's name."""
    lead, agent = LEADS[0], SERVICE[0]
    by = {**agent, "onBehalfOf": {"id": lead["id"], "name": lead["name"]}}
    change = {"field": field, "from": before, "to": life.customer[field]}
    life.tell("CUSTOMER_UPDATED", {"changedFields": [field]}, by=by, source="platform", more={"changes": [change]})
    life.customer.setdefault("edited", []).append({"field": field, "before": before})


def blocklist(life: Life) -> None:
    reason = "The bank reports the card as stolen"
    entry = life.write(
        "blocklist",
        {
            "type": BlocklistType.FINGERPRINT.value,
            "value": f"fp_{life.customer['number']}",
            "source": BlocklistSource.MANUAL_BLOCKLISTS.value,
            "reason": reason,
            "createdAt": life.clock,
            "createdBy": FINANCE,
            "listed": True,
        },
    )
    attributes: dict[str, Raw] = {"blocklistType": entry["type"]}
    life.tell("BILLING_CUSTOMER_BLOCKLISTED", attributes, by=FINANCE, source="platform", message=reason, about=entry)


def require_due_diligence(life: Life, *, required: bool, reason: str) -> None:
    type_ = "DUE_DILIGENCE_REQUIRED" if required else "DUE_DILIGENCE_LIFTED"
    life.tell(type_, by=FINANCE, source="platform", message=reason)
    stored = life.customer.get("dueDiligence")
    life.customer["dueDiligence"] = due_diligence.require(stored, required=required)


def search(life: Life, factor: DueDiligenceFactor, score: DueDiligenceScore, *results: Document) -> None:
    """Writes that another system has searched for a factor, and will search again in a year."""
    found = {"factor": factor.value, "score": score.value, "results": [*results]}
    times = {"searchedAt": life.clock, "nextSearchAt": life.clock + timedelta(days=365)}
    stored = life.customer.get("dueDiligence")
    life.customer["dueDiligence"] = due_diligence.searched(stored, life.write("searches", {**found, **times}))


def set_score(life: Life, factor: DueDiligenceFactor, score: DueDiligenceScore, *, reason: str) -> None:
    stored = life.customer.get("dueDiligence")
    scores = {factor.value: score.value}
    life.customer["dueDiligence"], factors = due_diligence.with_scores(stored, scores, FINANCE, life.clock)
    told: dict[str, Raw] = {"factors": [*factors]}
    life.tell("DUE_DILIGENCE_SCORED", told, by=FINANCE, source="platform", message=reason)


def resend_mail(life: Life, *, fails: bool = False) -> None:
    mails, address = life.documents["emails"], life.customer.get("email")
    if not mails or not address:
        return
    mail, agent = life.one_of(mails), life.one_of(SERVICE)
    done = {"deliveredAt": life.clock} if not fails else {"error": _NO_MAILBOX}
    life.write(
        "deliveries",
        {
            "emailId": mail["_id"],
            "to": address,
            "status": (DeliveryStatus.FAILED if fails else DeliveryStatus.SENT).value,
            "attempts": 1,
            "requestedAt": life.clock - timedelta(seconds=4),
            **done,
        },
    )
    attributes: dict[str, Raw] = {"emailSubject": mail["subject"], "toAddress": address}
    life.tell("EMAIL_RESENT", attributes, by=agent, about=mail, more={"emailId": mail["_id"]})


def send_voucher(life: Life) -> None:
    add_coupon(life, GOODWILL, CouponOrigin.MANUAL, by=life.one_of(SERVICE))


def settle_money(life: Life) -> None:
    amount = price(Decimal(life.one_of((3, 5, 8))), life.currency)
    account = f"ACC-{life.customer['number'][2:]}"
    match life.random.randrange(3):
        case 0:
            life.tell("MANUAL_CREDIT_ADDED", {"creditAmount": amount, "accountId": account}, by=FINANCE)
            life.tell("CREDIT_MEMO_CREATED", {"amount": amount}, by=FINANCE)
        case 1:
            life.tell("MANUAL_CHARGE_ADDED", {"chargeAmount": amount, "accountId": account}, by=FINANCE)
        case _:
            refund: dict[str, Raw] = {
                "refundedTo": "Visa •••• 4242",
                "refundedAmount": amount,
                "orderId": life.code("SO-"),
            }
            life.tell("MANUAL_REFUND_ISSUED", refund, by=FINANCE)
            issued: dict[str, Raw] = {"amount": amount, "transactionId": life.code("re_"), "transactionType": "refund"}
            life.tell("REFUND_ISSUED", issued, by=FINANCE)


def tag(life: Life) -> None:
    word = life.one_of(_TAGS)
    if word in life.customer["tags"]:
        life.customer["tags"].remove(word)
        life.tell("BILLING_CUSTOMER_UNTAGGED", {"tag": word}, by=life.one_of(SERVICE))
    else:
        life.customer["tags"].append(word)
        life.tell("BILLING_CUSTOMER_TAGGED", {"tag": word}, by=life.one_of(SERVICE))


def comment(life: Life) -> None:
    life.tell("COMMENT_CREATED", by=life.one_of(LEADS), message="Please check the VAT number before the next invoice.")


def record_by_hand(life: Life) -> None:
    """Records a loyalty event that an agent wrote here: its source is this gateway, whatever its type's is."""
    life.tell("CHECK_IN", {"place": "Book fair"}, by=life.one_of(SERVICE), source="platform")


def send_pass(life: Life) -> None:
    address = life.customer.get("email")
    if not life.documents["passes"] or not address:
        return
    wallet = life.documents["passes"][-1]
    serial: dict[str, Raw] = {"passId": wallet["serialNumber"]}
    if life.chance(0.5):
        life.tell("PASS_EMAILED", {**serial, "toAddress": address}, by=life.one_of(SERVICE), about=wallet)
    else:
        provider: dict[str, Raw] = {**serial, "passProvider": wallet["type"]}
        life.tell("PASS_PUSHED", provider, by=life.one_of(SERVICE), about=wallet)
        informed = {"status": PushStatus.INFORMED.value, "attempts": 1, "informedAt": life.clock}
        life.write("pushes", {"passId": wallet["_id"], "requestedAt": life.clock - timedelta(seconds=1), **informed})


# ---------------------------------------------------------------- statuses


def block(life: Life) -> None:
    _set_status(life, CustomerStatus.BLOCKED, "CUSTOMER_BLOCKED", life.one_of(tuple(_BLOCKS)))


def reactivate(life: Life) -> None:
    why_not_active = life.documents["statuses"][-1]["reason"]
    reason = _BLOCKS.get(why_not_active, "Asked to come back")
    _set_status(life, CustomerStatus.ACTIVE, "CUSTOMER_REACTIVATED", reason)


def deactivate(life: Life) -> None:
    _set_status(life, CustomerStatus.DEACTIVATED, "CUSTOMER_DEACTIVATED", "Asked for it by telephone")


def _set_status(life: Life, status: CustomerStatus, code: str, reason: str) -> None:
    agent = life.one_of((*LEADS, ADMIN))
    life.change_status(status, by=agent, reason=reason)
    life.tell(code, by=agent, message=reason)
