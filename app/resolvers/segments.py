"""Admits readers of saved segments, changes of them, and whoever lists or exports the customers of one."""

from collections.abc import Callable
from typing import Annotated, Final, NamedTuple, TypeVar

from app.domain import segments as rules
from app.domain.access import Permission, Role, Viewer
from app.domain.changes import NotFound
from app.domain.cursors import DEFAULT_SIZE
from app.domain.exports import choose_columns
from app.domain.ids import check_id
from app.domain.listings import SEGMENTS
from app.domain.paging import AnyOf, Sorting, Where
from app.domain.refusals import BadUserInput
from app.domain.segments import SegmentInvalid
from app.domain.vocabulary import ExportTable
from app.resolvers.payloads import Input, document_of, make, make_new
from app.schema import segments as schema
from app.schema.base import Document, Info
from app.schema.connection import After, Before, Connection, First, Last, page_of_all
from app.schema.customer_lists import CustomerFilter, CustomerOrder, check_order, visible_customers
from app.schema.inputs import input_of
from app.services import segments as service
from app.services.changes import Changes, Wrote

T = TypeVar("T")
_ANYBODY: Final = Viewer("", "", frozenset({Role.ADMIN}))


def segments(
    info: Info,
    first: First = DEFAULT_SIZE,
    after: After = None,
    last: Last = None,
    before: Before = None,
    filter_: schema.SegmentFilterArgument = None,
) -> Connection[schema.Segment] | None:
    viewer = info.context.viewer
    viewer.require(Permission.USE_SEGMENTS)
    where = (*(filter_ or schema.SegmentFilter()).where(viewer.subject), *rules.visible(viewer))
    by_name = Sorting("NAME", descending=False)
    return page_of_all(info, SEGMENTS, where, by_name, first=first, after=after, last=last, before=before)


async def create_segment(
    info: Info, input: Annotated[schema.CreateSegmentInput, Input]
) -> schema.CreateSegmentPayload | None:
    async def create(of: Changes) -> Wrote:
        _check(info, input)
        return await service.create(of, schema.values_of(input), key=input.idempotency_key)

    return await make_new(info, "createSegment", Permission.USE_SEGMENTS, create)


async def update_segment(
    info: Info, input: Annotated[schema.UpdateSegmentInput, Input]
) -> schema.UpdateSegmentPayload | None:
    async def update(of: Changes, segment: Document) -> Wrote:
        _check(info, input)
        return await service.update(of, segment, schema.values_of(input), key=input.idempotency_key)

    about = "segments", "segmentId", input.segment_id
    return await make(info, "updateSegment", Permission.USE_SEGMENTS, about, update)


async def star_segment(
    info: Info, input: Annotated[schema.StarSegmentInput, Input]
) -> schema.StarSegmentPayload | None:
    return await make(
        info,
        "starSegment",
        Permission.USE_SEGMENTS,
        ("segments", "segmentId", input.segment_id),
        lambda of, segment: service.star(of, segment, starred=input.starred, key=input.idempotency_key),
    )


async def delete_segment(
    info: Info, input: Annotated[schema.DeleteSegmentInput, Input]
) -> schema.DeleteSegmentPayload | None:
    async def delete(of: Changes) -> Wrote:
        check_id(input.segment_id, "segmentId", expected="segments")
        return await service.delete(of, input.segment_id, key=input.idempotency_key)

    payload = await make_new(info, "deleteSegment", Permission.USE_SEGMENTS, delete)
    gone = {} if payload["userErrors"] else {"deletedSegmentId": input.segment_id}
    return payload | gone


def _check(info: Info, input: schema.CreateSegmentInput | schema.UpdateSegmentInput) -> None:
    """Raises BadUserInput or Forbidden for what the viewer could not list or export."""
    filter_, order, columns = map(schema.plain, (input.filter, input.order_by, input.columns))
    (filter_ or CustomerFilter()).where(info.context.viewer)
    check_order(info, order or CustomerOrder())
    choose_columns(ExportTable.CUSTOMERS, columns, info.context.loaders.gate.masks)


# ---------------------------------------------------------------- used


class ChosenCustomers(NamedTuple):
    """It says which customers a list or an export has, in which order; ``columns`` are those of a saved segment."""

    where: Where
    sorting: Sorting
    columns: list[str] | None


async def rows_of(
    info: Info, filter_: CustomerFilter | None, order_by: CustomerOrder | None, segment_id: str | None
) -> ChosenCustomers:
    """Returns which customers the viewer asks for: by a filter, a saved segment or both.

    A segment is judged with the viewer's rights, and not with its owner's.

    Raises NotFound, SegmentInvalid, BadUserInput, Forbidden.
    """
    viewer = info.context.viewer
    segment: Document = {} if segment_id is None else await _segment(info, segment_id)
    schema_ = info.schema
    saved = as_saved(lambda: input_of(schema_, CustomerFilter, segment.get("filter", {})))
    order = order_by or as_saved(lambda: input_of(schema_, CustomerOrder, segment.get("orderBy", {})))
    check_order(info, order)
    asked = filter_ or CustomerFilter()
    as_saved(lambda: saved.where(_ANYBODY))  # what nobody may ask for any more, whoever the reader is
    where, of_segment = asked.where(viewer), saved.where(viewer)
    if of_segment:  # under a name of its own, since both may have a condition on one key
        where = (*where, ("segment?", AnyOf((of_segment,))))
    where = (*where, *await visible_customers(info))
    return ChosenCustomers(where, order.sorting(asked, saved), segment.get("columns"))


async def _segment(info: Info, segment_id: str) -> Document:
    check_id(segment_id, "segmentId", expected="segments")
    segment = await document_of(info, segment_id)
    if segment is None:
        raise NotFound("There is no such segment.", "segmentId")
    return segment


def as_saved(read: Callable[[], T]) -> T:
    """Returns what ``read`` makes of a stored segment. Raises SegmentInvalid: a later version may take less."""
    try:
        return read()
    except BadUserInput as stale:
        raise SegmentInvalid(str(stale)) from None
