"""Declares imports: which files were brought in, by whom, and what became of their lines."""

from datetime import datetime
from typing import ClassVar

import strawberry

from app.schema.base import Node, SafeInt
from app.schema.enums import LineOutcome
from app.schema.people import Actor
from app.schema.rules import AUDIT, Access


@strawberry.type(description="A number of lines of one kind that came to the same outcome.")
class ImportCount:
    access: ClassVar[Access] = AUDIT

    kind: str = strawberry.field(description="The kind that the lines say, or `unreadable` for those that say none.")
    outcome: LineOutcome = strawberry.field(description="The outcome of these lines.")
    lines: SafeInt = strawberry.field(
        description="The number of lines. One that was parked and came in later is counted twice."
    )


@strawberry.type(description="An import: one file that was brought in at the command line.")
class Import(Node):
    access: ClassVar[Access] = AUDIT

    file_name: str = strawberry.field(description="The name of the file; - for standard input.")
    started_at: datetime = strawberry.field(description="The time when it began.")
    started_by: Actor = strawberry.field(description="Who began it.")
    finished_at: datetime | None = strawberry.field(
        description="The time when its last line was decided. Null while it runs, and of one that was interrupted."
    )
    undone_at: datetime | None = strawberry.field(description="The time when it was undone, as far as that could be.")
    lines: SafeInt = strawberry.field(
        description="The number of lines that were decided; while it runs, as of some seconds ago."
    )
    lines_read: SafeInt | None = strawberry.field(
        description="The number of lines that were read, as of some seconds ago. Null if that was not kept yet."
    )
    lines_held: SafeInt | None = strawberry.field(
        description="The number of those that wait for later lines: points are decided in the order of time."
    )
    counts: list[ImportCount] = strawberry.field(description="The outcomes of the lines, by kind.")
