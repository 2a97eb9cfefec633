"""Declares what other systems are asked to do: requests, their outcomes, and the kinds there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, cast

import strawberry

from app.catalogue.external_requests import RequestKind
from app.catalogue.model import CatalogueAttribute
from app.domain.access import Role
from app.domain.attributes import kind_of, label_of
from app.domain.executors import outcome_attributes
from app.domain.external_requests import is_overdue
from app.domain.paging import Sorting, Where
from app.domain.vocabulary import RequestStatus as Status
from app.schema.activities import ActivityAttribute, attribute_of
from app.schema.base import Document, Info, Node, Source, follow_own, linked_document, reads, result_or_error
from app.schema.enums import (
    AttributeKind,
    DeliveryStatus,
    OrderDirection,
    RequestExecutor,
    RequestGroup,
    RequestOrderField,
    RequestStatus,
)
from app.schema.filters import TimeRange, among, during, terms
from app.schema.owner import owner
from app.schema.people import Actor
from app.schema.rules import REQUEST, WITH_OWNER, Access
from app.schema.transactions import Money


@strawberry.type(description="What the system that was asked says of a request, at one time.")
class RequestOutcome:
    access: ClassVar[Access] = REQUEST

    status: RequestStatus = strawberry.field(description="The state that it says.")
    code: str | None = strawberry.field(description="The other system's own code, as it was sent.")
    message: str | None = strawberry.field(description="The other system's own message.")
    reference: str | None = strawberry.field(
        description="The other system's id of what it did, such as the number of a refund."
    )
    at: datetime = strawberry.field(description="The time of the outcome in the other system.")
    recorded_at: datetime = strawberry.field(description="The time when this gateway learned of it.")
    by: Actor = strawberry.field(description="The system or person who said so.")
    decided: bool = strawberry.field(
        description="Whether it changed the status of the request. An outcome that is older than the newest, cannot "
        "follow it, or says what is known already, is kept and changes nothing."
    )

    @strawberry.field(description="The attributes that came with it, as the request's kind lists them.")
    @staticmethod
    def attributes(outcome: strawberry.Parent[Document]) -> list[ActivityAttribute]:
        return _attributes(outcome["definitions"], outcome.get("attributes", {}))

    @strawberry.field(description="What came of it, such as the transaction of a refund, as far as it is known here.")
    @staticmethod
    def results(outcome: strawberry.Parent[Document], info: Info) -> list[Node | None]:
        return [result_or_error(linked_document, info, each) for each in outcome.get("resultIds", [])]


@strawberry.type(description="A link for the customer, such as a form to pay by. It is a key: give it to nobody else.")
class RequestLink:
    access: ClassVar[Access] = REQUEST

    url: str = strawberry.field(description="The address.")
    expires_at: datetime = strawberry.field(description="The time when it ends.")


@strawberry.type(description="The sending of a request to the system that does it.")
class RequestDelivery:
    access: ClassVar[Access] = REQUEST

    status: DeliveryStatus = strawberry.field(
        description="The state of the sending. SENT: the system has received it, which does not say that it is done."
    )
    attempts: int = strawberry.field(description="The number of attempts so far.")
    error: str | None = strawberry.field(description="The reason why the last attempt failed, in plain words.")
    next_attempt_at: datetime | None = strawberry.field(
        description="The time of the next attempt. Null after the last."
    )
    received_at: datetime | None = strawberry.field(description="The time when the system received it.")


@strawberry.type(
    description="A request to another system: refund, payment, order and the like. This gateway "
    "moves no money. It asks the "
    "system that does, once, and shows what that system says of it. A request that has succeeded may still be reversed."
)
class Request(Node):
    access: ClassVar[Access] = REQUEST

    kind: str = strawberry.field(description="The code of its kind; `requestKinds` has them.")
    status: RequestStatus = strawberry.field(description="The state, by the newest outcome.")
    open: bool = strawberry.field(
        description="Whether it may still be done. While it is open, the same is not asked for once more."
    )
    executor: RequestExecutor = strawberry.field(description="Who does it: a system that is connected, or a person.")
    reason: str | None = strawberry.field(description="The reason that was given.")
    reference: str | None = strawberry.field(description="The other system's id of what it did.")
    requested_by: Actor = strawberry.field(description="The person or program that asked for it.")
    requested_at: datetime = strawberry.field(description="The time when it was asked for.")

    @strawberry.field(description="The title of its kind, for people.")
    @staticmethod
    @reads("kind")
    def title(request: strawberry.Parent[Document], info: Info) -> str:
        row = _row(info, request)
        return row.title if row else label_of(request["kind"].lower())

    @strawberry.field(
        description="What it is about, such as the transaction to refund. Null if it is about the customer as a whole."
    )
    @staticmethod
    @reads("targetId customerId")
    def target(request: strawberry.Parent[Document], info: Info) -> Node | None:
        return follow_own(info, request, "targetId")

    @strawberry.field(
        description="What was asked for, in the order of its kind. Tokens and other secrets are left out."
    )
    @staticmethod
    @reads("kind attributes")
    def attributes(request: strawberry.Parent[Document], info: Info) -> list[ActivityAttribute]:
        row = _row(info, request)
        return _attributes(row.attributes if row else (), request["attributes"])

    @strawberry.field(description="The amount of money that was asked for. Null if it is not about money.")
    @staticmethod
    @reads("attributes")
    def amount(request: strawberry.Parent[Document]) -> Money | None:
        return request["attributes"].get("amount")

    @strawberry.field(description="The outcomes, in the order in which they were recorded. Nothing is overwritten.")
    @staticmethod
    @reads("kind outcomes")
    def outcomes(request: strawberry.Parent[Document], info: Info) -> list[RequestOutcome]:
        row = _row(info, request)
        definitions = outcome_attributes(row) if row else ()
        return cast(Source, [{**each, "definitions": definitions} for each in request["outcomes"]])

    @strawberry.field(
        description="The link for the customer, while it waits for them (ACTION_REQUIRED). Only for "
        "who asked; null for "
        "others, and once it has expired."
    )
    @staticmethod
    async def link(request: strawberry.Parent[Document], info: Info) -> RequestLink | None:
        link, context = request.get("link"), info.context
        if link is None or link["expiresAt"] <= context.now or request["status"] != Status.ACTION_REQUIRED:
            return None
        if request["requestedBy"].get("id") != context.viewer.person.subject:
            return None
        url = await context.loaders.secrets.load((request["_id"], bytes(link["sealed"])))
        return cast(Source, {"url": url, "expiresAt": link["expiresAt"]})

    @strawberry.field(
        description="Whether it should be done by now. That does not make it a failure: nobody has "
        "said that it will not be done."
    )
    @staticmethod
    @reads("open status overdueAt")
    def overdue(request: strawberry.Parent[Document], info: Info) -> bool:
        return is_overdue(request, info.context.now)

    @strawberry.field(description="The sending to the system that does it. Null if a person does it.")
    @staticmethod
    @reads("deliveryStatus attempts error dueAt sentAt")
    def delivery(request: strawberry.Parent[Document]) -> RequestDelivery | None:
        if "deliveryStatus" not in request:
            return None
        return cast(
            Source,
            {
                "status": request["deliveryStatus"],
                "attempts": request["attempts"],
                "error": request.get("error"),
                "nextAttemptAt": request.get("dueAt"),
                "receivedAt": request.get("sentAt"),
            },
        )

    customer = owner()


def _row(info: Info, request: Document) -> RequestKind | None:
    return info.context.changes.outgoing.executors.kinds.get(request["kind"])


def _attributes(definitions: Sequence[CatalogueAttribute], given: Document) -> Source:
    raws = dict(given)
    known = [
        attribute_of(each.name, each.label, each.kind, raws.pop(each.name)) for each in definitions if each.name in raws
    ]
    return known + [attribute_of(name, label_of(name), kind_of(raw), raw) for name, raw in raws.items()]


@strawberry.input(description="A filter on requests. Conditions that are left out do not filter.")
class RequestFilter:
    kinds: list[str] | None = strawberry.field(
        default=None, description="Only these kinds, by code. An empty list matches no rows."
    )
    statuses: list[RequestStatus] | None = strawberry.field(
        default=None, description="Only requests with one of these states. An empty list matches no rows."
    )
    open: bool | None = strawberry.field(
        default=None, description="Only those that are open, or only those that are not."
    )
    requested_at: TimeRange | None = strawberry.field(
        default=None, description="Only what was asked for in this window."
    )

    def where(self, _: frozenset[Role]) -> Where:
        """Returns the conditions of the filter. Raises BadUserInput."""
        return (
            *among("kind", terms("kinds", self.kinds)),
            *among("status", self.statuses),
            *among("open", None if self.open is None else [self.open]),
            *during("requestedAt", self.requested_at),
        )


@strawberry.input(description="A sort order for requests.")
class RequestOrder:
    default: ClassVar[str] = "Newest first"

    field: RequestOrderField = strawberry.field(
        default=RequestOrderField.REQUESTED_AT, description="The field to sort by."
    )
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="The direction to sort in.")

    def sorting(self, _: RequestFilter) -> Sorting:
        return Sorting(self.field, self.direction == OrderDirection.DESC)


# ---------------------------------------------------------------- kinds


@strawberry.type(description="An attribute that a kind of request takes, to make a form from.")
class RequestKindAttribute:
    access: ClassVar[Access] = WITH_OWNER

    name: str = strawberry.field(description="The name, as `request(input: {attributes})` takes it.")
    label: str = strawberry.field(description="The name to show to people.")
    kind: AttributeKind = strawberry.field(description="The kind of the value.")
    required: bool = strawberry.field(description="Whether it must be given.")


@strawberry.type(name="RequestKind", description="A kind of request that this gateway can pass on.")
class RequestKindType:
    access: ClassVar[Access] = WITH_OWNER

    code: str = strawberry.field(description="The code.")
    title: str = strawberry.field(description="The title to show to people.")
    description: str = strawberry.field(description="What is asked, in a sentence.")
    group: RequestGroup = strawberry.field(description="The group that a menu shows it in.")
    attributes: list[RequestKindAttribute] = strawberry.field(description="The attributes, in the order of a form.")
    outcome_attributes: list[RequestKindAttribute] = strawberry.field(
        description="The attributes that an outcome may bring, for `completeRequest`."
    )
    executor: RequestExecutor = strawberry.field(description="Who does it: a system that is connected, or a person.")
    target: str | None = strawberry.field(
        description="The type of what it is about, such as Transaction. Null: nothing."
    )
    allowed: bool = strawberry.field(description="Whether the viewer may ask for it.")
    mutation: str = strawberry.field(description="The mutation that asks for it.")
