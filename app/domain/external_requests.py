"""Holds the rules of requests to other systems: their states, what an outcome does, what may be asked at all. Pure.

A request says what was asked; its outcomes say what became of it. Outcomes are appended and never overwritten. By the
time that the other system gives them, the newest decides the request's status, whatever order they arrive in.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

from app.catalogue.external_requests import RequestKind
from app.catalogue.model import AttributeKind
from app.domain.amounts import difference
from app.domain.attributes import JSON_AT_MOST, parse
from app.domain.changes import Invalid
from app.domain.executors import Endpoint
from app.domain.refusals import Refusal
from app.domain.times import lies_ahead
from app.domain.vocabulary import (
    AmlCheckStatus,
    OrderStatus,
    OutcomeStatus,
    PaymentInstrumentStatus,
    QuoteStatus,
    RequestExecutor,
    RequestStatus,
    TransactionStatus,
    TransactionType,
)

MOST_OUTCOMES: Final = 100
REFERENCE_AT_MOST: Final = 255
MOST_RESULTS: Final = 100

_S = RequestStatus
OPEN: Final = frozenset({_S.QUEUED, _S.SENT, _S.ACTION_REQUIRED, _S.UNDELIVERED})
"""What may still be done: none of it is settled. What was not delivered may have been received all the same."""
NEXT: Final[Mapping[RequestStatus, frozenset[RequestStatus]]] = {
    _S.QUEUED: frozenset({_S.SENT, _S.UNDELIVERED, _S.CANCELLED}),
    _S.UNDELIVERED: frozenset({_S.QUEUED, _S.SENT}),
    _S.SENT: frozenset({_S.ACTION_REQUIRED, _S.SUCCEEDED, _S.FAILED, _S.REVERSED, _S.CANCELLED}),
    _S.ACTION_REQUIRED: frozenset({_S.SUCCEEDED, _S.FAILED, _S.REVERSED, _S.EXPIRED, _S.CANCELLED}),
    _S.SUCCEEDED: frozenset({_S.REVERSED}),
    _S.REVERSED: frozenset({_S.SUCCEEDED}),
    _S.FAILED: frozenset({_S.SUCCEEDED}),
    _S.EXPIRED: frozenset({_S.SUCCEEDED, _S.FAILED}),
    _S.CANCELLED: frozenset(),
}
"""The states of a request. An outcome shows that a request was received, so that QUEUED and UNDELIVERED pass SENT."""


class RequestOpen(Refusal):
    """Raised if an open request is in the way; the client sees REQUEST_OPEN, and that request."""

    code = "REQUEST_OPEN"

    def __init__(self, open_request: Mapping[str, Any], message: str, *field: str) -> None:
        asker = open_request["requestedBy"]["name"]
        super().__init__(f"{message}: {open_request['_id']}, asked for by {asker}, is open.", *field)
        self.shows = {"request": open_request["_id"]}


class NotRefundable(Refusal):
    code = "NOT_REFUNDABLE"


class OverRefundable(Refusal):
    code, field = "OVER_REFUNDABLE", ("amount",)


class WrongState(Refusal):
    code = "WRONG_STATE"


# ---------------------------------------------------------------- what becomes of it


def state(status: RequestStatus) -> dict[str, Any]:
    """Returns the keys that say a status; None removes one. What is closed makes room for another (``openFor``)."""
    is_open = status in OPEN
    return {"status": status.value, "open": is_open, **({} if is_open else {"openFor": None})}


def decided(status: RequestStatus, outcome: OutcomeStatus) -> RequestStatus | None:
    """Returns the status after an outcome that is newer than all others; None for one that changes nothing.

    What failed after it had succeeded is REVERSED: it was done, and does not stand.
    """
    if status in (_S.QUEUED, _S.UNDELIVERED):
        status = _S.SENT
    after = RequestStatus(outcome)
    if status is _S.SUCCEEDED and after is _S.FAILED:
        after = _S.REVERSED
    return after if after in NEXT[status] else None


def with_outcome(request: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of a request that an outcome changes. The newest decides; an older one is kept.

    Raises WrongState for a request that takes none.
    """
    check_completable(request)
    outcomes: Sequence[Mapping[str, Any]] = request["outcomes"]
    status, newest = RequestStatus(request["status"]), _newest(outcomes)
    after = None
    if newest is None or outcome["at"] >= newest:
        after = decided(status, OutcomeStatus(outcome["status"]))
    keys: dict[str, Any] = {"outcomes": [*outcomes, {**outcome, "decided": after is not None}]}
    if after is not None:
        keys |= state(after)
        if "reference" in outcome:
            keys["reference"] = outcome["reference"]
    elif status in (_S.QUEUED, _S.UNDELIVERED):
        keys |= state(_S.SENT)
    return keys


def _newest(outcomes: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Returns the time of the newest outcome that decided, or said the same again.

    One that could not follow, such as a link after a success, keeps no other from deciding.
    """
    told = [each for each in outcomes if each["status"] in [*OutcomeStatus]]
    deciding = [each["status"] for each in told if each["decided"]]
    return max((each["at"] for each in told if each["decided"] or each["status"] in deciding[-1:]), default=None)


def with_end(
    request: Mapping[str, Any], status: RequestStatus, *, at: datetime, now: datetime, by: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the keys of a request that ends without its system: it is called off, or its link is over."""
    outcome = {"status": status.value, "at": at, "recordedAt": now, "by": by, "decided": True}
    return {**state(status), "outcomes": [*request["outcomes"], outcome], "link": None, "expiresAt": None}


def check_completable(request: Mapping[str, Any]) -> None:
    """Raises WrongState for a request that was cancelled before it was sent, and for one with too many outcomes."""
    if request["status"] == _S.CANCELLED:
        raise WrongState("The request was cancelled.", "requestId")
    if len(request["outcomes"]) >= MOST_OUTCOMES:
        raise WrongState(f"The request has {MOST_OUTCOMES} outcomes, as many as are kept.", "requestId")


def check_time(at: datetime, now: datetime) -> None:
    """Raises Invalid for an outcome that has not happened yet: it would stand over all that comes."""
    if lies_ahead(at, now):
        raise Invalid("at lies in the future.", "at")


def check_cancellable(request: Mapping[str, Any]) -> None:
    """Raises WrongState unless nobody can have received it: cancelled is what was never done."""
    status = RequestStatus(request["status"])
    is_manual = request["executor"] == RequestExecutor.MANUAL
    if status is _S.QUEUED and request.get("attempts", 0) == 0:
        return
    if is_manual and status in (_S.SENT, _S.ACTION_REQUIRED):
        return
    if status is _S.QUEUED:
        raise WrongState("The request was sent once already, and may have been received.", "requestId")
    raise WrongState(f"The request is {status}: only what was not sent yet can be cancelled.", "requestId")


def check_retryable(request: Mapping[str, Any], endpoint: Endpoint | None) -> Endpoint:
    """Returns the endpoint that has its kind now. Raises WrongState unless it was given up, and there is one."""
    if request["status"] != _S.UNDELIVERED:
        raise WrongState(f"The request is {request['status']}: only what was not delivered is sent again.", "requestId")
    if endpoint is None:
        raise WrongState("No endpoint does this any more: do it there, and complete the request.", "requestId")
    return endpoint


def is_overdue(request: Mapping[str, Any], now: datetime) -> bool:
    """Returns whether it should be done by now. It is not failed: nobody has said so."""
    return request["status"] in OPEN and now > request["overdueAt"]


# ---------------------------------------------------------------- what may be asked

_REFUNDABLE: Final = frozenset({TransactionStatus.ACCEPTED, TransactionStatus.PARTIALLY_REFUNDED})


class Refunding(NamedTuple):
    """It says what may still be refunded of a sale, and whether a refund of it is asked for and open."""

    left: Decimal
    is_open: bool


def refunding(
    sale: Mapping[str, Any], refunds: Iterable[Mapping[str, Any]], requests: Sequence[Mapping[str, Any]]
) -> Refunding:
    """Returns what `refundable` does, and whether one of the requests is in the way of another."""
    return Refunding(refundable(sale, refunds, requests), any(each["open"] for each in requests))


def refundable(
    sale: Mapping[str, Any], refunds: Iterable[Mapping[str, Any]], requests: Iterable[Mapping[str, Any]]
) -> Decimal:
    """Returns how much of a sale can still be refunded: its amount less what was refunded, and what is asked for.

    Nothing, once a refund has no amount in the sale's currency: nobody knows how much of the sale it was.

    ``refunds`` are those that its source has reported, ``requests`` all requests for a refund of it. A request that
    succeeded and the refund that its source reports later are one: the refund has the request's reference, or the same
    amount and a later time.
    """
    if sale["type"] != TransactionType.SALE or sale["status"] not in _REFUNDABLE or "amount" not in sale:
        return Decimal(0)
    left: Decimal = sale["amount"]["amount"]
    currency = sale["amount"]["currency"]
    reported = [each for each in refunds if each["status"] != TransactionStatus.REJECTED]
    for each in reported:
        refunded = _amount_in(currency, each)
        left = difference(left, left if refunded is None else refunded)
    for request in sorted(requests, key=lambda each: each["requestedAt"]):
        asked: Decimal = request["attributes"]["amount"]["amount"]
        if request["status"] == _S.SUCCEEDED:
            if same := _reported(request, asked, currency, reported):
                reported.remove(same)
                continue
        elif request["status"] not in OPEN:
            continue
        left = difference(left, asked)
    return max(left, Decimal(0))


def _amount_in(currency: str, refund: Mapping[str, Any]) -> Decimal | None:
    """Returns the amount, whatever its sign; None without one in this currency."""
    if "amount" not in refund or refund["amount"]["currency"] != currency:
        return None
    amount: Decimal = refund["amount"]["amount"]
    return amount.copy_abs()


def _reported(
    request: Mapping[str, Any], asked: Decimal, currency: str, refunds: Iterable[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Returns the refund that a request has led to, as its source reports it."""
    named = [each for each in refunds if each["number"] == request.get("reference")]
    same = [each for each in refunds if _amount_in(currency, each) == asked]
    later = [each for each in same if each["occurredAt"] >= request["requestedAt"]]
    return next(iter([*named, *sorted(later, key=lambda each: each["occurredAt"])]), None)


def check_refundable(sale: Mapping[str, Any], amount: Decimal | None, left: Decimal) -> Decimal:
    """Returns the amount to refund, by default all that is left. Raises NotRefundable, OverRefundable, Invalid."""
    if amount is not None and amount <= 0:
        raise Invalid("amount must be more than zero.", "amount")
    if left <= 0:
        raise NotRefundable(_why_not(sale), "transactionId")
    if amount is not None and amount > left:
        money = f"{left:f} {sale['amount']['currency']}"
        raise OverRefundable(f"{money} of this sale can still be refunded.")
    return left if amount is None else amount


_ALLOWED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "ORDER_CANCELLATION": {"": frozenset({OrderStatus.PENDING, OrderStatus.ACTIVE, OrderStatus.PAUSED})},
    "QUOTE_ACTION": {
        "ISSUE": frozenset({QuoteStatus.DRAFT}),
        "RECALL": frozenset({QuoteStatus.ISSUED}),
        "CANCEL": frozenset({QuoteStatus.DRAFT, QuoteStatus.ISSUED}),
    },
    "PAYMENT_INSTRUMENT_CHANGE": {"": frozenset({*PaymentInstrumentStatus} - {PaymentInstrumentStatus.DEACTIVATED})},
    "AML_REVIEW": {"": frozenset({AmlCheckStatus.PENDING_REVIEW, AmlCheckStatus.IN_REVIEW})},
}
"""The states of what a request is about that allow it, by kind and action. What a source says otherwise is OTHER."""


def check_target(code: str, attributes: Mapping[str, Any], target: Mapping[str, Any], *field: str) -> None:
    """Raises WrongState if what the request is about is not in a state that allows it."""
    by_action = _ALLOWED.get(code)
    if by_action is None:
        return
    allowed = by_action[attributes.get("action", "")]
    if target["status"] not in allowed:
        states = " or ".join(sorted(allowed))
        raise WrongState(f"Its status is {target['status']}; only what is {states} allows it.", *field)


def _why_not(sale: Mapping[str, Any]) -> str:
    if sale["type"] != TransactionType.SALE:
        return "Only sales can be refunded."
    if "amount" not in sale:
        return "The source does not say how much was paid."
    if sale["status"] not in _REFUNDABLE:
        return f"The sale is {sale['status']}."
    return "All of this sale is refunded, or asked for already."


def overrides(text: str, *field: str) -> dict[str, Any]:
    """Returns what differs from a plan in an order. What it means is the other system's to check. Raises Invalid."""
    try:
        read: object = json.loads(parse(AttributeKind.JSON, text))  # pyright: ignore[reportArgumentType]
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Invalid(f"overrides must be a JSON object of at most {JSON_AT_MOST:,} characters.", *field)
    return cast(dict[str, Any], read)


# ---------------------------------------------------------------- what is sent


def natural(kind: RequestKind, raws: Mapping[str, Any]) -> dict[str, Any]:
    """Returns attributes as JSON has them: lists and objects, amounts as exact texts."""
    structured = {each.name for each in kind.attributes if each.kind is AttributeKind.JSON}
    return {name: json.loads(raw) if name in structured else _plain(raw) for name, raw in raws.items()}


def _plain(raw: Any) -> Any:
    match raw:
        case {"amount": Decimal() as amount, "currency": str() as currency}:
            return {"amount": f"{amount:f}", "currency": currency}
        case Decimal():
            return f"{raw:f}"
        case _:
            return raw
