"""Resolves what the router of a supergraph asks for: the SDL of this subgraph, and entities by their ids."""

from typing import Annotated, Any, cast

import strawberry

from app.domain.cursors import MAXIMUM_SIZE
from app.domain.ids import check_id
from app.domain.kinds import BY_TYPE
from app.domain.refusals import BadUserInput, unknown
from app.schema.base import Info, Source, result_or_error
from app.schema.federation import Representation, Subgraph, subgraph_sdl


def service(info: Info) -> Subgraph:
    return cast(Source, {"sdl": subgraph_sdl(info.schema)})


def entities(
    info: Info,
    representations: Annotated[
        list[Representation],
        strawberry.argument(description="The representations of the entities, of any type; at most 100."),
    ],
) -> list[Any]:
    if len(representations) > MAXIMUM_SIZE:
        raise BadUserInput(
            f"At most {MAXIMUM_SIZE} entities may be asked for at once; there are {len(representations)}.",
            "representations",
        )
    return [result_or_error(_entity, info, each) for each in representations]


def _entity(info: Info, representation: Representation) -> Source:
    type_name, node_id = (str(representation.get(key, "")) for key in ("__typename", "id"))
    if type_name not in BY_TYPE:
        raise unknown("entity type", type_name, BY_TYPE, "representations", "__typename")
    check_id(node_id, "representations", "id", expected=BY_TYPE[type_name].collection)
    return info.context.loaders.documents.defer(node_id)
