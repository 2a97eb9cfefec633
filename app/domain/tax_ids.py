"""Decides about a customer's tax ids, of which one is the default. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from app.domain import changes
from app.domain.changes import Invalid, LimitExceeded, NotFound
from app.domain.vocabulary import TaxIdType, TaxIdValidity

TaxIds: TypeAlias = Sequence[Mapping[str, Any]]
_AT_MOST: Final = 100
_EU_VAT: Final = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,12}")


def read(type_: TaxIdType, value: str) -> str:
    """Returns the value as it is stored: of a VAT number its capitals and digits. Raises Invalid."""
    given = changes.text(value, "value", at_most=50, lines=False)
    if type_ is TaxIdType.OTHER:
        return given
    plain = re.sub(r"[\s.\-]", "", given).upper()
    if not _EU_VAT.fullmatch(plain):
        raise Invalid("value must be a VAT number with its country, such as DE123456789.", "value")
    return plain


def add(present: TaxIds, type_: TaxIdType, value: str) -> list[dict[str, Any]]:
    """Returns the tax ids with one more, unchecked; the first one is the default. Raises Invalid, LimitExceeded."""
    if _place(present, type_, value) is not None:
        raise Invalid(f"The customer has the tax id {value} already.", "value")
    if len(present) >= _AT_MOST:
        raise LimitExceeded(f"A customer has at most {_AT_MOST} tax ids; remove one first.", "value")
    validity = TaxIdValidity.UNCHECKED.value
    return [*map(dict, present), {"type": type_.value, "value": value, "isDefault": not present, "validity": validity}]


def remove(present: TaxIds, type_: TaxIdType, value: str) -> list[dict[str, Any]]:
    """Returns the tax ids without this one; if it was the default, the first one becomes it. Raises NotFound."""
    place = _found(present, type_, value)
    rest = [dict(each) for at, each in enumerate(present) if at != place]
    return with_default(rest, next((at for at, each in enumerate(rest) if each["isDefault"]), 0))


def set_default(present: TaxIds, type_: TaxIdType, value: str) -> list[dict[str, Any]]:
    """Returns the tax ids with this one as the default. Raises NotFound."""
    return with_default(present, _found(present, type_, value))


def with_default(tax_ids: TaxIds, place: int) -> list[dict[str, Any]]:
    """Returns the tax ids with the one in that place as their default."""
    return [{**each, "isDefault": at == place} for at, each in enumerate(tax_ids)]


def _found(present: TaxIds, type_: TaxIdType, value: str) -> int:
    place = _place(present, type_, value)
    if place is None:
        raise NotFound(f"The customer has no tax id {value} of the type {type_}.", "value")
    return place


def _place(present: TaxIds, type_: TaxIdType, value: str) -> int | None:
    return next((at for at, each in enumerate(present) if (each["type"], each["value"]) == (type_, value)), None)
