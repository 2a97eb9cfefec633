"""The texts of mutations, each with all that its payload shows."""

from typing import Any

from app.store.driver import Document, Store
from tests.support.gateway import Ask
from tests.support.world import World, euros

ERRORS = "userErrors { code field message }"
ACTOR = "actor { kind userId name accessLevel }"
SHOWN = f"activity {{ id type title message points subject {{ id }} {ACTOR} }} {ERRORS}"
ATTACHMENT = "id name description mimeType bytes sha256 uploadedBy { userId } uploadedAt url"
ADD_NOTE = f"""mutation($input: AddNoteInput!) {{ addNote(input: $input) {{
  note {{ id message author {{ name }} mentions links {{ id }} attachments {{ {ATTACHMENT} }} }}
  customer {{ id }} {SHOWN} }} }}"""
CREATE_UPLOAD = f"""mutation($input: CreateUploadInput!) {{ createUpload(input: $input) {{
  upload {{ id name mimeType bytes sha256 createdAt expiresAt completedAt url }} {ERRORS} }} }}"""
ADJUST = f"""mutation($input: AdjustPointsInput!) {{ adjustPoints(input: $input) {{
  entry {{ id seq kind points balanceAfter reason }}
  customer {{ points {{ spendable audit {{ ok entries }} }} }} {SHOWN} }} }}"""
REDEEM = f"""mutation($input: RedeemCouponInput!) {{ redeemCoupon(input: $input) {{
  coupons {{ id redeemed redeemedBy {{ name }} }} {SHOWN} }} }}"""
STATUS = f"""mutation($input: ChangeCustomerStatusInput!) {{ changeCustomerStatus(input: $input) {{
  statusChange {{ from to reason }} customer {{ status hasStatusDetails }} {SHOWN} }} }}"""
RESEND = f"""mutation($input: ResendEmailInput!) {{ resendEmail(input: $input) {{
  email {{ id subject }} delivery {{ id to status attempts requestedAt deliveredAt error }} {SHOWN} }} }}"""
EMAIL_PASS = f"""mutation($input: EmailPassInput!) {{ emailPass(input: $input) {{
  pass {{ id }} email {{ id subject to html text sentAt }} delivery {{ id to status }} {SHOWN} }} }}"""
PUSH_PASS = f"""mutation($input: PushPassInput!) {{ pushPass(input: $input) {{
  pass {{ id }} push {{ id status attempts informedAt error }} {SHOWN} }} }}"""
RECORD = f"""mutation($input: RecordActivityInput!) {{ recordActivity(input: $input) {{
  activity {{ occurredAt source attributes {{ name value }} }} customer {{ points {{ spendable }} }} {ERRORS} }} }}"""
ADJUSTMENT = "adjustment { id status points reason requestedBy { userId } decidedBy { userId } decisionReason }"
REQUEST_POINTS = f"""mutation($input: RequestPointsAdjustmentInput!) {{ requestPointsAdjustment(input: $input) {{
  {ADJUSTMENT} customer {{ points {{ spendable }} }} {SHOWN} }} }}"""
APPROVE_POINTS = f"""mutation($input: ApprovePointsAdjustmentInput!) {{ approvePointsAdjustment(input: $input) {{
  {ADJUSTMENT} entry {{ id points balanceAfter reason adjustment {{ id }} }}
  customer {{ points {{ spendable audit {{ ok }} }} }} {SHOWN} }} }}"""
DECLINE_POINTS = f"""mutation($input: DeclinePointsAdjustmentInput!) {{ declinePointsAdjustment(input: $input) {{
  {ADJUSTMENT} {SHOWN} }} }}"""
DETAILS = """id number name firstName lastName organization jobTitle dateOfBirth website locale email
  emails { value label primary } phones { value label primary } country revision identities { source externalId }
  billingAddress { line1 line2 city region postalCode country }
  fields { definition { name } value } possibleDuplicates { reasons customer { id } }"""
CREATE_CUSTOMER = f"""mutation($input: CreateCustomerInput!) {{ createCustomer(input: $input) {{
  customer {{ {DETAILS} }} {SHOWN} }} }}"""
UPDATE_CUSTOMER = f"""mutation($input: UpdateCustomerInput!) {{ updateCustomer(input: $input) {{
  customer {{ {DETAILS} }} activity {{ changes {{ field from to }} }} {SHOWN} }} }}"""
REQUEST = """request { id kind title status open executor target { id } amount { amount currency } reason reference
  attributes { name value } requestedBy { userId } requestedAt overdue link { url expiresAt }
  outcomes { status code message reference decided by { userId kind } attributes { name value } results { id } }
  delivery { status attempts error } }"""


def request_of(mutation: str, *, of: str | None = None) -> str:
    """Returns the text of a mutation that asks another system for something."""
    name = of or f"{mutation[0].upper()}{mutation[1:]}Input"
    return f"mutation($input: {name}!) {{ {mutation}(input: $input) {{ {REQUEST} {SHOWN} }} }}"


TAX_IDS = "taxIds { type value isDefault validity }"
ADD_TAX_ID = f"""mutation($input: TaxIdInput!) {{ addTaxId(input: $input) {{
  customer {{ {TAX_IDS} }} activity {{ changes {{ field from to }} }} {SHOWN} }} }}"""
REMOVE_TAX_ID = f"""mutation($input: TaxIdInput!) {{ removeTaxId(input: $input) {{
  customer {{ {TAX_IDS} }} {SHOWN} }} }}"""
SET_DEFAULT_TAX_ID = f"""mutation($input: TaxIdInput!) {{ setDefaultTaxId(input: $input) {{
  customer {{ {TAX_IDS} }} {SHOWN} }} }}"""
LEAD_SOURCE = "medium source campaign term content affiliate subAffiliate salesAgent clickId path referrer"
UPDATE_LEAD_SOURCE = f"""mutation($input: UpdateLeadSourceInput!) {{ updateLeadSource(input: $input) {{
  customer {{ leadSource {{ {LEAD_SOURCE} original {{ {LEAD_SOURCE} }} }} }}
  activity {{ changes {{ field from to }} }} {SHOWN} }} }}"""
NOTE = "note { id message pinnedFor versions { message at author { userId } } }"
EDIT_NOTE = f"""mutation($input: EditNoteInput!) {{ editNote(input: $input) {{ {NOTE} {SHOWN} }} }}"""
PIN_NOTE = f"""mutation($input: PinNoteInput!) {{ pinNote(input: $input) {{ {NOTE} {SHOWN} }} }}"""
BLOCKLIST_ENTRY = """entry { id type value source reason expiresAt createdBy { userId accessLevel } customer { id }
  removedAt removedBy { userId } removalReason }"""
ADD_TO_BLOCKLIST = f"""mutation($input: AddToBlocklistInput!) {{ addToBlocklist(input: $input) {{
  {BLOCKLIST_ENTRY} customer {{ id }} {SHOWN} }} }}"""
REMOVE_FROM_BLOCKLIST = f"""mutation($input: RemoveFromBlocklistInput!) {{ removeFromBlocklist(input: $input) {{
  {BLOCKLIST_ENTRY} customer {{ id }} {SHOWN} }} }}"""
MERGE = """merge { id status moved total reason createdBy { userId } finishedAt pointsKept undoneBy { userId }
  undoReason survivor { id } sources { id status } }"""
MERGE_CUSTOMERS = f"""mutation($input: MergeCustomersInput!) {{ mergeCustomers(input: $input) {{
  {MERGE} customer {{ id name status mergedInto {{ id }} mergeInProgress {{ id }} }} {SHOWN} }} }}"""
UNMERGE = f"""mutation($input: UnmergeInput!) {{ unmerge(input: $input) {{
  {MERGE} customer {{ id name status }} {SHOWN} }} }}"""
SEGMENT = """segment { id name description scope owner { userId } sharedWith starred filter columns
  orderBy { field direction } }"""
CREATE_SEGMENT = f"""mutation($input: CreateSegmentInput!) {{ createSegment(input: $input) {{
  {SEGMENT} {ERRORS} }} }}"""
UPDATE_SEGMENT = f"""mutation($input: UpdateSegmentInput!) {{ updateSegment(input: $input) {{
  {SEGMENT} {ERRORS} }} }}"""
STAR_SEGMENT = f"""mutation($input: StarSegmentInput!) {{ starSegment(input: $input) {{ {SEGMENT} {ERRORS} }} }}"""
DELETE_SEGMENT = f"""mutation($input: DeleteSegmentInput!) {{ deleteSegment(input: $input) {{
  deletedSegmentId {ERRORS} }} }}"""
ANONYMISE = f"""mutation($input: AnonymiseCustomerInput!) {{ anonymiseCustomer(input: $input) {{
  erasure {{ id status reason erased total finishedAt erasedBy {{ userId }} customer {{ id }} }}
  customer {{ id name status }} {SHOWN} }} }}"""
DUE_DILIGENCE = """dueDiligence { required nextSearchAt factors { factor manual automatic effective manualAt
  manualBy { userId } } searches { totalCount nodes {
  id factor score searchedAt nextSearchAt results { url details } } } }"""
REQUIRE_DUE_DILIGENCE = f"""mutation($input: RequireDueDiligenceInput!) {{ requireDueDiligence(input: $input) {{
  customer {{ {DUE_DILIGENCE} }} {SHOWN} }} }}"""
SET_DUE_DILIGENCE_SCORES = f"""mutation($input: SetDueDiligenceScoresInput!) {{ setDueDiligenceScores(input: $input) {{
  customer {{ {DUE_DILIGENCE} }} {SHOWN} }} }}"""
REQUEST_DATA_EXPORT = f"""mutation($input: RequestDataExportInput!) {{ requestDataExport(input: $input) {{
  export {{ id table format status }} {SHOWN} }} }}"""


# ---------------------------------------------------------------- requests to other systems

_EUROS = {"amount": {"amount": "5.00", "currency": "EUR"}}
_ITEMS = {"items": [{"planId": "basic", "quantity": 1}]}
REQUESTED: dict[str, dict[str, Any]] = {
    "requestRefund": {"description": "Broken"},
    "requestRefunds": {"description": "Broken"},
    "recordOutsidePayment": {**_EUROS, "processedAt": "2026-01-01T00:00:00Z", "invoiceIds": ["I-1"]},
    "requestPayment": {**_EUROS, "way": "INSTRUMENT", "invoiceIds": ["I-1"], "paymentInstrumentId": "card"},
    "requestDeposit": {"currency": "EUR", "website": "main"},
    "requestPayout": {**_EUROS, "confirmAmount": "5.00"},
    "requestPayoutSelection": _EUROS,
    "requestOrder": {"kind": "SUBSCRIPTION", "website": "main", **_ITEMS},
    "requestQuote": {"website": "main", **_ITEMS},
    "requestOrderCancellation": {"when": "NOW"},
    "requestQuoteAction": {"action": "ISSUE"},
    "requestCreditMemo": {**_EUROS, "category": "WAIVER"},
    "requestCouponRedemption": {"couponIds": ["c-1"]},
    "requestPortalLink": {"portalId": "main"},
    "requestPaymentInstrument": {"token": "tok-1"},
    "requestPaymentInstrumentChange": {"change": {"setDefault": True}},
    "requestKycDocuments": {"documents": [{"type": "IDENTITY_PROOF"}]},
    "requestKycUploadLink": {"reason": "New"},
    "requestKycDocumentLink": {"reason": "To look at"},
    "requestAmlReview": {"verdict": "NO_MATCH"},
    "requestEraseAtSource": {"source": "biller", "sourceCustomerId": "B-1"},
    "completeRequest": {"status": "SUCCEEDED"},
    "cancelRequest": {"reason": "A mistake"},
}
"""The mutations that ask other systems for something, with the fewest that they need beside what it is about. Not
`request`, which needs a kind of the company's own, and not `retryRequest`, which needs a system that is connected."""


def text_of(mutation: str) -> str:
    """Returns the text of a mutation that shows what all payloads do."""
    name = f"{mutation[0].upper()}{mutation[1:]}Input"
    return f"mutation($input: {name}!) {{ {mutation}(input: $input) {{ {SHOWN} }} }}"


MANY_TEXTS = {"couponIds", "invoiceIds"}


async def about_request(world: World, customer: Document, mutation: str) -> dict[str, Any]:
    """Stores what a request is about, and returns its id as the mutation takes it."""
    sale: Document = {"type": "SALE", "status": "ACCEPTED", "amount": euros("50.00")}
    match mutation:
        case "requestRefund":
            return {"transactionId": (await world.transaction(customer, **sale))["_id"]}
        case "requestRefunds":
            return {"transactionIds": [(await world.transaction(customer, **sale))["_id"]]}
        case "requestOrderCancellation":
            return {"orderId": (await world.mirror("orders", customer, status="ACTIVE"))["_id"]}
        case "requestQuoteAction":
            return {"quoteId": (await world.mirror("quotes", customer, status="DRAFT"))["_id"]}
        case "requestPaymentInstrumentChange":
            return {"instrumentId": (await world.mirror("paymentInstruments", customer))["_id"]}
        case "requestKycDocumentLink":
            return {"documentId": (await world.mirror("kycDocuments", customer))["_id"]}
        case "requestAmlReview":
            return {"checkId": (await world.mirror("amlChecks", customer, status="PENDING_REVIEW"))["_id"]}
        case "completeRequest" | "cancelRequest":
            return {"requestId": (await world.request(customer))["_id"]}
        case _:
            return {"customerId": customer["_id"]}


async def complete_all(ask: Ask, store: Store, customer: Document) -> None:
    """Says that all is done that is asked for a customer: money that is on its way keeps them from being erased."""
    for request in await store.find("requests", {"customerId": customer["_id"], "open": True}):
        given = {"requestId": request["_id"], "status": "SUCCEEDED", "idempotencyKey": f"done-{request['_id']}"}
        answer = await ask(text_of("completeRequest"), input=given)
        assert answer["data"]["completeRequest"]["userErrors"] == []


# ---------------------------------------------------------------- webhooks

WEBHOOK_ENDPOINT = """webhookEndpoint { id name description url types status disabledReason disabledAt position
  secretCount lastFailure { message } createdBy { userId } }"""
CREATE_WEBHOOK_ENDPOINT = f"""mutation($input: CreateWebhookEndpointInput!) {{ createWebhookEndpoint(input: $input) {{
  secret {WEBHOOK_ENDPOINT} {ERRORS} }} }}"""
UPDATE_WEBHOOK_ENDPOINT = f"""mutation($input: UpdateWebhookEndpointInput!) {{ updateWebhookEndpoint(input: $input) {{
  {WEBHOOK_ENDPOINT} {ERRORS} }} }}"""
ROTATE_WEBHOOK_SECRET = f"""mutation($input: RotateWebhookSecretInput!) {{ rotateWebhookSecret(input: $input) {{
  secret {WEBHOOK_ENDPOINT} {ERRORS} }} }}"""
DELETE_WEBHOOK_ENDPOINT = f"""mutation($input: DeleteWebhookEndpointInput!) {{ deleteWebhookEndpoint(input: $input) {{
  deletedWebhookEndpointId {ERRORS} }} }}"""
REDELIVER_WEBHOOKS = f"""mutation($input: RedeliverWebhooksInput!) {{ redeliverWebhooks(input: $input) {{
  count {WEBHOOK_ENDPOINT} {ERRORS} }} }}"""
