"""Records activities by hand: "Add action"."""

from collections.abc import Mapping
from datetime import datetime

from app.catalogue import CATALOGUE
from app.catalogue.model import CatalogueType, Writers
from app.domain import changes
from app.domain.access import Forbidden, Role
from app.domain.attributes import AttributeProblems, Raw, parse_all
from app.domain.changes import Invalid
from app.domain.customers import balance
from app.domain.refusals import Refusal, no_such
from app.domain.times import lies_ahead
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.points import check_adjustable, earn_or_spend, entries_of, expiry_activities
from app.store.driver import Document


class UnknownActivityType(Refusal):
    code, field = "UNKNOWN_ACTIVITY_TYPE", ("type",)

    def __init__(self, given: str) -> None:
        super().__init__(no_such("activity type", given, CATALOGUE))


class PlatformOnlyType(Refusal):
    code, field = "PLATFORM_ONLY_TYPE", ("type",)

    def __init__(self, title: str) -> None:
        super().__init__(f'"{title}" is written by the change itself, never by hand.')


class SystemsOnlyType(Forbidden):
    """Raised if a person records what only a system can know; the client sees FORBIDDEN."""

    def __init__(self, title: str) -> None:
        super().__init__(f'"{title}" is recorded by the system that found it out, never by hand.', "type")


async def record(
    of: Changes,
    customer_id: str,
    type_: str,
    *,
    attributes: Mapping[str, str],
    message: str | None,
    occurred_at: datetime | None,
    amount: int | None,
    key: str,
) -> Wrote:
    """Records an activity that the catalogue allows, and earns ``amount`` points, or spends them if negative.

    The ledger's rules apply. Viewers who may not adjust as many points may not record them either.
    """
    row = CATALOGUE.get(type_)
    if row is None or not of.viewer.knows(row):
        raise UnknownActivityType(type_)
    if row.writers is Writers.NOBODY:
        raise PlatformOnlyType(row.title)
    if row.writers is Writers.SYSTEMS and not of.viewer.is_one_of({Role.API_USER, Role.ADMIN}):
        raise SystemsOnlyType(row.title)
    raws = changes.check(
        lambda: _read(row, attributes),
        lambda: message and changes.text(message, "message", at_most=changes.MESSAGE_AT_MOST),
        lambda: _check_time(occurred_at, of.now),
        lambda: changes.key(key),
    )
    message = message and changes.text(message, "message", at_most=changes.MESSAGE_AT_MOST)

    async def decide(customer: Document, session: Session) -> Effect:
        if occurred_at and occurred_at < customer["registeredAt"]:
            known = f"{customer['registeredAt']:%Y-%m-%d}"
            raise Invalid(f"occurredAt lies before the customer became known, on {known}.", "occurredAt")
        activity = of.activity(customer["_id"], type_, message=message, attributes=raws or None, points=amount or None)
        activity["occurredAt"] = occurred_at or of.now
        wrote: dict[str, str | list[str]] = {"activity": activity["_id"]}
        if not amount:
            return Effect(wrote, activity)
        await check_adjustable(of, customer_id, amount, session)
        at: datetime = activity["occurredAt"]
        posting = await earn_or_spend(of.store, customer, amount, now=of.now, occurred_at=at, session=session)
        own = {"idempotencyKey": key, "actor": activity["actor"]}
        entries = entries_of(posting, customer["_id"], of.now, own)
        activity["subjectId"] = entries[-1]["_id"]
        changed = {("customers", customer["_id"]): balance(posting.state)}
        first = expiry_activities(entries, of.now)
        new = {"points": entries}
        return Effect(wrote, activity, new=new, changed=changed, first=first, adjusted_points=abs(amount))

    given = {"customerId": customer_id, "type": type_, "attributes": dict(attributes), "message": message}
    given |= {"occurredAt": occurred_at, "points": amount}
    return await of.run_once("recordActivity", customer_id, key, given, decide)


def _read(row: CatalogueType, attributes: Mapping[str, str]) -> Mapping[str, Raw]:
    """Returns the attributes as they are stored. Raises Invalid, or Refusals for several that are wrong."""
    try:
        return parse_all(row.attributes, attributes)
    except AttributeProblems as problems:
        changes.raise_all([Invalid(sentence, "attributes", name) for name, sentence in problems.problems])
        raise  # never: there is a problem


def _check_time(occurred_at: datetime | None, now: datetime) -> None:
    if occurred_at and lies_ahead(occurred_at, now):
        raise Invalid("occurredAt lies in the future.", "occurredAt")
