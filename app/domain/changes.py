"""Checks what all changes have in common before anything is read: input, a key, texts that can be stored. Pure."""

import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

from app.domain.access import Forbidden, Role, Viewer
from app.domain.card_numbers import places_of
from app.domain.import_forms import Form
from app.domain.refusals import Refusal, Refusals
from app.domain.search import cleaned, is_visible
from app.domain.vocabulary import ActorKind

T = TypeVar("T")
KEY_AT_MOST: Final = 128
REASON_AT_MOST: Final = 1_000
MESSAGE_AT_MOST: Final = 10_000

_NO_TEXT: Final = ("Cc", "Cs", "Zl", "Zp")

_BY_WEIGHT: Final = (
    Role.ADMIN,
    Role.CS_ADMIN,
    Role.CUSTOMER_SERVICE_AGENT,
    Role.SALES_REP,
    Role.FINANCE,
    Role.API_USER,
    Role.AFFILIATE,
    Role.CUSTOMER,
)


class Invalid(Refusal):
    code = "INVALID"


class CardNumber(Invalid):
    """Raised for a text that holds the number of a card: none is stored. The client sees a user error."""

    code = "CARD_NUMBER"

    def __init__(self, *field: str) -> None:
        name = next((each for each in reversed(field) if not each.isdecimal()), field[-1])  # not a place in a list
        message = f"{name} holds what may be the number of a card, and none is stored. Give its last four digits."
        super().__init__(message, *field)


class NotFound(Refusal):
    code = "NOT_FOUND"


class LimitExceeded(Refusal):
    code = "LIMIT_EXCEEDED"


class IdempotencyConflict(Refusal):
    code, field = "IDEMPOTENCY_CONFLICT", ("idempotencyKey",)

    def __init__(self) -> None:
        super().__init__("This key has made another change: make a new key for a new change.")


def text(value: str, *field: str, at_most: int, lines: bool = True) -> str:
    """Returns the text as it is stored: composed, without blank ends. ``lines`` admits line breaks of all systems.

    Raises Invalid for a text that is too long, of which nothing can be seen, or that holds control characters.
    """
    unified = value.replace("\r\n", "\n").replace("\r", "\n") if lines else value
    stripped = unicodedata.normalize("NFC", unified).strip()
    if not is_visible(stripped):
        raise Invalid(f"{field[-1]} must not be empty or invisible.", *field)
    if len(stripped) > at_most:
        raise Invalid(f"{field[-1]} may have {at_most:,} characters; it has {len(stripped):,}.", *field)
    allowed = "\n\t" if lines else ""
    if any(unicodedata.category(character) in _NO_TEXT and character not in allowed for character in stripped):
        beyond = "control characters or broken ones" if lines else "line breaks, control characters or broken ones"
        raise Invalid(f"{field[-1]} must not hold {beyond}.", *field)
    return stripped if lines else cleaned(stripped)


def check(first: Callable[[], T], *others: Callable[[], object]) -> T:
    """Makes all checks, and returns what the first one read.

    Raises what the only one that fails raises, or Refusals with what several do.

    Forbidden is raised at once: it is no fault of the input.
    """
    read, refusals = list[T](), list[Refusal]()
    for each in (lambda: read.append(first()), *others):
        try:
            each()
        except Forbidden:
            raise
        except Refusals as several:
            refusals += several.refusals
        except Refusal as refusal:
            refusals.append(refusal)
    raise_all(refusals)
    return read[0]


def raise_all(refusals: Sequence[Refusal]) -> None:
    """Raises the only refusal, or Refusals with several; nothing for none."""
    if refusals:
        raise refusals[0] if len(refusals) == 1 else Refusals(refusals)


def read_each(given: Mapping[str, Any], read: Callable[[str, Any], T]) -> dict[str, T]:
    """Returns what ``read`` makes of each value, by its key. Raises what ``check`` raises, with all faults."""
    values: dict[str, T] = {}

    def one(name: str, value: Any) -> None:
        values[name] = read(name, value)

    check(lambda: None, *(partial(one, name, value) for name, value in given.items()))
    return values


def check_card_numbers(given: Mapping[str, Any]) -> None:
    """Raises CardNumber, or Refusals with several, for an input in which card numbers are."""
    raise_all([CardNumber(*(place or ("input",))) for place in places_of(given)])


def formed(form: Form, value: Any, *field: str) -> Any:
    """Returns the value as the form of an import reads it. Raises Invalid."""
    try:
        return form.read(value)
    except ValueError:
        raise Invalid(f"{field[-1]} must be {form.requirement}.", *field) from None


def key(value: str) -> str:
    """Returns the idempotency key as it is stored. Raises Invalid for one that is empty, too long or unprintable."""
    if not 1 <= len(value) <= KEY_AT_MOST:
        raise Invalid(f"A key has 1 to {KEY_AT_MOST} characters; this one has {len(value)}.", "idempotencyKey")
    return text(value, "idempotencyKey", at_most=KEY_AT_MOST, lines=False)


def fingerprint(given: Mapping[str, Any]) -> str:
    """Returns a hash that is equal for equal input, whatever the order of its keys."""
    return sha256(json.dumps(given, sort_keys=True, default=str, ensure_ascii=True).encode()).hexdigest()


def actor_of(viewer: Viewer, customer_id: str) -> dict[str, Any]:
    """Returns the actor of a change that the viewer makes to this customer, with the first role that reaches them.

    A delegate is the actor, on behalf of the token's subject: somebody who acts as a customer is no customer.
    """
    level = next(role for role in _BY_WEIGHT if role in viewer.roles_on(customer_id))
    by_role = {Role.CUSTOMER: ActorKind.CUSTOMER, Role.API_USER: ActorKind.API}.get(level, ActorKind.AGENT)
    kind, person = ActorKind.AGENT if viewer.delegate else by_role, viewer.person
    actor = {"kind": kind.value, "id": person.subject, "name": person.name, "accessLevel": level.value}
    return {**actor, "onBehalfOf": {"id": viewer.subject, "name": viewer.name}} if viewer.delegate else actor
