"""What an activity's tile may offer. Pure."""

from collections.abc import Mapping
from typing import Any

from app.domain.access import Permission, Viewer
from app.domain.statuses import CLOSED
from app.domain.vocabulary import ActivityAction

_NEEDS = {
    ActivityAction.RESEND_EMAIL: Permission.RESEND_EMAIL,
    ActivityAction.REDEEM_COUPON: Permission.REDEEM_COUPON,
    ActivityAction.EMAIL_PASS: Permission.SEND_PASS,
    ActivityAction.PUSH_PASS: Permission.SEND_PASS,
}


def available_actions(
    activity: Mapping[str, Any],
    subject: Mapping[str, Any] | None,
    customer: Mapping[str, Any] | None,
    viewer: Viewer,
) -> list[ActivityAction]:
    """In display order; nothing for a closed customer, and nothing that the viewer may not do."""
    if customer is None or customer["status"] in CLOSED:
        return []
    actions: list[ActivityAction] = []
    if "emailId" in activity:
        actions.append(ActivityAction.RESEND_EMAIL)
    match str(activity.get("subjectId", ""))[:4]:
        case "cpn_" if subject is not None and not subject["redeemed"]:
            actions.append(ActivityAction.REDEEM_COUPON)
        case "pas_" if subject is not None:
            actions += [ActivityAction.EMAIL_PASS, ActivityAction.PUSH_PASS]
        case _:
            pass
    return [action for action in actions if viewer.may(_NEEDS[action])]
