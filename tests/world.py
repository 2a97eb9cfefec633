"""Builds worlds: the fewest documents that a sentence needs, through the real store and its validators."""

from datetime import UTC, datetime, timedelta
from typing import Any

from app.catalogue import CATALOGUE
from app.domain import points
from app.domain.ids import new_id
from app.store.driver import Document, Store, UpdateOne

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SYSTEM = {"kind": "SYSTEM", "name": "System"}
AGENT = {"kind": "AGENT", "id": "agent-7", "name": "Grace Hopper", "accessLevel": "CUSTOMER_SERVICE_AGENT"}


def ago(**units: float) -> datetime:
    """So long before NOW."""
    return NOW - timedelta(**units)


class World:
    """Each method stores one document and returns it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._born = 0

    async def customer(self, **given: Any) -> Document:
        self._born += 1
        return await self._add(
            "customers",
            {
                "number": f"C-{self._born}",
                "name": f"Customer {self._born}",
                "registeredAt": ago(days=365),
                "paymentCount": 1,
                "tags": [],
                "status": "ACTIVE",
                "identities": [],
            },
            given,
        )

    async def activity(self, customer: Document, type_: str = "SUBSCRIPTION_RENEWED", **given: Any) -> Document:
        row = CATALOGUE.get(type_)
        copied = {
            "group": row.group.value if row else "OTHER",
            "isNote": row.is_note if row else False,
            "legacy": row is None,
        }
        shape = {"type": type_, "source": row.source if row else "esuite", "actor": SYSTEM, **copied}
        return await self._add("activities", {**_owned(customer), **shape, **_times()}, given)

    async def ledger(self, customer: Document, *postings: points.Posting) -> list[Document]:
        """Entries of one posting after another, and the state they leave."""
        shape = {**_owned(customer), **_times(), "actor": AGENT, "source": "platform"}
        entries = [
            {"_id": new_id("points"), **shape, **entry, "kind": entry["kind"].value}
            for posting in postings
            for entry in posting.entries
        ]
        await self.store.insert("points", entries)
        state = {"$set": {"points": postings[-1].state}}
        await self.store.write("customers", [UpdateOne({"_id": customer["_id"]}, state)])
        return entries

    async def coupon(self, customer: Document, **given: Any) -> Document:
        shape = {
            "code": "SAVE10",
            "type": "discount",
            "value": "10 %",
            "addedAt": NOW,
            "origin": "RULE",
            "redeemed": False,
        }
        return await self._add("coupons", {**_owned(customer), **shape}, given)

    async def transaction(self, customer: Document, **given: Any) -> Document:
        shape = {"number": "T-1", "type": "SALE", "occurredAt": NOW, "pointsAwarded": 0, "status": "ACCEPTED"}
        return await self._add("transactions", {**_owned(customer), **shape}, given)

    async def pass_(self, customer: Document, **given: Any) -> Document:
        shape = {"serialNumber": "S-1", "type": "APPLE", "createdAt": NOW, "updatedAt": NOW}
        return await self._add("passes", {**_owned(customer), **shape}, given)

    async def status(self, customer: Document, **given: Any) -> Document:
        return await self._add(
            "statuses", {**_owned(customer), "to": "BLOCKED", "actor": AGENT, "changedAt": NOW}, given
        )

    async def email(self, customer: Document, **given: Any) -> Document:
        return await self._add("emails", {**_owned(customer), "subject": "Your receipt", "to": "a@example.com"}, given)

    async def delivery(self, email: Document, **given: Any) -> Document:
        shape = {"customerId": email["customerId"], "emailId": email["_id"], "to": email["to"], "status": "SENT"}
        return await self._add("deliveries", {**shape, "attempts": 1, "requestedAt": NOW}, given)

    async def note(self, customer: Document, **given: Any) -> Document:
        shape: Document = {"message": "Called back.", "author": AGENT, "createdAt": NOW, "mentions": []}
        return await self._add("notes", {**_owned(customer), **shape}, given)

    async def _add(self, collection: str, shape: Document, given: Document) -> Document:
        document = {"_id": new_id(collection), **shape, **given}
        await self.store.insert(collection, [document])
        return document


def _owned(customer: Document) -> Document:
    return {"customerId": customer["_id"]}


def _times() -> Document:
    return {"occurredAt": NOW, "recordedAt": NOW}
