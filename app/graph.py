"""Builds the executable schema: one line per way in."""

from collections.abc import Collection
from functools import cache
from typing import Any, ClassVar, Final, TypeVar

import strawberry
from graphql import (
    GraphQLDirective,
    GraphQLInputObjectType,
    GraphQLNamedType,
    Undefined,
    introspection_types,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.base import StrawberryObjectDefinition

from app.resolvers import (
    adjustments,
    audit,
    blocklist,
    catalogue,
    changes,
    customers,
    details,
    due_diligence,
    erasing,
    exports,
    external_requests,
    federation,
    feed,
    imports,
    live,
    looks,
    merging,
    nodes,
    reports,
    search,
    segments,
    uploads,
    viewers,
    webhooks,
)
from app.resolvers.external_requests import DOOR_FIELDS
from app.schema import inputs
from app.schema.access import described_rules, masks_of, rules_of
from app.schema.adjustments import PointsAdjustment
from app.schema.audit import AuditEntry
from app.schema.base import SCALARS, Node, read_key
from app.schema.blocklist import (
    AddToBlocklistPayload,
    BlocklistCheck,
    BlocklistEntry,
    RemoveFromBlocklistPayload,
)
from app.schema.catalogue import ActivityType, CustomerFieldDefinition
from app.schema.changes import (
    AddNotePayload,
    AdjustPointsPayload,
    ApprovePointsAdjustmentPayload,
    ChangeCustomerStatusPayload,
    DeclinePointsAdjustmentPayload,
    EditNotePayload,
    EmailPassPayload,
    PinNotePayload,
    PushPassPayload,
    RecordActivityPayload,
    RedeemCouponPayload,
    RequestPointsAdjustmentPayload,
    ResendEmailPayload,
    TagCustomerPayload,
    UntagCustomerPayload,
)
from app.schema.connection import Connection
from app.schema.customer_lists import CustomerTags
from app.schema.customers import Customer
from app.schema.details import (
    AddTaxIdPayload,
    CreateCustomerPayload,
    RemoveTaxIdPayload,
    SetDefaultTaxIdPayload,
    UpdateCustomerPayload,
    UpdateLeadSourcePayload,
)
from app.schema.due_diligence import RequireDueDiligencePayload, SetDueDiligenceScoresPayload
from app.schema.erasing import AnonymiseCustomerPayload, AnonymisePreview, RequestDataExportPayload
from app.schema.exports import CancelExportPayload, ExportCustomersPayload, ExportReportPayload
from app.schema.external_requests import RequestKindType
from app.schema.federation import FEDERATION_SCALARS, Subgraph, list_of_entities
from app.schema.feed import CustomerChanges
from app.schema.imports import Import
from app.schema.looks import Look
from app.schema.merging import MergeCustomersPayload, MergePreview, UnmergePayload
from app.schema.report import CustomerServiceReport, ReportOptions
from app.schema.request_doors import RecordOutsidePaymentPayload, RequestPayload, RequestRefundsPayload
from app.schema.rules import (
    ADJUSTMENT,
    AUDIT,
    BLOCKLIST,
    CHANGE,
    ERASURE,
    LOOK,
    MERGE,
    REPORT,
    REQUEST,
    SEGMENT,
    WEBHOOK,
    WITH_OWNER,
    Access,
)
from app.schema.search import SearchHit
from app.schema.segments import (
    CreateSegmentPayload,
    DeleteSegmentPayload,
    Segment,
    StarSegmentPayload,
    UpdateSegmentPayload,
)
from app.schema.uploads import CreateUploadPayload
from app.schema.viewer import ViewerType
from app.schema.webhooks import (
    CreateWebhookEndpointPayload,
    DeleteWebhookEndpointPayload,
    RedeliverWebhooksPayload,
    RotateWebhookSecretPayload,
    UpdateWebhookEndpointPayload,
    WebhookEndpoint,
)

T = TypeVar("T")


@strawberry.type(description="Everything that can be read.")
class Query:
    access: ClassVar[Access] = {
        WITH_OWNER: "viewer node nodes customer customers customer_tags search activity_types customer_fields "
        "entities service",
        AUDIT: "audit_log imports",
        LOOK: "looks",
        CHANGE: "changes",
        ADJUSTMENT: "points_adjustments",
        BLOCKLIST: "blocklist blocked",
        REQUEST: "request_kinds",
        MERGE: "preview_merge",
        ERASURE: "preview_anonymise",
        SEGMENT: "segments",
        WEBHOOK: "webhook_endpoints",
        REPORT: "customer_service_report report_options",
    }

    viewer: ViewerType | None = strawberry.field(
        resolver=viewers.viewer, description="The viewer: who the token says is asking, and what they may do."
    )
    node: Node | None = strawberry.field(
        resolver=nodes.node, description="A node by its id. Null if it does not exist or this viewer may not see it."
    )
    nodes: list[Node | None] = strawberry.field(
        resolver=nodes.nodes,
        description="Nodes by their ids, in the order of the ids. Null for each that does not exist or that "
        "this viewer may not see.",
    )
    customer: Customer | None = strawberry.field(
        resolver=customers.customer,
        description="A customer by id, number, e-mail address or id in a source system. Null if there is none.",
    )
    customer_tags: CustomerTags | None = strawberry.field(
        resolver=customers.customer_tags,
        description="The labels that customers have, to fill a menu. Needs SEARCH_BY_LABEL.",
    )
    customers: Connection[Customer] | None = strawberry.field(
        resolver=customers.customers,
        description="Customers by filter, by a saved segment, or by both. Default order: by name. `totalCount` "
        "counts up to 100,000; that number means 100,000 or more.",
    )
    search: list[SearchHit] | None = strawberry.field(
        resolver=search.search,
        description="Customers by any text that a caller gives: parts of a name in any order, a customer "
        "number, an e-mail address, a phone number in any notation, the number of a transaction "
        "or order, the code of a coupon, the serial number of a pass. Likeliest first. Values "
        "that the viewer may not read are not searched.",
    )
    customer_service_report: CustomerServiceReport | None = strawberry.field(
        resolver=reports.customer_service_report,
        description="The customer-service report: what people and systems did on all accounts in a window of "
        "time. Activities outside the catalogue are not included. Needs REPORT.",
    )
    report_options: ReportOptions | None = strawberry.field(
        resolver=reports.report_options,
        description="The values of one dimension that occur in the report's actions, to fill a menu of its filter: "
        "whatever else the filter says, so that a menu keeps what is not chosen. Types are in `activityTypes`. Needs "
        "REPORT, and shows those whose report is of their own actions no others.",
    )
    audit_log: Connection[AuditEntry] | None = strawberry.field(
        resolver=audit.audit_log,
        description="The audit log, newest first: who asked for which change. For administrators.",
    )
    imports: Connection[Import] | None = strawberry.field(
        resolver=imports.imports,
        description="Imports of files, newest first, with the outcomes of their lines. Needs READ_AUDIT.",
    )
    looks: Connection[Look] | None = strawberry.field(
        resolver=looks.looks,
        description="Who looked at customers' records, newest first. A look is written within seconds of the read. "
        "Needs READ_LOOKS.",
    )
    changes: CustomerChanges | None = strawberry.field(
        resolver=feed.changes,
        description="What changed of any customer, oldest first, for systems that keep a copy in step. Nothing is "
        "skipped, however many write meanwhile, and entries of one customer come in their order. To begin, keep "
        "`head`, read all customers, and follow from it. Entries are kept for 72 hours; a cursor whose next entry is "
        "gone is refused (FEED_EXPIRED). Needs FOLLOW_CHANGES.",
    )
    points_adjustments: Connection[PointsAdjustment] | None = strawberry.field(
        resolver=adjustments.points_adjustments,
        description="Adjustments of points that take two people, newest first. Those that wait for approval "
        "have the status PENDING.",
    )
    blocked: list[BlocklistCheck] | None = strawberry.field(
        resolver=blocklist.blocked,
        description="Whether values are on the blocklist, in the order of the values: for systems that enforce it. An "
        "entry that has expired blocks nothing. Needs READ_BLOCKLIST.",
    )
    request_kinds: list[RequestKindType] | None = strawberry.field(
        resolver=external_requests.request_kinds,
        description="The kinds of requests that can be asked for, to make forms from. Needs READ_REQUESTS.",
    )
    blocklist: Connection[BlocklistEntry] | None = strawberry.field(
        resolver=blocklist.blocklist,
        description="The blocklist, newest first: values that may not be used, expired ones included until they are "
        "removed. It is recorded here and enforced elsewhere, by the systems that ask `blocked`. Needs READ_BLOCKLIST.",
    )
    preview_anonymise: AnonymisePreview | None = strawberry.field(
        resolver=erasing.preview_anonymise,
        description="What `anonymiseCustomer` would do now. Null if the customer does not exist. Needs "
        "ANONYMISE_CUSTOMER.",
    )
    preview_merge: MergePreview | None = strawberry.field(
        resolver=merging.preview_merge,
        description="What `mergeCustomers` would do now: fields, rows, points, and what keeps it from being done. "
        "Null if one of the customers does not exist. Needs MERGE_CUSTOMERS.",
    )
    segments: Connection[Segment] | None = strawberry.field(
        resolver=segments.segments,
        description="Saved segments by name: the viewer's own, those shared with them, and public ones. Needs "
        "USE_SEGMENTS.",
    )
    webhook_endpoints: Connection[WebhookEndpoint] | None = strawberry.field(
        resolver=webhooks.webhook_endpoints,
        description="Webhook endpoints, the newest first: other systems that are told of changes of customers. Needs "
        "MANAGE_WEBHOOKS.",
    )
    activity_types: list[ActivityType] = strawberry.field(
        resolver=catalogue.activity_types, description="The catalogue: every activity type of every source system."
    )
    customer_fields: list[CustomerFieldDefinition] = strawberry.field(
        resolver=catalogue.customer_fields,
        description="The fields that this gateway's own catalogue adds to customers, as far as the viewer may read "
        "them. Empty without such a catalogue.",
    )
    entities: list[Any] = strawberry.field(
        resolver=federation.entities,
        name="_entities",
        graphql_type=list_of_entities(Node.__subclasses__()),
        description="Entities by their representations, in the order of these, for the router of a supergraph. "
        "Null for each that does not exist or that this viewer may not see.",
    )
    service: Subgraph = strawberry.field(
        resolver=federation.service,
        name="_service",
        description="This schema as a subgraph of Apollo Federation 2. Only for those who may introspect.",
    )


@strawberry.type(
    description="Changes. Each is made once per idempotency key, whole or not at all, and a change of a "
    "customer adds exactly one activity to the timeline. What a rule refuses is in "
    "`userErrors`, with nothing written."
)
class Mutation:
    access: ClassVar[Access] = WITH_OWNER

    create_customer: CreateCustomerPayload | None = strawberry.field(
        resolver=details.create_customer,
        description="Create a customer. Needs CREATE_CUSTOMER. If several systems create the same person, "
        "`possibleDuplicates` tells.",
    )
    update_customer: UpdateCustomerPayload | None = strawberry.field(
        resolver=details.update_customer,
        description="Edit a customer's details. Needs UPDATE_CUSTOMER. An import does not undo it: only what a source "
        "says for the first time replaces an edit, and the timeline tells of it.",
    )
    add_tax_id: AddTaxIdPayload | None = strawberry.field(
        resolver=details.add_tax_id,
        description="Add a tax id to a customer; the first one becomes the default. Needs UPDATE_CUSTOMER.",
    )
    remove_tax_id: RemoveTaxIdPayload | None = strawberry.field(
        resolver=details.remove_tax_id, description="Remove a tax id of a customer. Needs UPDATE_CUSTOMER."
    )
    set_default_tax_id: SetDefaultTaxIdPayload | None = strawberry.field(
        resolver=details.set_default_tax_id,
        description="Make one of a customer's tax ids the default. Needs UPDATE_CUSTOMER.",
    )
    update_lead_source: UpdateLeadSourcePayload | None = strawberry.field(
        resolver=details.update_lead_source,
        description="Say where a customer came from. The first answer is kept as the original. Needs UPDATE_CUSTOMER.",
    )
    create_upload: CreateUploadPayload | None = strawberry.field(
        resolver=uploads.create_upload,
        description="Begin to upload a file, to attach it to a note: send its content to the `url` of the upload, then "
        "give its id to `addNote`. Needs ADD_NOTE.",
    )
    add_note: AddNotePayload | None = strawberry.field(
        resolver=changes.add_note, description="Write a note on an account. Needs ADD_NOTE."
    )
    edit_note: EditNotePayload | None = strawberry.field(
        resolver=changes.edit_note,
        description="Give a note another text; what it was stays in `versions`. For its author; for others it needs "
        "EDIT_ALL_NOTES.",
    )
    pin_note: PinNotePayload | None = strawberry.field(
        resolver=changes.pin_note, description="Pin a note, for everybody or for the viewer alone. Needs ADD_NOTE."
    )
    adjust_points: AdjustPointsPayload | None = strawberry.field(
        resolver=changes.adjust_points,
        description="Add or deduct points by hand. Needs ADJUST_POINTS.",
    )
    request_points_adjustment: RequestPointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.request_points_adjustment,
        description="Ask another person to approve an adjustment beyond `adjustPointsLimit`. Needs ADJUST_POINTS.",
    )
    approve_points_adjustment: ApprovePointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.approve_points_adjustment,
        description="Approve an adjustment that another person asked for; its points are moved immediately. "
        "Needs APPROVE_ADJUSTMENT.",
    )
    decline_points_adjustment: DeclinePointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.decline_points_adjustment,
        description="Decline an adjustment that another person asked for, or withdraw one's own. Needs ADJUST_POINTS.",
    )
    redeem_coupon: RedeemCouponPayload | None = strawberry.field(
        resolver=changes.redeem_coupon, description="Mark coupons as redeemed, all or none. Needs REDEEM_COUPON."
    )
    resend_email: ResendEmailPayload | None = strawberry.field(
        resolver=changes.resend_email,
        description="Send an e-mail again, to the registered address. Needs RESEND_EMAIL; customers only their own.",
    )
    email_pass: EmailPassPayload | None = strawberry.field(
        resolver=changes.email_pass, description="Send a pass by e-mail to the registered address. Needs SEND_PASS."
    )
    push_pass: PushPassPayload | None = strawberry.field(
        resolver=changes.push_pass,
        description="Ask the wallet service to update a pass. Needs SEND_PASS.",
    )
    change_customer_status: ChangeCustomerStatusPayload | None = strawberry.field(
        resolver=changes.change_customer_status,
        description="Block, deactivate or reactivate an account. Needs CHANGE_STATUS.",
    )
    tag_customer: TagCustomerPayload | None = strawberry.field(
        resolver=changes.tag_customer, description="Add a label to a customer. Needs TAG_CUSTOMER."
    )
    untag_customer: UntagCustomerPayload | None = strawberry.field(
        resolver=changes.untag_customer, description="Remove a label from a customer. Needs TAG_CUSTOMER."
    )
    record_activity: RecordActivityPayload | None = strawberry.field(
        resolver=changes.record_activity,
        description='Record an activity by hand ("Add action"). Needs RECORD_ACTIVITY.',
    )
    request_refund: RequestPayload | None = strawberry.field(
        resolver=external_requests.request_refund,
        description="Ask for a refund of a sale, or of a part of it. Needs REQUEST_REFUND.",
    )
    request_refunds: RequestRefundsPayload | None = strawberry.field(
        resolver=external_requests.request_refunds,
        description="Ask for refunds of several sales of one customer, each of all that is left: all or none. Needs "
        "REQUEST_REFUND.",
    )
    request_payment: RequestPayload | None = DOOR_FIELDS["requestPayment"]
    request_deposit: RequestPayload | None = DOOR_FIELDS["requestDeposit"]
    request_payout: RequestPayload | None = DOOR_FIELDS["requestPayout"]
    request_payout_selection: RequestPayload | None = DOOR_FIELDS["requestPayoutSelection"]
    request_order: RequestPayload | None = DOOR_FIELDS["requestOrder"]
    request_quote: RequestPayload | None = DOOR_FIELDS["requestQuote"]
    request_coupon_redemption: RequestPayload | None = DOOR_FIELDS["requestCouponRedemption"]
    request_portal_link: RequestPayload | None = DOOR_FIELDS["requestPortalLink"]
    request_payment_instrument: RequestPayload | None = DOOR_FIELDS["requestPaymentInstrument"]
    request_kyc_documents: RequestPayload | None = DOOR_FIELDS["requestKycDocuments"]
    request_kyc_upload_link: RequestPayload | None = DOOR_FIELDS["requestKycUploadLink"]
    request_erase_at_source: RequestPayload | None = DOOR_FIELDS["requestEraseAtSource"]
    request_order_cancellation: RequestPayload | None = DOOR_FIELDS["requestOrderCancellation"]
    request_quote_action: RequestPayload | None = DOOR_FIELDS["requestQuoteAction"]
    request_credit_memo: RequestPayload | None = DOOR_FIELDS["requestCreditMemo"]
    request_payment_instrument_change: RequestPayload | None = DOOR_FIELDS["requestPaymentInstrumentChange"]
    request_kyc_document_link: RequestPayload | None = DOOR_FIELDS["requestKycDocumentLink"]
    request_aml_review: RequestPayload | None = DOOR_FIELDS["requestAmlReview"]
    record_outside_payment: RecordOutsidePaymentPayload | None = strawberry.field(
        resolver=external_requests.record_outside_payment,
        description="Record a payment that was made elsewhere, as a transaction. Nobody is asked. "
        "Needs REQUEST_PAYMENT.",
    )
    request: RequestPayload | None = strawberry.field(
        resolver=external_requests.request,
        description="Ask for what the company has added kinds of its own for. Needs REQUEST_OTHER.",
    )
    complete_request: RequestPayload | None = strawberry.field(
        resolver=external_requests.complete_request,
        description="Report the outcome of a request: for the system that was asked, or for the "
        "person who did it there. Needs "
        "COMPLETE_REQUEST.",
    )
    cancel_request: RequestPayload | None = strawberry.field(
        resolver=external_requests.cancel_request,
        description="Call off a request that nobody has yet. Needs the permission to ask for it.",
    )
    retry_request: RequestPayload | None = strawberry.field(
        resolver=external_requests.retry_request,
        description="Send a request again that could not be delivered. Needs the permission to ask for it.",
    )
    add_to_blocklist: AddToBlocklistPayload | None = strawberry.field(
        resolver=blocklist.add_to_blocklist,
        description="Put a value on the blocklist. Nothing is blocked by this gateway: the systems that ask `blocked` "
        "enforce it. Needs MANAGE_BLOCKLIST.",
    )
    remove_from_blocklist: RemoveFromBlocklistPayload | None = strawberry.field(
        resolver=blocklist.remove_from_blocklist,
        description="Remove an entry from the blocklist. Needs MANAGE_BLOCKLIST.",
    )
    request_data_export: RequestDataExportPayload | None = strawberry.field(
        resolver=erasing.request_data_export,
        description="Request a zip with all that is known of a customer, for them: JSON, a page to read, and their "
        "files. Without links, keys, names of colleagues, and checks that the law has the company keep to itself. "
        "Needs REQUEST_DATA_EXPORT.",
    )
    anonymise_customer: AnonymiseCustomerPayload | None = strawberry.field(
        resolver=erasing.anonymise_customer,
        description="Erase a customer's personal data for good, wherever they are: on the account, in mails and files, "
        "in accounts that were merged into it. No import brings the person back. Needs ANONYMISE_CUSTOMER.",
    )
    require_due_diligence: RequireDueDiligencePayload | None = strawberry.field(
        resolver=due_diligence.require_due_diligence,
        description="Require enhanced due diligence of a customer, or lift the requirement. Nothing is blocked by this "
        "gateway: the systems that ask enforce it. Needs MANAGE_DUE_DILIGENCE.",
    )
    set_due_diligence_scores: SetDueDiligenceScoresPayload | None = strawberry.field(
        resolver=due_diligence.set_due_diligence_scores,
        description="Set or clear scores of a customer's due diligence by hand. A manual score stands over automatic "
        "ones, also over later ones. Needs MANAGE_DUE_DILIGENCE.",
    )
    merge_customers: MergeCustomersPayload | None = strawberry.field(
        resolver=merging.merge_customers,
        description="Merge customers into one, whom the caller names. Everything that was theirs is the survivor's "
        "from then on, also what source systems report later; points keep their expiry. `unmerge` undoes it. Needs "
        "MERGE_CUSTOMERS.",
    )
    unmerge: UnmergePayload | None = strawberry.field(
        resolver=merging.unmerge,
        description="Undo a merge: each customer gets back what was theirs. What came since stays with the survivor, "
        "as do points that are spent and fields that were changed since. Needs MERGE_CUSTOMERS.",
    )
    create_segment: CreateSegmentPayload | None = strawberry.field(
        resolver=segments.create_segment,
        description="Save a segment of customers: a filter with columns and an order. Needs USE_SEGMENTS, and every "
        "right that the filter needs.",
    )
    update_segment: UpdateSegmentPayload | None = strawberry.field(
        resolver=segments.update_segment,
        description="Change a saved segment. For its owner; for others it needs MANAGE_SEGMENTS.",
    )
    star_segment: StarSegmentPayload | None = strawberry.field(
        resolver=segments.star_segment,
        description="Star a segment for the viewer alone, or take the star away. Needs USE_SEGMENTS.",
    )
    delete_segment: DeleteSegmentPayload | None = strawberry.field(
        resolver=segments.delete_segment,
        description="Delete a saved segment for good. For its owner; for others it needs MANAGE_SEGMENTS.",
    )
    export_customers: ExportCustomersPayload | None = strawberry.field(
        resolver=exports.export_customers,
        description="Request a file of customers. Needs EXPORT; not for sales representatives.",
    )
    export_report: ExportReportPayload | None = strawberry.field(
        resolver=exports.export_report,
        description="Request a file of one table of the customer-service report. Needs EXPORT and REPORT; "
        "sales representatives get their own actions only.",
    )
    cancel_export: CancelExportPayload | None = strawberry.field(
        resolver=exports.cancel_export, description="Cancel an export and delete its file. Needs EXPORT."
    )
    create_webhook_endpoint: CreateWebhookEndpointPayload | None = strawberry.field(
        resolver=webhooks.create_webhook_endpoint,
        description="Create a webhook endpoint. Its secret is shown once, in the payload. Needs MANAGE_WEBHOOKS.",
    )
    update_webhook_endpoint: UpdateWebhookEndpointPayload | None = strawberry.field(
        resolver=webhooks.update_webhook_endpoint,
        description="Change a webhook endpoint, disable it, or enable it again. Needs MANAGE_WEBHOOKS.",
    )
    rotate_webhook_secret: RotateWebhookSecretPayload | None = strawberry.field(
        resolver=webhooks.rotate_webhook_secret,
        description="Give a webhook endpoint another secret, which is shown once, in the payload. Needs "
        "MANAGE_WEBHOOKS.",
    )
    delete_webhook_endpoint: DeleteWebhookEndpointPayload | None = strawberry.field(
        resolver=webhooks.delete_webhook_endpoint,
        description="Delete a webhook endpoint for good. Needs MANAGE_WEBHOOKS.",
    )
    redeliver_webhooks: RedeliverWebhooksPayload | None = strawberry.field(
        resolver=webhooks.redeliver_webhooks,
        description="Send an endpoint the messages of a window of time once more, under the ids that they had, also "
        "those that it never got. Needs MANAGE_WEBHOOKS.",
    )


@strawberry.type(
    name="Subscription",
    description="What is told as it happens: over HTTP as text/event-stream, or by WebSocket (graphql-transport-ws). A "
    "stream ends after an hour, or with the token (TOKEN_EXPIRED): subscribe again with the last cursor.",
)
class SubscriptionRoot:
    access: ClassVar[Access] = {WITH_OWNER: "customer_activity viewers_of_customer", REQUEST: "request"}

    customer_activity = strawberry.subscription(
        resolver=live.customer_activity,
        description="What happens on a customer's account: activities that are added or corrected, and that something "
        "else was changed. Late events come when they arrive. The first event is a HEARTBEAT, whose cursor says where "
        "the stream begins.",
    )
    request = strawberry.subscription(
        resolver=live.request, description="A request to another system: as it is now, and whenever it changes."
    )
    viewers_of_customer = strawberry.subscription(
        resolver=live.viewers_of_customer,
        description="Who of the staff has a customer's record open: those who subscribe to it, the viewer included. "
        "Comes again within five seconds of a change. For staff.",
    )


class _Names(NameConverter):
    """Strawberry asks for the name of every input field in every request; here it is made once."""

    apply_naming_config = cache(NameConverter.apply_naming_config)


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=SubscriptionRoot,
    config=StrawberryConfig(
        default_resolver=read_key, scalar_map={**SCALARS, **FEDERATION_SCALARS}, name_converter=_Names()
    ),
)

for concrete in schema.schema_converter.type_map.values():
    if isinstance(concrete.implementation, GraphQLInputObjectType) and concrete.definition.is_one_of:
        concrete.implementation.is_one_of = True  # so that graphql-core judges variables as well, and says where

PUBLISHED_LOCATIONS: Final = frozenset(
    "QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA "
    "SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE INPUT_OBJECT "
    "INPUT_FIELD_DEFINITION".split()
)
"""Where a directive may stand (GraphQL September 2025, 3.13). graphql-core knows more, of drafts: its own older
versions cannot read a schema that lists one, and others' clients neither."""

PUBLISHED_DIRECTIVE_FIELDS: Final = ("name", "description", "isRepeatable", "locations", "args")


def _as_published(directive: GraphQLDirective) -> GraphQLDirective:
    locations = tuple(each for each in directive.locations if each.name in PUBLISHED_LOCATIONS)
    known: dict[str, Any] = {**directive.to_kwargs(), "locations": locations}
    return GraphQLDirective(**known)


executable = schema._schema  # pyright: ignore[reportPrivateUsage] # its resolvers, executed by operations/pipeline.py
"""What is executed: Strawberry's schema as graphql-core knows it."""
executable.directives = tuple(map(_as_published, executable.directives))


def _forget_null_defaults() -> None:
    """An argument that may be left out needs no ``= null`` to say so: the resolver has its default."""
    for type_ in executable.type_map.values():
        fields = getattr(type_, "fields", {}).values() if not type_.name.startswith("__") else ()
        for each in [*fields, *(argument for field in fields for argument in getattr(field, "args", {}).values())]:
            if getattr(each, "default_value", Undefined) is None:
                each.default_value = Undefined


_forget_null_defaults()


def _listed(name: str, part: str, members: Collection[str]) -> GraphQLNamedType:
    """Returns an introspection type as this schema lists it, with some of its members.

    The library has one of each for all schemas of the process, and makes no other.
    """
    known = introspection_types[name]
    listed: GraphQLNamedType = object.__new__(type(known))
    vars(listed).update(vars(known))
    vars(listed)[part] = {member: value for member, value in getattr(known, part).items() if member in members}
    return listed


executable.type_map["__DirectiveLocation"] = _listed("__DirectiveLocation", "values", PUBLISHED_LOCATIONS)
executable.type_map["__Directive"] = _listed("__Directive", "fields", PUBLISHED_DIRECTIVE_FIELDS)


def input_of(kind: type[T], given: object) -> T:
    """Returns an input of this schema as a variable of a request would be. Raises BadUserInput."""
    return inputs.input_of(schema, kind, given)


OBJECT_TYPES = {
    name: definition
    for name, concrete in schema.schema_converter.type_map.items()
    if isinstance(definition := concrete.definition, StrawberryObjectDefinition)
    and not (definition.is_input or definition.is_interface)
}
RULES = rules_of(OBJECT_TYPES)


def _describe_rules() -> None:
    """Adds to each description which roles do not get the value: a reader of the schema has no table of roles."""
    for (name, field), rule in described_rules(OBJECT_TYPES).items():
        type_: Any = executable.type_map[name]
        described = type_.fields[field] if field else type_
        described.description = f"{described.description} {rule.sentence}"


_describe_rules()
masks_for = masks_of(OBJECT_TYPES)
