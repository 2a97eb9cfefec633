"""Holds what this gateway writes itself: exactly one activity per change.

Reasons are the activity's message, never an attribute, so that hiding messages from customers hides them too.
"""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import AttributeKind as Kind
from app.catalogue.model import Audience, Origin, Writers, activity_type
from app.catalogue.shared import (
    AMOUNT,
    BLOCKLIST_TYPE,
    CHANGED_FIELDS,
    COUPON_CODE,
    EMAIL_SUBJECT,
    MERGED_CUSTOMER_IDS,
    PASS_ID,
    PASS_PROVIDER,
    TAG,
    TO_ADDRESS,
    optional,
)

row = partial(activity_type, source="platform", origin=Origin.OURS, writers=Writers.NOBODY)
_KIND = optional("requestKind", "Kind of request", personal=False)
_REFERENCE = optional("reference", "Reference", personal=False)

ROWS = (
    row("Note added", "A colleague left a note.", Group.NOTE, audience=Audience.STAFF, is_note=True),
    row("Note edited", "A note got another text.", Group.NOTE, audience=Audience.STAFF, is_note=True),
    row("Note pinned", "A note was pinned for everybody.", Group.NOTE, audience=Audience.STAFF, is_note=True),
    row("Note unpinned", "A note is not pinned any more.", Group.NOTE, audience=Audience.STAFF, is_note=True),
    row("Points adjusted", "Points were added or deducted by hand.", Group.POINTS),
    row(
        "Points adjustment requested",
        "Somebody asked for more points than they may adjust alone.",
        Group.POINTS,
        audience=Audience.STAFF,
    ),
    row(
        "Points adjustment declined",
        "Points that somebody asked for were not approved.",
        Group.POINTS,
        audience=Audience.STAFF,
    ),
    row("Coupon redeemed", "A coupon was marked as used.", Group.COUPON, COUPON_CODE),
    row(
        "Email resent",
        "An email is on its way to the registered address again.",
        Group.EMAIL,
        EMAIL_SUBJECT,
        TO_ADDRESS,
    ),
    row(
        "Email not delivered",
        "An email could not be delivered, and is not tried again.",
        Group.EMAIL,
        EMAIL_SUBJECT,
        TO_ADDRESS,
        audience=Audience.STAFF,
    ),
    row("Pass emailed", "A wallet pass is on its way to the registered address.", Group.PASS, PASS_ID, TO_ADDRESS),
    row(
        "Pass pushed", "The wallet provider is told that a pass should be updated.", Group.PASS, PASS_ID, PASS_PROVIDER
    ),
    row("Customer blocked", "The customer was blocked.", Group.STATUS),
    row("Customer deactivated", "The customer was deactivated.", Group.STATUS),
    row("Customer reactivated", "The customer was made active again.", Group.STATUS),
    row("Customer tagged", "A label was put on the customer.", Group.CUSTOMER, TAG, audience=Audience.STAFF),
    row("Customer untagged", "A label was taken off the customer.", Group.CUSTOMER, TAG, audience=Audience.STAFF),
    row(
        "Record corrected",
        "A source told something of the past anew, and an import corrected it.",
        Group.CUSTOMER,
        CHANGED_FIELDS,
        optional("record", "Record", personal=False),
        optional("recordSource", "Source of the record", personal=False),
        audience=Audience.STAFF,
    ),
    row(
        "Data export requested",
        "A file with all that is known of the customer is made for them.",
        Group.COMPLIANCE,
        audience=Audience.OWNER,
    ),
    row("Customer merged away", "The account was closed; another one has what was on it.", Group.CUSTOMER),
    row(
        "Customers unmerged",
        "A merge was undone: each account has again what was its own.",
        Group.CUSTOMER,
        MERGED_CUSTOMER_IDS,
    ),
    row(
        "Blocklist entry removed",
        "Data of the customer may be used to buy again.",
        Group.COMPLIANCE,
        BLOCKLIST_TYPE,
        audience=Audience.STAFF,
    ),
    row(
        "Due diligence required",
        "The customer has to be looked into before more is done for them.",
        Group.COMPLIANCE,
        audience=Audience.STAFF,
    ),
    row(
        "Due diligence lifted",
        "The customer does not have to be looked into any more.",
        Group.COMPLIANCE,
        audience=Audience.STAFF,
    ),
    # Without the scores: all staff read the timeline, and few of them due diligence.
    row(
        "Due diligence scored",
        "A person set or cleared scores of the customer's due diligence.",
        Group.COMPLIANCE,
        optional("factors", "Factors", Kind.LIST, personal=False),
        audience=Audience.STAFF,
    ),
    row(
        "Request made",
        "Another system was asked to do something.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        audience=Audience.STAFF,
    ),
    row(
        "Request waits for customer",
        "The other system has a link for the customer.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        _REFERENCE,
        audience=Audience.STAFF,
    ),
    row(
        "Request succeeded",
        "The other system did what it was asked.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        _REFERENCE,
        audience=Audience.STAFF,
    ),
    row(
        "Request failed",
        "The other system did not do what it was asked.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        _REFERENCE,
        audience=Audience.STAFF,
    ),
    row(
        "Request reversed",
        "What the other system had done does not stand any more.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        _REFERENCE,
        audience=Audience.STAFF,
    ),
    row(
        "Request not delivered",
        "The other system could not be reached. Nobody refused the request: it can be sent again.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        audience=Audience.STAFF,
    ),
    row(
        "Request sent again",
        "A request that could not be delivered is on its way again.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        audience=Audience.STAFF,
    ),
    row(
        "Request cancelled",
        "A colleague called a request off before anybody had it.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        audience=Audience.STAFF,
    ),
    row(
        "Request expired",
        "The customer did not follow the link in time.",
        Group.REQUEST,
        _KIND,
        AMOUNT,
        audience=Audience.STAFF,
    ),
)
