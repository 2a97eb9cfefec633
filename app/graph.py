"""The executable schema: one line per way in."""

from collections.abc import Collection
from functools import cache
from typing import Any, ClassVar, Final, TypeVar, cast

import strawberry
from graphql import (
    GraphQLDirective,
    GraphQLInputObjectType,
    GraphQLNamedType,
    introspection_types,
)
from graphql.utilities import coerce_input_value, validate_input_value  # pyright: ignore[reportUnknownVariableType] # open generics
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryObjectDefinition

from app.domain.refusals import BadUserInput
from app.resolvers import adjustments, audit, catalogue, changes, customers, exports, nodes, reports, search, viewers
from app.schema.access import masks_of, rules_of
from app.schema.adjustments import PointsAdjustment
from app.schema.audit import AuditEntry
from app.schema.base import SCALARS, Node, read_key
from app.schema.catalogue import ActivityType
from app.schema.changes import (
    AddNotePayload,
    AdjustPointsPayload,
    ApprovePointsAdjustmentPayload,
    ChangeCustomerStatusPayload,
    DeclinePointsAdjustmentPayload,
    EmailPassPayload,
    PushPassPayload,
    RecordActivityPayload,
    RedeemCouponPayload,
    RequestPointsAdjustmentPayload,
    ResendEmailPayload,
    TagCustomerPayload,
    UntagCustomerPayload,
)
from app.schema.connection import Connection
from app.schema.customers import Customer
from app.schema.exports import CancelExportPayload, ExportCustomersPayload, ExportReportPayload
from app.schema.report import CustomerServiceReport
from app.schema.rules import ADJUSTMENT, AUDIT, REPORT, WITH_OWNER, Access
from app.schema.search import SearchHit
from app.schema.viewer import ViewerType

T = TypeVar("T")


@strawberry.type(description="Ways to read.")
class Query:
    access: ClassVar[Access] = {
        WITH_OWNER: "viewer node nodes customer customers search activity_types",
        AUDIT: "audit_log",
        ADJUSTMENT: "points_adjustments",
        REPORT: "customer_service_report",
    }

    viewer: ViewerType | None = strawberry.field(
        resolver=viewers.viewer, description="Who the token says is asking, and what they may do."
    )
    node: Node | None = strawberry.field(resolver=nodes.node, description="Anything by its id; null if there is none.")
    nodes: list[Node | None] = strawberry.field(
        resolver=nodes.nodes, description="Several by their ids, in their order; null where there is none."
    )
    customer: Customer | None = strawberry.field(
        resolver=customers.customer, description="One customer, whole; null if nobody is known by that name."
    )
    customers: Connection[Customer] | None = strawberry.field(
        resolver=customers.customers,
        description="Customers by what they have in common, by name unless told. `totalCount` counts up to 100,000: "
        "so many means that many or more.",
    )
    search: list[SearchHit] | None = strawberry.field(
        resolver=search.search,
        description="Customers by whatever the person on the phone gives: any part of a name in any order, a customer "
        "number, e-mail address or phone number in any notation, the number of a transaction or order, a coupon's "
        "code, a pass's serial number. The likeliest come first. What you may not read finds nobody.",
    )
    customer_service_report: CustomerServiceReport | None = strawberry.field(
        resolver=reports.customer_service_report,
        description="What people and systems did to all customers in a window of time: how often each action was done, "
        "and the actions themselves. Entries outside the catalogue are no part of it. Needs REPORT.",
    )
    audit_log: Connection[AuditEntry] | None = strawberry.field(
        resolver=audit.audit_log, description="Who asked for which change, newest first. For administrators."
    )
    points_adjustments: Connection[PointsAdjustment] | None = strawberry.field(
        resolver=adjustments.points_adjustments,
        description="Adjustments of points that take two people, newest first: filter by PENDING for those that wait.",
    )
    activity_types: list[ActivityType] = strawberry.field(
        resolver=catalogue.activity_types, description="The catalogue: every type of activity that systems tell."
    )


@strawberry.type(
    description="Careful changes. Each is made once per key, whole or not at all; on a customer it leaves exactly one "
    "activity. What a rule refuses is told in `userErrors`; nothing was written then."
)
class Mutation:
    access: ClassVar[Access] = WITH_OWNER

    add_note: AddNotePayload | None = strawberry.field(
        resolver=changes.add_note, description="Write a note on an account. Needs ADD_NOTE."
    )
    adjust_points: AdjustPointsPayload | None = strawberry.field(
        resolver=changes.adjust_points,
        description="Add or deduct points by hand, with a reason. Needs ADJUST_POINTS.",
    )
    request_points_adjustment: RequestPointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.request_points_adjustment,
        description="Ask another person to approve more points than `adjustPointsLimit`. Needs ADJUST_POINTS.",
    )
    approve_points_adjustment: ApprovePointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.approve_points_adjustment,
        description="Approve points that another person asked for: they are moved at once. Needs APPROVE_ADJUSTMENT.",
    )
    decline_points_adjustment: DeclinePointsAdjustmentPayload | None = strawberry.field(
        resolver=changes.decline_points_adjustment,
        description="Decline points that another person asked for, or withdraw your own request. Needs ADJUST_POINTS.",
    )
    redeem_coupon: RedeemCouponPayload | None = strawberry.field(
        resolver=changes.redeem_coupon, description="Mark coupons as used, all or none. Needs REDEEM_COUPON."
    )
    resend_email: ResendEmailPayload | None = strawberry.field(
        resolver=changes.resend_email,
        description="Send a mail again, to the registered address. Needs RESEND_EMAIL; a customer their own.",
    )
    email_pass: EmailPassPayload | None = strawberry.field(
        resolver=changes.email_pass, description="Mail a pass to the registered address. Needs SEND_PASS."
    )
    push_pass: PushPassPayload | None = strawberry.field(
        resolver=changes.push_pass,
        description="Inform a pass's provider that it should be updated. Needs SEND_PASS.",
    )
    change_customer_status: ChangeCustomerStatusPayload | None = strawberry.field(
        resolver=changes.change_customer_status,
        description="Block, deactivate or reactivate an account. Needs CHANGE_STATUS.",
    )
    tag_customer: TagCustomerPayload | None = strawberry.field(
        resolver=changes.tag_customer, description="Put a label on a customer. Needs TAG_CUSTOMER."
    )
    untag_customer: UntagCustomerPayload | None = strawberry.field(
        resolver=changes.untag_customer, description="Take a label off a customer. Needs TAG_CUSTOMER."
    )
    record_activity: RecordActivityPayload | None = strawberry.field(
        resolver=changes.record_activity,
        description='"Add action": write an activity by hand. Needs RECORD_ACTIVITY.',
    )
    export_customers: ExportCustomersPayload | None = strawberry.field(
        resolver=exports.export_customers,
        description="Have a file made of customers. Needs EXPORT; not for sales representatives.",
    )
    export_report: ExportReportPayload | None = strawberry.field(
        resolver=exports.export_report,
        description="Have a file made of a table of the customer-service report. Needs EXPORT and REPORT; a sales "
        "representative gets their own actions only.",
    )
    cancel_export: CancelExportPayload | None = strawberry.field(
        resolver=exports.cancel_export, description="Call an export off: no file is left of it. Needs EXPORT."
    )


class _Names(NameConverter):
    """Strawberry's, which is asked for the name of every input field in every request."""

    apply_naming_config = cache(NameConverter.apply_naming_config)


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(default_resolver=read_key, scalar_map=SCALARS, name_converter=_Names()),
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


def _listed(name: str, part: str, members: Collection[str]) -> GraphQLNamedType:
    """An introspection type as this schema lists it, with some of its members. The library has one of each for all
    schemas of the process, and makes no other."""
    known = introspection_types[name]
    listed: GraphQLNamedType = object.__new__(type(known))
    vars(listed).update(vars(known))
    vars(listed)[part] = {member: value for member, value in getattr(known, part).items() if member in members}
    return listed


executable.type_map["__DirectiveLocation"] = _listed("__DirectiveLocation", "values", PUBLISHED_LOCATIONS)
executable.type_map["__Directive"] = _listed("__Directive", "fields", PUBLISHED_DIRECTIVE_FIELDS)


def input_of(kind: type[T], given: object) -> T:
    """An input as a variable of a request would be. Raises BadUserInput."""
    type_ = executable.type_map[kind.__name__]
    assert isinstance(type_, GraphQLInputObjectType)
    faults: list[str] = []
    validate_input_value(given, type_, lambda error, path: faults.append(".".join(map(str, [*path, error.message]))))
    if faults:
        raise BadUserInput(" ".join(faults))
    registry = schema.schema_converter.scalar_registry
    return cast(T, convert_argument(coerce_input_value(given, type_), kind, registry, schema.config))


OBJECT_TYPES = {
    name: definition
    for name, concrete in schema.schema_converter.type_map.items()
    if isinstance(definition := concrete.definition, StrawberryObjectDefinition)
    and not (definition.is_input or definition.is_interface)
}
RULES = rules_of(OBJECT_TYPES)
masks_for = masks_of(OBJECT_TYPES)
