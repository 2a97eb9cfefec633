"""Tells what other systems were asked for a customer, and what became of it. Nothing of it is sent: it is over."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from app.catalogue.external_requests import REQUEST_KINDS, RequestGuard
from app.demo.sample.goods import money, price
from app.demo.sample.life import Life
from app.demo.sample.people import FINANCE, SERVICE, SYSTEM
from app.domain import external_requests
from app.domain.attributes import Raw
from app.domain.vocabulary import AccessLevel, ActorKind, OutcomeStatus, RequestStatus
from app.store.driver import Document

_BANK: Final[Document] = {
    "kind": ActorKind.API.value,
    "id": "endpoint:demo",
    "name": "demo",
    "accessLevel": AccessLevel.API_USER.value,
}
"""The system that is connected."""
_TYPES: Final = {
    RequestStatus.ACTION_REQUIRED: "REQUEST_WAITS_FOR_CUSTOMER",
    RequestStatus.SUCCEEDED: "REQUEST_SUCCEEDED",
    RequestStatus.FAILED: "REQUEST_FAILED",
    RequestStatus.REVERSED: "REQUEST_REVERSED",
    RequestStatus.CANCELLED: "REQUEST_CANCELLED",
    RequestStatus.EXPIRED: "REQUEST_EXPIRED",
    RequestStatus.UNDELIVERED: "REQUEST_NOT_DELIVERED",
    RequestStatus.QUEUED: "REQUEST_SENT_AGAIN",
}


def _ask(
    life: Life,
    code: str,
    attributes: Mapping[str, Any],
    *,
    by: Document,
    reason: str | None = None,
    target: Document | None = None,
    manual: bool = False,
) -> Document:
    """Writes a request that its system has received, or that a person does, with its activity."""
    kind = REQUEST_KINDS[code]
    about = target["_id"] if target else life.customer["_id"]
    received = {"endpoint": "demo", "deliveryStatus": "SENT", "attempts": 1, "sentAt": life.clock}
    request = life.write(
        "requests",
        {
            "kind": code,
            **external_requests.state(RequestStatus.SENT),
            "confidential": kind.confidential,
            "openFor": None if kind.guard is RequestGuard.NONE else f"{code}/{about}",
            "executor": "MANUAL" if manual else "ENDPOINT",
            "attributes": dict(attributes),
            "targetId": target and target["_id"],
            "reason": reason,
            "requestedBy": by,
            "requestedAt": life.clock,
            "overdueAt": life.clock + kind.due_after,
            "outcomes": [],
            **({} if manual else received),
        },
    )
    _tell(life, request, "REQUEST_MADE", by=by, message=reason)
    return request


def _tell(life: Life, request: Document, type_: str, *, by: Document, message: str | None, **more: str) -> None:
    about: dict[str, Raw] = {"requestKind": REQUEST_KINDS[request["kind"]].title, **more}
    if "amount" in request["attributes"]:
        about["amount"] = request["attributes"]["amount"]
    life.tell(type_, about, by=by, about=request, message=message)


def _hear(life: Life, request: Document, status: OutcomeStatus, *, message: str | None = None, **more: str) -> None:
    """Writes what the system says, as the rules fold it."""
    given = {**more, **({"message": message} if message else {})}
    outcome = {"status": status.value, "at": life.clock, "recordedAt": life.clock, "by": _BANK, **given}
    _change(request, external_requests.with_outcome(request, outcome))
    told = {"reference": more["reference"]} if "reference" in more else {}
    _tell(life, request, _TYPES[RequestStatus(request["status"])], by=_BANK, message=message, **told)


def _move(
    life: Life, request: Document, status: RequestStatus, *, by: Document, message: str | None = None, **keys: Any
) -> None:
    """Writes what happens to a request without its system: it is called off, expires, cannot be delivered."""
    is_over = status in (RequestStatus.CANCELLED, RequestStatus.EXPIRED)
    ended = external_requests.with_end(request, status, at=life.clock, now=life.clock, by=by) if is_over else {}
    _change(request, {**external_requests.state(status), **ended, **keys})
    _tell(life, request, _TYPES[status], by=by, message=message)


def _change(request: Document, keys: Mapping[str, Any]) -> None:
    for key, value in keys.items():
        if value is None:
            request.pop(key, None)
        else:
            request[key] = value


def _sale(life: Life, place: int) -> Document:
    """Returns one of the newest sales that nobody has refunded."""
    sales = [each for each in life.documents["transactions"] if each["type"] == "SALE"]
    return [each for each in sales if each["status"] == "ACCEPTED" and "amount" in each][-place]


# ---------------------------------------------------------------- stories


def refund_and_lose_it(life: Life) -> None:
    """Tells of a refund that arrived, and came back nine days later."""
    sale, reference = _sale(life, 1), life.code("RF-")
    given = {"amount": sale["amount"], "description": "Parcel was late"}
    request = _ask(life, "REFUND", given, by=SERVICE[0], reason="Promised on the phone", target=sale)
    life.plan(1, partial(_hear, life, request, OutcomeStatus.SUCCEEDED, reference=reference))
    back = partial(
        _hear, life, request, OutcomeStatus.REVERSED, code="account-closed", reference=reference,
        message="The account is closed; the bank sent it back.",
    )  # fmt: skip
    life.plan(10, back)


def refund_in_vain(life: Life) -> None:
    """Tells of a refund of a part that the bank declined."""
    sale = _sale(life, 2)
    half = money(sale["amount"]["amount"] / 2, sale["amount"]["currency"])
    request = _ask(life, "REFUND", {"amount": half}, by=SERVICE[1], reason="One of two was broken", target=sale)
    declined = partial(
        _hear, life, request, OutcomeStatus.FAILED, code="declined", reference=life.code("RF-"),
        message="The bank declined it.",
    )  # fmt: skip
    life.plan(1, declined)


def get_a_portal_link(life: Life) -> None:
    """Tells of a link to the portal that nobody followed."""
    request = _ask(life, "PORTAL_LINK", {"portalId": "self-service"}, by=SERVICE[0])
    _hear(life, request, OutcomeStatus.ACTION_REQUIRED)
    life.plan_at(life.clock + timedelta(hours=1), partial(_move, life, request, RequestStatus.EXPIRED, by=SYSTEM))


def pay_out(life: Life) -> None:
    """Tells of a customer who did not choose how to be paid, and of a payout that needed two attempts."""
    amount = price(Decimal("35.00"), life.currency)
    choice = _ask(life, "PAYOUT_SELECTION", {"amount": amount}, by=FINANCE)
    _hear(life, choice, OutcomeStatus.ACTION_REQUIRED, reference=life.code("PS-"))
    life.plan_at(life.clock + timedelta(hours=1), partial(_move, life, choice, RequestStatus.EXPIRED, by=SYSTEM))

    def pay() -> None:
        payout = _ask(life, "PAYOUT", {"amount": amount}, by=FINANCE, reason="Did not choose; to the bank account")
        fault = "Given up after 157 attempts. demo could not be reached."
        payout.pop("sentAt")
        lost = {"deliveryStatus": "FAILED", "attempts": 157, "error": fault}
        life.plan(1, partial(_move, life, payout, RequestStatus.UNDELIVERED, by=SYSTEM, message=fault, **lost))
        life.plan(2, partial(send_again, payout))

    def send_again(payout: Document) -> None:
        _move(life, payout, RequestStatus.QUEUED, by=FINANCE)
        sent = {"deliveryStatus": "SENT", "attempts": 158, "sentAt": life.clock, "error": None}
        _change(payout, {**external_requests.state(RequestStatus.SENT), **sent})
        _hear(life, payout, OutcomeStatus.SUCCEEDED, reference=life.code("PO-"))

    life.plan(1, pay)


def ask_for_a_payment(life: Life) -> None:
    """Tells of a payment that was called off the next day."""
    amount = price(Decimal("12.99"), life.currency)
    request = _ask(life, "PAYMENT", {"amount": amount, "way": "INSTRUMENT"}, by=SERVICE[2], manual=True)
    cancelled = partial(
        _move, life, request, RequestStatus.CANCELLED, by=SERVICE[2], message="The customer has paid at the counter"
    )
    life.plan(1, cancelled)


def ask_for_credit(life: Life) -> None:
    """Tells of a credit memo that a colleague should have made by now."""
    given = {"amount": price(Decimal("10.00"), life.currency), "category": "PRODUCT_UNSATISFACTORY"}
    _ask(life, "CREDIT_MEMO", given, by=FINANCE, reason="The blanket was torn", manual=True)
