"""What an activity's tile may offer. Pure."""

from collections.abc import Mapping
from typing import Any

from app.domain.vocabulary import ActivityAction, CustomerStatus

CLOSED = frozenset({CustomerStatus.ANONYMISED, CustomerStatus.MERGED})
"""Nothing is changed any more on such an account."""


def available_actions(
    activity: Mapping[str, Any], subject: Mapping[str, Any] | None, customer: Mapping[str, Any] | None
) -> list[ActivityAction]:
    """In display order; nothing for a closed customer."""
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
    return actions
