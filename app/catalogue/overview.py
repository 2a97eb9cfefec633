"""Holds the activities of the subscription CRM's customer overview.

Its document names the first two as examples of "every time something was created"; the others continue its manner.
"""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import Origin, Writers, activity_type
from app.catalogue.shared import (
    AMOUNT,
    CHANGED_FIELDS,
    INVOICE_NUMBER,
    ORDER_ID,
    PAYMENT_METHOD,
    PRODUCT_NAME,
    optional,
)

named = partial(activity_type, source="overview", origin=Origin.DOCUMENT)
implied = partial(activity_type, source="overview", origin=Origin.OURS)

ROWS = (
    named("Subscription created", "The customer took out a subscription.", Group.SUBSCRIPTION, PRODUCT_NAME, ORDER_ID),
    named("Invoice created", "An invoice was made out to the customer.", Group.BILLING, INVOICE_NUMBER, AMOUNT),
    implied("Order created", "The customer placed an order.", Group.ORDER, ORDER_ID, AMOUNT),
    implied("Payment received", "A payment of the customer arrived.", Group.PAYMENT, AMOUNT, PAYMENT_METHOD),
    implied("Address changed", "An address of the customer was changed.", Group.ADDRESS, CHANGED_FIELDS),
    implied(
        "Status changed",
        "The customer was blocked, deactivated or reactivated.",
        Group.STATUS,
        optional("statusFrom", "Status from", personal=False),
        optional("statusTo", "Status to", personal=False),
        writers=Writers.NOBODY,
    ),
)
