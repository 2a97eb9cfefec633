"""Who the token says is asking."""

from typing import ClassVar, cast

import strawberry

from app.domain.access import Permission, Viewer
from app.schema.base import Info, Source, described
from app.schema.customers import Customer
from app.schema.enums import AccessLevel
from app.schema.rules import WITH_OWNER, Access

described(
    Permission,
    "What somebody may do beyond reading what they see.",
    SEARCH_BY_CONTACT="Find customers by e-mail address or by an identity in a source system.",
    SEARCH_BY_LABEL="Find customers by their tags, or by the campaigns that reached them.",
    READ_NOTES="Read agents' notes.",
    REPORT="Run the customer-service report; a sales representative gets their own actions only.",
    EXPORT="Export what they may read.",
    READ_AUDIT="Read who changed what.",
    TAG_CUSTOMER="Put a label on a customer, or take it off.",
    ADD_NOTE="Write a note on an account.",
    ADJUST_POINTS="Add or deduct points by hand, up to `adjustPointsLimit` in one change; ask for more with "
    "`requestPointsAdjustment`.",
    APPROVE_ADJUSTMENT="Approve or decline points that somebody else asked for, however many.",
    REDEEM_COUPON="Mark a coupon as used; a customer their own.",
    RESEND_EMAIL="Send a mail again; a customer their own.",
    SEND_PASS="Mail a pass, or inform its wallet provider.",  # noqa: S106 # not a password
    CHANGE_STATUS="Block, deactivate or reactivate an account; a customer may deactivate their own.",
    RECORD_ACTIVITY="Write an activity by hand.",
)


@strawberry.type(name="Viewer", description="Who the token says is asking, and what they may do.")
class ViewerType:
    access: ClassVar[Access] = WITH_OWNER

    subject: str = strawberry.field(description="The token's subject: who it was issued to.")
    name: str = strawberry.field(description="The name that is written on what they do.")

    @strawberry.field(description="Their roles, of those that this gateway knows.")
    @staticmethod
    def roles(viewer: strawberry.Parent[Viewer]) -> list[AccessLevel]:
        return sorted(viewer.roles)

    @strawberry.field(description="What their roles together allow.")
    @staticmethod
    def permissions(viewer: strawberry.Parent[Viewer]) -> list[Permission]:
        return [permission for permission in Permission if viewer.may(permission)]

    @strawberry.field(
        description="The most points they may add or deduct in one change; more takes another person's approval. "
        "0: none. Null: no limit."
    )
    @staticmethod
    def adjust_points_limit(viewer: strawberry.Parent[Viewer]) -> int | None:
        return viewer.limit_on(Permission.ADJUST_POINTS)

    @strawberry.field(description="The customer they are, if they are one.")
    @staticmethod
    def customer(viewer: strawberry.Parent[Viewer], info: Info) -> Customer | None:
        if viewer.customer_id is None:
            return None
        return cast(Source, info.context.loaders.documents.defer(viewer.customer_id))
