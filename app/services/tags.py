"""Puts labels on a customer, and takes them off."""

from collections.abc import Callable

from app.domain import changes
from app.domain.changes import Invalid, LimitExceeded
from app.domain.search import folded
from app.services.changes import Changes, Effect, Session, Wrote
from app.store.driver import Document

_AT_MOST = 100
Decision = Callable[[list[str]], list[str]]
"""From the labels that the customer has to those they will have."""


async def put_on(of: Changes, customer_id: str, tag: str, *, key: str) -> Wrote:
    """Puts a label on a customer. Raises Invalid for an unusable text or a label that they have; LimitExceeded.

    Case and accents make no difference.
    """
    tag = changes.check(lambda: changes.text(tag, "tag", at_most=_AT_MOST, lines=False), lambda: changes.key(key))

    def decide(tags: list[str]) -> list[str]:
        if _same(tags, tag):
            raise Invalid(f'The customer has the tag "{tag}" already.', "tag")
        if len(tags) >= _AT_MOST:
            raise LimitExceeded(f"A customer has at most {_AT_MOST} tags; take one off first.", "tag")
        return [*tags, tag]

    return await _changed(of, "tagCustomer", "CUSTOMER_TAGGED", customer_id, tag, decide, key=key)


async def take_off(of: Changes, customer_id: str, tag: str, *, key: str) -> Wrote:
    """Takes a label off a customer. Raises Invalid for an unusable text or a label that they do not have.

    Case and accents make no difference.
    """
    tag = changes.check(lambda: changes.text(tag, "tag", at_most=_AT_MOST, lines=False), lambda: changes.key(key))

    def decide(tags: list[str]) -> list[str]:
        if not (found := _same(tags, tag)):
            raise Invalid(f'The customer has no tag "{tag}".', "tag")
        return [each for each in tags if each not in found]

    return await _changed(of, "untagCustomer", "CUSTOMER_UNTAGGED", customer_id, tag, decide, key=key)


async def _changed(
    of: Changes, mutation: str, type_: str, customer_id: str, tag: str, decide: Decision, *, key: str
) -> Wrote:
    async def effect(customer: Document, _session: Session) -> Effect:
        activity = of.activity(customer["_id"], type_, attributes={"tag": tag})
        labels = decide(customer["tags"])
        there = dict.fromkeys(map(folded, labels))
        copies: Document = {"searchTags": [*there] or None}
        if "tagSources" in customer:  # a label that was taken off belongs to no source any more
            copies["tagSources"] = [each for each in customer["tagSources"] if folded(each["tag"]) in there]
        changed = {("customers", customer["_id"]): {"tags": labels, **copies}}
        return Effect({"activity": activity["_id"]}, activity, changed=changed)

    return await of.run_once(mutation, customer_id, key, {"customerId": customer_id, "tag": tag}, effect)


def _same(tags: list[str], tag: str) -> list[str]:
    return [each for each in tags if folded(each) == folded(tag)]
