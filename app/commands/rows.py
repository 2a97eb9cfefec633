"""Takes the rows of another system's export from a file, by the mapping that a command line names."""

from pathlib import Path
from typing import BinaryIO

from app.commands.console import console, fail, text_of
from app.domain.mappings import BadMapping, BadZone, Mapping, read_mapping, zone_named
from app.services.importing.lines import Pipe
from app.services.importing.rows import MappedLines


def mapped_rows(file: BinaryIO, mapping: Path | None, timezone: str | None) -> MappedLines | None:
    """Returns the lines that a mapping makes of a file, if there is one; ends the command where it cannot be used."""
    if mapping:
        return MappedLines(file if file.seekable() else Pipe(file), mapping_of(mapping, timezone))
    if timezone:
        fail("--timezone is for times of a --mapping: lines say their offsets themselves.")
    return None


def tell_rows(rows: MappedLines) -> None:
    """Prints which rows were left out, and which columns are not there."""
    for sentence in rows.sentences():
        console.print(sentence, markup=False, soft_wrap=True)


def mapping_of(path: Path, timezone: str | None = None) -> Mapping:
    """Returns the mapping of a file; ends the command where it cannot be used."""
    try:
        zone = zone_named(timezone) if timezone else None
    except BadZone as bad:
        fail(f"--timezone {bad}")
    try:
        mapping = read_mapping(text_of(path))
        return mapping.in_zone(zone) if zone else mapping
    except BadMapping as bad:
        fail("\n".join(f"{path}: {sentence}" for sentence in bad.sentences))
    except ImportError:
        fail("Mappings need the package jq: pip install 'customer-gateway[mappings]'.")
