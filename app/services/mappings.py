"""Reads the mappings of a folder, by which exports of other systems come in over HTTP: docs/import.md."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from app.catalogue.model import did_you_mean
from app.domain import mappings
from app.domain.changes import Invalid
from app.domain.mappings import BadMapping

_ENDING: Final = ".toml"


@cache
def read_mappings(folder: Path) -> Mapping[str, mappings.Mapping]:
    """Returns each mapping of a folder by its file's name without `.toml`. Raises ValueError that says why not."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    read: dict[str, mappings.Mapping] = {}
    for file in sorted(folder.glob(f"*{_ENDING}")):
        try:
            read[file.stem] = mappings.read_mapping(file.read_text("utf-8"))
        except BadMapping as bad:
            raise ValueError(f"{file.name}: {' '.join(bad.sentences)}") from None
        except (OSError, UnicodeDecodeError) as unreadable:
            why = getattr(unreadable, "strerror", None) or "it is not UTF-8"
            raise ValueError(f"{file.name} cannot be read: {why}") from None
        except ImportError:
            raise ValueError("mappings need the package jq: pip install 'customer-gateway[mappings]'") from None
    if not read:
        raise ValueError(f"there is no mapping in {folder}: none ends with {_ENDING}")
    return read


def usable_mappings(folder: Path) -> Path:
    """Returns the folder unchanged. Raises ValueError."""
    read_mappings(folder)
    return folder


def mapping_named(name: str, there: Mapping[str, mappings.Mapping]) -> mappings.Mapping:
    """Raises Invalid, which says what there is."""
    if name in there:
        return there[name]
    others = f"There are {', '.join(there)}." if there else "There are none here: MAPPINGS is not set."
    raise Invalid(f"The mapping {name[:50]} is unknown{did_you_mean(name, there)} {others}", "mapping")
