"""Resolves customers: one by name, many by what they have in common."""

from typing import Annotated, cast

import strawberry

from app.domain.access import Permission
from app.domain.cursors import DEFAULT_SIZE
from app.domain.ids import check_id
from app.domain.listings import CUSTOMERS
from app.domain.refusals import Ambiguous
from app.domain.report import MAX_OPTIONS
from app.domain.search import address
from app.resolvers.segments import rows_of
from app.schema.base import Info, Source
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.customer_lists import CustomerFilter, CustomerOrder, CustomerTags
from app.schema.customers import Customer, CustomerBy
from app.schema.filters import search_term
from app.schema.segments import SegmentIdArgument


def customer(
    info: Info,
    by: Annotated[
        CustomerBy, strawberry.argument(description="How to identify the customer; exactly one field is set.")
    ],
) -> Customer | None:
    loaders = info.context.loaders
    if by.id:
        check_id(by.id.value, "by", "id", expected="customers")
        return cast(Source, loaders.documents.defer(by.id.value))
    name, viewer = _name(info, by), info.context.viewer

    def only(found: list[Source] | None) -> Source:
        """Returns the one customer that is found. Raises Ambiguous."""
        # By what is not theirs to read, nobody is found.
        found = [each for each in found or () if by.number or viewer.may(Permission.SEARCH_BY_CONTACT, each["_id"])]
        if len(found) > 1:
            raise Ambiguous("customers", "by", found=len(found))
        return found[0] if found else None

    return cast(Source, loaders.customers.defer(name, only))


def _name(info: Info, by: CustomerBy) -> tuple[str, ...]:
    """Returns the name as the loader knows it. Raises Forbidden."""
    if by.number:
        return ("number", search_term("number", by.number.value))
    info.context.viewer.require(Permission.SEARCH_BY_CONTACT)
    if by.email:
        return ("email", address(search_term("email", by.email.value)))
    assert by.identity  # @oneOf
    source, source_id = by.identity.value.source, by.identity.value.id
    for name, text in (("source", source), ("id", source_id)):
        search_term(name, text)  # it is compared as the source spells it
    return ("identity", source, source_id)


async def customers(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter: Annotated[
        CustomerFilter | None, strawberry.argument(description="Which rows to return. Default: all.")
    ] = None,
    order_by: Annotated[
        CustomerOrder | None, strawberry.argument(description="The sort order. Default: the segment's, or by name.")
    ] = None,
    segment_id: SegmentIdArgument = None,
) -> Connection[Customer] | None:
    rows = await rows_of(info, filter, order_by, segment_id)
    page = page_of_all(info, CUSTOMERS, rows.where, rows.sorting, first=first, after=after, last=last, before=before)
    return await page


async def customer_tags(
    info: Info,
    starts_with: Annotated[
        str | None,
        strawberry.argument(description="Only labels that begin with this text, whatever its case and accents."),
    ] = None,
) -> CustomerTags | None:
    info.context.viewer.require(Permission.SEARCH_BY_LABEL)
    prefix = "" if starts_with is None else search_term("startsWith", starts_with)
    values = await info.context.loaders.tags.load(prefix) or []
    return cast(Source, {"values": values[:MAX_OPTIONS], "hasMore": len(values) > MAX_OPTIONS})
