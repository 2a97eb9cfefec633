"""Declares the viewer: who the token says is asking."""

from typing import ClassVar, cast

import strawberry

from app.domain.access import Permission, Viewer
from app.schema.base import Info, Source, describe, fingerprint
from app.schema.customers import Customer
from app.schema.enums import AccessLevel
from app.schema.people import Principal
from app.schema.rules import WITH_OWNER, Access

describe(
    Permission,
    "A permission beyond reading.",
    SEARCH_BY_CONTACT="Find customers by e-mail address or by an identity in a source system.",
    SEARCH_BY_LABEL="Find customers by their tags, or by the campaigns that reached them.",
    READ_NOTES="Read agents' notes.",
    REPORT="Run the customer-service report; sales representatives get their own actions only.",
    EXPORT="Export what the viewer may read.",
    READ_AUDIT="Read the audit log.",
    READ_LOOKS="Read who looked at customers' records.",
    TAG_CUSTOMER="Add a label to a customer, or remove it.",
    CREATE_CUSTOMER="Create customers.",
    UPDATE_CUSTOMER="Edit the details of customers.",
    ADD_NOTE="Write a note on an account.",
    EDIT_ALL_NOTES="Edit notes that somebody else wrote.",
    ADJUST_POINTS="Add or deduct points by hand, up to `adjustPointsLimit` per customer in 24 hours, and "
    "request more with `requestPointsAdjustment`.",
    APPROVE_ADJUSTMENT="Approve or decline adjustments that another person asked for, of any number of points.",
    REDEEM_COUPON="Mark coupons as redeemed; customers only their own.",
    RESEND_EMAIL="Send an e-mail again; customers only their own.",
    SEND_PASS="Send a pass by e-mail, or ask the wallet service to update it.",  # noqa: S106 # not a password
    CHANGE_STATUS="Block, deactivate or reactivate an account; customers may deactivate their own.",
    RECORD_ACTIVITY="Record an activity by hand.",
    MERGE_CUSTOMERS="Merge customers into one, and undo it.",
    REQUEST_DATA_EXPORT="Request a file with all that is known of a person, for them.",
    ANONYMISE_CUSTOMER="Erase a customer's personal data for good.",
    READ_BLOCKLIST="Read the blocklist, and ask whether values are on it.",
    MANAGE_BLOCKLIST="Add values to the blocklist, or remove them.",
    USE_SEGMENTS="Save segments of customers, and use those that others share or make public.",
    MANAGE_SEGMENTS="Read, change and delete everybody's segments.",
    READ_DUE_DILIGENCE="Read `Customer.dueDiligence`: scores, and the searches behind them.",
    READ_REQUESTS="Read requests to other systems and their outcomes.",
    REQUEST_REFUND="Ask for refunds.",
    REQUEST_PAYMENT="Ask for payments and deposits, and record payments made elsewhere.",
    REQUEST_PAYOUT="Ask for payouts, up to a limit per customer in 24 hours.",
    REQUEST_CREDIT="Ask for credit memos.",
    REQUEST_ORDER="Ask for orders and quotes, and for their cancellation.",
    REQUEST_LINK="Ask for links to the customer's portal, and for changes of payment instruments.",
    REQUEST_DOCUMENTS="Ask for documents that prove who the customer is.",
    REQUEST_OTHER="Ask for what the company's own kinds of requests are.",
    COMPLETE_REQUEST="Report the outcome of a request, for the system that was asked.",
    MANAGE_DUE_DILIGENCE="Require enhanced due diligence of customers, and set its scores by hand.",
    READ_BILLING="Read orders, invoices, quotes, credit memos and payment instruments; customers only their own.",
    READ_KYC="Read requests for proofs of who a customer is, and what is known of the documents.",
    READ_AML="Read checks against money laundering.",
    FOLLOW_CHANGES="To follow what changes of any customer: `changes`.",
    IMPORT="Bring in lines of other systems' data over HTTP, at /import.",
    MANAGE_WEBHOOKS="Read, create, change and delete webhook endpoints, and have messages sent to them again.",
)


@strawberry.type(name="Viewer", description="The viewer: who the token says is asking, and what they may do.")
class ViewerType:
    access: ClassVar[Access] = WITH_OWNER

    @strawberry.field(description="A stable id per subject for client caches. Not a node.")
    @staticmethod
    def id(viewer: strawberry.Parent[Viewer]) -> strawberry.ID:
        return strawberry.ID(f"viewer.{fingerprint(viewer.subject)}")

    subject: str = strawberry.field(description="The subject of the token.")
    name: str = strawberry.field(description="The name that is shown on what they do.")

    @strawberry.field(
        description="Who acts in the viewer's name, by the token's `act` claim. Null if it is the viewer."
    )
    @staticmethod
    def delegate(viewer: strawberry.Parent[Viewer]) -> Principal | None:
        by = viewer.delegate
        return by and cast(Source, {"id": by.subject, "name": by.name})

    @strawberry.field(description="The viewer's roles in this gateway.")
    @staticmethod
    def roles(viewer: strawberry.Parent[Viewer]) -> list[AccessLevel]:
        return sorted(viewer.roles)

    @strawberry.field(description="The permissions that the roles grant together.")
    @staticmethod
    def permissions(viewer: strawberry.Parent[Viewer]) -> list[Permission]:
        return [permission for permission in Permission if viewer.may(permission)]

    @strawberry.field(
        description="What is null for this viewer, so that a screen can omit it: fields, such as `Customer.email`, "
        "and whole types, such as `Note`. Of the viewer's own record, more may be readable."
    )
    @staticmethod
    def unreadable(viewer: strawberry.Parent[Viewer], info: Info) -> list[str]:
        return list(info.context.loaders.gate.masks.unreadable)

    @strawberry.field(
        description="The number of points that the viewer may add or deduct per customer in 24 hours, added "
        "up over all changes. More takes another person's approval. 0: none. Null: no limit."
    )
    @staticmethod
    def adjust_points_limit(viewer: strawberry.Parent[Viewer]) -> int | None:
        return viewer.limit_on(Permission.ADJUST_POINTS)

    @strawberry.field(description="The customer that the token belongs to, if it belongs to one.")
    @staticmethod
    def customer(viewer: strawberry.Parent[Viewer], info: Info) -> Customer | None:
        if viewer.customer_id is None:
            return None
        return cast(Source, info.context.loaders.documents.defer(viewer.customer_id))
