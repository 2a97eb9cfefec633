"""Decides where a customer came from: the latest answer, and the original one, which nobody overwrites. Pure."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from app.domain import changes

Document: TypeAlias = dict[str, Any]
LENGTHS: Final[Mapping[str, int]] = {
    **dict.fromkeys("medium source campaign term content affiliate subAffiliate salesAgent clickId path".split(), 512),
    "referrer": 2_083,
}
"""The fields, with the most characters of each."""


def read(given: Mapping[str, str | None]) -> Document:
    """Returns the values as they are stored; None clears a field. Raises Invalid, or Refusals with all faults."""

    def one(key: str, value: str | None) -> str | None:
        if value is None:
            return None
        return changes.text(value, key, at_most=LENGTHS[key], lines=False)

    return changes.read_each(given, one)


def updated(present: Mapping[str, Any] | None, values: Mapping[str, Any]) -> Document:
    """Returns the lead source with these values; None clears one. The first ones that there are stay the original."""
    before = present or {}
    after = {key: value for key in LENGTHS if (value := values.get(key, before.get(key))) is not None}
    original = before.get("original", after)
    return {**after, "original": original} if original else after
