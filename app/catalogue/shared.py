"""Names attributes that more than one source uses. All are optional: no document demands them."""

from functools import partial

from app.catalogue.model import AttributeKind, CatalogueAttribute

optional = partial(CatalogueAttribute, required=False)

AMOUNT = optional("amount", "Amount", AttributeKind.MONEY)
BLOCKLIST_TYPE = optional("blocklistType", "Blocklist type")
CHANGED_FIELDS = optional("changedFields", "Changed fields", AttributeKind.LIST)
COUPON_CODE = optional("couponCode", "Coupon code", personal=True)
EMAIL_SUBJECT = optional("emailSubject", "Email subject", personal=True)
INVOICE_NUMBER = optional("invoiceNumber", "Invoice number")
MERGED_CUSTOMER_IDS = optional("mergedCustomerIds", "Merged customer IDs", AttributeKind.LIST)
ORDER_ID = optional("orderId", "Order ID")
PASS_ID = optional("passId", "Pass ID")
PASS_PROVIDER = optional("passProvider", "Pass provider")
PAYMENT_METHOD = optional("paymentMethod", "Payment method", personal=True)
PRODUCT_NAME = optional("productName", "Product name")
TAG = optional("tag", "Tag", personal=True)  # staff's word about a customer, not for everybody who sees them
TO_ADDRESS = optional("toAddress", "To address", personal=True)
TRANSACTION_ID = optional("transactionId", "Transaction ID")
