"""Builds worlds: the fewest documents that a sentence needs, through the real store and its validators."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from app.catalogue import CATALOGUE, copied
from app.domain import points
from app.domain.customers import activity_summary_update, balance, update_of
from app.domain.ids import new_id
from app.domain.import_lines import COLLECTION_OF
from app.domain.lead_source import LENGTHS
from app.domain.notes import FOR_ALL
from app.domain.search import folded, search_copies
from app.domain.uploads import Attaching, attachment
from app.store.driver import Document, Store, UpdateMany, UpdateOne
from app.store.files import UPLOADED
from app.store.sealed import seal

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = datetime(2999, 1, 1, tzinfo=UTC)
"""Beyond the clock of any machine that runs the tests."""
SYSTEM = {"kind": "SYSTEM", "name": "System"}
AGENT = {"kind": "AGENT", "id": "agent-7", "name": "Grace Hopper", "accessLevel": "CUSTOMER_SERVICE_AGENT"}


def ago(**units: float) -> datetime:
    """Returns the moment so long before NOW."""
    return NOW - timedelta(**units)


SHAPES: Mapping[str, Callable[[Document], Document]] = {
    "activities": lambda given: {**_activity(given.get("type", "SUBSCRIPTION_RENEWED")), **_times()},
    "points": lambda given: {
        "seq": 1,
        "kind": "EARNED",
        "points": 10,
        "balanceAfter": 10,
        "actor": AGENT,
        "source": "platform",
        **_times(),
    },
    "coupons": lambda given: {
        "code": "SAVE10",
        "type": "discount",
        "value": "10 %",
        "addedAt": NOW,
        "origin": "RULE",
        "redeemed": False,
    },
    "transactions": lambda given: {
        "number": "T-1",
        "type": "SALE",
        "occurredAt": NOW,
        "pointsAwarded": 0,
        "status": "ACCEPTED",
    },
    "passes": lambda given: {"serialNumber": "S-1", "type": "APPLE", "createdAt": NOW, "updatedAt": NOW},
    "pushes": lambda given: {"status": "INFORMED", "attempts": 1, "requestedAt": NOW},
    "statuses": lambda given: {"to": "BLOCKED", "actor": AGENT, "changedAt": NOW},
    "emails": lambda given: {"subject": "Your receipt", "to": "a@example.com"},
    "deliveries": lambda given: {"to": "a@example.com", "status": "SENT", "attempts": 1, "requestedAt": NOW},
    "adjustments": lambda given: {
        "points": 5_000,
        "reason": "Goodwill",
        "status": "PENDING",
        "requestedAt": NOW,
        "requestedBy": {**AGENT, "id": "grace"},
    },
    "searches": lambda given: {"factor": "FRAUD", "score": "UNCLEAR", "searchedAt": NOW, "results": []},
    "paymentInstruments": lambda given: {
        **_mirror("active"),
        "method": "payment-card",
        "isDefault": False,
        "useAsBackup": False,
    },
    "orders": lambda given: {
        **_mirror("active"),
        "number": "O-1",
        "kind": "SUBSCRIPTION",
        "currency": "EUR",
        "items": [],
        "inTrial": False,
    },
    "invoices": lambda given: {**_mirror("paid"), "number": "I-1", "type": "INITIAL", "amount": euros("12.50")},
    "quotes": lambda given: {
        **_mirror("issued"),
        "type": "CREATION",
        "initialAmount": euros("12.50"),
        "acceptance": [],
    },
    "creditMemos": lambda given: {
        **_mirror("issued"),
        "number": "M-1",
        "total": euros("12.50"),
        "unused": euros("12.50"),
        "items": [],
    },
    "kycRequests": lambda given: {**_mirror("gathering"), "documents": []},
    "kycDocuments": lambda given: {**_mirror("pending"), "type": "IDENTITY_PROOF", "tags": []},
    "amlChecks": lambda given: {**_mirror("no-match", "startedAt"), "hits": []},
    "requests": lambda given: {
        "kind": "PAYOUT",
        "status": "SENT",
        "open": True,
        "confidential": False,
        "executor": "MANUAL",
        "attributes": {"amount": euros("12.50")},
        "requestedBy": AGENT,
        "requestedAt": NOW,
        "overdueAt": NOW,
        "outcomes": [],
    },
    "notes": lambda given: {"message": "Called back.", "author": AGENT, "createdAt": NOW, "mentions": []},
}
"""The fewest keys that each collection's validator asks for."""

_LEAD_SOURCE: Mapping[str, Any] = {key: f"some {key}" for key in LENGTHS}
WHOLE: Mapping[str, Any] = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "organization": "Analytical Engines",
    "jobTitle": "Countess",
    "dateOfBirth": "1815-12-10",
    "website": "https://example.com",
    "locale": "en-GB",
    "email": "ada@example.com",
    "emails": [{"value": "ada@example.com", "label": "home", "primary": True}],
    "phones": [{"value": "+44 20 7946 0000", "label": "work", "primary": True}],
    "billingAddress": {
        "line1": "12 St James's Square",
        "line2": "First floor",
        "city": "London",
        "region": "Greater London",
        "postalCode": "SW1Y 4JH",
        "country": "GB",
    },
    "taxIds": [{"type": "EU_VAT", "value": "GB123456789", "isDefault": True, "validity": "VALID"}],
    "leadSource": {**_LEAD_SOURCE, "original": _LEAD_SOURCE},
    "fields": [
        {"name": "loyaltyTier", "value": "GOLD"},
        {"name": "creditLimit", "value": Decimal("1250.50")},
        {"name": "isWholesale", "value": True},
        {"name": "agreedAt", "value": datetime(2025, 1, 31, 12, tzinfo=UTC)},
    ],
    "hasStatusDetails": True,
    "tags": ["vip"],
    "dueDiligence": {
        "required": True,
        "factors": [
            {
                "factor": "FRAUD",
                "manual": "UNLIKELY",
                "manualBy": AGENT,
                "manualAt": NOW,
                "automatic": "UNCLEAR",
                "searchedAt": NOW,
                "order": 0,
                "nextSearchAt": LATER,
            }
        ],
    },
}
"""What a customer may have beyond ``World.customer``. No identity: those are unique."""


class World:
    """Stores one document with each method and returns it; ``many`` stores several at once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._born = 0

    async def customer(self, **given: Any) -> Document:
        self._born += 1
        shape: Document = {
            "_id": new_id("customers"),
            "number": f"C-{self._born}",
            "name": f"Customer {self._born}",
            "registeredAt": ago(days=365),
            "paymentCount": 1,
            "tags": [],
            "status": "ACTIVE",
            "identities": [],
            "spendable": 0,
        }
        customer = {**shape, **given}
        customer |= search_copies(customer)
        await self.store.insert("customers", [customer])
        return customer

    async def many(self, collection: str, customer: Document, *given: Document) -> list[Document]:
        """Stores documents in the order given. What each of them does not say comes from ``SHAPES``."""
        shape = SHAPES[collection]
        documents = [
            {"_id": new_id(collection), "customerId": customer["_id"], **shape(each), **each} for each in given
        ]
        await self.store.insert(collection, documents)
        if collection == "activities" and (update := activity_summary_update(documents)):
            await self.store.write("customers", [UpdateOne({"_id": customer["_id"]}, update)])
        return documents

    async def activity(self, customer: Document, type_: str = "SUBSCRIPTION_RENEWED", **given: Any) -> Document:
        return await self._one("activities", customer, {"type": type_, **given})

    async def ledger(self, customer: Document, *postings: points.Posting, **given: Any) -> list[Document]:
        """Stores the entries of one posting after another, and the state they leave."""
        decided = [{**entry, "kind": entry["kind"].value, **given} for posting in postings for entry in posting.entries]
        entries = await self.many("points", customer, *decided)
        state = update_of(balance(postings[-1].state))
        await self.store.write("customers", [UpdateOne({"_id": customer["_id"]}, state)])
        return entries

    async def coupon(self, customer: Document, **given: Any) -> Document:
        return await self._one("coupons", customer, given)

    async def transaction(self, customer: Document, **given: Any) -> Document:
        return await self._one("transactions", customer, given)

    async def pass_(self, customer: Document, **given: Any) -> Document:
        return await self._one("passes", customer, given)

    async def push(self, pass_: Document, **given: Any) -> Document:
        return await self._one("pushes", {"_id": pass_["customerId"]}, {"passId": pass_["_id"], **given})

    async def status(self, customer: Document, **given: Any) -> Document:
        return await self._one("statuses", customer, given)

    async def email(self, customer: Document, **given: Any) -> Document:
        return await self._one("emails", customer, given)

    async def delivery(self, email: Document, **given: Any) -> Document:
        owner = {"_id": email["customerId"]}
        return await self._one("deliveries", owner, {"emailId": email["_id"], "to": email["to"], **given})

    async def search(self, customer: Document, **given: Any) -> Document:
        """Stores a search for a factor of due diligence; the customer's scores are as they were."""
        return await self._one("searches", customer, given)

    async def note(self, customer: Document, **given: Any) -> Document:
        return await self._one("notes", customer, given)

    async def blocklist_entry(self, customer: Document | None = None, **given: Any) -> Document:
        """Stores an entry about a customer, or about nobody."""
        self._born += 1
        shape: Document = {
            "_id": new_id("blocklist"),
            "type": "EMAIL",
            "value": f"mallory-{self._born}@example.com",
            "source": "MANUAL_BLOCKLISTS",
            "reason": "Chargebacks",
            "createdAt": NOW,
            "createdBy": AGENT,
            "listed": True,
        }
        entry = {**shape, **({"customerId": customer["_id"]} if customer else {}), **given}
        await self.store.insert("blocklist", [entry])
        return entry

    async def merge(self, into: Document, *sources: Document, **given: Any) -> Document:
        """Stores a merge that is over, of which the survivor knows; nothing of it is true of the customers."""
        shape: Document = {
            "_id": new_id("merges"),
            "customerId": into["_id"],
            "sourceIds": [each["_id"] for each in sources],
            "status": "DONE",
            "reason": "The same person",
            "createdAt": NOW,
            "createdBy": AGENT,
            **dict.fromkeys(("attempts", "moved", "total"), 0),
            **{key: [] for key in ("snapshots", "transfers", "chainedIds")},
            **{key: {} for key in ("before", "after")},
        }
        merge = {**shape, **given}
        await self.store.insert("merges", [merge])
        known = {"mergeInProgressId": merge["_id"], "mergedFromIds": merge["sourceIds"]}
        closed = [UpdateOne({"_id": each["_id"]}, {"$set": {"mergeId": merge["_id"]}}) for each in sources]
        await self.store.write("customers", [UpdateOne({"_id": into["_id"]}, {"$set": known}), *closed])
        return merge

    async def erasure(self, customer: Document, **given: Any) -> Document:
        """Stores an erasure that is over; nothing of it is true of the customer."""
        shape: Document = {
            "_id": new_id("erasures"),
            "customerId": customer["_id"],
            "accountIds": [customer["_id"]],
            "status": "DONE",
            "reason": "Article 17",
            "erasedAt": NOW,
            "erasedBy": AGENT,
            **dict.fromkeys(("attempts", "erased", "total"), 0),
        }
        erasure = {**shape, **given}
        await self.store.insert("erasures", [erasure])
        return erasure

    async def undoable_merge(self, into: Document) -> Document:
        """Stores a customer who was merged into this one, with nothing on their account."""
        gone = await self.customer(status="MERGED", mergedIntoId=into["_id"])
        return await self.merge(into, gone, snapshots=[{**gone, "status": "ACTIVE"}])

    async def segment(self, **given: Any) -> Document:
        """Stores a segment of all customers, which belongs to tess, whose the tests' tokens are."""
        self._born += 1
        name = given.get("name", f"Segment {self._born}")
        shape: Document = {
            "_id": new_id("segments"),
            "name": name,
            "searchName": folded(name),
            "scope": "PRIVATE",
            "subject": "tess",
            "owner": {**AGENT, "id": "tess"},
            "sharedWith": [],
            "starredBy": [],
            "filter": {},
            "slot": self._born,
            "createdAt": NOW,
            "updatedAt": NOW,
        }
        segment = {**shape, **given}
        await self.store.insert("segments", [segment])
        return segment

    async def webhook_endpoint(self, **given: Any) -> Document:
        """Stores a webhook endpoint that is told everything, and whose secret nobody knows."""
        self._born += 1
        shape: Document = {
            "_id": new_id("webhookEndpoints"),
            "name": "CRM",
            "url": "https://example.com/hooks",
            "types": [],
            "secrets": [b"sealed"],
            "status": "ENABLED",
            "slot": self._born,
            "position": 0,
            "redeliveries": [],
            "createdAt": NOW,
            "createdBy": AGENT,
            "updatedAt": NOW,
        }
        endpoint = {**shape, **given}
        await self.store.insert("webhookEndpoints", [endpoint])
        return endpoint

    async def webhook_delivery(self, endpoint: Document, customer: Document, **given: Any) -> Document:
        """Stores a delivery to an endpoint that has ended, which the database does not delete soon."""
        self._born += 1
        shape: Document = {
            "_id": new_id("webhookDeliveries"),
            "endpointId": endpoint["_id"],
            "customerId": customer["_id"],
            "revision": 1,
            "sequence": self._born,
            "kind": "CHANGED",
            "at": NOW,
            "types": [],
            "activityIds": [],
            "status": "DELIVERED",
            "attempts": 1,
            "queuedAt": NOW,
            "settledAt": datetime.now(UTC).replace(microsecond=0),
        }
        delivery = {**shape, **given}
        await self.store.insert("webhookDeliveries", [delivery])
        return delivery

    async def import_(self, **given: Any) -> Document:
        """Stores an import that has ended."""
        shape: Document = {
            "_id": new_id("imports"),
            "fileName": "billing.ndjson",
            "startedAt": NOW,
            "startedBy": AGENT,
            "seenAt": NOW,
            "finishedAt": NOW,
            "lines": 3,
            "linesRead": 4,
            "linesHeld": 1,
            "counts": [{"kind": "customer", "outcome": "IMPORTED", "lines": 3}],
        }
        batch = {**shape, **given}
        await self.store.insert("imports", [batch])
        return batch

    async def look(self, customer: Document, **given: Any) -> Document:
        """Stores a look of tess, whose the tests' tokens are, which the database does not delete soon."""
        shape: Document = {
            "_id": new_id("looks"),
            "customerId": customer["_id"],
            "at": NOW,
            "viewer": {"id": "tess", "name": "Tess Tester", "roles": ["ADMIN"]},
            "groups": ["IDENTITY"],
            "expiresAt": datetime.now(UTC).replace(microsecond=0) + timedelta(days=365),
        }
        look = {**shape, **given}
        await self.store.insert("looks", [look])
        return look

    async def upload(self, content: bytes | None = b"%PDF-1.7", **given: Any) -> Document:
        """Stores an upload of tess, whose the tests' tokens are; without content it has not been sent."""
        self._born += 1
        now = datetime.now(UTC).replace(microsecond=0)
        expires = given.get("expiresAt", now + timedelta(days=1))
        upload: Document = {
            "_id": new_id("uploads"),
            "name": "receipt.pdf",
            "mimeType": "application/pdf",
            "bytes": len(content or b"x"),
            "sha256": sha256(content or b"x").hexdigest(),
            "createdBy": {"subject": "tess", "roles": []},
            "createdAt": now,
            "expiresAt": expires,
            "dueAt": expires + timedelta(hours=1),
            **given,
        }
        if content is not None:
            upload |= {"fileId": f"{upload['_id']}.1", "completedAt": now}
            await UPLOADED.append(self.store, upload["fileId"], 0, content)
            await UPLOADED.finish(self.store, upload["fileId"], len(content), upload["name"], now=now, session=None)
        await self.store.insert("uploads", [upload])
        return upload

    async def export(self, **given: Any) -> Document:
        """Stores an export that waits for a worker, requested by tess, whose the tests' tokens are."""
        self._born += 1
        shape: Document = {
            "_id": new_id("exports"),
            "table": "CUSTOMERS",
            "format": "CSV",
            "columns": ["number", "name"],
            "where": [],
            "order": "NUMBER",
            "descending": False,
            "status": "QUEUED",
            "requestedBy": {"subject": "tess", "roles": []},
            "requestedAt": datetime.now(UTC).replace(microsecond=0),  # the database deletes what is old
            "dueAt": NOW,
            "key": f"k{self._born}",
            "inputHash": "x",
            "secret": bytes(32),
            **dict.fromkeys(("attempts", "rows", "bytes"), 0),
        }
        export = {**shape, **given}
        await self.store.insert("exports", [export])
        return export

    async def everything(self) -> Document:
        """Stores a customer with a value in every field, at least once; the activity's subject is a coupon."""
        survivor = await self.customer(phones=WHOLE["phones"])  # whom ada resembles
        identities = [{"source": "esuite", "id": survivor["number"]}]
        ada = await self.customer(**WHOLE, revision=3, mergedIntoId=survivor["_id"], identities=identities)
        sale = await self.transaction(ada, amount={"amount": Decimal("12.50"), "currency": "EUR"})
        await self.transaction(ada, type="REFUND", refundOfId=sale["_id"])
        earned = points.earn(points.empty(), 70, now=NOW, expires_at=LATER)
        adjustment = await self.adjustment(
            ada, status="DECLINED", expiresAt=LATER, decidedAt=NOW, decidedBy=AGENT, decisionReason="Twice."
        )
        await self._mirrors(ada)
        undone = {"undoneAt": NOW, "undoneBy": AGENT, "undoReason": "Two persons.", "pointsKept": 3}
        acting = {**AGENT, "onBehalfOf": {"id": "alan", "name": "Alan Turing"}}
        await self.merge(ada, survivor, finishedAt=NOW, createdBy=acting, **undone)
        (other,) = await self.ledger(survivor, points.earn(points.empty(), 70, now=NOW))
        given = {"reason": "Welcome", "transactionId": sale["_id"], "adjustmentId": adjustment["_id"], "shortfall": 3}
        given["transferOfId"] = other["_id"]
        (entry,) = await self.ledger(ada, earned, **given)
        assert "expiresAt" in entry
        led_to = UpdateOne({"_id": adjustment["_id"]}, {"$set": {"entryId": entry["_id"]}})
        await self.store.write("adjustments", [led_to])
        coupon = await self.coupon(ada, expiresAt=NOW)
        await self.coupon(ada, redeemed=True, redeemedAt=NOW, redeemedBy=AGENT)
        card = await self.pass_(ada, reward="Coffee", downloadUrl="https://wallet.example.com/1")
        await self.push(card, informedAt=NOW, error="Line was busy")
        await self.status(ada, **{"from": "ACTIVE"}, reason="Asked for it.")
        article = {"url": "https://courts.example.com/17", "details": "A verdict."}
        await self.search(ada, nextSearchAt=LATER, results=[article])
        picture = {
            "fileId": f"fil_{'0' * 64}",
            "name": "a.png",
            "mediaType": "image/png",
            "size": 1,
            "contentId": "a",
        }
        more = {"attachments": [picture], "replyTo": "help@example.com"}
        email = await self.email(ada, html="<p>Hello</p>", text="Hello", sentAt=NOW, **more)
        await self.delivery(email, status="FAILED", deliveredAt=NOW, error="Mailbox full")
        versions = [{"message": message, "author": AGENT, "at": NOW} for message in ("Called.", "Called back.")]
        upload = await self.upload()
        attached = {"attachments": [attachment(upload, Attaching(upload["_id"], "The receipt"), AGENT)]}
        more = {"versions": versions, "pins": [FOR_ALL], **attached}
        note = await self.note(ada, mentions=["grace"], linkIds=[sale["_id"]], **more)
        used = {"$set": {"noteId": note["_id"], "customerId": ada["_id"]}}
        await self.store.write("uploads", [UpdateOne({"_id": upload["_id"]}, used)])
        await self.activity(
            ada,
            "ADDRESS_DETAILS_MODIFIED",
            actor={**AGENT, "onBehalfOf": {"id": "alan", "name": "Alan Turing"}},
            attributes={
                "changedFields": ["street", "city"],
                "sum": {"amount": Decimal("12.50"), "currency": "EUR"},
                "whole": 1,
                "yes": True,
                "moment": NOW,
            },
            message="Moved house.",
            changes=[{"field": "jobTitle", "from": "Clerk", "to": "Countess"}],
            points=5,
            emailId=email["_id"],
            noteId=note["_id"],
            subjectId=coupon["_id"],
        )
        values: Document = {
            "amount": euros("12.50"),
            "list": ["one", "two"],
            "whole": 1,
            "yes": True,
            "moment": NOW,
        }
        outcome: Document = {
            "status": "ACTION_REQUIRED",
            "decided": True,
            "code": "waiting",
            "message": "Pay here.",
            "reference": "EX-1",
            "attributes": values,
            "resultIds": [sale["_id"]],
            **dict.fromkeys(("at", "recordedAt"), NOW),
            "by": AGENT,
        }
        request_id = new_id("requests")
        await self.request(
            ada,
            _id=request_id,
            kind="REFUND",
            status="ACTION_REQUIRED",
            attributes=values,
            targetId=sale["_id"],
            reason="Broken.",
            reference="EX-1",
            requestedBy={**AGENT, "id": "tess"},
            executor="ENDPOINT",
            endpoint="billing",
            deliveryStatus="SENT",
            attempts=2,
            error="Line was busy",
            dueAt=LATER,
            sentAt=NOW,
            outcomes=[outcome],
            link={"sealed": await seal(self.store, "https://pay.example.com/1", request_id), "expiresAt": LATER},
            expiresAt=LATER,
        )
        await self.activity(ada, "OLD_IMPORT", title="Imported by hand")
        reader = {"id": "grace", "name": "Grace Hopper", "roles": ["CS_ADMIN"]}
        await self.look(ada, viewer={**reader, "delegate": {"id": "alan", "name": "Alan Turing"}})
        await self.import_(undoneAt=NOW)
        reported = {"source": {"$ifNull": ["$source", "esuite"]}, "sourceId": "$_id"}
        for collection in {*COLLECTION_OF.values()} - {"customers"}:
            await self.store.write(collection, [UpdateMany({"customerId": ada["_id"]}, [{"$set": reported}])])
        return ada

    async def mirror(self, collection: str, customer: Document, **given: Any) -> Document:
        """Stores a row of what another system owns."""
        return await self._one(collection, customer, given)

    async def request(self, customer: Document, **given: Any) -> Document:
        """Stores a request to another system."""
        return await self._one("requests", customer, given)

    async def _mirrors(self, ada: Document) -> None:
        """Stores one of all that other systems own, with a value in every field."""
        item = {"name": "Premium", "quantity": 1, "amount": euros("12.50")}
        await self.mirror(
            "paymentInstruments",
            ada,
            brand="Visa",
            last4="4242",
            expMonth=12,
            expYear=2030,
            holder="Ada Lovelace",
            billingAddress=WHOLE["billingAddress"],
            fingerprint="f1",
            stickyGateway="gateway-1",
            bankName="Coutts",
            bankCountry="GB",
            digitalWallet="Apple Pay",
            lastPaymentAt=NOW,
        )
        order = await self.mirror(
            "orders",
            ada,
            items=[{**item, "plan": "premium-1"}],
            currentPeriod={"startAt": NOW, "endAt": LATER},
            **dict.fromkeys(("startAt", "renewsAt", "churnAt"), LATER),
            cancelledBy="CUSTOMER",
            cancelCategory="TOO_EXPENSIVE",
        )
        times = dict.fromkeys(("issuedAt", "dueAt", "paidAt"), NOW)
        due = {"status": "PARTIALLY_PAID", "sourceStatus": "partially-paid", "amountDue": euros("2.50")}
        invoice = await self.mirror("invoices", ada, orderId=order["_id"], **due, **times)
        await self.mirror(
            "quotes",
            ada,
            acceptance=[{"condition": "CUSTOMER", "fulfilled": True}],
            number="Q-1",
            recurringAmount=euros("12.50"),
            expiresAt=LATER,
            orderId=order["_id"],
            invoiceId=invoice["_id"],
        )
        memo = {"reason": "RETURN", "issuedAt": NOW, "items": [item]}
        await self.mirror("creditMemos", ada, invoiceId=invoice["_id"], **memo)
        wanted = {"type": "IDENTITY_PROOF", "subtypes": ["passport"], "maxAttempts": 3}
        request = await self.mirror("kycRequests", ada, documents=[wanted], reason="A large order", expiresAt=LATER)
        await self.mirror(
            "kycDocuments",
            ada,
            rejection={"type": "document-expired", "message": "It has expired."},
            subtype="passport",
            reviewer=AGENT,
            processedAt=NOW,
            reviewedAt=NOW,
            tags=["front"],
            requestId=request["_id"],
        )
        check = await self.mirror("amlChecks", ada)
        hit = {"name": "A. Lovelace", "listType": "PEP", "entityType": "INDIVIDUAL", "confidence": "WEAK"}
        await self.mirror(
            "amlChecks",
            ada,
            hits=[hit],
            trigger="SIGN_UP",
            priority="P2",
            reviewer=AGENT,
            reviewedAt=NOW,
            noMatchReason="Born in another year",
            inheritedFromId=check["_id"],
        )

    async def adjustment(self, customer: Document, **given: Any) -> Document:
        return await self._one("adjustments", customer, given)

    async def _one(self, collection: str, customer: Document, given: Document) -> Document:
        (document,) = await self.many(collection, customer, given)
        return document


def _activity(type_: str) -> Document:
    row = CATALOGUE.get(type_)
    return {"type": type_, "source": row.source if row else "esuite", "actor": SYSTEM, **copied(type_)}


def euros(amount: str) -> Document:
    """Returns an amount of money."""
    return {"amount": Decimal(amount), "currency": "EUR"}


def _mirror(source_status: str, time: str = "createdAt") -> Document:
    status = source_status.upper().replace("-", "_")
    return {"source": "billing", "status": status, "sourceStatus": source_status, time: NOW}


def _times() -> Document:
    return {"occurredAt": NOW, "recordedAt": NOW}


async def spoil(store: Store, collection: str, document_id: str, **values: Any) -> None:
    """Changes a document to what the validator would refuse."""
    change = {"q": {"_id": document_id}, "u": {"$set": values}}
    command = {"update": collection, "updates": [change], "bypassDocumentValidation": True}
    assert (await store.command(command))["n"] == 1
