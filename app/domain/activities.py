"""Decides what an activity's tile may offer, and which sources of activities are known. Pure."""

from collections.abc import Mapping
from typing import Any

from app.catalogue import SOURCES
from app.domain.access import Permission, Viewer
from app.domain.emails import deliverable
from app.domain.paging import In, Selection
from app.domain.refusals import BadUserInput, unknown
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
    *,
    wallet: bool,
) -> list[ActivityAction]:
    """Returns the actions in display order; none for a closed customer, and none that would be refused.

    ``wallet``: whether a wallet service is connected.
    """
    if customer is None or customer["status"] in CLOSED:
        return []
    actions: list[ActivityAction] = []
    reachable = isinstance(address := customer.get("email"), str) and deliverable(address)
    if "emailId" in activity and reachable:
        actions.append(ActivityAction.RESEND_EMAIL)
    match str(activity.get("subjectId", ""))[:4]:
        case "cpn_" if subject is not None and not subject["redeemed"]:
            actions.append(ActivityAction.REDEEM_COUPON)
        case "pas_" if subject is not None:
            if reachable and ("fileId" in subject or "downloadUrl" in subject):
                actions.append(ActivityAction.EMAIL_PASS)
            if wallet:
                actions.append(ActivityAction.PUSH_PASS)
        case _:
            pass
    return [action for action in actions if viewer.may(_NEEDS[action], customer["_id"])]


def uncatalogued_sources(selection: Selection) -> list[str]:
    """Returns the sources of activities that a filter names and the catalogue lacks."""
    if selection.listing.collection != "activities":
        return []
    condition = dict(selection.where).get("source")
    return [name for name in condition.values if name not in SOURCES] if isinstance(condition, In) else []


def unknown_source(name: str) -> BadUserInput:
    """Returns the refusal of a filter by a source that neither the catalogue nor any imported activity has."""
    return unknown("source", name, SOURCES, "sources")
