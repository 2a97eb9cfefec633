"""Decides what an activity's tile may offer, and which sources of activities are known. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from app.catalogue import CATALOGUE, SOURCES
from app.domain.access import Permission, Viewer
from app.domain.attributes import label_of
from app.domain.emails import deliverable
from app.domain.executors import Executors
from app.domain.external_requests import (
    Refunding,
    WrongState,
    check_cancellable,
    check_completable,
    check_retryable,
)
from app.domain.ids import collection_of
from app.domain.paging import In, Selection
from app.domain.refusals import BadUserInput, unknown
from app.domain.statuses import CLOSED
from app.domain.vocabulary import ActivityAction

P = ParamSpec("P")


def title_of(code: str, told: str | None = None) -> str:
    """Returns a type's title in the catalogue; for one that it lacks, what was told, or else the words of its code."""
    row = CATALOGUE.get(code)
    return row.title if row else told or label_of(code.lower())


def available_actions(
    activity: Mapping[str, Any],
    subject: Mapping[str, Any] | None,
    customer: Mapping[str, Any] | None,
    viewer: Viewer,
    *,
    wallet: bool,
    executors: Executors,
    refunding: Refunding | None,
) -> list[ActivityAction]:
    """Returns the actions in display order: none that would be refused.

    ``wallet``: whether a wallet service is connected. ``refunding`` is of the subject, if that is a transaction.
    """
    if customer is None:
        return []
    offered: list[tuple[ActivityAction, Permission]] = []
    is_open = customer["status"] not in CLOSED
    reachable = is_open and isinstance(address := customer.get("email"), str) and deliverable(address)
    if "emailId" in activity and reachable:
        offered.append((ActivityAction.RESEND_EMAIL, Permission.RESEND_EMAIL))
    match subject and collection_of(subject["_id"]):
        case "coupons" if subject and is_open and not subject["redeemed"]:
            offered.append((ActivityAction.REDEEM_COUPON, Permission.REDEEM_COUPON))
        case "passes" if subject and is_open:
            if reachable and ("fileId" in subject or "downloadUrl" in subject):
                offered.append((ActivityAction.EMAIL_PASS, Permission.SEND_PASS))
            if wallet:
                offered.append((ActivityAction.PUSH_PASS, Permission.SEND_PASS))
        case "transactions" if subject and is_open and _is_of(subject, customer):
            if refunding and refunding.left > 0 and not refunding.is_open:
                offered.append((ActivityAction.REQUEST_REFUND, Permission.REQUEST_REFUND))
        case "requests" if subject:
            changeable = is_open and _is_of(subject, customer)
            offered += _on_request(subject, executors, changeable=changeable)
        case _:
            pass
    return [action for action, permission in offered if viewer.may(permission, customer["_id"])]


def _is_of(row: Mapping[str, Any], customer: Mapping[str, Any]) -> bool:
    """Returns whether a row is the customer's now: one that is still on its way to a survivor is refused for that."""
    return row["customerId"] == customer["_id"]


def _on_request(
    request: Mapping[str, Any], executors: Executors, *, changeable: bool
) -> list[tuple[ActivityAction, Permission]]:
    """Returns what may be done with a request. What became of it is true of a closed account, too."""
    kind = executors.kind(request["kind"])
    asking, endpoint = Permission(kind.permission), executors.endpoint_of(kind.code)
    offered: list[tuple[ActivityAction, Permission]] = []
    if _passes(check_completable, request):
        offered.append((ActivityAction.COMPLETE_REQUEST, Permission.COMPLETE_REQUEST))
    if changeable and _passes(check_cancellable, request):
        offered.append((ActivityAction.CANCEL_REQUEST, asking))
    if changeable and _passes(check_retryable, request, endpoint):
        offered.append((ActivityAction.RETRY_REQUEST, asking))
    return offered


def _passes(check: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> bool:
    try:
        check(*args, **kwargs)
    except WrongState:
        return False
    return True


def uncatalogued_sources(selection: Selection) -> list[str]:
    """Returns the sources of activities that a filter names and the catalogue lacks."""
    if selection.listing.collection != "activities":
        return []
    condition = dict(selection.where).get("source")
    return [name for name in condition.values if name not in SOURCES] if isinstance(condition, In) else []


def unknown_source(name: str) -> BadUserInput:
    """Returns the refusal of a filter by a source that neither the catalogue nor any imported activity has."""
    return unknown("source", name, SOURCES, "sources")
