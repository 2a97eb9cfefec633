"""Admits requests to other systems, and what became of them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import strawberry
from strawberry.utils.str_converters import to_camel_case

from app.catalogue.external_requests import REQUEST_KINDS, RequestKind
from app.domain.access import Permission
from app.domain.changes import Invalid, NotFound
from app.domain.executors import outcome_attributes
from app.domain.ids import check_id
from app.domain.kinds import BY_COLLECTION
from app.domain.refusals import unknown
from app.domain.times import stored
from app.domain.vocabulary import KycDocumentType, OutcomeStatus, RequestExecutor
from app.resolvers.payloads import Input, attributes_of, document_of, make
from app.schema import request_doors as schema
from app.schema.base import Document, Info, Source
from app.schema.external_requests import RequestKindType
from app.services import external_requests
from app.services.changes import Changes, Wrote
from app.services.external_requests import Asked, ReportedOutcome

MOST_REFUNDS: Final = 50


def _kind(info: Info, code: str) -> RequestKind:
    return info.context.changes.outgoing.executors.kinds[code]


def door(at: schema.Door) -> Callable[..., Awaitable[schema.RequestPayload | None]]:
    """Returns the resolver of a mutation that does nothing but ask."""

    async def ask(info: Info, input: Any) -> Any:
        kind = _kind(info, at.kind)
        collection, field = at.about
        about_id: str = getattr(input, _snake(field))

        async def change(of: Changes, about: Document) -> Wrote:
            customer_id: str = about["_id"] if collection == "customers" else about["customerId"]
            if (confirmed := getattr(input, "confirm_amount", None)) is not None and confirmed != input.amount.amount:
                raise Invalid("confirmAmount must be the same amount.", "confirmAmount")
            asked = Asked(None if collection == "customers" else about_id, schema.given_of(input, _snake(field)))
            check(at.kind, input)
            key = input.idempotency_key
            return await external_requests.ask(
                of, at.mutation, kind, customer_id, [asked], reason=input.reason, key=key
            )

        return await make(info, at.mutation, Permission(kind.permission), (collection, field, about_id), change)

    ask.__annotations__ = {
        "info": Info,
        "input": Annotated[at.input, Input],
        "return": schema.RequestPayload | None,
    }
    ask.__name__ = _snake(at.mutation)
    return ask


def _field(at: schema.Door) -> Any:
    permission = REQUEST_KINDS[at.kind].permission
    return strawberry.field(resolver=door(at), description=f"{at.description} Needs {permission}.")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def check(kind: str, input: Any) -> None:
    """Raises Invalid for what the attributes of a kind do not say by themselves."""
    match kind:
        case "ORDER" | "QUOTE" if not input.items:
            raise Invalid("An order has at least 1 item.", "items")
        case "ORDER" | "QUOTE" if any(each.quantity < 1 for each in input.items):
            raise Invalid("quantity is at least 1.", "items", "quantity")
        case "ORDER":
            _check_durations(input)
        case "DEPOSIT" if input.strategy_id is not None and input.amounts is not None:
            raise Invalid("strategyId and amounts exclude each other.", "amounts")
        case "DEPOSIT" if input.amounts is not None and any(each <= 0 for each in input.amounts):
            raise Invalid("Each amount must be more than zero.", "amounts")
        case "DEPOSIT" if input.custom_amount is not None:
            _check_custom_amount(input.custom_amount)
        case "KYC_DOCUMENTS":
            _check_documents(input)
        case "CREDIT_MEMO" if (input.amount is None) == (input.items is None):
            raise Invalid("Give an amount or items, not both.", "amount")
        case "CREDIT_MEMO" if input.items is not None and not 1 <= len(input.items) <= 100:
            raise Invalid("Give 1 to 100 items.", "items")
        case "CREDIT_MEMO" if any(each.amount <= 0 or each.quantity < 1 for each in input.items or ()):
            raise Invalid("Each amount must be more than zero, and each quantity at least 1.", "items")
        case "ORDER_CANCELLATION" if (input.at is None) == (input.when == schema.CancellationTime.AT):
            raise Invalid("Give at with AT, and only then.", "at")
        case "PAYMENT_INSTRUMENT_CHANGE":
            _check_change(input.change)
        case "COUPON_REDEMPTION" if not input.coupon_ids:
            raise Invalid("Give at least 1 coupon.", "couponIds")
        case _:
            pass


_DURATION: Final = re.compile(r"P(?=\d|T\d)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.ASCII)


def _check_durations(input: schema.RequestOrderInput) -> None:
    for name in ("delinquency_period", "invoice_issue_shift", "invoice_due_shift"):
        duration: str | None = getattr(input, name)
        if duration is not None and not _DURATION.fullmatch(duration):
            raise Invalid("Give an ISO 8601 duration such as P7D.", to_camel_case(name))


def _check_custom_amount(custom: schema.CustomAmountInput) -> None:
    bounds = {"min": custom.min, "max": custom.max, "multipleOf": custom.multiple_of}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if given and custom.policy != schema.CustomAmountPolicy.ALLOW:
        raise Invalid("Bounds go with ALLOW, and with nothing else.", "customAmount", next(iter(given)))
    for name, bound in given.items():
        if bound <= 0:
            raise Invalid(f"{name} must be more than zero.", "customAmount", name)
    if custom.min is not None and custom.max is not None and custom.min > custom.max:
        raise Invalid("max is at least min.", "customAmount", "max")


def _check_change(change: schema.PaymentInstrumentChange) -> None:
    for name in ("set_default", "deactivate"):
        if (some := getattr(change, name)) and some.value is not True:
            raise Invalid("Only true can be asked for.", "change", to_camel_case(name))
    if (some := change.expiry) and not (1 <= some.value.month <= 12 and 2000 <= some.value.year <= 2100):
        raise Invalid("The month is 1 to 12, and the year has four digits.", "change", "expiry")


def _check_documents(input: schema.RequestKycDocumentsInput) -> None:
    if not input.documents:
        raise Invalid("Ask for at least 1 document.", "documents")
    if input.ui not in (None, "1", "2"):
        raise Invalid("ui is 1 or 2.", "ui")
    if input.level not in (1, 2, 3):
        raise Invalid("level is 1, 2 or 3.", "level")
    for place, each in enumerate(input.documents):
        if (each.selfie or each.liveness) and each.type != KycDocumentType.IDENTITY_PROOF:
            raise Invalid("selfie and liveness belong to IDENTITY_PROOF.", "documents", str(place), "selfie")
        if each.max_attempts is not None and not 0 <= each.max_attempts <= 100:
            raise Invalid("maxAttempts is 0 to 100.", "documents", str(place), "maxAttempts")


async def request_refund(
    info: Info, input: Annotated[schema.RequestRefundInput, Input]
) -> schema.RequestPayload | None:
    kind = _kind(info, "REFUND")

    async def change(of: Changes, sale: Document) -> Wrote:
        attributes = {"amount": input.amount, "description": input.description}
        asked = Asked(sale["_id"], {name: value for name, value in attributes.items() if value is not None})
        key = input.idempotency_key
        return await external_requests.ask(
            of, "requestRefund", kind, sale["customerId"], [asked], reason=input.reason, key=key
        )

    about = ("transactions", "transactionId", input.transaction_id)
    return await make(info, "requestRefund", Permission(kind.permission), about, change)


async def request_refunds(
    info: Info, input: Annotated[schema.RequestRefundsInput, Input]
) -> schema.RequestRefundsPayload | None:
    kind, ids = _kind(info, "REFUND"), input.transaction_ids

    async def change(of: Changes, first: Document) -> Wrote:
        for each in ids:
            check_id(each, "transactionIds", expected="transactions")
        if not 1 <= len(ids) <= MOST_REFUNDS:
            raise Invalid(f"Refund 1 to {MOST_REFUNDS} sales at once; these are {len(ids)}.", "transactionIds")
        if len({*ids}) < len(ids):
            raise Invalid("A sale is named twice.", "transactionIds")
        sales = await asyncio.gather(*(document_of(info, each) for each in ids))
        for place, sale in enumerate(sales):
            if sale is None or sale["customerId"] != first["customerId"]:
                raise NotFound("There is no such transaction of this customer.", "transactionIds", str(place))
        given = {} if input.description is None else {"description": input.description}
        asked = [Asked(each, given) for each in ids]
        key, customer_id = input.idempotency_key, first["customerId"]
        return await external_requests.ask(
            of, "requestRefunds", kind, customer_id, asked, reason=input.reason, key=key, plural=True
        )

    about = ("transactions", "transactionIds", ids[0] if ids else "")
    return await make(info, "requestRefunds", Permission(kind.permission), about, change)


async def record_outside_payment(
    info: Info, input: Annotated[schema.RecordOutsidePaymentInput, Input]
) -> schema.RecordOutsidePaymentPayload | None:
    kind = _kind(info, "OUTSIDE_PAYMENT")
    return await make(
        info,
        "recordOutsidePayment",
        Permission(kind.permission),
        ("customers", "customerId", input.customer_id),
        lambda of, customer: external_requests.record_outside_payment(
            of,
            kind,
            customer["_id"],
            schema.given_of(input, "customer_id"),
            reason=input.reason,
            key=input.idempotency_key,
        ),
    )


async def request(info: Info, input: Annotated[schema.RequestInput, Input]) -> schema.RequestPayload | None:
    async def change(of: Changes, customer: Document) -> Wrote:
        kind = of.outgoing.executors.kinds.get(input.kind)
        if kind is None:
            kinds = of.outgoing.executors.kinds
            raise Invalid(str(unknown("kind of request", input.kind, kinds)), "kind")
        if kind.permission != Permission.REQUEST_OTHER:
            raise Invalid(f"{kind.code} has a mutation of its own: {_mutation(kind.code)}.", "kind")
        asked = Asked(None, attributes_of(input.attributes))
        key = input.idempotency_key
        return await external_requests.ask(of, "request", kind, customer["_id"], [asked], reason=input.reason, key=key)

    about = ("customers", "customerId", input.customer_id)
    return await make(info, "request", Permission.REQUEST_OTHER, about, change)


async def complete_request(
    info: Info, input: Annotated[schema.CompleteRequestInput, Input]
) -> schema.RequestPayload | None:
    async def complete(of: Changes, request: Document) -> Wrote:
        for each in input.results or ():
            check_id(each, "results")
        outcome = ReportedOutcome(
            OutcomeStatus(input.status),
            input.at and stored(input.at),
            input.code,
            input.message,
            input.reference,
            attributes_of(input.attributes),
            input.results or (),
        )
        return await external_requests.complete(
            of, request, outcome, key=input.idempotency_key, mutation="completeRequest"
        )

    about = ("requests", "requestId", input.request_id)
    return await make(info, "completeRequest", Permission.COMPLETE_REQUEST, about, complete)


async def cancel_request(
    info: Info, input: Annotated[schema.CancelRequestInput, Input]
) -> schema.RequestPayload | None:
    return await _about_request(
        info,
        "cancelRequest",
        input.request_id,
        lambda of, request: external_requests.cancel(of, request, reason=input.reason, key=input.idempotency_key),
    )


async def retry_request(info: Info, input: Annotated[schema.RetryRequestInput, Input]) -> schema.RequestPayload | None:
    return await _about_request(
        info,
        "retryRequest",
        input.request_id,
        lambda of, request: external_requests.retry(of, request, reason=input.reason, key=input.idempotency_key),
    )


async def _about_request(
    info: Info, mutation: str, request_id: str, change: Callable[[Changes, Document], Awaitable[Wrote]]
) -> Source:
    """Returns the payload of a change that whoever may ask for such a request may make."""

    async def allowed(of: Changes, request: Document) -> Wrote:
        kind = of.outgoing.executors.kind(request["kind"])
        of.viewer.require(Permission(kind.permission), request["customerId"])
        return await change(of, request)

    return await make(info, mutation, Permission.READ_REQUESTS, ("requests", "requestId", request_id), allowed)


DOOR_FIELDS: Final = {at.mutation: _field(at) for at in schema.DOORS}
"""The mutations that do nothing but ask, by name."""


def request_kinds(info: Info) -> list[RequestKindType] | None:
    executors, viewer = info.context.changes.outgoing.executors, info.context.viewer
    viewer.require(Permission.READ_REQUESTS)
    return [_shown(info, kind, executors.endpoint_of(kind.code) is not None) for kind in executors.kinds.values()]


def _shown(info: Info, kind: RequestKind, has_endpoint: bool) -> Any:
    return {
        "code": kind.code,
        "title": kind.title,
        "description": kind.description,
        "group": kind.group,
        "attributes": [_attribute(each) for each in kind.attributes],
        "outcomeAttributes": [_attribute(each) for each in outcome_attributes(kind)],
        "executor": RequestExecutor.ENDPOINT if has_endpoint else RequestExecutor.MANUAL,
        "target": BY_COLLECTION[kind.target].type if kind.target else None,
        "allowed": info.context.viewer.may(Permission(kind.permission)),
        "mutation": _mutation(kind.code),
    }


def _attribute(attribute: Any) -> Document:
    return {name: getattr(attribute, name) for name in ("name", "label", "kind", "required")}


_MUTATIONS: Final = {at.kind: at.mutation for at in schema.DOORS} | {
    "REFUND": "requestRefund",
    "OUTSIDE_PAYMENT": "recordOutsidePayment",
}


def _mutation(code: str) -> str:
    return _MUTATIONS.get(code, "request")
