"""Declares the customer, whole: who they are, and an edge to everything that hangs on them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, cast

import strawberry

from app.catalogue import CUSTOMER_FIELDS
from app.domain import customer_fields
from app.domain.access import Viewer
from app.domain.attributes import to_text
from app.domain.cursors import size_of
from app.domain.customers import country_of, emails_of, is_web_address
from app.domain.due_diligence import state_of
from app.domain.duplicates import traits_of
from app.domain.listings import (
    ACTIVITIES,
    AML_CHECKS,
    COUPONS,
    CREDIT_MEMOS,
    EMAILS,
    INVOICES,
    KYC_DOCUMENTS,
    KYC_REQUESTS,
    NOTES,
    ORDERS,
    PASSES,
    PAYMENT_INSTRUMENTS,
    POINTS,
    QUOTES,
    REQUESTS,
    STATUSES,
    TRANSACTIONS,
)
from app.domain.refusals import Refusal, unknown
from app.schema.activities import (
    ACTOR_KEYS,
    BOOLEAN,
    NUMBER,
    TIME,
    Activity,
    ActivityActorCount,
    ActivityFacet,
    ActivityFilter,
    ActivityGroupCount,
    ActivityOrder,
    ActivitySourceCount,
    actor_counts_of,
    boolean_of,
    counts_named,
    facets_of,
    group_counts_of,
    number_of,
    time_of,
)
from app.schema.aml_checks import AmlCheck, AmlCheckFilter, AmlCheckOrder
from app.schema.base import (
    Date,
    Document,
    Info,
    Node,
    ShortList,
    Source,
    follow,
    linked_document,
    reads,
    result_or_error,
)
from app.schema.catalogue import CustomerFieldDefinition
from app.schema.connection import paged, selection_of
from app.schema.coupons import Coupon, CouponFilter, CouponOrder
from app.schema.credit_memos import CreditMemo, CreditMemoFilter, CreditMemoOrder
from app.schema.emails import Email
from app.schema.enums import CustomerStatus, DuplicateReason, ReadGroup
from app.schema.external_requests import Request, RequestFilter, RequestOrder
from app.schema.filters import few
from app.schema.invoices import Invoice, InvoiceFilter, InvoiceOrder
from app.schema.kyc_documents import KycDocument, KycDocumentFilter, KycDocumentOrder
from app.schema.kyc_requests import KycRequest, KycRequestFilter, KycRequestOrder
from app.schema.notes import Note
from app.schema.orders import OrderFilter, OrderOrder, OrderType
from app.schema.passes import Pass, PassFilter, PassOrder
from app.schema.payment_instruments import PaymentInstrument, PaymentInstrumentFilter, PaymentInstrumentOrder
from app.schema.people import Address, ContactPoint, IdentityInput, LeadSource, SourceIdentity, TaxId
from app.schema.points import PointsBalance, PointsEntry, PointsFilter, PointsOrder, balance_of
from app.schema.quotes import Quote, QuoteFilter, QuoteOrder
from app.schema.rules import (
    ACTORS,
    AML,
    BILLING,
    CONTACT,
    DUE_DILIGENCE,
    DUPLICATES,
    FIELDS,
    KYC,
    LABELS,
    LAST,
    LEAD,
    MAIL,
    MERGE,
    NOTE,
    REQUEST,
    WITH_OWNER,
    Access,
)
from app.schema.statuses import StatusChange
from app.schema.transactions import Money, Transaction, TransactionFilter, TransactionOrder

if TYPE_CHECKING:
    from app.schema.due_diligence import DueDiligence
    from app.schema.merging import Merge

Counted = Annotated[
    ActivityFilter | None, strawberry.argument(description="Which activities to count. Default: all that have a type.")
]
_Later = Annotated["Customer", strawberry.lazy("app.schema.customers")]
_Merge = Annotated["Merge", strawberry.lazy("app.schema.merging")]
_DueDiligence = Annotated["DueDiligence", strawberry.lazy("app.schema.due_diligence")]


@strawberry.type(description="A value of a customer under a field of this gateway's own catalogue.")
class CustomerField:
    access: ClassVar[Access] = WITH_OWNER

    definition: CustomerFieldDefinition = strawberry.field(description="What the field is called, and what it may be.")
    value: str = strawberry.field(description="The value as canonical text: ISO 8601 dates, plain digits.")
    number: float | None = strawberry.field(resolver=number_of, description=NUMBER)
    boolean: bool | None = strawberry.field(resolver=boolean_of, description=BOOLEAN)
    time: datetime | None = strawberry.field(resolver=time_of, description=TIME)


@strawberry.type(description="A customer, or a lead without a payment, as all source systems together know them.")
class Customer(Node):
    access: ClassVar[Access] = {
        WITH_OWNER: "id number name first_name last_name organization job_title country registered_at payment_count "
        "locale revision status has_status_details merged_into status_history activities activity_facets "
        "activity_groups activity_sources points points_history coupons transactions passes",
        CONTACT: "email emails phones billing_address website date_of_birth identities tax_ids",
        LABELS: "tags",
        FIELDS: "fields",
        DUPLICATES: "possible_duplicates",
        LEAD: "lead_source",
        ACTORS: "activity_actors",
        LAST: "last_activity_at",
        MAIL: "email_history",
        NOTE: "notes pinned_notes",
        MERGE: "merged_from merge_in_progress",
        DUE_DILIGENCE: "due_diligence",
        REQUEST: "requests",
        BILLING: "payment_instruments orders invoices quotes credit_memos credit_balances amount_due next_renewal_at",
        KYC: "kyc_requests kyc_documents",
        AML: "aml_checks",
    }
    read_groups: ClassVar[Mapping[ReadGroup, str]] = {
        ReadGroup.IDENTITY: "number name first_name last_name organization job_title country locale registered_at "
        "payment_count last_activity_at lead_source tags fields revision status has_status_details merged_into",
        ReadGroup.CONTACT: "email emails phones billing_address website date_of_birth identities tax_ids "
        "possible_duplicates",
        ReadGroup.HISTORY: "status_history activities activity_facets activity_groups activity_sources activity_actors "
        "merged_from merge_in_progress",
        ReadGroup.POINTS: "points points_history",
        ReadGroup.COUPONS: "coupons",
        ReadGroup.TRANSACTIONS: "transactions requests",
        ReadGroup.PASSES: "passes",
        ReadGroup.MAIL: "email_history",
        ReadGroup.NOTES: "notes pinned_notes",
        ReadGroup.BILLING: "payment_instruments orders invoices quotes credit_memos credit_balances amount_due "
        "next_renewal_at",
        ReadGroup.COMPLIANCE: "due_diligence kyc_requests kyc_documents aml_checks",
    }
    """What a look says of these fields (execution/looks.py). The id alone tells nothing, and is in no group."""

    number: str = strawberry.field(description="The customer number that people read out on the phone.")
    name: str = strawberry.field(description="The full name of the person or organisation.")
    first_name: str | None = strawberry.field(description="The given name.")
    last_name: str | None = strawberry.field(description="The family name.")
    organization: str | None = strawberry.field(description="The organisation that the customer belongs to.")
    job_title: str | None = strawberry.field(description="The job title in that organisation.")
    date_of_birth: Date | None = strawberry.field(description="The date of birth.")
    locale: str | None = strawberry.field(description="The language to write in, as a BCP 47 tag such as de-CH.")
    email: str | None = strawberry.field(description="The registered e-mail address, to which mails are sent.")
    billing_address: Address | None = strawberry.field(description="The billing address.")
    registered_at: datetime = strawberry.field(description="The time when the customer first became known.")
    last_activity_at: datetime | None = strawberry.field(
        description="The time of the latest activity of a type in the catalogue. Notes do not count."
    )
    payment_count: int = strawberry.field(
        description="The number of payments made: 0 for a lead, 1 or more for a customer."
    )
    lead_source: LeadSource | None = strawberry.field(
        description="Where the customer came from. Null if nobody has said."
    )
    tags: list[str] = strawberry.field(description="The labels on the customer.")
    status: CustomerStatus = strawberry.field(description="The current status of the account.")

    @strawberry.field(description="The website, safe to link to. Null if the stored address is not a web address.")
    @staticmethod
    @reads("website")
    def website(customer: strawberry.Parent[Document]) -> str | None:
        website = customer.get("website")
        if isinstance(website, Refusal):
            raise website
        return website if website is None or is_web_address(website) else None

    @strawberry.field(description="All e-mail addresses.")
    @staticmethod
    @reads("email emails")
    def emails(customer: strawberry.Parent[Document]) -> list[ContactPoint] | None:
        return cast(Source, emails_of(customer))

    @strawberry.field(description="All phone numbers.")
    @staticmethod
    @reads("phones")
    def phones(customer: strawberry.Parent[Document]) -> list[ContactPoint] | None:
        return customer.get("phones", [])

    @strawberry.field(
        description="The values of fields that this gateway's own catalogue adds, in its order; `customerFields` lists "
        "all. What a customer has no value for is left out."
    )
    @staticmethod
    @reads("fields")
    def fields(
        customer: strawberry.Parent[Document],
        info: Info,
        names: Annotated[
            list[str] | None,
            strawberry.argument(description="Only these fields, by their names. Default: all. At most 100."),
        ] = None,
    ) -> list[CustomerField] | None:
        return _fields_of(customer, info.context.viewer, names)

    @strawberry.field(description="All tax ids; one of them is the default.")
    @staticmethod
    @reads("taxIds")
    def tax_ids(customer: strawberry.Parent[Document]) -> list[TaxId] | None:
        return customer.get("taxIds", [])

    @strawberry.field(description="The two-letter country code (ISO 3166-1). Default: that of the billing address.")
    @staticmethod
    @reads("country billingAddress")
    def country(customer: strawberry.Parent[Document]) -> str | None:
        return country_of(customer)

    @strawberry.field(description="The ids of the customer in each source system.")
    @staticmethod
    @reads("identities")
    def identities(customer: strawberry.Parent[Document]) -> list[SourceIdentity] | None:
        return customer.get("identities", [])

    @strawberry.field(description="The surviving customer. Only set if the status is MERGED.")
    @staticmethod
    @reads("mergedIntoId")
    def merged_into(customer: strawberry.Parent[Document], info: Info) -> _Later | None:
        return follow(info, customer, "mergedIntoId")

    @strawberry.field(description="The customers who were merged into this one, also by way of another.")
    @staticmethod
    @reads("mergedFrom mergedFromIds")
    def merged_from(customer: strawberry.Parent[Document], info: Info) -> list[_Later | None] | None:
        if isinstance(masked := customer.get("mergedFrom"), Refusal):
            raise masked
        return [result_or_error(linked_document, info, each) for each in customer.get("mergedFromIds", ())]

    @strawberry.field(
        description="The merge by which the customer still takes over another one. The lists have all rows already. "
        "Null if there is none."
    )
    @staticmethod
    @reads("mergeInProgress mergeInProgressId")
    def merge_in_progress(customer: strawberry.Parent[Document], info: Info) -> _Merge | None:
        if isinstance(masked := customer.get("mergeInProgress"), Refusal):
            raise masked
        return follow(info, customer, "mergeInProgressId")

    @strawberry.field(
        description="The number of changes on the account so far, in the details and in all lists. "
        "`updateCustomer(expectedRevision:)` takes it."
    )
    @staticmethod
    @reads("revision")
    def revision(customer: strawberry.Parent[Document]) -> int:
        return customer.get("revision", 0)

    @strawberry.field(
        description="Customers who may be the same person: those who share an e-mail address, a phone number, or name "
        "and date of birth. Those who share most come first."
    )
    @staticmethod
    @reads("_id searchEmails searchPhones searchName dateOfBirth possibleDuplicates")
    def possible_duplicates(
        customer: strawberry.Parent[Document], info: Info, first: ShortList = 20
    ) -> "list[PossibleDuplicate] | None":
        if isinstance(masked := customer.get("possibleDuplicates"), Refusal):
            raise masked
        traits, size = traits_of(customer), size_of(first)
        return cast(Source, info.context.loaders.duplicates.defer(traits, lambda found: (found or [])[:size]))

    @strawberry.field(description='Whether the status was ever changed; if so, show a "Details" button beside it.')
    @staticmethod
    @reads("hasStatusDetails")
    def has_status_details(customer: strawberry.Parent[Document]) -> bool | None:
        return customer.get("hasStatusDetails", False)

    @strawberry.field(description="What enhanced due diligence knows of the customer.")
    @staticmethod
    @reads("_id dueDiligence")
    def due_diligence(customer: strawberry.Parent[Document]) -> _DueDiligence | None:
        if isinstance(stored := customer.get("dueDiligence"), Refusal):
            raise stored
        return cast(Source, {"_id": customer["_id"], **state_of(stored)})

    requests = paged(
        REQUESTS,
        Request,
        filter=RequestFilter,
        order=RequestOrder,
        description="What other systems were asked to do for the customer, newest first.",
    )
    status_history = paged(STATUSES, StatusChange, description="All status changes, newest first.")
    activities = paged(
        ACTIVITIES,
        Activity,
        filter=ActivityFilter,
        order=ActivityOrder,
        at=True,
        description="All activities on the account. Default order: newest first.",
    )

    @strawberry.field(description="The activity types that occur on this account, most frequent first.")
    @staticmethod
    @reads("_id")
    def activity_facets(
        customer: strawberry.Parent[Document], info: Info, filter: Counted = None
    ) -> list[ActivityFacet] | None:
        return _of_type_counts(info, customer, filter, facets_of)

    @strawberry.field(description="The activity groups that occur on this account, in display order.")
    @staticmethod
    @reads("_id")
    def activity_groups(
        customer: strawberry.Parent[Document], info: Info, filter: Counted = None
    ) -> list[ActivityGroupCount] | None:
        return _of_type_counts(info, customer, filter, group_counts_of)

    @strawberry.field(
        description="The people and programs that acted on this account, most active first. A person who went by "
        "several names is there once, by the one that most of these activities have."
    )
    @staticmethod
    @reads("_id activityActors")
    def activity_actors(
        customer: strawberry.Parent[Document], info: Info, filter: Counted = None, first: ShortList = 20
    ) -> list[ActivityActorCount] | None:
        if "activityActors" in customer:  # the rule says that it is not for this viewer
            return None
        size = size_of(first)
        return _value_counts(info, customer, filter, ACTOR_KEYS, lambda counts: actor_counts_of(counts)[:size])

    @strawberry.field(description="The source systems that reported on this account, by number of activities.")
    @staticmethod
    @reads("_id")
    def activity_sources(
        customer: strawberry.Parent[Document], info: Info, filter: Counted = None
    ) -> list[ActivitySourceCount] | None:
        return _value_counts(info, customer, filter, ("source",), partial(counts_named, "source"))

    @strawberry.field(description="The points balance now.")
    @staticmethod
    @reads("_id points")
    def points(customer: strawberry.Parent[Document], info: Info) -> PointsBalance | None:
        return balance_of(customer, info.context.now)

    points_history = paged(
        POINTS,
        PointsEntry,
        filter=PointsFilter,
        order=PointsOrder,
        description="The entries that changed the balance. Default order: last recorded first. Reservations "
        "and pending points are not included.",
    )
    coupons = paged(
        COUPONS,
        Coupon,
        filter=CouponFilter,
        order=CouponOrder,
        description="All coupons, redeemed or not. Default order: newest first.",
    )
    transactions = paged(
        TRANSACTIONS,
        Transaction,
        filter=TransactionFilter,
        order=TransactionOrder,
        description="All sales, refunds and voids. Default order: newest first.",
    )
    passes = paged(
        PASSES,
        Pass,
        filter=PassFilter,
        order=PassOrder,
        description="All mobile wallet passes. Default order: newest first.",
    )

    email_history = paged(
        EMAILS,
        Email,
        description="All e-mails to the customer, newest first, including those that no activity names. E-mails whose "
        "time is not known come last.",
    )

    @strawberry.field(description="The notes that are pinned for everybody or for this viewer, newest first.")
    @staticmethod
    @reads("_id pinnedNotes")
    def pinned_notes(customer: strawberry.Parent[Document], info: Info, first: ShortList = 20) -> list[Note] | None:
        if isinstance(masked := customer.get("pinnedNotes"), Refusal):
            raise masked
        key, size = (customer["_id"], info.context.viewer.subject), size_of(first)
        return cast(Source, info.context.loaders.pinned_notes.defer(key, lambda notes: (notes or [])[:size]))

    notes = paged(
        NOTES, Note, description="All notes on the account, newest first, including those that no activity names."
    )

    payment_instruments = paged(
        PAYMENT_INSTRUMENTS,
        PaymentInstrument,
        filter=PaymentInstrumentFilter,
        order=PaymentInstrumentOrder,
        description="All cards, bank accounts and other ways to pay. Default order: newest first.",
    )
    orders = paged(
        ORDERS,
        OrderType,
        filter=OrderFilter,
        order=OrderOrder,
        description="All orders and subscriptions. Default order: newest first.",
    )
    invoices = paged(
        INVOICES,
        Invoice,
        filter=InvoiceFilter,
        order=InvoiceOrder,
        description="All invoices. Default order: newest first.",
    )
    quotes = paged(
        QUOTES,
        Quote,
        filter=QuoteFilter,
        order=QuoteOrder,
        description="All quotes. Default order: newest first.",
    )
    credit_memos = paged(
        CREDIT_MEMOS,
        CreditMemo,
        filter=CreditMemoFilter,
        order=CreditMemoOrder,
        description="All credit memos. Default order: newest first.",
    )

    @strawberry.field(
        description="What the customer has to their credit, by currency: what sources say is `unused` of credit memos "
        "that are issued, partially applied or applied, added up. A currency without credit is left out."
    )
    @staticmethod
    @reads("_id creditBalances")
    def credit_balances(customer: strawberry.Parent[Document], info: Info) -> list[Money] | None:
        if isinstance(masked := customer.get("creditBalances"), Refusal):
            raise masked
        return cast(Source, info.context.loaders.credit_balances.defer(customer["_id"], lambda found: found or []))

    @strawberry.field(
        description="What the customer has to pay, by currency: what sources say is `amountDue` of invoices that are "
        "unpaid, partially paid or past due, added up; the whole `amount` of one whose source does not say it. A "
        "currency in which nothing is due is left out."
    )
    @staticmethod
    @reads("_id amountDue")
    def amount_due(customer: strawberry.Parent[Document], info: Info) -> list[Money] | None:
        if isinstance(masked := customer.get("amountDue"), Refusal):
            raise masked
        return cast(Source, info.context.loaders.amounts_due.defer(customer["_id"], lambda found: found or []))

    @strawberry.field(
        description="The time when an active order renews next, the earliest of all. Null if none renews."
    )
    @staticmethod
    @reads("_id nextRenewalAt")
    def next_renewal_at(customer: strawberry.Parent[Document], info: Info) -> datetime | None:
        if isinstance(masked := customer.get("nextRenewalAt"), Refusal):
            raise masked
        key = (customer["_id"], info.context.now)
        return cast(Source, info.context.loaders.next_renewals.defer(key, lambda at: at))

    kyc_requests = paged(
        KYC_REQUESTS,
        KycRequest,
        filter=KycRequestFilter,
        order=KycRequestOrder,
        description="All requests to prove who they are. Default order: newest first.",
    )
    kyc_documents = paged(
        KYC_DOCUMENTS,
        KycDocument,
        filter=KycDocumentFilter,
        order=KycDocumentOrder,
        description="What is known of all documents that prove who they are. Default order: newest first.",
    )
    aml_checks = paged(
        AML_CHECKS,
        AmlCheck,
        filter=AmlCheckFilter,
        order=AmlCheckOrder,
        description="All checks against money laundering. Default order: last started first.",
    )


def _fields_of(customer: Document, viewer: Viewer, names: Sequence[str] | None) -> Source:
    """Returns the values in the order of the catalogue. Raises BadUserInput for a name that no field has."""
    few("names", names)
    known = {each.name: each for each in customer_fields.known(viewer.roles)}
    if strangers := [name for name in names or () if name not in known]:
        raise unknown("field of customers", strangers[0], known, "names")
    values = customer_fields.values_of(customer)
    return [
        {"definition": field, "kind": field.kind, "value": to_text(raw), "raw": raw}
        for name, field in CUSTOMER_FIELDS.items()
        if (names is None or name in names) and (raw := values.get(name)) is not None
    ]


def _of_type_counts(
    info: Info,
    customer: Document,
    filter: ActivityFilter | None,
    then: Callable[[Mapping[str, int], Viewer], Source],
) -> Source:
    viewer = info.context.viewer
    if filter is None:  # answered from an index alone
        return info.context.loaders.type_counts.defer(customer["_id"], lambda counts: then(counts or {}, viewer))

    def by_type(counts: list[Document]) -> Source:
        return then({each["value"]: each["count"] for each in counts}, viewer)

    return _value_counts(info, customer, filter, ("type",), by_type)


def _value_counts(
    info: Info,
    customer: Document,
    filter: ActivityFilter | None,
    keys: tuple[str, ...],
    then: Callable[[list[Document]], Source],
) -> Source:
    roles = info.context.viewer.roles
    selection = selection_of(ACTIVITIES, roles, (filter or ActivityFilter()).where(roles))
    key = (customer["_id"], (selection, keys))
    return info.context.loaders.value_counts.defer(key, lambda counts: then(counts or []))


@strawberry.type(description="A customer who may be the same person as another one.")
class PossibleDuplicate:
    access: ClassVar[Access] = WITH_OWNER

    reasons: list[DuplicateReason] = strawberry.field(description="What the two have in common.")

    @strawberry.field(description="The customer who may be the same person.")
    @staticmethod
    @reads("_id")
    def customer(duplicate: strawberry.Parent[Document], info: Info) -> Customer | None:
        return follow(info, duplicate, "_id")


@strawberry.input(one_of=True, description="A way to identify a customer: set exactly one field.")
class CustomerBy:
    id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="By id, such as cus_….")
    number: strawberry.Maybe[str] = strawberry.field(description="By customer number, which must match exactly.")
    email: strawberry.Maybe[str] = strawberry.field(
        description="By any e-mail address, ignoring case. An address that several customers share is refused "
        "as AMBIGUOUS."
    )
    identity: strawberry.Maybe[IdentityInput] = strawberry.field(description="By the id in a source system.")
