"""Holds the timeline of the billing back office. Its document describes interactions, not types: the types are ours."""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import AttributeKind as Kind
from app.catalogue.model import Audience, Origin, Writers, activity_type
from app.catalogue.shared import (
    AMOUNT,
    BLOCKLIST_TYPE,
    CHANGED_FIELDS,
    INVOICE_NUMBER,
    MERGED_CUSTOMER_IDS,
    ORDER_ID,
    PAYMENT_METHOD,
    PRODUCT_NAME,
    TAG,
    TRANSACTION_ID,
    optional,
)

row = partial(activity_type, source="billing", origin=Origin.OURS)
staff_row = partial(row, audience=Audience.STAFF)

PAYMENT = (AMOUNT, PAYMENT_METHOD, TRANSACTION_ID)
PAYMENT_INSTRUMENT = optional("paymentInstrument", "Payment instrument", personal=True)
REQUEST_ID = optional("requestId", "Request ID", personal=False)
DOCUMENT_TYPES = optional("documentTypes", "Document types", Kind.LIST, personal=False)

ROWS = (
    row("Customer Created", "The customer's record was created.", Group.CUSTOMER, writers=Writers.NOBODY),
    row(
        "Customer Updated",
        "The customer's details were edited.",
        Group.CUSTOMER,
        CHANGED_FIELDS,
        writers=Writers.NOBODY,
    ),
    staff_row(
        "Customer Tagged", "A keyword was put on the customer.", Group.CUSTOMER, TAG, code="BILLING_CUSTOMER_TAGGED"
    ),
    staff_row(
        "Customer Untagged",
        "A keyword was taken off the customer.",
        Group.CUSTOMER,
        TAG,
        code="BILLING_CUSTOMER_UNTAGGED",
    ),
    row(
        "Customers Merged",
        "Duplicate records of the customer became one.",
        Group.CUSTOMER,
        MERGED_CUSTOMER_IDS,
        writers=Writers.NOBODY,
    ),
    staff_row(
        "Customer Blocklisted",
        "Data of the customer may no longer be used to buy; the customer's status stays as it is.",
        Group.COMPLIANCE,
        BLOCKLIST_TYPE,
        # Prefixed though it collides with nothing, to stay apart from the platform's CUSTOMER_BLOCKED.
        code="BILLING_CUSTOMER_BLOCKLISTED",
        writers=Writers.NOBODY,
    ),
    row("Payment Collected", "The customer paid, or a payment made elsewhere was registered.", Group.PAYMENT, *PAYMENT),
    row("Payment Declined", "A payment of the customer was declined.", Group.PAYMENT, *PAYMENT),
    row(
        "Order Created",
        "A subscription or a one-time order was created for the customer.",
        Group.ORDER,
        ORDER_ID,
        PRODUCT_NAME,
        AMOUNT,
        code="BILLING_ORDER_CREATED",
    ),
    row(
        "Subscription Cancelled",
        "An active subscription was cancelled.",
        Group.SUBSCRIPTION,
        ORDER_ID,
        PRODUCT_NAME,
        code="BILLING_SUBSCRIPTION_CANCELLED",
    ),
    row("Invoice Issued", "An invoice was issued to the customer.", Group.BILLING, INVOICE_NUMBER, AMOUNT),
    row("Credit Memo Created", "An amount owed to the customer was recorded as credit.", Group.BILLING, AMOUNT),
    row(
        "Quote Issued",
        "The customer was offered a price that can be accepted or rejected.",
        Group.ORDER,
        AMOUNT,
        optional("expirationDate", "Expiration date", Kind.DATE),
    ),
    row(
        "Refund Issued",
        "A payment was refunded, or voided before it was settled.",
        Group.REFUND,
        AMOUNT,
        TRANSACTION_ID,
        optional("transactionType", "Transaction type", personal=False),
    ),
    row(
        "Coupon Redeemed",
        "One or more coupons were applied to the customer's account.",
        Group.COUPON,
        optional("couponCodes", "Coupon codes", Kind.LIST, personal=True),
        code="BILLING_COUPON_REDEEMED",
    ),
    row("Payment Instrument Added", "A way to pay was added.", Group.PAYMENT, PAYMENT_INSTRUMENT),
    row("Payment Instrument Deactivated", "A way to pay can no longer be used.", Group.PAYMENT, PAYMENT_INSTRUMENT),
    row("Tax ID Added", "A tax ID number was added; invoices display it.", Group.BILLING),
    staff_row(
        "KYC Document Requested", "The customer was asked to prove who they are.", Group.COMPLIANCE, DOCUMENT_TYPES
    ),
    staff_row(
        "KYC Document Uploaded", "A proof of who the customer is was uploaded.", Group.COMPLIANCE, DOCUMENT_TYPES
    ),
    staff_row(
        "AML Check Completed",
        "The customer was checked against money laundering.",
        Group.COMPLIANCE,
        optional("checkId", "Check ID", personal=False),
    ),
    row(
        "Payout Sent",
        "Money was paid out to the customer.",
        Group.PAYMENT,
        AMOUNT,
        optional("requestId", "Request ID", personal=False),
    ),
    row("Lead Source Updated", "The campaign that led to the customer was corrected.", Group.CUSTOMER, CHANGED_FIELDS),
    staff_row("Comment Created", "A colleague left a note on the timeline.", Group.NOTE, is_note=True),
    staff_row("Data Export Completed", "Data of the customer was exported as a CSV file.", Group.OTHER),
)
