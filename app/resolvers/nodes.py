"""Resolves anything that has an id."""

from typing import Annotated, cast

import strawberry

from app.domain.cursors import MAXIMUM_SIZE
from app.domain.ids import check_id
from app.domain.refusals import BadUserInput
from app.schema.base import Info, Node, Source, result_or_error


def node(
    info: Info,
    id: Annotated[strawberry.ID, strawberry.argument(description="The id of the node.")],
) -> Node | None:
    return _document(info, id, "id")


def nodes(
    info: Info,
    ids: Annotated[
        list[strawberry.ID], strawberry.argument(description="The ids of the nodes, of any type; at most 100.")
    ],
) -> list[Node | None]:
    if len(ids) > MAXIMUM_SIZE:
        raise BadUserInput(f"At most {MAXIMUM_SIZE} ids may be asked for at once; there are {len(ids)}.", "ids")
    return cast(Source, [result_or_error(_document, info, each, "ids") for each in ids])


def _document(info: Info, node_id: str, argument: str) -> Source:
    check_id(node_id, argument)
    return info.context.loaders.documents.defer(node_id)
