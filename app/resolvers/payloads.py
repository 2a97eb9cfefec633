"""Makes changes: one call each, one row of the audit log. What the rules refuse becomes data here and nowhere else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import strawberry
from strawberry.types.nodes import SelectedField

from app.domain.access import Forbidden, Permission
from app.domain.changes import Invalid, NotFound, check_card_numbers
from app.domain.ids import check_id, is_id_of
from app.domain.kinds import BY_COLLECTION
from app.domain.refusals import BadUserInput, Refusal
from app.schema import changes as schema
from app.schema.base import Document, Info, Source
from app.services.changes import Changes, Wrote, ids_of

Input = strawberry.argument(description="The change to make.")


async def make(
    info: Info,
    mutation: str,
    permission: Permission,
    about: tuple[str, str, str],
    change: Callable[[Changes, Document], Awaitable[Wrote]],
) -> Source:
    """Returns the payload. Accepted or refused, one row of the audit log says so. Raises Forbidden, BadUserInput.

    ``about`` is a collection, the input's field and the id in it; ``change`` gets the document as its viewer sees it.
    """
    collection, argument, node_id = about
    seen = None

    async def change_seen(of: Changes) -> Wrote:
        nonlocal seen
        check_id(node_id, argument, expected=collection)
        seen = await document_of(info, node_id)
        if seen is None:
            raise NotFound(f"There is no such {BY_COLLECTION[collection].noun}.", argument)
        info.context.viewer.require(permission, _owner(seen))
        check_texts(info)
        return await change(of, seen)

    return await _payload(info, mutation, permission, change_seen, lambda: _owner(seen) if seen else None)


async def make_new(
    info: Info, mutation: str, permission: Permission, create: Callable[[Changes], Awaitable[Wrote]]
) -> Source:
    """Returns the payload of a change that is about nothing yet: `make`, without it."""

    async def create_checked(of: Changes) -> Wrote:
        check_texts(info)
        return await create(of)

    return await _payload(info, mutation, permission, create_checked, lambda: None)


def check_texts(info: Info) -> None:
    """Raises CardNumber, or Refusals with several, for an input in which card numbers are. No mutation goes without."""
    field = cast(SelectedField, info.selected_fields[0])  # all that are merged into one have the same arguments
    check_card_numbers(field.arguments["input"])


def attributes_of(given: list[schema.AttributeInput] | None) -> dict[str, str]:
    """Returns attributes by name. Raises Invalid for one that is given twice."""
    attributes = {each.name: each.value for each in given or ()}
    if len(attributes) < len(given or ()):
        raise Invalid("An attribute is given twice.", "attributes")
    return attributes


def _owner(document: Document) -> str | None:
    """Returns the customer whom a change of the document concerns, if any."""
    return document["_id"] if is_id_of("customers", document["_id"]) else document.get("customerId")


async def _payload(
    info: Info,
    mutation: str,
    permission: Permission,
    change: Callable[[Changes], Awaitable[Wrote]],
    owner: Callable[[], str | None],
) -> Source:
    """Returns the payload; ``owner`` tells whom the change concerns, once that is known."""
    of: Changes = info.context.changes
    try:
        info.context.viewer.require(permission)  # for any customer at all, or nothing is said of this one
        wrote = await change(of)
    except Refusal as refusal:
        customer_id = owner()
        await of.audit(mutation).refused(of.store, refusal, customer_id=customer_id)
        if isinstance(refusal, Forbidden | BadUserInput):
            raise
        info.context.forget()
        customer = await document_of(info, customer_id) if customer_id else None
        shown = {name: await document_of(info, node_id) for name, node_id in refusal.shows.items()}
        return {"userErrors": schema.user_errors_of(refusal), "customer": customer, **shown}
    info.context.forget()
    customer_id = owner()
    written = {name: ids for name, ids in {"customer": customer_id, **wrote}.items() if ids}
    stored = of.take_stored()
    await info.context.loaders.take({node_id: stored[node_id] for node_id in ids_of(written) if node_id in stored})
    documents = await asyncio.gather(*(_written(info, ids, customer_id) for ids in written.values()))
    return {"userErrors": [], **dict(zip(written, documents, strict=True))}


async def document_of(info: Info, node_id: str) -> Source:
    """Returns the document; None if it is missing or not for this viewer."""
    return await info.context.loaders.documents.load(node_id)


async def _written(info: Info, ids: str | list[str], customer_id: str | None) -> Source:
    documents = info.context.loaders.documents
    several = [ids] if isinstance(ids, str) else ids
    if customer_id:
        for each in several:
            documents.near(each, (customer_id,))
    found = await asyncio.gather(*map(documents.load, several))
    return found[0] if isinstance(ids, str) else cast(Source, found)
