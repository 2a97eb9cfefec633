"""Mails: one that was sent, sent again; and new ones, written by a change."""

from collections.abc import Mapping, Sequence

from app.domain.changes import NotFound
from app.domain.emails import registered_address
from app.domain.ids import new_id
from app.services.changes import Changes, Effect, Session, Wrote
from app.services.letters import Letter
from app.store.driver import Document


async def resend(of: Changes, email: Mapping[str, str], *, key: str) -> Wrote:
    """To the address that is registered now, as it was sent the first time. Raises NotFound, NoRegisteredEmail."""
    email_id, customer_id = email["_id"], email["customerId"]

    async def decide(customer: Document, session: Session) -> Effect:
        own = {"_id": email_id, "customerId": customer["_id"]}
        found = await of.store.find("emails", own, fields={"subject": 1}, session=session)
        if not found:
            raise NotFound("There is no such e-mail.", "emailId")
        delivery = of.queued("deliveries", customer["_id"], emailId=email_id, to=registered_address(customer))
        activity = of.activity(
            customer["_id"],
            "EMAIL_RESENT",
            attributes={"emailSubject": found[0]["subject"], "toAddress": delivery["to"]},
            emailId=email_id,
            subjectId=email_id,
        )
        wrote = {"email": email_id, "delivery": delivery["_id"], "activity": activity["_id"]}
        return Effect({**wrote}, activity, new={"deliveries": [delivery]})

    return await of.make("resendEmail", customer_id, key, {"emailId": email_id}, decide)


def written(of: Changes, customer: Document, letter: Letter, *, file_ids: Sequence[str] = ()) -> tuple[Document, ...]:
    """A new mail and its delivery, to the registered address. Raises NoRegisteredEmail."""
    email: Document = {
        "_id": new_id("emails"),
        "customerId": customer["_id"],
        "to": registered_address(customer),
        **letter._asdict(),
        **({"fileIds": list(file_ids)} if file_ids else {}),
    }
    return email, of.queued("deliveries", customer["_id"], emailId=email["_id"], to=email["to"], first=True)
