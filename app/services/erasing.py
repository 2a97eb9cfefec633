"""Erases a customer: what says who they are goes at once, the rest in a job of its own (erase_job.py).

What happened, when, how much and by whom among the staff stays; the ledger adds up as before. Which values go is said
once, in store/schema.py and the catalogue.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from app.catalogue.external_requests import MONEY_KINDS, REQUEST_KINDS
from app.domain import changes, merging
from app.domain.changes import Invalid
from app.domain.customers import changed_keys
from app.domain.details import searchable
from app.domain.external_requests import RequestOpen
from app.domain.ids import new_id
from app.domain.import_forms import Identity
from app.domain.refusals import Refusal
from app.domain.vocabulary import CustomerStatus, DeliveryStatus, ErasureStatus, ExportStatus, PushStatus
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.external_requests import Asked, new_request
from app.services.row_jobs import counted
from app.services.statuses import status_change
from app.services.writing import CustomerRows
from app.store.driver import DeleteMany, Document, ReplaceOne, Store, UpdateMany
from app.store.personal import ERASED_NAME, without_personal
from app.store.schema import COLLECTIONS
from app.store.tombstones import tombstone_id

ERASED_ROWS: Final = tuple(
    name
    for name, each in COLLECTIONS.items()
    if "customerId" in {**each.required, **each.optional}
    and name not in ("audit", "idempotency", "erasures", "looks", "feed", "presence", "webhookDeliveries")
)
"""The collections that hold something of a customer. What is left out holds no more of one than the id."""
DELETED_ROWS: Final = ("files", "uploads")
"""Those of which nothing is left."""


class ErasureOutlook(NamedTuple):
    """An outlook says how many rows would go, and how many stay without what is personal."""

    counts: Mapping[str, int]
    blockers: Sequence[Refusal]


async def preview(store: Store, customer: Document) -> ErasureOutlook:
    """Returns what an erasure would do, with nothing written."""
    accounts = _accounts(customer)
    blockers = [*_blockers(customer), *await _open_money(store, accounts)]
    return ErasureOutlook(await counted(store, ERASED_ROWS, accounts), blockers)


async def anonymise(of: Changes, customer_id: str, *, confirm_number: str, reason: str, key: str) -> Wrote:
    """Erases the customer, with all accounts that were merged into theirs. Raises Invalid and what blocks it."""
    reason = changes.check(
        lambda: changes.text(reason, "reason", at_most=changes.REASON_AT_MOST), lambda: changes.key(key)
    )
    stubs: list[Document] = []

    async def lock(rows: CustomerRows, customer_id: str) -> Document:
        customer = await rows.lock(customer_id)
        stubs[:] = [await rows.lock(each) for each in customer.get("mergedFromIds", ())]
        return customer

    async def decide(customer: Document, session: Session) -> Effect:
        changes.raise_all([*_blockers(customer), *await _open_money(of.store, _accounts(customer), session)])
        if confirm_number != customer["number"]:
            raise Invalid("confirmNumber must be the number of this customer.", "confirmNumber")
        await _call_off(of.store, _accounts(customer), session, of.now)
        await _bury(of.store, customer, session, of.now)
        return await _effect(of, customer, stubs, reason, session)

    given = {"customerId": customer_id, "confirmNumber": confirm_number, "reason": reason}
    return await of.run_once("anonymiseCustomer", customer_id, key, given, decide, lock=lock)


async def _effect(of: Changes, customer: Document, stubs: Sequence[Document], reason: str, session: Session) -> Effect:
    activity = of.activity(customer["_id"], "CUSTOMER_ANONYMISED")
    accounts = _accounts(customer)
    counts = await counted(of.store, ERASED_ROWS, accounts, session)
    erasure: Document = {
        "_id": new_id("erasures"),
        "customerId": customer["_id"],
        "accountIds": accounts,
        "status": ErasureStatus.ERASING.value,
        "reason": reason,
        "erasedAt": of.now,
        "erasedBy": activity["actor"],
        "attempts": 0,
        "erased": 0,
        "total": sum(counts.values()),
        "dueAt": of.now,
    }
    requests, asked = await _ask_sources(of, customer, session)
    history = status_change(of, customer, CustomerStatus.ANONYMISED, activity["actor"])
    closed = {
        "status": CustomerStatus.ANONYMISED.value,
        "hasStatusDetails": True,
        "detailsRevision": customer["revision"],
    }
    return Effect(
        {"erasure": erasure["_id"], "activity": activity["_id"]},
        activity,
        new={"statuses": [history], "erasures": [erasure], "requests": requests},
        first=asked,
        changed={
            ("customers", customer["_id"]): _erased(customer) | closed,
            **{("customers", stub["_id"]): _erased(stub) for stub in stubs},
        },
    )


def _erased(customer: Document) -> Document:
    """Returns the keys of the customer's own document that change; None for one that goes."""
    left = without_personal("customers", customer) | {"name": ERASED_NAME}
    return changed_keys(customer, searchable({**left, "tags": left.get("tags", [])}))


def _accounts(customer: Document) -> list[str]:
    return [customer["_id"], *customer.get("mergedFromIds", ())]


def _blockers(customer: Document) -> list[Refusal]:
    found: list[Refusal] = []
    for check in (merging.check_open, merging.check_settled):
        try:
            check(customer, "customerId")
        except Refusal as refusal:
            found.append(refusal)
    return found


async def _open_money(store: Store, accounts: Sequence[str], session: Session = None) -> list[Refusal]:
    """Returns why money that is on its way keeps the customer from being erased."""
    where = {"customerId": {"$in": [*accounts]}, "open": True}
    found = await store.find("requests", where, session=session)
    money = [each for each in found if each["kind"] in MONEY_KINDS]
    return [RequestOpen(each, "Money is on its way", "customerId") for each in money]


async def _ask_sources(of: Changes, customer: Document, session: Session) -> tuple[list[Document], list[Document]]:
    """Returns the requests to erase the customer in each system that knows them, and their activities."""
    kind = REQUEST_KINDS["ERASE_AT_SOURCE"]
    requests, activities = list[Document](), list[Document]()
    for identity in customer.get("identities", ()):
        asked = Asked(None, {"source": identity["source"], "sourceCustomerId": identity["id"]})
        request, activity = await new_request(of, kind, customer, asked, session)
        requests.append(request)
        activities.append(activity)
    return requests, activities


async def _call_off(store: Store, accounts: Sequence[str], session: Session, now: datetime) -> None:
    """Calls off what is queued for the customer, and files that may hold them."""
    waiting = {"customerId": {"$in": [*accounts]}, "dueAt": {"$exists": True}}
    unset = dict.fromkeys(("dueAt", "giveUpAt", "error"), "")
    mails = UpdateMany(waiting, {"$set": {"status": DeliveryStatus.FAILED.value}, "$unset": unset})
    await store.write("deliveries", [mails], session=session)
    pushes = UpdateMany(waiting, {"$set": {"status": PushStatus.FAILED.value}, "$unset": unset})
    await store.write("pushes", [pushes], session=session)
    await call_off_exports(store, session, now)


async def call_off_exports(store: Store, session: Session, now: datetime) -> None:
    """Has all files of exports deleted, and none finished that is begun: whoever needs one asks again."""
    made = {"status": ExportStatus.DONE.value}
    underway = {"status": {"$in": [ExportStatus.QUEUED.value, ExportStatus.RUNNING.value]}}
    failed = {"status": ExportStatus.FAILED.value, "error": _EXPORT_OVER, "finishedAt": now, "dueAt": now}
    unset = dict.fromkeys(("slot", "position"), "")
    await store.write(
        "exports",
        [
            UpdateMany(made, {"$set": {"dueAt": now, "expiresAt": now}}),
            UpdateMany(underway, {"$set": failed, "$unset": unset}),
        ],
        session=session,
    )


_EXPORT_OVER: Final = "A customer was erased while it was made. Request it again."


async def _bury(store: Store, customer: Document, session: Session, now: datetime) -> None:
    """Remembers, without their ids, whose lines no import brings back; what is parked for them goes."""
    identities = [Identity(each["source"], each["id"]) for each in customer.get("identities", ())]
    stones = [{"_id": tombstone_id(each), "at": now} for each in identities]
    await store.write(
        "tombstones", [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in stones], session=session
    )
    parked = [DeleteMany({"identity.source": each.source, "identity.id": each.id}) for each in identities]
    await store.write("parked", parked, session=session)
