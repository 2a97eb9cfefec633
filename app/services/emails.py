"""Sends mails: one that was sent before, and new ones, which a change writes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.domain.changes import LimitExceeded, NotFound
from app.domain.emails import registered_address
from app.domain.ids import new_id
from app.domain.times import stored
from app.services.changes import Changes, Effect, Session, Wrote, activity_of
from app.services.letters import Letter
from app.services.points import SYSTEM
from app.services.writing import CustomerRows, change_customers
from app.store.driver import Document, Store

_WINDOW: Final = timedelta(days=1)


async def resend(of: Changes, email: Mapping[str, str], *, key: str) -> Wrote:
    """Sends a mail as it was sent the first time, to the address that is registered now.

    Raises NotFound, NoRegisteredEmail, LimitExceeded.
    """
    email_id, customer_id = email["_id"], email["customerId"]

    async def decide(customer: Document, session: Session) -> Effect:
        own = {"_id": email_id, "customerId": customer["_id"]}
        found = await of.store.find("emails", own, fields={"subject": 1}, session=session)
        if not found:
            raise NotFound("There is no such e-mail.", "emailId")
        to = registered_address(customer)
        await check_limits(of, customer["_id"], to, session, email_id=email_id)
        delivery = of.queued("deliveries", customer["_id"], emailId=email_id, to=to)
        activity = of.activity(
            customer["_id"],
            "EMAIL_RESENT",
            attributes={"emailSubject": found[0]["subject"], "toAddress": delivery["to"]},
            emailId=email_id,
            subjectId=email_id,
        )
        wrote = {"email": email_id, "delivery": delivery["_id"], "activity": activity["_id"]}
        return Effect({**wrote}, activity, new={"deliveries": [delivery]})

    return await of.run_once("resendEmail", customer_id, key, {"emailId": email_id}, decide)


async def check_limits(
    of: Changes, customer_id: str, to: str, session: Session, *, email_id: str | None = None
) -> None:
    """Raises LimitExceeded if too many mails were sent within a day, over all subjects.

    One click too many is no harm; a hundred are, to the customer and to our name with their mail server.
    """
    conditions: list[tuple[str, dict[str, str], int]] = [
        ("to this customer", {"customerId": customer_id}, of.outgoing.most_mails),
        ("to this address", {"to": to}, of.outgoing.most_mails),
    ]
    if email_id:
        conditions.insert(0, ("of this e-mail", {"emailId": email_id}, of.outgoing.most_sends))
    since = {"requestedAt": {"$gt": of.now - _WINDOW}}
    for what, condition, most in conditions:
        where, keys = {**condition, **since}, {"requestedAt": 1}
        newest = await of.store.find(
            "deliveries", where, fields=keys, sort={"requestedAt": -1}, limit=most, session=session
        )
        if len(newest) == most:
            again = newest[-1]["requestedAt"] + _WINDOW
            raise LimitExceeded(f"There were {most} deliveries {what} within a day. Try again after {again:%H:%M} UTC.")


async def written(
    of: Changes, customer: Document, letter: Letter, session: Session, *, file_ids: Sequence[str] = ()
) -> tuple[Document, ...]:
    """Returns a new mail and its delivery, to the registered address. Raises NoRegisteredEmail, LimitExceeded."""
    to = registered_address(customer)
    await check_limits(of, customer["_id"], to, session)
    email: Document = {
        "_id": new_id("emails"),
        "customerId": customer["_id"],
        "to": to,
        **letter._asdict(),
        **({"fileIds": list(file_ids)} if file_ids else {}),
    }
    return email, of.queued("deliveries", customer["_id"], emailId=email["_id"], to=to, first=True)


async def give_up(store: Store, delivery: Document, update: Document, reason: str) -> bool:
    """Updates a delivery that is still its relay's, and tells of it on the customer's timeline, both or neither.

    Returns False if somebody has taken it since. Raises StoreError.
    """
    ours = {"_id": delivery["_id"], "attempts": delivery["attempts"], "dueAt": {"$exists": True}}
    now = stored(datetime.now(UTC))

    async def body(rows: CustomerRows) -> bool:
        # Its customer may have been merged into another one since.
        found = await store.find("deliveries", ours, fields={"customerId": 1}, session=rows.session)
        if not found:
            return False
        rows.update("deliveries", found[0], update)
        emails = await store.find("emails", {"_id": delivery["emailId"]}, fields={"subject": 1}, session=rows.session)
        attributes = {"emailSubject": emails[0]["subject"]} if emails else {}
        activity = activity_of(
            found[0]["customerId"],
            "EMAIL_NOT_DELIVERED",
            SYSTEM,
            now,
            message=reason,
            attributes={**attributes, "toAddress": delivery["to"]},
            emailId=delivery["emailId"],
            subjectId=delivery["emailId"],
        )
        rows.insert("activities", [activity])
        return True

    return await change_customers(store, body, now=now)
