"""Declares what all types have in common that another system owns, and this gateway only shows."""

from typing import Final

import strawberry

from app.schema.origins import Reported
from app.schema.owner import owner

STATUS: Final = "The status in our words. OTHER: we have no word for it, see `sourceStatus`."
"""Describes the field ``status`` of each of them."""


@strawberry.type
class Mirror(Reported):
    """A mirror shows a row as its source has it. It is imported, and never edited here."""

    source: str = strawberry.field(description="The system that owns it and reports it.")
    source_status: str = strawberry.field(description="The status exactly as the source has it.")
    customer = owner()
