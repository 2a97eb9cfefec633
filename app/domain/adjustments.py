"""Decides about points that take two people: one asks, another approves or declines. Pure."""

from collections.abc import Mapping
from typing import Any

from app.domain.access import Permission, Viewer
from app.domain.refusals import Refusal
from app.domain.vocabulary import AdjustmentStatus


class AlreadyDecided(Refusal):
    """Raised where an adjustment is decided again; the client sees a user error."""

    code, field = "ALREADY_DECIDED", ("adjustmentId",)

    def __init__(self, status: str) -> None:
        super().__init__(f"This adjustment is {status} already.")


class SamePerson(Refusal):
    """Raised where somebody approves what they asked for themselves; the client sees a user error."""

    code, field = "SAME_PERSON", ("adjustmentId",)

    def __init__(self) -> None:
        super().__init__("You asked for this adjustment yourself: another person has to approve it.")


def check_open(adjustment: Mapping[str, Any]) -> None:
    """Raises AlreadyDecided for an adjustment that is no longer pending."""
    if adjustment["status"] != AdjustmentStatus.PENDING:
        raise AlreadyDecided(adjustment["status"])


def check_approvable(adjustment: Mapping[str, Any], viewer: Viewer) -> None:
    """Raises AlreadyDecided, and SamePerson where the viewer asked for the adjustment."""
    check_open(adjustment)
    if _asked_for(adjustment, viewer):
        raise SamePerson


def may_decline(adjustment: Mapping[str, Any], viewer: Viewer) -> bool:
    """Returns whether the viewer may decline: people who may approve it, and the one who asked, who withdraws it."""
    return _asked_for(adjustment, viewer) or viewer.may(Permission.APPROVE_ADJUSTMENT, adjustment["customerId"])


def _asked_for(adjustment: Mapping[str, Any], viewer: Viewer) -> bool:
    """Whoever acts for somebody, or has somebody act for them, is one person with them: two others have to agree."""
    asker = adjustment["requestedBy"]
    askers = {asker["id"], asker.get("onBehalfOf", asker)["id"]}
    return not askers.isdisjoint({viewer.subject, viewer.person.subject})
