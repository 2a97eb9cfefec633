"""Holds the activity types of every source system as data: rows and look-ups, no rules.

A code is the title in UPPER_SNAKE. Where titles collide (case aside), the first keeps the bare code, in the order
esuite, platform, overview, billing, callcenter, loyalty; the others write ``SOURCE_`` before theirs. Documents store
codes, so a prefix stands in its row and is never computed: a source added later renames nothing.

Two codes are exceptions, each explained in its row: SUBSCRIPTION_BILLING_FAILED and BILLING_CUSTOMER_BLOCKLISTED.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from app.catalogue import billing, callcenter, esuite, gateway, loyalty, overview, own
from app.catalogue.model import ActivityGroup, Audience, CatalogueType, nearest
from app.catalogue.own import BadCatalogue, OwnCatalogue

__all__ = [
    "ATTRIBUTE_NAMES",
    "CATALOGUE",
    "NOTE_TYPES",
    "OURS",
    "OWN",
    "PERSONAL",
    "SOURCES",
    "BadCatalogue",
    "OwnCatalogue",
    "by_code",
    "copied",
    "nearest",
    "read_own",
    "rules_of_copies",
    "types_in",
]


def by_code(rows: Iterable[CatalogueType]) -> Mapping[str, CatalogueType]:
    """Returns the rows by code, read-only, in the given order. Raises ValueError if two share a code or an icon."""
    rows = tuple(rows)
    counted = Counter(f"code {row.code}" for row in rows) + Counter(f"icon {row.icon}" for row in rows)
    if shared := [key for key, count in counted.items() if count > 1]:
        raise ValueError(f"Two activity types share {', '.join(shared)}: prefix the later one with its source.")
    return MappingProxyType({row.code: row for row in rows})


OURS = by_code(
    (*esuite.ROWS, *overview.ROWS, *callcenter.ROWS, *billing.ROWS, *loyalty.ROWS, *gateway.ROWS),
)


def read_own(path: str | Path) -> OwnCatalogue:
    """Returns what a company's own file says. Raises BadCatalogue."""
    try:
        return own.read(Path(path).read_text("utf-8"), OURS.values())
    except (OSError, UnicodeDecodeError) as unreadable:
        reason = getattr(unreadable, "strerror", None) or "it is not UTF-8"
        raise BadCatalogue(f"{path} cannot be read: {reason}.") from None


def _own() -> OwnCatalogue:
    """Returns the company's own catalogue; an empty one if its file is bad, which the settings then say.

    Modules ask for the catalogue while they are imported, and types are made of it: there is no later moment.
    """
    with suppress(BadCatalogue):
        if path := os.environ.get("CATALOGUE"):
            return read_own(path)
    return OwnCatalogue()


OWN = _own()
CATALOGUE = by_code(OWN.joined(OURS.values()))
SOURCES = tuple(dict.fromkeys(row.source for row in CATALOGUE.values()))
ATTRIBUTE_NAMES = frozenset(each.name for row in CATALOGUE.values() for each in row.attributes)
PERSONAL = frozenset(each.name for row in CATALOGUE.values() for each in row.attributes if each.personal)
CUSTOMER_FIELDS = {each.name: each for each in OWN.fields}
NOTE_TYPES = frozenset(row.code for row in CATALOGUE.values() if row.is_note)


def types_in(groups: Collection[ActivityGroup] | None = None, source: str | None = None) -> tuple[CatalogueType, ...]:
    """Returns the types of these groups and this source in the catalogue's order; None does not narrow."""
    return tuple(
        row
        for row in CATALOGUE.values()
        if (groups is None or row.group in groups) and (source is None or row.source == source)
    )


def copied(code: str) -> dict[str, object]:
    """Returns what an activity's document copies from the catalogue because indexes need it.

    The catalogue does not say who may learn of a legacy entry, so customers may not.
    """
    row = CATALOGUE.get(code)
    if row is None:
        return {"group": ActivityGroup.OTHER.value, "isNote": False, "audience": Audience.STAFF.value, "legacy": True}
    return {"group": row.group.value, "isNote": row.is_note, "audience": row.audience.value, "legacy": False}


def rules_of_copies() -> dict[str, dict[str, object]]:
    """Returns ``copied`` of every type, and of an unknown one."""
    return {code: copied(code) for code in (*CATALOGUE, "")}
