"""Holds the 30 interactions of the subscription billing's customer activity, in its document's order.

Attributes are the document's. Required is what it always prints; a renewal may come without a discount, and a failed
billing carries the response code of one payment provider only.
"""

from functools import partial

from app.catalogue.model import ActivityGroup as Group
from app.catalogue.model import AttributeKind as Kind
from app.catalogue.model import Audience, Origin, Writers, activity_type
from app.catalogue.model import CatalogueAttribute as Attribute

row = partial(activity_type, source="esuite", origin=Origin.DOCUMENT)
staff_row = partial(row, audience=Audience.STAFF)

PRODUCT = Attribute("productName", "Product name", personal=False)
ORDER = Attribute("orderId", "Order ID", personal=False)
PURCHASE = (PRODUCT, ORDER)
PRODUCTS = (
    Attribute("productFrom", "Product from", personal=False),
    Attribute("productTo", "Product to", personal=False),
)
DISCOUNT_NAME = Attribute("discountName", "Discount name", required=False, personal=False)
DISCOUNT = (DISCOUNT_NAME, Attribute("discountOccurrence", "Discount occurrence", Kind.INTEGER, required=False))
RESPONSE_CODES = (
    Attribute("dibsAcquirerResponseCode", "DIBS acquirer response code", required=False, personal=False),
    Attribute("klarnaResponseCode", "Klarna response code", required=False, personal=False),
)
ACCOUNT = Attribute("accountId", "Account ID", personal=True)
BILL_DAYS = (
    Attribute("billDayFrom", "Bill day from", Kind.INTEGER, between=(1, 31)),
    Attribute("billDayTo", "Bill day to", Kind.INTEGER, between=(1, 31)),
)
CHANGED_FIELDS = Attribute("changedFields", "Changed fields", Kind.LIST, personal=False)
PAYMENT_METHOD = Attribute("paymentMethod", "Payment method", personal=True)
MONTHS = Attribute("months", "Months", Kind.INTEGER)

ROWS = (
    row("Billing Date Changed", "The monthly day of billing was changed.", Group.BILLING, *BILL_DAYS),
    row(
        "Account Payment Method Changed",
        "A subscription is now paid by another method.",
        Group.PAYMENT,
        Attribute("from", "From", personal=True),
        Attribute("to", "To", personal=True),
        PRODUCT,
    ),
    row("Additional Payment Made", "A payment beyond the regular billing was made.", Group.PAYMENT, PAYMENT_METHOD),
    row("Address Details Modified", "An address of the customer was changed.", Group.ADDRESS, CHANGED_FIELDS),
    staff_row(
        "Credit Control Cycle Entered",
        "The account is being chased for a failed payment.",
        Group.CREDIT_CONTROL,
        *RESPONSE_CODES,
    ),
    staff_row(
        "Credit Control Cycle Exited", "The account is no longer being chased for payment.", Group.CREDIT_CONTROL
    ),
    row("Subscription Cancelled", "A subscription was cancelled.", Group.SUBSCRIPTION, *PURCHASE),
    row(
        "Subscription Cancellation Scheduled",
        "A subscription will be cancelled on a later date.",
        Group.SUBSCRIPTION,
        PRODUCT,
        Attribute("scheduledCancellationDate", "Scheduled cancellation date", Kind.DATE),
        ORDER,
    ),
    row(
        "Subscription Cancellation Withdrawn",
        "A scheduled cancellation will not take place.",
        Group.SUBSCRIPTION,
        *PURCHASE,
    ),
    row(
        "Subscription Downgrade Scheduled",
        "A subscription will move to a smaller product on a later date.",
        Group.SUBSCRIPTION,
        *PRODUCTS,
        Attribute("scheduledDowngradeDate", "Scheduled downgrade date", Kind.DATE),
        ORDER,
    ),
    row(
        "Subscription Downgrade Withdrawn",
        "A scheduled downgrade will not take place.",
        Group.SUBSCRIPTION,
        *PURCHASE,
    ),
    row("Subscription Changed", "A subscription moved to another product.", Group.SUBSCRIPTION, *PRODUCTS, ORDER),
    row("Subscription Renewed", "A subscription began its next period.", Group.SUBSCRIPTION, *PURCHASE, *DISCOUNT),
    row("Subscription Billing Success", "A subscription was billed.", Group.BILLING, *PURCHASE, *DISCOUNT),
    staff_row(
        # The document's slip: what it describes is a failure.
        "Subscription Billing Success Failed",
        "A subscription could not be billed.",
        Group.BILLING,
        *PURCHASE,
        *RESPONSE_CODES,
        code="SUBSCRIPTION_BILLING_FAILED",
    ),
    row(
        "New Purchase",
        "The customer bought a new product.",
        Group.ORDER,
        PRODUCT,
        Attribute("productOrderId", "Product order ID", personal=False),
        DISCOUNT_NAME,
        Attribute("totalDiscountOccurrences", "Total discount occurrences", Kind.INTEGER, required=False),
    ),
    row("New Customer Created", "The customer's record was created.", Group.CUSTOMER),
    row(
        "New Payment Method",
        "A payment method was added to the account.",
        Group.PAYMENT,
        Attribute("maskedPanOrKlarna", "Masked PAN or Klarna", personal=True),
        Attribute("currentActiveProduct", "Current active product", required=False, personal=False),
    ),
    row(
        "Manual Refund Issued",
        "An agent gave money back.",
        Group.REFUND,
        Attribute("refundedTo", "Refunded to", personal=True),
        Attribute("refundedAmount", "Refunded amount", Kind.MONEY),
        ORDER,
    ),
    row(
        "Manual Credit Added",
        "An agent credited an amount to the account.",
        Group.BILLING,
        Attribute("creditAmount", "Credit amount", Kind.MONEY),
        ACCOUNT,
    ),
    row(
        "Manual Charge Added",
        "An agent charged an amount to the account.",
        Group.BILLING,
        Attribute("chargeAmount", "Charge amount", Kind.MONEY),
        ACCOUNT,
    ),
    row("Entitlements Refreshed", "What a product entitles to was granted anew.", Group.SUBSCRIPTION, *PURCHASE),
    row("Customer Anonymised", "The customer's personal data was erased.", Group.CUSTOMER, writers=Writers.NOBODY),
    row(
        "Email sent",
        "An email was sent to the customer; it can be viewed and resent.",
        Group.EMAIL,
        Attribute("emailSubject", "Email subject", personal=True),
        Attribute("toAddress", "To address", personal=True),
    ),
    row(
        "Pause Scheduled",
        "A subscription will pause from a later date.",
        Group.SUBSCRIPTION,
        Attribute("scheduledPauseDate", "Scheduled pause date", Kind.DATE),
        MONTHS,
        *PURCHASE,
    ),
    row("Pause Activated", "A subscription paused.", Group.SUBSCRIPTION, MONTHS, *PURCHASE),
    row("Scheduled Pause cancelled", "A scheduled pause will not take place.", Group.SUBSCRIPTION, *PURCHASE),
    row("Pause Ended Early", "A subscription resumed before its pause was over.", Group.SUBSCRIPTION, *PURCHASE),
    row("Pause Ended", "A subscription resumed when its pause was over.", Group.SUBSCRIPTION, *PURCHASE),
    staff_row(
        "Subscription Billing Resubmission Failed",
        "A failed billing was tried again within credit control and failed again.",
        Group.CREDIT_CONTROL,
        *PURCHASE,
        *RESPONSE_CODES,
    ),
)
