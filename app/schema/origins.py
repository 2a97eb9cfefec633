"""Declares where rows come from: the system that reported them, and what they are called there."""

import strawberry


@strawberry.type
class Reported:
    """A row says what its source calls it, so that it can be found there."""

    source_id: str | None = strawberry.field(
        description="Its id in the system that reported it. Null if it was made here, or came in before ids were kept."
    )


@strawberry.type
class Imported(Reported):
    """A row that may have been made here, or have come in."""

    source: str | None = strawberry.field(
        description="The system that reported it. Null if it was made here, or came in before sources were kept."
    )
