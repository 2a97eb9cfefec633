"""Turns what another system exports into lines of an import, as a mapping says: docs/import.md. Pure.

A mapping is a file of TOML: how the export is written, and a program of jq that makes lines of a row. What jq makes
need not be exact yet: `natural` makes of epoch seconds, minor units and decimal commas what a line says.
"""

from app.domain.mappings.mapping import BadMapping, BadZone, Mapped, Mapping, RowProblem, read_mapping, zone_named
from app.domain.mappings.natural import Habits, exact_line

__all__ = [
    "BadMapping",
    "BadZone",
    "Habits",
    "Mapped",
    "Mapping",
    "RowProblem",
    "exact_line",
    "read_mapping",
    "zone_named",
]
