"""The customer, whole: who they are, and an edge to everything that hangs on them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, ClassVar, cast

import strawberry

from app.domain.access import Viewer
from app.domain.customers import country_of, emails_of, is_web_address
from app.domain.listings import ACTIVITIES, COUPONS, EMAILS, NOTES, PASSES, POINTS, STATUSES, TRANSACTIONS
from app.domain.refusals import BadUserInput, Refusal
from app.schema.activities import (
    Activity,
    ActivityFacet,
    ActivityFilter,
    ActivityGroupCount,
    ActivityOrder,
    facets_of,
    group_counts_of,
)
from app.schema.base import Date, Document, Info, Node, Owner, Source, follow, reads
from app.schema.connection import After, Before, Connection, First, Last, page_of
from app.schema.coupons import Coupon, CouponFilter
from app.schema.emails import Email
from app.schema.enums import ActivityOrderField, CustomerStatus, OrderDirection
from app.schema.notes import Note
from app.schema.passes import Pass
from app.schema.people import Address, ContactPoint, IdentityInput, SourceIdentity
from app.schema.points import PointsBalance, PointsEntry, PointsFilter, PointsOrder, balance_of
from app.schema.rules import CONTACT, LABELS, LAST, MAIL, NOTE, WITH_OWNER, Access
from app.schema.statuses import StatusChange
from app.schema.transactions import Transaction, TransactionFilter

_Later = Annotated["Customer", strawberry.lazy("app.schema.customers")]


@strawberry.type(description="A customer, or a lead who has not paid yet, as all source systems together know them.")
class Customer(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id number name first_name last_name organization job_title country registered_at payment_count "
        "status has_status_details merged_into status_history activities activity_facets activity_groups points "
        "points_history coupons transactions passes",
        CONTACT: "email emails phones billing_address website date_of_birth identities",
        LABELS: "tags",
        LAST: "last_activity_at",
        MAIL: "email_history",
        NOTE: "notes",
    }

    number: str = strawberry.field(description="The customer number that people read out on the phone.")
    name: str = strawberry.field(description="Their full name, or the organisation's.")
    first_name: str | None = strawberry.field(description="Given name.")
    last_name: str | None = strawberry.field(description="Family name.")
    organization: str | None = strawberry.field(description="The organisation they belong to.")
    job_title: str | None = strawberry.field(description="What they do there.")
    date_of_birth: Date | None = strawberry.field(description="Day of birth.")
    email: str | None = strawberry.field(description="The registered address: mails are sent again to this one.")
    billing_address: Address | None = strawberry.field(description="Where invoices go.")
    registered_at: datetime = strawberry.field(description="When they first became known.")
    last_activity_at: datetime | None = strawberry.field(
        description="When something last happened on the account, by the catalogue's types. Notes do not count."
    )
    payment_count: int = strawberry.field(description="How many payments they made: 0 is a lead, 1 or more a customer.")
    tags: list[str] = strawberry.field(description="Labels that people put on them.")
    status: CustomerStatus = strawberry.field(description="What the account may do now.")

    @strawberry.field(description="Their website, safe to link to: null for an address that is none of a web page.")
    @staticmethod
    @reads("website")
    def website(customer: strawberry.Parent[Document]) -> str | None:
        website = customer.get("website")
        if isinstance(website, Refusal):
            raise website
        return website if website is None or is_web_address(website) else None

    @strawberry.field(description="All their e-mail addresses.")
    @staticmethod
    @reads("email emails")
    def emails(customer: strawberry.Parent[Document]) -> list[ContactPoint] | None:
        return cast(Source, emails_of(customer))

    @strawberry.field(description="All their phone numbers.")
    @staticmethod
    @reads("phones")
    def phones(customer: strawberry.Parent[Document]) -> list[ContactPoint] | None:
        return customer.get("phones", [])

    @strawberry.field(description="Two-letter country code; the billing address's unless it is known otherwise.")
    @staticmethod
    @reads("country billingAddress")
    def country(customer: strawberry.Parent[Document]) -> str | None:
        return country_of(customer)

    @strawberry.field(description="Who they are in each source system.")
    @staticmethod
    @reads("identities")
    def identities(customer: strawberry.Parent[Document]) -> list[SourceIdentity] | None:
        return customer.get("identities", [])

    @strawberry.field(description="The customer they live on in; only where the status is MERGED.")
    @staticmethod
    @reads("mergedIntoId")
    def merged_into(customer: strawberry.Parent[Document], info: Info) -> _Later | None:
        return follow(info, customer, "mergedIntoId")

    @strawberry.field(description='Whether the status was ever changed: if so, show a "Details" button beside it.')
    @staticmethod
    @reads("hasStatusDetails")
    def has_status_details(customer: strawberry.Parent[Document]) -> bool | None:
        return customer.get("hasStatusDetails", False)

    @strawberry.field(description="Every change of their status, newest first.")
    @staticmethod
    def status_history(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[StatusChange] | None:
        return page_of(info, customer, STATUSES, first=first, after=after, last=last, before=before)

    @strawberry.field(description="Everything that ever happened on the account, newest first unless told.")
    @staticmethod
    def activities(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            ActivityFilter | None, strawberry.argument(description="Which ones; all unless told.")
        ] = None,
        order_by: Annotated[ActivityOrder | None, strawberry.argument(description="Newest first unless told.")] = None,
    ) -> Connection[Activity] | None:
        asked, order = filter or ActivityFilter(), order_by or ActivityOrder()
        if asked.legacy and order.field == ActivityOrderField.TYPE:
            raise BadUserInput("Legacy entries cannot be sorted by type: choose another order.", "orderBy")
        return page_of(
            info,
            customer,
            ACTIVITIES,
            first=first,
            after=after,
            last=last,
            before=before,
            where=asked.where(info.context.viewer),
            order=order.field,
            descending=order.direction == OrderDirection.DESC,
        )

    @strawberry.field(description="The types of activity this account really has, most frequent first.")
    @staticmethod
    @reads("_id")
    def activity_facets(customer: strawberry.Parent[Document], info: Info) -> list[ActivityFacet] | None:
        return _of_type_counts(info, customer, facets_of)

    @strawberry.field(description="The groupings this account really has activities of, in display order.")
    @staticmethod
    @reads("_id")
    def activity_groups(customer: strawberry.Parent[Document], info: Info) -> list[ActivityGroupCount] | None:
        return _of_type_counts(info, customer, group_counts_of)

    @strawberry.field(description="Their points as they count now.")
    @staticmethod
    @reads("_id points")
    def points(customer: strawberry.Parent[Document], info: Info) -> PointsBalance | None:
        return balance_of(customer, info.context.now)

    @strawberry.field(
        description="The entries that changed the balance for good, last recorded first unless told. "
        "Reservations and pending points are no part of it."
    )
    @staticmethod
    def points_history(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[PointsFilter | None, strawberry.argument(description="Which ones; all unless told.")] = None,
        order_by: Annotated[
            PointsOrder | None, strawberry.argument(description="Last recorded first unless told.")
        ] = None,
    ) -> Connection[PointsEntry] | None:
        asked, order = filter or PointsFilter(), order_by or PointsOrder()
        return page_of(
            info,
            customer,
            POINTS,
            first=first,
            after=after,
            last=last,
            before=before,
            where=asked.where(),
            order=order.field,
            descending=order.direction == OrderDirection.DESC,
        )

    @strawberry.field(description="Coupons they hold or held, newest first.")
    @staticmethod
    def coupons(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[CouponFilter | None, strawberry.argument(description="Which ones; all unless told.")] = None,
    ) -> Connection[Coupon] | None:
        where = (filter or CouponFilter()).where()
        return page_of(info, customer, COUPONS, first=first, after=after, last=last, before=before, where=where)

    @strawberry.field(description="Sales, refunds and voids, newest first.")
    @staticmethod
    def transactions(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Annotated[
            TransactionFilter | None, strawberry.argument(description="Which ones; all unless told.")
        ] = None,
    ) -> Connection[Transaction] | None:
        where = (filter or TransactionFilter()).where()
        return page_of(info, customer, TRANSACTIONS, first=first, after=after, last=last, before=before, where=where)

    @strawberry.field(description="Mobile wallet passes, newest first.")
    @staticmethod
    def passes(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Pass] | None:
        return page_of(info, customer, PASSES, first=first, after=after, last=last, before=before)

    @strawberry.field(
        description="Every mail to them that is known here, newest first, also those that no activity names. A mail "
        "whose time is not known comes last."
    )
    @staticmethod
    def email_history(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Email] | None:
        return page_of(info, customer, EMAILS, first=first, after=after, last=last, before=before)

    @strawberry.field(description="Every note on the account, newest first, also those that no activity names.")
    @staticmethod
    def notes(
        customer: Owner,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Note] | None:
        return page_of(info, customer, NOTES, first=first, after=after, last=last, before=before)


def _of_type_counts(info: Info, customer: Document, then: Callable[[Mapping[str, int], Viewer], Source]) -> Source:
    viewer = info.context.viewer
    return info.context.loaders.type_counts.wanted(customer["_id"], lambda counts: then(counts or {}, viewer))


@strawberry.input(one_of=True, description="Whom to find, by exactly one of these.")
class CustomerBy:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="By id: cus_….")
    number: strawberry.Maybe[str] = strawberry.field(description="By customer number, exactly.")
    email: strawberry.Maybe[str] = strawberry.field(
        description="By any of their e-mail addresses; case does not matter. One that several share is AMBIGUOUS."
    )
    identity: strawberry.Maybe[IdentityInput] = strawberry.field(description="By who they are in a source system.")
