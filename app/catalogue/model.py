"""Defines a row of the catalogue, how it is written, and how a word near its name is found. Holds no rows."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class ActivityGroup(StrEnum):
    """A group holds the types that a timeline folds together."""

    CUSTOMER = "CUSTOMER"
    ADDRESS = "ADDRESS"
    STATUS = "STATUS"
    SUBSCRIPTION = "SUBSCRIPTION"
    ORDER = "ORDER"
    FULFILLMENT = "FULFILLMENT"
    BILLING = "BILLING"
    PAYMENT = "PAYMENT"
    REFUND = "REFUND"
    CREDIT_CONTROL = "CREDIT_CONTROL"
    EMAIL = "EMAIL"
    NOTE = "NOTE"
    POINTS = "POINTS"
    COUPON = "COUPON"
    TRANSACTION = "TRANSACTION"
    PASS = "PASS"  # noqa: S105 -- of the wallet, not a password
    MEMBERSHIP = "MEMBERSHIP"
    COMPLIANCE = "COMPLIANCE"
    REQUEST = "REQUEST"
    OTHER = "OTHER"


class AttributeKind(StrEnum):
    """The kind says how an attribute's value is stored and written; ``app.domain.attributes`` holds the forms."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    MONEY = "MONEY"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"
    LIST = "LIST"
    JSON = "JSON"


class Audience(StrEnum):
    """The audience says who may learn that such an activity exists, besides staff.

    STAFF: nobody. OWNER: the customer, and no affiliate, because that it happened is personal. CUSTOMER: everybody who
    sees the customer.
    """

    STAFF = "STAFF"
    OWNER = "OWNER"
    CUSTOMER = "CUSTOMER"


class Writers(StrEnum):
    """The writers are those who may record such an activity by hand; systems import theirs, whatever this says.

    PEOPLE: everybody who may record at all. SYSTEMS: administrators and the tokens of systems, because others would
    only claim what a system has found out. NOBODY: it is the trace of a change that something else makes.
    """

    PEOPLE = "PEOPLE"
    SYSTEMS = "SYSTEMS"
    NOBODY = "NOBODY"


class Origin(StrEnum):
    """DOCUMENT means that the source's document names the type, OURS that the document only implies it."""

    DOCUMENT = "DOCUMENT"
    OURS = "OURS"


class LocalName(NamedTuple):
    """A local name is one in another language, whose tag it has (BCP 47)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class CatalogueAttribute:
    """A type has attributes. ``between`` bounds an INTEGER, both ends included.

    ``personal`` ones say who the customer is, or something about them in free words: addresses, PANs, coupon codes,
    subjects. Each text says whether it is one; numbers, amounts and dates are not.
    """

    name: str
    label: str
    kind: AttributeKind = AttributeKind.TEXT
    required: bool = True
    between: tuple[int, int] | None = None
    personal: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """In other languages, by their tags."""

    @property
    def translations(self) -> list[LocalName]:
        return [LocalName(*each) for each in sorted(self.labels.items())]


@dataclass(frozen=True, slots=True)
class CatalogueField:
    """A field is one that a company's own catalogue adds to customers. ``values`` are all that a TEXT may be, if any.

    ``audience`` says who may read it besides staff. ``filterable`` lets lists of customers be narrowed by it.
    """

    name: str
    label: str
    kind: AttributeKind
    values: tuple[str, ...]
    audience: Audience
    personal: bool
    filterable: bool
    labels: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """In other languages, by their tags."""

    @property
    def translations(self) -> list[LocalName]:
        return [LocalName(*each) for each in sorted(self.labels.items())]


@dataclass(frozen=True, slots=True)
class CatalogueType:
    """A type is a row of the catalogue: documents store its ``code``, and people read its ``title``.

    The title is exactly what the source prints.
    """

    code: str
    title: str
    description: str
    group: ActivityGroup
    icon: str
    source: str
    audience: Audience
    writers: Writers
    origin: Origin
    is_note: bool
    attributes: tuple[CatalogueAttribute, ...]
    titles: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """In other languages, by their tags."""

    @property
    def translations(self) -> list[LocalName]:
        return [LocalName(*each) for each in sorted(self.titles.items())]


def activity_type(
    title: str,
    description: str,
    group: ActivityGroup,
    *attributes: CatalogueAttribute,
    source: str,
    origin: Origin,
    code: str | None = None,
    audience: Audience = Audience.CUSTOMER,
    writers: Writers | None = None,
    is_note: bool = False,
) -> CatalogueType:
    """Returns one row. Its code is by default the title in UPPER_SNAKE, its icon the code in kebab-case. Its code is
    the title in UPPER_SNAKE unless given, its icon the code in kebab-case.

    Writers default to PEOPLE; to SYSTEMS where it is for staff and about compliance.
    """
    if writers is None:
        is_finding = group is ActivityGroup.COMPLIANCE and audience is Audience.STAFF
        writers = Writers.SYSTEMS if is_finding else Writers.PEOPLE
    code = code or re.sub(r"\W+", "_", title).upper()
    icon = code.lower().replace("_", "-")
    return CatalogueType(code, title, description, group, icon, source, audience, writers, origin, is_note, attributes)


def nearest(word: str, options: Iterable[str]) -> str | None:
    """Returns the option that ``word`` most likely misspells, case aside; None when nothing is close."""
    return _nearest(word, frozenset(options))


def did_you_mean(word: object, options: Iterable[str], *, otherwise: str = ".") -> str:
    """Returns the end of a sentence about an unknown word: ``; did you mean EARNED?``, or ``otherwise``."""
    guess = nearest(word[:100], options) if isinstance(word, str) else None
    return f"; did you mean {guess}?" if guess else otherwise


@lru_cache(maxsize=1_024)  # the same mistake in each row of a page is one mistake
def _nearest(word: str, options: frozenset[str]) -> str | None:
    spelled = {option.casefold(): option for option in options}
    found = get_close_matches(word.casefold(), spelled, n=1)
    return spelled[found[0]] if found else None
