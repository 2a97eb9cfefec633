"""Admits readers of the blocklist, systems that ask for values, and changes of it."""

from functools import partial
from typing import Annotated, cast

from app.domain import blocklist as rules
from app.domain.access import Permission
from app.domain.changes import Invalid
from app.domain.cursors import DEFAULT_SIZE
from app.domain.listings import BLOCKLIST
from app.domain.refusals import BadUserInput
from app.domain.vocabulary import BlocklistSource, BlocklistType
from app.resolvers.payloads import Input, make, make_new
from app.schema import blocklist as schema
from app.schema.base import Document, Info, Source
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.filters import few
from app.services import blocklist as service


def blocklist(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: schema.BlocklistFilterArgument = None,
) -> Connection[schema.BlocklistEntry] | None:
    info.context.viewer.require(Permission.READ_BLOCKLIST)
    where = (filter_ or schema.BlocklistFilter()).where()
    return page_of_all(info, BLOCKLIST, where, first=first, after=after, last=last, before=before)


def blocked(info: Info, values: schema.BlocklistValuesArgument) -> list[schema.BlocklistCheck] | None:
    info.context.viewer.require(Permission.READ_BLOCKLIST)
    few("values", values)
    now = info.context.now

    def check(entry: Document | None) -> Source:
        blocks = entry is not None and not rules.has_expired(entry, now)
        return {"blocked": blocks, "entry": entry if blocks else None}

    keys = [_key(each, f"{at}") for at, each in enumerate(values)]
    return cast(Source, [info.context.loaders.blocklist.defer(key, check) for key in keys])


def _key(given: schema.BlocklistValueInput, at: str) -> tuple[str, str]:
    try:
        return given.type.value, rules.read(BlocklistType(given.type), given.value, "values", at, "value")
    except Invalid as refusal:
        raise BadUserInput(str(refusal), *refusal.field) from None


async def add_to_blocklist(
    info: Info, input: Annotated[schema.AddToBlocklistInput, Input]
) -> schema.AddToBlocklistPayload | None:
    type_, customer_id = BlocklistType(input.type), input.customer_id
    field = "customerId"
    if customer_id is None and type_ is BlocklistType.CUSTOMER_ID:
        customer_id, field = input.value.strip(), "value"
    add = partial(
        service.add,
        type_=type_,
        value=input.value,
        customer_id=customer_id,
        expires_at=input.expires_at,
        source=BlocklistSource(input.source or BlocklistSource.MANUAL_BLOCKLISTS),
        reason=input.reason,
        key=input.idempotency_key,
    )
    if customer_id is None:
        return await make_new(info, "addToBlocklist", Permission.MANAGE_BLOCKLIST, add)
    about = "customers", field, customer_id
    return await make(info, "addToBlocklist", Permission.MANAGE_BLOCKLIST, about, lambda of, _customer: add(of))


async def remove_from_blocklist(
    info: Info, input: Annotated[schema.RemoveFromBlocklistInput, Input]
) -> schema.RemoveFromBlocklistPayload | None:
    return await make(
        info,
        "removeFromBlocklist",
        Permission.MANAGE_BLOCKLIST,
        ("blocklist", "entryId", input.entry_id),
        lambda of, entry: service.remove(of, entry, reason=input.reason, key=input.idempotency_key),
    )
