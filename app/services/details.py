"""Creates customers, and edits what they are called and how they are reached."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from app.domain import changes, details, lead_source, tax_ids
from app.domain.customers import NEW, changed_keys
from app.domain.details import IdentityTaken, NumberTaken, Stale
from app.domain.ids import derived_id
from app.domain.import_forms import OURS, SOURCE, TEXT, Identity
from app.domain.tax_ids import TaxIds
from app.domain.vocabulary import TaxIdType
from app.services.changes import Changes, Effect, Session, Wrote, nobody_yet
from app.store.driver import Document, DuplicateKey, OutOfTime

_TRIES = 5


async def create(of: Changes, given: Mapping[str, Any], *, identity: Identity | None, key: str) -> Wrote:
    """Creates a customer. Raises Invalid, NumberTaken, IdentityTaken.

    Without a number they get one. It is no refusal if they resemble somebody.
    """
    values = changes.check(
        lambda: details.read(given, now=of.now, roles=of.viewer.roles),
        partial(_check_identity, identity),
        lambda: changes.key(key),
    )
    name = values.get("name") or details.full_name(values)
    if not name:
        raise changes.Invalid("Give a name, a first or last name, an organization or an e-mail address.", "name")
    # The same for the same key, so that a customer is created once.
    customer_id = derived_id("customers", source=OURS, source_id=f"{of.viewer.subject}\0{key}")

    async def decide(customer: Document, session: Session) -> Effect:
        number = values.get("number") or f"G{secrets.randbelow(10**9):09}"
        await _check_free(of, customer_id, number, identity, session)
        born: Document = {**NEW, **customer, "registeredAt": of.now}
        after, _ = details.edit(born, {**values, "number": number, "name": name})
        after["identities"] = [identity._asdict()] if identity else []
        activity = of.activity(customer_id, "CUSTOMER_CREATED")
        wrote = {"customer": customer_id, "activity": activity["_id"]}
        return Effect(wrote, activity, customer={**after, "detailsRevision": 1})

    asked = {**given, "identity": identity and [*identity]}
    return await _run_again_if_taken(
        lambda: of.run_once("createCustomer", customer_id, key, asked, decide, lock=nobody_yet)
    )


async def update(
    of: Changes, customer_id: str, given: Mapping[str, Any], *, expected_revision: int | None, key: str
) -> Wrote:
    """Changes the details that are given; None clears one. Raises Invalid, NumberTaken, Stale, CustomerClosed.

    Nothing is written where every value is there already.
    """
    roles = of.viewer.roles_on(customer_id)
    values = changes.check(lambda: details.read(given, now=of.now, roles=roles), lambda: changes.key(key))
    if not values:
        raise changes.Invalid("Give at least one detail to change.")

    async def decide(customer: Document, session: Session) -> Effect:
        last = customer.get("detailsRevision", 0)
        if expected_revision is not None and last > expected_revision:
            raise Stale(expected_revision, last)
        number = values.get("number", customer["number"])
        if number != customer["number"]:
            await _check_free(of, customer_id, number, None, session)
        return edited(of, customer, values)

    asked = {"customerId": customer_id, **given}
    if expected_revision is not None:
        asked["expectedRevision"] = expected_revision
    return await _run_again_if_taken(lambda: of.run_once("updateCustomer", customer_id, key, asked, decide))


async def _run_again_if_taken(run: Callable[[], Awaitable[Wrote]]) -> Wrote:
    """Runs a change again if another one takes its number or identity at the same moment: the next run finds whose."""
    for _ in range(_TRIES):
        with suppress(DuplicateKey):
            return await run()
    raise OutOfTime("too many customers take this number or identity at once")


def edited(of: Changes, customer: Document, values: Mapping[str, Any]) -> Effect:
    """Returns the effect of an edit: the customer with these values, and the activity that tells what changed.

    If nothing changes, the effect has no activity.
    """
    after, differences = details.edit(customer, values)
    if not differences:
        return Effect({}, None)
    activity = of.activity(customer["_id"], "CUSTOMER_UPDATED", **details.told(differences))
    changed = changed_keys(customer, after) | {"detailsRevision": customer["revision"]}
    return Effect({"activity": activity["_id"]}, activity, changed={("customers", customer["_id"]): changed})


async def _check_free(of: Changes, customer_id: str, number: str, identity: Identity | None, session: Session) -> None:
    """Raises NumberTaken or IdentityTaken if another customer has it."""

    async def is_taken(where: Document) -> bool:
        others = {**where, "_id": {"$ne": customer_id}}
        return bool(await of.store.find("customers", others, fields={"_id": 1}, limit=1, session=session))

    if await is_taken({"number": number}):
        raise NumberTaken(number)
    if identity and await is_taken(
        {"identities": {"$elemMatch": identity._asdict()}, "identities.id": {"$exists": True}}
    ):
        raise IdentityTaken(identity)


def _check_identity(identity: Identity | None) -> None:
    if identity is None:
        return
    changes.check(
        lambda: changes.formed(SOURCE, identity.source, "identity", "source"),
        lambda: changes.formed(TEXT, identity.id, "identity", "id"),
    )


# ---------------------------------------------------------------- details with mutations of their own

ChangeTaxIds: TypeAlias = Callable[[TaxIds, TaxIdType, str], list[Document]]


async def change_tax_ids(
    of: Changes, mutation: str, change: ChangeTaxIds, customer_id: str, type_: TaxIdType, value: str, *, key: str
) -> Wrote:
    """Changes the customer's tax ids. Raises Invalid, NotFound, LimitExceeded."""
    value = changes.check(lambda: tax_ids.read(type_, value), lambda: changes.key(key))

    async def decide(customer: Document, _session: Session) -> Effect:
        return edited(of, customer, {"taxIds": change(customer.get("taxIds", []), type_, value) or None})

    given = {"customerId": customer_id, "type": type_.value, "value": value}
    return await of.run_once(mutation, customer_id, key, given, decide)


async def update_lead_source(of: Changes, customer_id: str, given: Mapping[str, str | None], *, key: str) -> Wrote:
    """Changes where the customer came from; None clears a field. Raises Invalid."""
    values = changes.check(lambda: lead_source.read(given), lambda: changes.key(key))
    if not values:
        raise changes.Invalid("Give at least one field to change.")

    async def decide(customer: Document, _session: Session) -> Effect:
        return edited(of, customer, {"leadSource": lead_source.updated(customer.get("leadSource"), values) or None})

    return await of.run_once("updateLeadSource", customer_id, key, {"customerId": customer_id, **given}, decide)
