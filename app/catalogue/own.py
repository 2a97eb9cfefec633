"""Reads a company's own catalogue: activity types, fields of customers, titles in other languages (docs/catalogue.md).

The file is TOML. What is wrong with it is said at once, all of it, each with its place and a way out.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from app.catalogue.model import (
    ActivityGroup,
    AttributeKind,
    Audience,
    CatalogueAttribute,
    CatalogueField,
    CatalogueType,
    Origin,
    Writers,
    did_you_mean,
)

E = TypeVar("E", bound=StrEnum)

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_NAME: Final = re.compile(r"[a-z][A-Za-z0-9]{0,63}")
_ICON: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_TEXT_AT_MOST: Final = 200
_TYPES_AT_MOST: Final = 1_000
_ATTRIBUTES_AT_MOST: Final = 50
_FIELDS_AT_MOST: Final = 50
_VALUES_AT_MOST: Final = 100
_OURS: Final = "platform"
_KEYS: Final = ("version", "types", "titles", "customerFields")
_KEYS_OF_TYPE: Final = (
    *("code", "title", "titles", "description", "group", "icon", "source", "audience", "writers", "isNote"),
    "attributes",
)
_KEYS_OF_ATTRIBUTE: Final = ("name", "label", "labels", "kind", "required", "between", "personal")
_KEYS_OF_FIELD: Final = ("name", "label", "labels", "kind", "values", "audience", "personal", "filterable")
_KINDS_OF_FIELDS: Final = (
    *(AttributeKind.TEXT, AttributeKind.INTEGER, AttributeKind.DECIMAL, AttributeKind.BOOLEAN),
    *(AttributeKind.DATE, AttributeKind.DATETIME),
)


class BadCatalogue(ValueError):
    """Raised with all that is wrong with a company's own catalogue; whoever starts the gateway reads it."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True, slots=True)
class OwnCatalogue:
    """A company adds types and fields of customers, and gives titles in other languages to our types, by code."""

    version: str = ""
    rows: Sequence[CatalogueType] = ()
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    fields: Sequence[CatalogueField] = ()

    def joined(self, ours: Iterable[CatalogueType]) -> list[CatalogueType]:
        """Returns all types: ours, with these titles, and then its own."""
        return [*(replace(row, titles=self.titles.get(row.code, {})) for row in ours), *self.rows]


def read(text: str, ours: Iterable[CatalogueType]) -> OwnCatalogue:
    """Returns what a file says. Raises BadCatalogue."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise BadCatalogue(f"It is not TOML: {wrong}.") from None
    reader = _Reader({row.code: row for row in ours})
    own = reader.read(given)
    if reader.problems:
        raise BadCatalogue(*reader.problems)
    return own


class _Reader:
    def __init__(self, ours: Mapping[str, CatalogueType]) -> None:
        self._ours = ours
        self._codes = set(ours)
        self._icons = {row.icon for row in ours.values()}
        self.problems: list[str] = []

    def read(self, given: Mapping[str, Any]) -> OwnCatalogue:
        self._know(given, _KEYS, "the file")
        version = self._text(given, "version", "the file")
        rows = [self._type(each, at) for at, each in enumerate(self._tables(given, "types", _TYPES_AT_MOST), 1)]
        titles: dict[str, dict[str, str]] = {}
        for language, by_code in self._languages(given.get("titles", {}), "titles"):
            for code, title in self._table(by_code, f"titles.{language}").items():
                if code not in self._ours:
                    unknown = f"{code[:64]} is no type of the gateway{did_you_mean(code, self._ours)}"
                    self._wrong(f"titles.{language}", unknown)
                elif self._is_text(title):
                    titles.setdefault(code, {})[language] = title
                else:
                    self._wrong(f"titles.{language}.{code}", f"must be text of at most {_TEXT_AT_MOST} characters.")
        fields = [
            self._field(each, f"field number {at}")
            for at, each in enumerate(self._tables(given, "customerFields", _FIELDS_AT_MOST), 1)
        ]
        names = [each.name.casefold() for each in fields if each]  # lists compare names whatever their case
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._wrong("customerFields", f"two fields are called {name}.")
        return OwnCatalogue(version or "", [row for row in rows if row], titles, tuple(each for each in fields if each))

    def _type(self, given: Mapping[str, Any], at: int) -> CatalogueType | None:
        code = given.get("code")
        place = f"type {code}" if isinstance(code, str) and _CODE.fullmatch(code) else f"type number {at}"
        before = len(self.problems)
        self._know(given, _KEYS_OF_TYPE, place)
        if not (isinstance(code, str) and _CODE.fullmatch(code)):
            self._wrong(place, "needs a code of capitals, digits and _, such as PARCEL_LOST.")
            code = ""
        elif code in self._codes:
            whose = "the gateway's own" if code in self._ours else "another type's"
            self._wrong(place, f"this code is {whose}: give it another one, such as SHOP_{code}.")
        self._codes.add(code)
        title, source = self._text(given, "title", place), self._text(given, "source", place)
        if source and source.casefold() == _OURS:
            self._wrong(place, f"source must not be {_OURS}, which is the gateway itself.")
        icon = given.get("icon", code.lower().replace("_", "-"))
        if not (isinstance(icon, str) and _ICON.fullmatch(icon)):
            self._wrong(place, "icon must be words of small letters and digits with hyphens between.")
        elif icon in self._icons:
            self._wrong(place, f"the icon {icon} is another type's.")
        else:
            self._icons.add(icon)
        group = self._one_of(ActivityGroup, given, "group", place)
        audience = self._one_of(Audience, given, "audience", place)
        writers = self._one_of(Writers, given, "writers", place, Writers.SYSTEMS)
        description = given.get("description", title)
        is_note = self._flag(given, "isNote", place, otherwise=False)
        attributes = [
            self._attribute(each, f"{place}, attribute number {number}")
            for number, each in enumerate(self._tables(given, "attributes", _ATTRIBUTES_AT_MOST), 1)
        ]
        names = [each.name for each in attributes if each]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._wrong(place, f"has two attributes {name}.")
        if not self._is_text(description):
            self._wrong(place, f"description must be text of at most {_TEXT_AT_MOST} characters.")
        titles = self._translations(given, "titles", place)
        if len(self.problems) > before or not (title and source and group and audience and writers):
            return None
        return CatalogueType(
            *(code, title, str(description), group, str(icon), source, audience, writers, Origin.DOCUMENT, is_note),
            tuple(each for each in attributes if each),
            titles,
        )

    def _attribute(self, given: Mapping[str, Any], place: str) -> CatalogueAttribute | None:
        before = len(self.problems)
        self._know(given, _KEYS_OF_ATTRIBUTE, place)
        name = given.get("name")
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            self._wrong(place, "needs a name in camelCase, such as parcelNumber.")
        label = self._text(given, "label", place)
        kind = self._one_of(AttributeKind, given, "kind", place, AttributeKind.TEXT)
        required = self._flag(given, "required", place, otherwise=False)
        between = given.get("between")
        if between is not None and not (kind is AttributeKind.INTEGER and _is_range(between)):
            self._wrong(place, "between must be two whole numbers of an INTEGER, the lower one first.")
        # What a stranger writes may be about a person: an erasure takes it away unless the file says otherwise.
        personal = self._flag(given, "personal", place, otherwise=True)
        labels = self._translations(given, "labels", place)
        if len(self.problems) > before or not (isinstance(name, str) and label and kind):
            return None
        bounds = cast(tuple[int, int] | None, tuple(between) if between else None)
        return CatalogueAttribute(name, label, kind, required, bounds, personal, labels)

    def _field(self, given: Mapping[str, Any], place: str) -> CatalogueField | None:
        before = len(self.problems)
        self._know(given, _KEYS_OF_FIELD, place)
        name = given.get("name")
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            self._wrong(place, "needs a name in camelCase, such as loyaltyTier.")
        label = self._text(given, "label", place)
        kind = self._one_of(AttributeKind, given, "kind", place, AttributeKind.TEXT)
        if kind and kind not in _KINDS_OF_FIELDS:
            self._wrong(place, f"kind must be one of {', '.join(_KINDS_OF_FIELDS)}: a field has one plain value.")
        values: object = given.get("values", [])
        if values and kind is not AttributeKind.TEXT:
            self._wrong(place, "values belong to the kind TEXT.")
        elif not self._are_values(values):
            self._wrong(place, f"values must be a list of at most {_VALUES_AT_MOST} different texts on one line.")
        audience = self._one_of(Audience, given, "audience", place)
        # As with attributes: what says nothing may be about a person.
        personal = self._flag(given, "personal", place, otherwise=True)
        filterable = self._flag(given, "filterable", place, otherwise=False)
        labels = self._translations(given, "labels", place)
        if len(self.problems) > before or not (isinstance(name, str) and label and kind and audience):
            return None
        words = tuple(cast(list[str], values))
        return CatalogueField(name, label, kind, words, audience, personal, filterable, labels)

    def _are_values(self, values: object) -> bool:
        if not isinstance(values, list):
            return False
        given = cast(list[object], values)
        few = len(given) <= _VALUES_AT_MOST and all(self._is_text(each) for each in given)
        return few and len({str(each).casefold() for each in given}) == len(given)

    def _translations(self, given: Mapping[str, Any], key: str, place: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for language, text in self._languages(given.get(key, {}), f"{place}, {key}"):
            if self._is_text(text):
                found[language] = text
            else:
                self._wrong(f"{place}, {key}.{language}", f"must be text of at most {_TEXT_AT_MOST} characters.")
        return found

    # ------------------------------------------------------------ single values

    def _wrong(self, place: str, sentence: str) -> None:
        self.problems.append(f"In {place}: {sentence}" if place == "the file" else f"{place}: {sentence}")

    def _know(self, given: Mapping[str, Any], keys: Collection[str], place: str) -> None:
        for key in given.keys() - set(keys):
            self._wrong(place, f"{key[:64]} is unknown{did_you_mean(key, keys)}")

    def _table(self, given: object, place: str) -> Mapping[str, Any]:
        if isinstance(given, dict):
            return cast(Mapping[str, Any], given)
        self._wrong(place, "must be a table.")
        return {}

    def _tables(self, given: Mapping[str, Any], key: str, at_most: int) -> list[Mapping[str, Any]]:
        tables: object = given.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(each, dict) for each in cast(list[object], tables)):
            head = f"types.{key}" if key == "attributes" else key
            self._wrong(head, f"must be tables, each of which begins with [[{head}]].")
            return []
        if len(cast(list[object], tables)) > at_most:
            self._wrong(key, f"there are at most {at_most:,} of them.")
            return []
        return cast(list[Mapping[str, Any]], tables)

    def _languages(self, given: object, place: str) -> list[tuple[str, Any]]:
        table = self._table(given, place)
        for language in table:
            if not _LANGUAGE.fullmatch(language):
                self._wrong(place, f"{language[:64]} is no language tag, such as de or de-CH (BCP 47).")
        return [(language, value) for language, value in table.items() if _LANGUAGE.fullmatch(language)]

    def _text(self, given: Mapping[str, Any], key: str, place: str) -> str | None:
        value = given.get(key)
        if self._is_text(value):
            return str(value)
        self._wrong(place, f"{key} is required: text of at most {_TEXT_AT_MOST} characters on one line.")
        return None

    @staticmethod
    def _is_text(value: object) -> bool:
        return isinstance(value, str) and 0 < len(value.strip()) <= _TEXT_AT_MOST and value.isprintable()

    def _flag(self, given: Mapping[str, Any], key: str, place: str, *, otherwise: bool) -> bool:
        value = given.get(key, otherwise)
        if not isinstance(value, bool):
            self._wrong(place, f"{key} must be true or false.")
        return value is True

    def _one_of(
        self, kind: type[E], given: Mapping[str, Any], key: str, place: str, otherwise: E | None = None
    ) -> E | None:
        value = given.get(key, otherwise)
        if value in list(kind):
            return kind(value)
        self._wrong(place, f"{key} must be one of {', '.join(kind)}{did_you_mean(value, kind)}")
        return None


def _is_range(value: object) -> bool:
    if not isinstance(value, list) or len(cast(list[object], value)) != 2:
        return False
    low, high = cast(list[object], value)
    return type(low) is int and type(high) is int and low <= high
