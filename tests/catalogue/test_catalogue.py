"""The catalogue against the source documents. The literals are copied from those, never from the code."""

import re
from itertools import chain

import pytest

from app.catalogue import CATALOGUE, NOTE_TYPES, SOURCES, by_code, nearest, types_in
from app.catalogue.model import ActivityGroup, Audience, Origin

ESUITE_TITLES = """
Billing Date Changed
Account Payment Method Changed
Additional Payment Made
Address Details Modified
Credit Control Cycle Entered
Credit Control Cycle Exited
Subscription Cancelled
Subscription Cancellation Scheduled
Subscription Cancellation Withdrawn
Subscription Downgrade Scheduled
Subscription Downgrade Withdrawn
Subscription Changed
Subscription Renewed
Subscription Billing Success
Subscription Billing Success Failed
New Purchase
New Customer Created
New Payment Method
Manual Refund Issued
Manual Credit Added
Manual Charge Added
Entitlements Refreshed
Customer Anonymised
Email sent
Pause Scheduled
Pause Activated
Scheduled Pause cancelled
Pause Ended Early
Pause Ended
Subscription Billing Resubmission Failed
""".strip().splitlines()

CALLCENTER_ACTIONS = """
Partial - Incomplete order
New Sale Declined - New sale transaction not successful
New Sale Success - Successful new sale transaction
QA Declined - Quality assurance declined
QA Approved - Quality assurance approved
QA Pending - Order set to QA pending
Trial Started - Started recurring trial
Rebill Started - Rebill initiated
Trial Completed - Customer completed trial
Trial Failed - Trial transaction not successful
Rebill Forced - A user forced the rebill to occur immediately
Rebill Success - Rebill success
Rebill Failed - Rebill declined
Rebill Completed - Completed all billing cycles
Recycle Saved - Successful recycle billing transaction
Recycle Failed - Recycle billing transaction not successful
Order Reshipped - A user reshipped the fulfillment for an order
Void - A user voided a transaction on an order
Order Cancelled - Cancelled order
Rebill Restarted - Rebill restarted
Agent Note - Note added by agent
Customer Updated - Updated customer information
Purchase Updated - Updated recurring purchase
Order Updated - Updated order information
Fulfillment Updated - Updated the fulfillment record
Fulfillment Bundled - Fulfillment were bundled before sending to fulfillment house
Fulfillment Captured - Tied to customer history messages for capture on shipment being successful
Refunded - Successful refund transaction
Refund Failed - Refund transaction failed
Blacklisted - Customer added to blacklist
Chargebacked - Chargeback transaction
Membership Started - Customer added to membership (plugin)
Membership Cancelled - Customer removed from membership (plugin)
Membership Restarted - Customer restarted membership (plugin)
Autoresponder - Email sent to customer
SMS Autoresponder - SMS sent to customer
Trial Skipped - Cancelled recurring trial
Rebill Cancelled - Cancelled recurring purchase
Restart Billing - Billing cycle restarted
Rma Pending - Fulfillment set to pending return
Order Returned - Return received from customer
Order Shipped - Fulfillment shipped
Order Failed - Fulfillment failed
Order Frozen - Permanent hold on fulfillment
Account Update Success - Card was updated via CardSync
Account Update Failure - Card was not updated via CardSync
Fraud Result - A fraud result was given by a fraud plugin
Consent Received - Customer gave consent to rebill (Express Consent only)
Consent Denied - Customer denied consent to rebill (Express Consent only)
Fulfillment Address Hold - Fulfillment on hold at fulfillment house due to address validation
Order Export Successful - Order was exported via webhooks
Order Export Failed - Webhook export failed
Fulfillment Item Updated - The fulfillment item was changed or updated
Address Verify Success - Address was verified by SmartyStreets
Address Verify Failed - Address was not verified by SmartyStreets
Tax Collection Failed - Tax reconciliation failed
Fulfillment Cancel Failed - Fulfillment could not be automatically cancelled at fulfillment house
Tax Calculation Failed - Request to tax service plugin resulted in an error
""".strip().splitlines()

# A question mark: optional.
PRODUCT = "productName TEXT"
ORDER = "orderId TEXT"
DISCOUNT = "discountName TEXT? discountOccurrence INTEGER?"
CODES = "dibsAcquirerResponseCode TEXT? klarnaResponseCode TEXT?"
ESUITE_ATTRIBUTES = {
    "BILLING_DATE_CHANGED": "billDayFrom INTEGER billDayTo INTEGER",
    "ACCOUNT_PAYMENT_METHOD_CHANGED": f"from TEXT to TEXT {PRODUCT}",
    "ADDITIONAL_PAYMENT_MADE": "paymentMethod TEXT",
    "ADDRESS_DETAILS_MODIFIED": "changedFields LIST",
    "CREDIT_CONTROL_CYCLE_ENTERED": CODES,
    "CREDIT_CONTROL_CYCLE_EXITED": "",
    "SUBSCRIPTION_CANCELLED": f"{PRODUCT} {ORDER}",
    "SUBSCRIPTION_CANCELLATION_SCHEDULED": f"{PRODUCT} scheduledCancellationDate DATE {ORDER}",
    "SUBSCRIPTION_CANCELLATION_WITHDRAWN": f"{PRODUCT} {ORDER}",
    "SUBSCRIPTION_DOWNGRADE_SCHEDULED": f"productFrom TEXT productTo TEXT scheduledDowngradeDate DATE {ORDER}",
    "SUBSCRIPTION_DOWNGRADE_WITHDRAWN": f"{PRODUCT} {ORDER}",
    "SUBSCRIPTION_CHANGED": f"productFrom TEXT productTo TEXT {ORDER}",
    "SUBSCRIPTION_RENEWED": f"{PRODUCT} {ORDER} {DISCOUNT}",
    "SUBSCRIPTION_BILLING_SUCCESS": f"{PRODUCT} {ORDER} {DISCOUNT}",
    "SUBSCRIPTION_BILLING_FAILED": f"{PRODUCT} {ORDER} {CODES}",
    "NEW_PURCHASE": f"{PRODUCT} productOrderId TEXT discountName TEXT? totalDiscountOccurrences INTEGER?",
    "NEW_CUSTOMER_CREATED": "",
    "NEW_PAYMENT_METHOD": "maskedPanOrKlarna TEXT currentActiveProduct TEXT?",
    "MANUAL_REFUND_ISSUED": f"refundedTo TEXT refundedAmount MONEY {ORDER}",
    "MANUAL_CREDIT_ADDED": "creditAmount MONEY accountId TEXT",
    "MANUAL_CHARGE_ADDED": "chargeAmount MONEY accountId TEXT",
    "ENTITLEMENTS_REFRESHED": f"{PRODUCT} {ORDER}",
    "CUSTOMER_ANONYMISED": "",
    "EMAIL_SENT": "emailSubject TEXT toAddress TEXT",
    "PAUSE_SCHEDULED": f"scheduledPauseDate DATE months INTEGER {PRODUCT} {ORDER}",
    "PAUSE_ACTIVATED": f"months INTEGER {PRODUCT} {ORDER}",
    "SCHEDULED_PAUSE_CANCELLED": f"{PRODUCT} {ORDER}",
    "PAUSE_ENDED_EARLY": f"{PRODUCT} {ORDER}",
    "PAUSE_ENDED": f"{PRODUCT} {ORDER}",
    "SUBSCRIPTION_BILLING_RESUBMISSION_FAILED": f"{PRODUCT} {ORDER} {CODES}",
}

STAFF_ONLY = {
    "RECORD_CORRECTED",
    "REQUEST_MADE",
    "REQUEST_WAITS_FOR_CUSTOMER",
    "REQUEST_SUCCEEDED",
    "REQUEST_FAILED",
    "REQUEST_REVERSED",
    "REQUEST_NOT_DELIVERED",
    "REQUEST_SENT_AGAIN",
    "REQUEST_CANCELLED",
    "REQUEST_EXPIRED",
    "EMAIL_NOT_DELIVERED",
    "POINTS_ADJUSTMENT_REQUESTED",
    "POINTS_ADJUSTMENT_DECLINED",
    "CREDIT_CONTROL_CYCLE_ENTERED",
    "CREDIT_CONTROL_CYCLE_EXITED",
    "SUBSCRIPTION_BILLING_FAILED",
    "SUBSCRIPTION_BILLING_RESUBMISSION_FAILED",
    "QA_DECLINED",
    "QA_APPROVED",
    "QA_PENDING",
    "AGENT_NOTE",
    "BLACKLISTED",
    "CHARGEBACKED",
    "FRAUD_RESULT",
    "ORDER_EXPORT_SUCCESSFUL",
    "ORDER_EXPORT_FAILED",
    "BILLING_CUSTOMER_BLOCKLISTED",
    "KYC_DOCUMENT_REQUESTED",
    "KYC_DOCUMENT_UPLOADED",
    "AML_CHECK_COMPLETED",
    "COMMENT_CREATED",
    "DATA_EXPORT_COMPLETED",
    "NOTE_ADDED",
    "NOTE_EDITED",
    "NOTE_PINNED",
    "NOTE_UNPINNED",
    "CUSTOMER_TAGGED",
    "CUSTOMER_UNTAGGED",
    "BILLING_CUSTOMER_TAGGED",
    "BILLING_CUSTOMER_UNTAGGED",
    "BLOCKLIST_ENTRY_REMOVED",
    "DUE_DILIGENCE_REQUIRED",
    "DUE_DILIGENCE_LIFTED",
    "DUE_DILIGENCE_SCORED",
}


def upper_snake(title: str) -> str:
    return title.replace("-", " ").replace(" ", "_").upper()


def test_codes_and_icons_are_unique() -> None:
    rows = CATALOGUE.values()
    assert len({row.code for row in rows}) == len({row.icon for row in rows}) == len(CATALOGUE)


def test_two_rows_that_share_a_code_are_refused_by_name() -> None:
    row = CATALOGUE["EMAIL_SENT"]
    with pytest.raises(ValueError, match="code EMAIL_SENT, icon email-sent"):
        by_code([row, row])


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["EMAIL_SENT"] = CATALOGUE["VOID"]  # pyright: ignore[reportIndexIssue] -- this is what must fail


def test_every_key_is_the_code_and_every_icon_its_kebab_case() -> None:
    for code, row in CATALOGUE.items():
        assert row.code == code
        assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)
        assert row.icon == code.lower().replace("_", "-")


def test_esuite_holds_the_30_titles_of_its_document_verbatim_and_in_order() -> None:
    assert len(ESUITE_TITLES) == 30
    assert [row.title for row in types_in(source="esuite")] == ESUITE_TITLES


def test_callcenter_holds_the_58_actions_of_its_document_with_their_explanations_in_order() -> None:
    assert len(CALLCENTER_ACTIONS) == 58
    rows = types_in(source="callcenter")
    assert [f"{row.title} - {row.description.removesuffix('.')}" for row in rows] == CALLCENTER_ACTIONS


def test_each_source_has_its_rows() -> None:
    assert {source: len(types_in(source=source)) for source in SOURCES} == {
        "esuite": 30,
        "overview": 6,
        "callcenter": 58,
        "billing": 25,
        "loyalty": 30,
        "platform": 34,
    }


def test_what_the_documents_name_is_told_apart_from_what_they_imply() -> None:
    named = [row.title for row in CATALOGUE.values() if row.origin is Origin.DOCUMENT]
    callcenter = [action.split(" - ")[0] for action in CALLCENTER_ACTIONS]
    others = ["Subscription created", "Invoice created", "Purchase", "Level promotion"]
    assert sorted(named) == sorted([*ESUITE_TITLES, *callcenter, *others])


def test_a_code_is_its_title_and_only_a_later_source_of_the_same_title_is_prefixed() -> None:
    taken: set[str] = set()
    for source in ("esuite", "platform", "overview", "billing", "callcenter", "loyalty"):
        for row in types_in(source=source):
            bare = upper_snake(row.title)
            if row.code not in ("SUBSCRIPTION_BILLING_FAILED", "BILLING_CUSTOMER_BLOCKLISTED"):
                assert row.code == (f"{source.upper()}_{bare}" if bare in taken else bare)
            taken.add(bare)


@pytest.mark.parametrize(
    "code",
    [
        "CALLCENTER_CUSTOMER_UPDATED",
        "BILLING_ORDER_CREATED",
        "BILLING_CUSTOMER_BLOCKLISTED",
        "LOYALTY_COUPON_REDEEMED",
        "LOYALTY_PASS_PUSHED",
    ],
)
def test_the_prefixed_codes_that_were_agreed_exist(code: str) -> None:
    assert CATALOGUE[code].source.upper() == code.split("_")[0]


def test_the_failed_billing_keeps_the_title_that_says_success() -> None:
    assert CATALOGUE["SUBSCRIPTION_BILLING_FAILED"].title == "Subscription Billing Success Failed"


def test_esuite_attributes_are_those_of_its_document() -> None:
    def written(code: str) -> str:
        attributes = CATALOGUE[code].attributes
        return " ".join(f"{each.name} {each.kind}{'' if each.required else '?'}" for each in attributes)

    assert {row.code: written(row.code) for row in types_in(source="esuite")} == ESUITE_ATTRIBUTES


def test_a_bill_day_is_a_day_of_the_month() -> None:
    assert [each.between for each in CATALOGUE["BILLING_DATE_CHANGED"].attributes] == [(1, 31), (1, 31)]


def test_no_document_but_esuite_demands_an_attribute() -> None:
    demanding = {row.source for row in CATALOGUE.values() for each in row.attributes if each.required}
    assert demanding == {"esuite"}


def test_one_attribute_name_means_one_label_and_kind_everywhere() -> None:
    meanings: dict[str, set[tuple[str, str]]] = {}
    for each in chain.from_iterable(row.attributes for row in CATALOGUE.values()):
        meanings.setdefault(each.name, set()).add((each.label, each.kind))
    assert [name for name, found in meanings.items() if len(found) > 1] == []


def test_staff_alone_see_fraud_lists_quality_checks_notes_labels_exports_and_credit_control() -> None:
    assert {row.code for row in CATALOGUE.values() if row.audience is Audience.STAFF} == STAFF_ONLY


def test_what_tells_of_notes_is_notes_and_nothing_else_is() -> None:
    notes = ["AGENT_NOTE", "COMMENT_CREATED", "NOTE_ADDED", "NOTE_EDITED", "NOTE_PINNED", "NOTE_UNPINNED"]
    assert sorted(NOTE_TYPES) == notes
    assert {row.code for row in types_in(groups=[ActivityGroup.NOTE])} == NOTE_TYPES


def test_types_in_narrows_by_group_and_by_source() -> None:
    assert types_in() == tuple(CATALOGUE.values())
    assert types_in(groups=[]) == ()
    assert [row.code for row in types_in(groups={ActivityGroup.COUPON}, source="platform")] == ["COUPON_REDEEMED"]


@pytest.mark.parametrize("word", ["SUBSCRIPTION_RENEWD", "subscription_renewed", "Subscription_Renewal"])
def test_nearest_finds_the_code_that_was_meant(word: str) -> None:
    assert nearest(word, CATALOGUE) == "SUBSCRIPTION_RENEWED"


def test_nearest_admits_that_nothing_is_near() -> None:
    assert nearest("zzz", CATALOGUE) is None
