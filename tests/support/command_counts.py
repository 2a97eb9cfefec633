"""How many commands a field costs."""

import re
from collections import defaultdict
from collections.abc import Mapping

from app.store.driver import Document
from tests.support.commands import Commands
from tests.support.gateway import Ask
from tests.support.schema_walk import Place

ADDS = {
    "Customer.mergedInto": 1,
    "Customer.mergedFrom": 1,
    "Customer.mergeInProgress": 1,
    "Merge.sources": 1,
    "Customer.statusHistory": 1,
    "Customer.activities": 1,
    "Customer.activityFacets": 1,
    "Customer.activityGroups": 1,
    "Customer.activityActors": 1,
    "Customer.activitySources": 1,
    "Customer.pointsHistory": 1,
    "Customer.coupons": 1,
    "Customer.transactions": 1,
    "Customer.passes": 1,
    "Customer.notes": 1,
    "DueDiligence.searches": 1,
    "DueDiligenceSearchConnection.totalCount": 1,
    "Customer.emailHistory": 1,
    "Customer.pinnedNotes": 1,
    "Customer.requests": 1,
    "RequestConnection.totalCount": 1,
    "Request.link": 1,
    "Request.target": 1,
    "RequestOutcome.results": 1,
    "Transaction.refundable": 3,
    "Customer.paymentInstruments": 1,
    "Customer.orders": 1,
    "Customer.invoices": 1,
    "Customer.quotes": 1,
    "Customer.creditMemos": 1,
    "Customer.creditBalances": 1,
    "Customer.amountDue": 1,
    "Customer.nextRenewalAt": 1,
    "Customer.kycRequests": 1,
    "Customer.kycDocuments": 1,
    "Customer.amlChecks": 1,
    "PaymentInstrumentConnection.totalCount": 1,
    "OrderConnection.totalCount": 1,
    "InvoiceConnection.totalCount": 1,
    "QuoteConnection.totalCount": 1,
    "CreditMemoConnection.totalCount": 1,
    "KycRequestConnection.totalCount": 1,
    "KycDocumentConnection.totalCount": 1,
    "AmlCheckConnection.totalCount": 1,
    "Invoice.order": 1,
    "Quote.order": 1,
    "Quote.invoice": 1,
    "CreditMemo.invoice": 1,
    "KycDocument.request": 1,
    "AmlCheck.inheritedFrom": 1,
    "Customer.possibleDuplicates": 2,
    "PossibleDuplicate.customer": 1,
    "StatusChangeConnection.totalCount": 1,
    "ActivityConnection.totalCount": 1,
    "PointsEntryConnection.totalCount": 1,
    "CouponConnection.totalCount": 1,
    "TransactionConnection.totalCount": 1,
    "PassConnection.totalCount": 1,
    "NoteConnection.totalCount": 1,
    "EmailConnection.totalCount": 1,
    "PointsBalance.audit": 1,
    "Activity.email": 1,
    "Activity.note": 1,
    "Activity.subject": 1,
    "Activity.availableActions": 1,
    "Email.deliveries": 1,
    "EmailDelivery.email": 1,
    "Pass.pushes": 1,
    "PassPush.pass": 1,
    "Transaction.pointsEntries": 1,
    "Note.links": 1,
    "PointsEntry.transaction": 1,
    "PointsEntry.adjustment": 1,
    "PointsEntry.transferOf": 1,
    "PointsAdjustment.entry": 1,
    "Transaction.refundOf": 1,
    "Transaction.refunds": 1,
}
"""How many commands a field adds to those of the field it hangs on; a field that is not named adds none.

``Activity.customer`` is free here: whoever came in through ``nodes`` need not be read again.
"""


async def cost(ask: Ask, commands: Commands, customers: list[Document], place: Place) -> int:
    """Counts the commands for ``place`` of all ``customers``, each of whom has a value there."""
    commands.clear()
    query = f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Customer {{ {place.selection} }} }} }}"
    answer = await ask(query, ids=[customer["_id"] for customer in customers])
    assert "errors" not in answer, answer
    for source in answer["data"]["nodes"]:
        assert place.values(source), f"{place.selection} has no value: its cost would not show"
    return len(commands.sent)


_ID = r"'[a-z]{3}_[a-z0-9]{24}'"
_NEAR = re.compile(r"('_id': \{'\$in': \[[^]]*\]\}), 'customerId': \{'\$in': \[[^]]*\]\}")
"""Where ids lie (app/loaders/documents.py), which says no more than the ids do."""
_IDS = re.compile(rf"\[(?:(?:{_ID}|\{{'_id': {_ID}\}})(?:, )?)+\]")
_BY_ID = r"\{'\$match': \{'_id': \{'\$in': IDS\}\}\}"
_ANY_KIND = re.compile(rf"\w+ \[{_BY_ID}(?:, \{{'\$unionWith': \{{'coll': '\w+', 'pipeline': \[{_BY_ID}\]\}}\}})*\]")
"""What reads documents by id: of one kind, or of several that are united."""


def reads(commands: Commands) -> Mapping[str, list[str]]:
    """Returns the ids that each read asked for, by what it is.

    A loader sends what was asked of it since it last sent: what several lists refer to goes in one command where their
    replies come together, else in more, each for ids of its own. Those are one read.
    """
    found = defaultdict[str, list[str]](list)
    for name, command in commands.sent:
        text = _NEAR.sub(r"\1", f"{command[name]} {command.get('pipeline') or command['filter']}")
        read = _IDS.sub("IDS", text)
        found["of any kind, by id" if _ANY_KIND.fullmatch(read) else read] += set(re.findall(_ID, text))
    return found
