"""Asks other systems to do something, and records what became of it.

A request is written once, with the activity that says so; the relay hands it over; its outcomes come back from the
system, or from the person who did it there. Nothing is ever done here: what is true is what the other system says.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple, cast

from app.catalogue.external_requests import RequestGuard, RequestKind
from app.catalogue.model import AttributeKind, CatalogueAttribute
from app.domain import changes, external_requests, merging
from app.domain.access import Permission
from app.domain.amounts import total
from app.domain.attributes import TEXT_AT_MOST, AttributeProblems, Raw, parse_all
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.customers import update_of
from app.domain.executors import Executors, outcome_attributes
from app.domain.external_requests import REFERENCE_AT_MOST, RequestOpen
from app.domain.ids import new_id
from app.domain.times import lies_ahead, stored
from app.domain.vocabulary import (
    DeliveryStatus,
    OutcomeStatus,
    RequestExecutor,
    RequestStatus,
    TransactionStatus,
    TransactionType,
)
from app.services.changes import Changes, Effect, Session, Wrote, activity_of
from app.services.points import SYSTEM
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store
from app.store.sealed import seal

_LIMIT_PERIOD: Final = timedelta(days=1)
_TYPES: Final = {
    RequestStatus.ACTION_REQUIRED: "REQUEST_WAITS_FOR_CUSTOMER",
    RequestStatus.SUCCEEDED: "REQUEST_SUCCEEDED",
    RequestStatus.FAILED: "REQUEST_FAILED",
    RequestStatus.REVERSED: "REQUEST_REVERSED",
}
"""The activities that outcomes leave."""


class Asked(NamedTuple):
    """It holds one of the things that a mutation asks for."""

    target_id: str | None
    attributes: Mapping[str, Any]
    """As they were given: text, or what JSON holds."""


class ReportedOutcome(NamedTuple):
    """It holds what the other system says. ``at``: when it became so, there."""

    status: OutcomeStatus
    at: datetime | None = None
    code: str | None = None
    message: str | None = None
    reference: str | None = None
    attributes: Mapping[str, Any] = {}
    result_ids: Sequence[str] = ()


# ---------------------------------------------------------------- asking


async def ask(
    of: Changes,
    mutation: str,
    kind: RequestKind,
    customer_id: str,
    asked: Sequence[Asked],
    *,
    reason: str | None,
    key: str,
    plural: bool = False,
) -> Wrote:
    """Asks for something, or for several at once: all or none. Raises Invalid and what the guard raises."""
    reason = _reason(reason)
    changes.key(key)
    if kind.guard is not RequestGuard.REFUNDABLE:  # there the amount may be left out
        for each in asked:
            _read(kind, each.attributes)

    async def decide(customer: Document, session: Session) -> Effect:
        written = [await new_request(of, kind, customer, each, session, reason=reason) for each in asked]
        documents = [request for request, _ in written]
        activities = [activity for _, activity in written]
        ids = [each["_id"] for each in documents]
        wrote: dict[str, str | list[str]] = {"activity": activities[-1]["_id"]}
        wrote |= {"requests": ids} if plural else {"request": ids[0]}
        return Effect(wrote, activities[-1], new={"requests": documents}, first=activities[:-1])

    given = {
        "customerId": customer_id,
        "kind": kind.code,
        "reason": reason,
        "asked": [each._asdict() for each in asked],
    }
    return await of.run_once(mutation, customer_id, key, given, decide)


async def new_request(
    of: Changes, kind: RequestKind, customer: Document, asked: Asked, session: Session, *, reason: str | None = None
) -> tuple[Document, Document]:
    """Returns a new request and its activity. Raises what the kind's guard raises."""
    attributes = dict(await _guarded(of, kind, customer, asked, session))
    raws = _read(kind, attributes)
    if kind.permission == Permission.REQUEST_PAYOUT:
        await _check_payout(of, customer["_id"], raws, session)
    secrets = {name: raws.pop(name) for name in kind.secrets if name in raws}
    endpoint = of.outgoing.executors.endpoint_of(kind.code)
    request_id, now = new_id("requests"), of.now
    executor, status = RequestExecutor.MANUAL, RequestStatus.SENT
    sending: Document = {}
    if endpoint:
        executor, status = RequestExecutor.ENDPOINT, RequestStatus.QUEUED
        sending = {
            "endpoint": endpoint.name,
            "deliveryStatus": DeliveryStatus.QUEUED.value,
            "attempts": 0,
            "dueAt": now,
            "giveUpAt": now + of.outgoing.give_up,
        }
    request: Document = {
        "_id": request_id,
        "customerId": customer["_id"],
        "kind": kind.code,
        "status": status.value,
        "open": True,
        "confidential": kind.confidential,
        **({} if kind.guard is RequestGuard.NONE else {"openFor": f"{kind.code}/{asked.target_id or customer['_id']}"}),
        "executor": executor.value,
        "attributes": raws,
        "requestedBy": changes.actor_of(of.viewer, customer["_id"]),
        "requestedAt": now,
        "overdueAt": now + kind.due_after,
        "outcomes": [],
        **({"targetId": asked.target_id} if asked.target_id else {}),
        **({"reason": reason} if reason else {}),
        **({"sealed": await seal(of.store, json.dumps(secrets), request_id)} if secrets else {}),
        **sending,
    }
    return request, of.activity(customer["_id"], "REQUEST_MADE", message=reason, **_about(kind, request))


def _reason(reason: str | None) -> str | None:
    """Returns the reason as it is stored, if one is given. Raises Invalid."""
    return reason if reason is None else changes.text(reason, "reason", at_most=changes.REASON_AT_MOST)


def _about(kind: RequestKind, request: Document, reference: str | None = None) -> Document:
    """Returns what an activity says of a request."""
    attributes: Document = {} if kind.confidential else {"requestKind": kind.title}
    if "amount" in request["attributes"]:
        attributes["amount"] = request["attributes"]["amount"]
    if reference:
        attributes["reference"] = reference
    # What is confidential has its check for a subject: who may not read that does not learn of the request either.
    return {"attributes": attributes or None, "subjectId": request["targetId" if kind.confidential else "_id"]}


def _read(kind: RequestKind, attributes: Mapping[str, Any], *field: str) -> dict[str, Raw]:
    """Returns the attributes as they are stored. Raises Invalid, or Refusals for several that are wrong."""
    try:
        raws = parse_all(kind.attributes, attributes)
    except AttributeProblems as problems:
        changes.raise_all([Invalid(sentence, *field, name) for name, sentence in problems.problems])
        raise  # never: there is a problem
    kinds = {each.name: each.kind for each in kind.attributes}
    raws = changes.read_each(raws, lambda name, raw: _visible(kinds[name], raw, *field, name))
    amount: Any = raws.get("amount")
    if amount and amount["amount"] <= 0:
        raise Invalid("amount must be more than zero.", *field, "amount")
    return raws


def _visible(kind: AttributeKind, raw: Raw, *field: str) -> Raw:
    """Returns a value whose texts are as texts are stored. Raises Invalid for one of which nothing can be seen."""
    match kind, raw:
        case AttributeKind.TEXT, str():
            return changes.text(raw, *field, at_most=TEXT_AT_MOST, lines=False)
        case AttributeKind.LIST, list():
            return [changes.text(each, *field, at_most=TEXT_AT_MOST, lines=False) for each in raw]
        case AttributeKind.JSON, str():
            return json.dumps(_visible_inside(json.loads(raw), *field), ensure_ascii=False, separators=(",", ":"))
        case _:
            return raw


def _visible_inside(value: Any, *field: str) -> Any:
    """Returns what JSON holds, which is not deep any more. Raises Invalid for what not every system can read."""
    match value:
        case str():
            return changes.text(value, *field, at_most=TEXT_AT_MOST, lines=False)
        case list():
            return [_visible_inside(each, *field) for each in cast(list[Any], value)]
        case dict():
            inner = cast(dict[str, Any], value).items()
            return {name: _visible_inside(each, *field) for name, each in inner}
        case int() if not -(2**63) <= value < 2**63:
            raise Invalid(f"{field[-1]} has a whole number beyond 64 bits: give it as a text.", *field)
        case _:
            return value


async def _guarded(
    of: Changes, kind: RequestKind, customer: Document, asked: Asked, session: Session
) -> Mapping[str, Any]:
    """Returns the attributes, with an amount where it was left out. Raises what the kind's guard raises."""
    merging.check_not_undoing(customer)  # what is asked for already may still be the other's
    customer_id = customer["_id"]
    everybody = [customer_id, *customer.get("absorbingIds", ())]  # whose rows are on their way to the customer
    if kind.target and kind.guard is not RequestGuard.REFUNDABLE:
        own = {"_id": asked.target_id, "customerId": {"$in": everybody}}
        found = await of.store.find(kind.target, own, session=session)
        if not found:
            raise NotFound("It is not there any more.")
        external_requests.check_target(kind.code, asked.attributes, found[0])
    if kind.guard is RequestGuard.NONE:
        return asked.attributes
    same: Document = {"targetId": asked.target_id} if asked.target_id else {"customerId": {"$in": everybody}}
    where = {**same, "kind": kind.code}
    rivals = await of.store.find("requests", where, session=session)
    if running := next((each for each in rivals if each["open"]), None):
        raise RequestOpen(running, f"{kind.title} is requested already")
    if kind.guard is not RequestGuard.REFUNDABLE:
        return asked.attributes
    sales = await of.store.find(
        "transactions", {"_id": asked.target_id, "customerId": {"$in": everybody}}, session=session
    )
    if not sales:
        raise NotFound("There is no such transaction.", "transactionId")
    refunds = await of.store.find("transactions", {"refundOfId": asked.target_id}, session=session)
    left = external_requests.refundable(sales[0], refunds, rivals)
    given = asked.attributes.get("amount")
    amount = external_requests.check_refundable(sales[0], given, left)
    return {**asked.attributes, "amount": {"amount": amount, "currency": sales[0]["amount"]["currency"]}}


async def _check_payout(of: Changes, customer_id: str, raws: Mapping[str, Any], session: Session) -> None:
    """Raises LimitExceeded beyond the viewer's limit of one customer in 24 hours, whatever the currency."""
    limit = of.viewer.limit_on(Permission.REQUEST_PAYOUT, customer_id)
    if limit is None or "amount" not in raws:
        return
    own = {"customerId": customer_id, "requestedAt": {"$gt": of.now - _LIMIT_PERIOD}}
    recent = await of.store.find("requests", {**own, "kind": "PAYOUT"}, session=session)
    person = of.viewer.person.subject
    mine = [each for each in recent if each["requestedBy"].get("id") == person and each["status"] != "CANCELLED"]
    amount: Decimal = raws["amount"]["amount"]
    asked = total(each["attributes"]["amount"]["amount"] for each in mine)
    if total([asked, amount]) > limit:
        so_far = f", and have asked for {asked:f} so far" if asked else ""
        raise LimitExceeded(f"You may ask for payouts of up to {limit:,} to a customer in 24 hours{so_far}.", "amount")


async def record_outside_payment(
    of: Changes, kind: RequestKind, customer_id: str, attributes: Mapping[str, Any], *, reason: str | None, key: str
) -> Wrote:
    """Writes a payment that was made elsewhere as a transaction of ours: nobody is asked, and it is done at once."""
    reason = _reason(reason)
    changes.key(key)
    raws = _read(kind, attributes)
    paid: Any = raws["processedAt"]
    if lies_ahead(paid, of.now):
        raise Invalid("processedAt lies in the future.", "processedAt")

    async def decide(customer: Document, session: Session) -> Effect:
        request, _ = await new_request(of, kind, customer, Asked(None, attributes), session, reason=reason)
        transaction: Document = {
            "_id": new_id("transactions"),
            "customerId": customer_id,
            "number": request["_id"],
            "type": TransactionType.SALE.value,
            "occurredAt": paid,
            "pointsAwarded": 0,
            "status": TransactionStatus.ACCEPTED.value,
            "amount": raws["amount"],
        }
        outcome = {
            "status": OutcomeStatus.SUCCEEDED.value,
            "at": of.now,
            "recordedAt": of.now,
            "by": request["requestedBy"],
            "resultIds": [transaction["_id"]],
            "decided": True,
        }
        done = {"status": RequestStatus.SUCCEEDED.value, "open": False, "outcomes": [outcome]}
        request = {key: value for key, value in {**request, **done}.items() if key not in _SENDING}
        request["executor"] = RequestExecutor.MANUAL.value
        activity = of.activity(customer_id, "REQUEST_SUCCEEDED", message=reason, **_about(kind, request))
        wrote: dict[str, str | list[str]] = {
            "request": str(request["_id"]),
            "transaction": str(transaction["_id"]),
            "activity": activity["_id"],
        }
        return Effect(wrote, activity, new={"requests": [request], "transactions": [transaction]})

    given = {"customerId": customer_id, "attributes": dict(attributes), "reason": reason}
    return await of.run_once("recordOutsidePayment", customer_id, key, given, decide)


_CALLED_OFF: Final = "It was called off before it was sent."
_SENDING: Final = frozenset({"endpoint", "deliveryStatus", "attempts", "dueAt", "giveUpAt"})

# ---------------------------------------------------------------- what became of it


async def complete(of: Changes, request: Document, outcome: ReportedOutcome, *, key: str, mutation: str) -> Wrote:
    """Records an outcome. A closed account takes it, too: it is the truth. Raises Invalid, WrongState."""
    kind = of.outgoing.executors.kind(request["kind"])
    read = _outcome(of, kind, outcome)
    link = {name: read["attributes"].pop(name) for name in ("url", "expiresAt") if name in read.get("attributes", {})}
    if not read.get("attributes"):
        read.pop("attributes", None)
    if link and "url" not in link:
        raise Invalid("expiresAt is the end of a link: give its url.", "attributes", "expiresAt")
    changes.key(key)

    async def decide(customer: Document, session: Session) -> Effect:
        found = await of.store.find("requests", {"_id": request["_id"]}, session=session)
        if not found:
            raise NotFound("There is no such request.", "requestId")
        (stored,) = found
        by = changes.actor_of(of.viewer, customer["_id"])
        now = of.now
        keys = external_requests.with_outcome(stored, {**read, "at": outcome.at or now, "recordedAt": now, "by": by})
        status = RequestStatus(keys.get("status", stored["status"]))
        is_decided = keys["outcomes"][-1]["decided"]
        if link and is_decided and status is RequestStatus.ACTION_REQUIRED:
            until = link.get("expiresAt") or now + kind.expires_after
            keys["link"] = {"sealed": await seal(of.store, link["url"], request["_id"]), "expiresAt": until}
            keys["expiresAt"] = until
        keys |= _settled(stored, status)
        wrote: dict[str, str | list[str]] = {"request": request["_id"]}
        changed = {("requests", request["_id"]): keys}
        if not is_decided:
            return Effect(wrote, None, changed=changed)
        activity = of.activity(
            customer["_id"], _TYPES[status], message=read.get("message"), **_about(kind, stored, read.get("reference"))
        )
        return Effect({**wrote, "activity": activity["_id"]}, activity, changed=changed)

    given = {"requestId": request["_id"], "outcome": outcome._asdict()}
    return await of.run_once(mutation, request["customerId"], key, given, decide, lock=lock_any)


async def lock_any(rows: CustomerRows, customer_id: str) -> Document:
    """Returns the customer, open or closed: what became of a request is true of a closed account, too."""
    return await rows.lock(customer_id)


def _outcome(of: Changes, kind: RequestKind, outcome: ReportedOutcome) -> Document:
    """Returns an outcome as it is stored. Raises Invalid, or Refusals for several faults."""
    read: Document = {"status": outcome.status.value}
    texts = {
        "code": changes.KEY_AT_MOST,
        "message": changes.REASON_AT_MOST,
        "reference": REFERENCE_AT_MOST,
    }

    def text(name: str, at_most: int) -> None:
        if (value := getattr(outcome, name)) is not None:
            read[name] = changes.text(value, name, at_most=at_most, lines=name == "message")

    def attributes() -> None:
        try:
            read["attributes"] = dict(parse_all(_optional(outcome_attributes(kind)), outcome.attributes))
        except AttributeProblems as problems:
            changes.raise_all([Invalid(sentence, "attributes", name) for name, sentence in problems.problems])

    def results() -> None:
        if len(outcome.result_ids) > external_requests.MOST_RESULTS:
            raise Invalid(f"An outcome has at most {external_requests.MOST_RESULTS} results.", "results")
        if outcome.result_ids:
            read["resultIds"] = [*outcome.result_ids]

    changes.check(
        lambda: outcome.at and external_requests.check_time(outcome.at, of.now),
        *(partial(text, name, at_most) for name, at_most in texts.items()),
        attributes,
        results,
    )
    return read


def _optional(attributes: Sequence[CatalogueAttribute]) -> list[CatalogueAttribute]:
    return [replace(each, required=False) for each in attributes]


def _settled(request: Document, status: RequestStatus) -> Document:
    """Returns what is not needed any more: secrets once it was received, a link once it is not waited for."""
    gone: Document = {}
    if status not in (RequestStatus.QUEUED, RequestStatus.UNDELIVERED):
        gone |= {key: None for key in ("sealed", "dueAt", "giveUpAt", "error") if key in request}
        if request.get("deliveryStatus") in (DeliveryStatus.QUEUED, DeliveryStatus.FAILED):
            gone["deliveryStatus"] = DeliveryStatus.SENT.value
    if status is not RequestStatus.ACTION_REQUIRED:
        gone |= {key: None for key in ("link", "expiresAt") if key in request}
    return gone


async def cancel(of: Changes, request: Document, *, reason: str, key: str) -> Wrote:
    """Ends a request that nobody has yet. Raises Invalid, WrongState."""
    return await _move(of, "cancelRequest", request, reason, key, "REQUEST_CANCELLED", _cancelled)


def _cancelled(of: Changes, request: Document, by: Document) -> Document:
    external_requests.check_cancellable(request)
    keys = external_requests.with_end(request, RequestStatus.CANCELLED, at=of.now, now=of.now, by=by)
    keys |= dict.fromkeys(("sealed", "dueAt", "giveUpAt"))
    if "deliveryStatus" in request:
        keys |= {"deliveryStatus": DeliveryStatus.FAILED.value, "error": _CALLED_OFF}
    return keys


async def retry(of: Changes, request: Document, *, reason: str | None, key: str) -> Wrote:
    """Queues a request once more that could not be delivered. Raises Invalid, WrongState."""
    return await _move(of, "retryRequest", request, reason, key, "REQUEST_SENT_AGAIN", _requeued)


def _requeued(of: Changes, request: Document, _: Document) -> Document:
    endpoint = external_requests.check_retryable(request, of.outgoing.executors.endpoint_of(request["kind"]))
    return {
        "status": RequestStatus.QUEUED.value,
        "deliveryStatus": DeliveryStatus.QUEUED.value,
        "endpoint": endpoint.name,
        "dueAt": of.now,
        "giveUpAt": of.now + of.outgoing.give_up,
    }


async def _move(
    of: Changes,
    mutation: str,
    request: Document,
    reason: str | None,
    key: str,
    type_: str,
    keys_of: Callable[[Changes, Document, Document], Document],
) -> Wrote:
    """Makes a change of a request that ``keys_of`` allows: it returns the keys that are other ones, or raises."""
    reason = _reason(reason)
    changes.key(key)
    kind = of.outgoing.executors.kind(request["kind"])

    async def decide(customer: Document, session: Session) -> Effect:
        (stored,) = await of.store.find("requests", {"_id": request["_id"]}, session=session)
        keys = keys_of(of, stored, changes.actor_of(of.viewer, customer["_id"]))
        activity = of.activity(customer["_id"], type_, message=reason, **_about(kind, stored))
        wrote = {"request": request["_id"], "activity": activity["_id"]}
        return Effect({**wrote}, activity, changed={("requests", request["_id"]): keys})

    given = {"requestId": request["_id"], "reason": reason}
    return await of.run_once(mutation, request["customerId"], key, given, decide)


# ---------------------------------------------------------------- what happens by itself


async def received(store: Store, executors: Executors, request: Document, at: datetime) -> None:
    """Notes that an endpoint has taken a request: received, not done. It may be told twice. Raises StoreError."""

    def sent(stored: Document) -> Document | None:
        if stored["status"] not in (RequestStatus.QUEUED, RequestStatus.UNDELIVERED):
            return None  # an outcome was faster
        return {"status": RequestStatus.SENT.value}

    await _by_itself(store, executors, request, sent, None, at)


async def give_up(store: Store, executors: Executors, request: Document, update: Document, reason: str) -> bool:
    """Updates a request that is still its relay's, and says on the timeline that it was not delivered. Nobody refused.

    Returns False if somebody has taken it since. Raises StoreError.
    """

    def undelivered(request_now: Document) -> Document | None:
        if request_now.get("attempts") != request["attempts"] or "dueAt" not in request_now:
            return None
        gone = dict.fromkeys(update["$unset"])
        status = {"status": RequestStatus.UNDELIVERED.value} if request_now["status"] == RequestStatus.QUEUED else {}
        return {**update["$set"], **gone, **status}

    return await _by_itself(
        store, executors, request, undelivered, "REQUEST_NOT_DELIVERED", stored(datetime.now(UTC)), reason
    )


async def expire(store: Store, executors: Executors, request: Document, now: datetime) -> bool:
    """Ends a request whose link was not followed in time. Returns False if it was. Raises StoreError."""

    def expired(stored: Document) -> Document | None:
        if stored["status"] != RequestStatus.ACTION_REQUIRED or stored.get("expiresAt", now) > now:
            return None
        at = stored["expiresAt"]
        return external_requests.with_end(stored, RequestStatus.EXPIRED, at=at, now=now, by=SYSTEM)

    return await _by_itself(store, executors, request, expired, "REQUEST_EXPIRED", now)


async def _by_itself(
    store: Store,
    executors: Executors,
    request: Document,
    keys_of: Any,
    type_: str | None,
    now: datetime,
    message: str | None = None,
) -> bool:
    async def body(rows: CustomerRows) -> bool:
        found = await store.find("requests", {"_id": request["_id"]}, session=rows.session)
        keys: Document | None = keys_of(found[0]) if found else None
        if keys is None:
            return False
        (stored,) = found
        if keys.get("status") == RequestStatus.SENT:
            keys |= _settled(stored, RequestStatus.SENT)
        rows.update("requests", stored, update_of(keys))
        if type_:
            about = _about(executors.kind(stored["kind"]), stored)
            rows.insert("activities", [activity_of(stored["customerId"], type_, SYSTEM, now, message=message, **about)])
        return True

    return await change_customers(store, body, now=now)
