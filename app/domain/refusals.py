"""Defines what all refusals have in common: a code for programs, a sentence for people.

How GraphQL shows it is not decided here.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from app.catalogue.model import nearest


class Refusal(Exception):
    """Raised if a rule says no; nothing was changed. Resolvers catch it: the client sees its code and message.

    The message is one sentence that a person can act on.
    """

    code: ClassVar[str]
    field: tuple[str, ...] = ()
    """Path of the argument to change: one that the class always means, or one given with the message."""
    shows: Mapping[str, str] = MappingProxyType({})
    """The ids of what the client should see instead, by the payload's field."""

    def __init__(self, message: str, *field: str) -> None:
        super().__init__(message)
        if field:
            self.field = field


class Refusals(Refusal):
    """Raised with everything that is wrong with an input, so that a person can put all of it right at once.

    It stands for the first of ``refusals``; a resolver shows the client each of them.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = refusals[0]
        self.code, self.refusals = first.code, refusals  # pyright: ignore[reportAttributeAccessIssue] # of this one
        super().__init__(str(first), *first.field)


class BadUserInput(Refusal):
    """Raised if arguments contradict each other or lie outside their limits, whatever is stored."""

    code = "BAD_USER_INPUT"


class BadCursor(Refusal):
    """Raised for a cursor that is not ours, or belongs to a list in another order."""

    code = "BAD_CURSOR"


class Ambiguous(Refusal):
    """Raised if several match where one was asked for: an arbitrary one of them would be a guess."""

    code = "AMBIGUOUS"

    def __init__(self, noun: str, *field: str, found: int) -> None:
        super().__init__(f"{found} {noun} match where one was asked for; please be more specific.", *field)


def no_such(what: str, given: str, known: Iterable[str]) -> str:
    """Returns the sentence about a name that nothing has, which suggests the nearest of what there is."""
    given = given[:100]
    suggestion = nearest(given, known)
    hint = f' Did you mean "{suggestion}"?' if suggestion else ""
    return f'There is no {what} "{given}".{hint}'


def unknown(what: str, given: str, known: Iterable[str], *field: str) -> BadUserInput:
    """Returns a refusal that suggests the nearest of what there is."""
    return BadUserInput(no_such(what, given, known), *field)
