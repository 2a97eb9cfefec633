"""Mails wallet passes again, and informs their provider that they should be updated."""

from collections.abc import Mapping

from app.domain.changes import Invalid, NotFound
from app.domain.refusals import Refusal
from app.services import emails
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document


class WalletOff(Refusal):
    code = "WALLET_OFF"

    def __init__(self) -> None:
        super().__init__("No wallet service is connected: passes can be looked at and mailed, but nobody informed.")


async def email(of: Changes, pass_: Mapping[str, str], *, key: str) -> Wrote:
    """Mails the pass's file, else its download link. Raises NotFound, Invalid if it has neither, NoRegisteredEmail."""

    async def decide(customer: Document, session: Session) -> Effect:
        found = await _found(of, pass_, session)
        file_ids, link = [found["fileId"]] if "fileId" in found else [], found.get("downloadUrl")
        if not (file_ids or link):
            raise Invalid("This pass has neither a file nor a download link: there is nothing to mail.", "passId")
        words = {"name": customer["name"], "reward": found.get("reward"), "link": None if file_ids else link}
        letter = of.outgoing.letters.write("pass", **words)
        mail, delivery = await emails.written(of, customer, letter, session, file_ids=file_ids)
        activity = of.activity(
            customer["_id"],
            "PASS_EMAILED",
            attributes={"passId": found["serialNumber"], "toAddress": delivery["to"]},
            emailId=mail["_id"],
            subjectId=found["_id"],
        )
        wrote = {"pass": found["_id"], "email": mail["_id"], "delivery": delivery["_id"], "activity": activity["_id"]}
        return Effect({**wrote}, activity, new={"emails": [mail], "deliveries": [delivery]})

    return await of.run_once("emailPass", pass_["customerId"], key, {"passId": pass_["_id"]}, decide)


async def push(of: Changes, pass_: Mapping[str, str], *, key: str) -> Wrote:
    """Queues a message to the wallet service; whether the pass changes then is its own affair.

    Raises WalletOff, NotFound.
    """
    if not of.outgoing.wallet:
        raise WalletOff

    async def decide(customer: Document, session: Session) -> Effect:
        found = await _found(of, pass_, session)
        pushed = of.queued("pushes", customer["_id"], passId=found["_id"])
        activity = of.activity(
            customer["_id"],
            "PASS_PUSHED",
            attributes={"passId": found["serialNumber"], "passProvider": found["type"]},
            subjectId=found["_id"],
        )
        wrote = {"pass": found["_id"], "push": pushed["_id"], "activity": activity["_id"]}
        return Effect({**wrote}, activity, new={"pushes": [pushed]})

    return await of.run_once("pushPass", pass_["customerId"], key, {"passId": pass_["_id"]}, decide)


async def _found(of: Changes, pass_: Mapping[str, str], session: Session) -> Document:
    """Returns the pass as it is inside the transaction. Raises NotFound."""
    own = {"_id": pass_["_id"], "customerId": pass_["customerId"]}
    found = await of.store.find("passes", own, session=session)
    if not found:
        raise NotFound("There is no such pass.", "passId")
    return found[0]
