"""Holds the 58 actions of the call-centre CRM's customer service report, in its document's order.

Titles and explanations are the document's own. It names no attributes; the few here are ours.
"""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import Audience, Origin, activity_type
from app.catalogue.shared import (
    AMOUNT,
    CHANGED_FIELDS,
    EMAIL_SUBJECT,
    ORDER_ID,
    PRODUCT_NAME,
    TO_ADDRESS,
    TRANSACTION_ID,
    optional,
)

row = partial(activity_type, source="callcenter", origin=Origin.DOCUMENT)
staff_row = partial(row, audience=Audience.STAFF)

SALE = (ORDER_ID, PRODUCT_NAME, AMOUNT)
PURCHASE = (ORDER_ID, PRODUCT_NAME)
REVERSAL = (ORDER_ID, TRANSACTION_ID, AMOUNT)
MEMBERSHIP_NAME = optional("membershipName", "Membership name", personal=False)
SHIPMENT = (ORDER_ID, optional("trackingNumber", "Tracking number", personal=True))

ROWS = (
    row("Partial", "Incomplete order.", Group.ORDER, *PURCHASE),
    row("New Sale Declined", "New sale transaction not successful.", Group.PAYMENT, *SALE),
    row("New Sale Success", "Successful new sale transaction.", Group.PAYMENT, *SALE),
    staff_row("QA Declined", "Quality assurance declined.", Group.COMPLIANCE, ORDER_ID),
    staff_row("QA Approved", "Quality assurance approved.", Group.COMPLIANCE, ORDER_ID),
    staff_row("QA Pending", "Order set to QA pending.", Group.COMPLIANCE, ORDER_ID),
    row("Trial Started", "Started recurring trial.", Group.SUBSCRIPTION, *PURCHASE),
    row("Rebill Started", "Rebill initiated.", Group.SUBSCRIPTION, *PURCHASE),
    row("Trial Completed", "Customer completed trial.", Group.SUBSCRIPTION, *PURCHASE),
    row("Trial Failed", "Trial transaction not successful.", Group.BILLING, *SALE),
    row("Rebill Forced", "A user forced the rebill to occur immediately.", Group.BILLING, *SALE),
    row("Rebill Success", "Rebill success.", Group.BILLING, *SALE),
    row("Rebill Failed", "Rebill declined.", Group.BILLING, *SALE),
    row("Rebill Completed", "Completed all billing cycles.", Group.SUBSCRIPTION, *PURCHASE),
    row("Recycle Saved", "Successful recycle billing transaction.", Group.BILLING, *SALE),
    row("Recycle Failed", "Recycle billing transaction not successful.", Group.BILLING, *SALE),
    row("Order Reshipped", "A user reshipped the fulfillment for an order.", Group.FULFILLMENT, *SHIPMENT),
    row("Void", "A user voided a transaction on an order.", Group.REFUND, *REVERSAL),
    row("Order Cancelled", "Cancelled order.", Group.ORDER, ORDER_ID),
    row("Rebill Restarted", "Rebill restarted.", Group.SUBSCRIPTION, *PURCHASE),
    staff_row("Agent Note", "Note added by agent.", Group.NOTE, is_note=True),
    row(
        "Customer Updated",
        "Updated customer information.",
        Group.CUSTOMER,
        CHANGED_FIELDS,
        code="CALLCENTER_CUSTOMER_UPDATED",
    ),
    row("Purchase Updated", "Updated recurring purchase.", Group.SUBSCRIPTION, *PURCHASE, CHANGED_FIELDS),
    row("Order Updated", "Updated order information.", Group.ORDER, ORDER_ID, CHANGED_FIELDS),
    row("Fulfillment Updated", "Updated the fulfillment record.", Group.FULFILLMENT, ORDER_ID, CHANGED_FIELDS),
    row(
        "Fulfillment Bundled",
        "Fulfillment were bundled before sending to fulfillment house.",
        Group.FULFILLMENT,
        ORDER_ID,
    ),
    row(
        "Fulfillment Captured",
        "Tied to customer history messages for capture on shipment being successful.",
        Group.FULFILLMENT,
        ORDER_ID,
    ),
    row("Refunded", "Successful refund transaction.", Group.REFUND, *REVERSAL),
    row("Refund Failed", "Refund transaction failed.", Group.REFUND, *REVERSAL),
    staff_row("Blacklisted", "Customer added to blacklist.", Group.COMPLIANCE),
    staff_row("Chargebacked", "Chargeback transaction.", Group.PAYMENT, *REVERSAL),
    row("Membership Started", "Customer added to membership (plugin).", Group.MEMBERSHIP, MEMBERSHIP_NAME),
    row("Membership Cancelled", "Customer removed from membership (plugin).", Group.MEMBERSHIP, MEMBERSHIP_NAME),
    row("Membership Restarted", "Customer restarted membership (plugin).", Group.MEMBERSHIP, MEMBERSHIP_NAME),
    row("Autoresponder", "Email sent to customer.", Group.EMAIL, EMAIL_SUBJECT, TO_ADDRESS),
    row("SMS Autoresponder", "SMS sent to customer.", Group.OTHER),
    row("Trial Skipped", "Cancelled recurring trial.", Group.SUBSCRIPTION, *PURCHASE),
    row("Rebill Cancelled", "Cancelled recurring purchase.", Group.SUBSCRIPTION, *PURCHASE),
    row("Restart Billing", "Billing cycle restarted.", Group.BILLING, *PURCHASE),
    row("Rma Pending", "Fulfillment set to pending return.", Group.FULFILLMENT, ORDER_ID),
    row("Order Returned", "Return received from customer.", Group.FULFILLMENT, ORDER_ID),
    row("Order Shipped", "Fulfillment shipped.", Group.FULFILLMENT, *SHIPMENT),
    row("Order Failed", "Fulfillment failed.", Group.FULFILLMENT, ORDER_ID),
    row("Order Frozen", "Permanent hold on fulfillment.", Group.FULFILLMENT, ORDER_ID),
    row("Account Update Success", "Card was updated via CardSync.", Group.PAYMENT),
    row("Account Update Failure", "Card was not updated via CardSync.", Group.PAYMENT),
    staff_row(
        "Fraud Result",
        "A fraud result was given by a fraud plugin.",
        Group.COMPLIANCE,
        ORDER_ID,
        optional("fraudResult", "Fraud result", personal=False),
    ),
    row("Consent Received", "Customer gave consent to rebill (Express Consent only).", Group.COMPLIANCE, *PURCHASE),
    row("Consent Denied", "Customer denied consent to rebill (Express Consent only).", Group.COMPLIANCE, *PURCHASE),
    row(
        "Fulfillment Address Hold",
        "Fulfillment on hold at fulfillment house due to address validation.",
        Group.FULFILLMENT,
        ORDER_ID,
    ),
    staff_row("Order Export Successful", "Order was exported via webhooks.", Group.ORDER, ORDER_ID),
    staff_row("Order Export Failed", "Webhook export failed.", Group.ORDER, ORDER_ID),
    row("Fulfillment Item Updated", "The fulfillment item was changed or updated.", Group.FULFILLMENT, *PURCHASE),
    row("Address Verify Success", "Address was verified by SmartyStreets.", Group.ADDRESS),
    row("Address Verify Failed", "Address was not verified by SmartyStreets.", Group.ADDRESS),
    row("Tax Collection Failed", "Tax reconciliation failed.", Group.BILLING, ORDER_ID),
    row(
        "Fulfillment Cancel Failed",
        "Fulfillment could not be automatically cancelled at fulfillment house.",
        Group.FULFILLMENT,
        ORDER_ID,
    ),
    row("Tax Calculation Failed", "Request to tax service plugin resulted in an error.", Group.BILLING, ORDER_ID),
)
