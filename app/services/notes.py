"""Adds notes to an account."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from app.domain import changes
from app.domain.changes import Invalid, NotFound
from app.domain.ids import check_id, new_id
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

_AT_MOST = 100


async def add(
    of: Changes,
    customer_id: str,
    message: str,
    *,
    mentions: Sequence[str],
    links: Sequence[str],
    key: str,
    is_there: Callable[[str], Awaitable[bool]],
) -> Wrote:
    """Adds a note. Raises Invalid, and NotFound for a link to what does not exist for this viewer.

    Invalid: an unusable text, or more than 100 mentions or links. BadUserInput: a link that is not an id.
    """
    message = changes.check(
        lambda: changes.text(message, "message", at_most=changes.MESSAGE_AT_MOST),
        lambda: [changes.text(mention, "mentions", at_most=100, lines=False) for mention in mentions],
        *(partial(_check_number, name, given) for name, given in (("mentions", mentions), ("links", links))),
        lambda: changes.key(key),
    )
    mentions = [changes.text(mention, "mentions", at_most=100, lines=False) for mention in mentions]
    for link in links:
        check_id(link, "links")

    async def decide(customer: Document, _session: Session) -> Effect:
        for link in dict.fromkeys(links):
            if not await is_there(link):
                raise NotFound(f"There is nothing with the id {link[:100]}.", "links")
        activity = of.activity(customer["_id"], "NOTE_ADDED", message=message)
        note: Document = {
            "_id": new_id("notes"),
            "customerId": customer["_id"],
            "message": message,
            "author": activity["actor"],
            "createdAt": of.now,
            "mentions": mentions,
            "linkIds": list(links),
        }
        activity |= {"noteId": note["_id"], "subjectId": note["_id"]}
        return Effect({"note": note["_id"], "activity": activity["_id"]}, activity, new={"notes": [note]})

    given = {"customerId": customer_id, "message": message, "mentions": mentions, "links": list(links)}
    return await of.run_once("addNote", customer_id, key, given, decide)


def _check_number(name: str, given: Sequence[str]) -> None:
    if len(given) > _AT_MOST:
        raise Invalid(f"A note has at most {_AT_MOST} {name}; this one has {len(given)}.", name)
