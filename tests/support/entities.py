"""What the router of a supergraph sends for a document."""

from app.domain.ids import collection_of
from app.domain.kinds import BY_COLLECTION


def representation_of(node_id: str) -> dict[str, str]:
    """Returns the representation of the entity with this id."""
    return {"__typename": BY_COLLECTION[collection_of(node_id)].type, "id": node_id}
