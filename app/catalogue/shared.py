"""Names attributes that more than one source uses. All are optional: no document demands them."""

from functools import partial

from app.catalogue.model import AttributeKind, CatalogueAttribute

optional = partial(CatalogueAttribute, required=False)

AMOUNT = optional("amount", "Amount", AttributeKind.MONEY)
BLOCKLIST_TYPE = optional("blocklistType", "Blocklist type", personal=False)
CHANGED_FIELDS = optional("changedFields", "Changed fields", AttributeKind.LIST, personal=False)
COUPON_CODE = optional("couponCode", "Coupon code", personal=True)
EMAIL_SUBJECT = optional("emailSubject", "Email subject", personal=True)
INVOICE_NUMBER = optional("invoiceNumber", "Invoice number", personal=False)
MERGED_CUSTOMER_IDS = optional("mergedCustomerIds", "Merged customer IDs", AttributeKind.LIST, personal=False)
ORDER_ID = optional("orderId", "Order ID", personal=False)
PASS_ID = optional("passId", "Pass ID", personal=False)
PASS_PROVIDER = optional("passProvider", "Pass provider", personal=False)
PAYMENT_METHOD = optional("paymentMethod", "Payment method", personal=True)
PRODUCT_NAME = optional("productName", "Product name", personal=False)
TAG = optional("tag", "Tag", personal=True)  # staff's word about a customer, not for everybody who sees them
TO_ADDRESS = optional("toAddress", "To address", personal=True)
TRANSACTION_ID = optional("transactionId", "Transaction ID", personal=False)
