"""Judges a mail server's refusal: if it is about this mail it is final, if it is about us the mail waits. Pure.

By the reply's enhanced status code (RFC 3463 and its registry), and where there is none by the reply code and the
command that it answers (RFC 5321, 4.3.2). Many servers say at RCPT what they have against the client or the sender.
In doubt it is about us: a mail that waits is tried again for ``DELIVERY_GIVE_UP_HOURS``, one that failed is lost.
"""

import re
from enum import StrEnum
from typing import Final

_PERMANENT: Final = range(500, 600)
_ENHANCED: Final = re.compile(r"\s*5\.(\d{1,3})\.(\d{1,3})\b")
_ABOUT_CLIENTS: Final = re.compile(
    r"relay|authenti|\bsender|\bauth\b|starttls|\btls\b|\bspf\b|\bdkim\b|\bdmarc\b|client host|your (ip|host|server)"
    r"|block ?list|black ?list|\brbl\b|spamhaus",
    re.IGNORECASE,
)
"""Words of servers that have no enhanced status codes."""
_OF_RECIPIENTS: Final = range(550, 557)
_OF_MESSAGES: Final = frozenset({550, 551, 552, 553, 554, 556})
_TOO_LARGE: Final = 552
_SENDERS: Final = frozenset({7, 8})
_MAILBOX_RULES: Final = frozenset({2, 17, 18, 19})
"""Of X.7: a list that takes none from outside, a mailbox or domain that has another owner now."""
_CONTENT_RULES: Final = frozenset({0, 1, 16})
"""Of X.7, once the mail was read."""


class Stage(StrEnum):
    """The stage is the command that is answered; CONNECTION is all that comes before the first mail."""

    CONNECTION = "CONNECTION"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"


def is_final(stage: Stage, code: int, message: str) -> bool:
    """Returns whether trying again is in vain: the refusal is permanent, and about this mail or its recipient."""
    if code not in _PERMANENT or stage is Stage.CONNECTION:
        return False
    enhanced = _ENHANCED.match(message)
    subject, detail = (int(enhanced[1]), int(enhanced[2])) if enhanced else (0, 0)
    if subject == 0:
        return _by_code(stage, code, message)
    if stage is Stage.MAIL:
        return subject == 6 or (subject, detail) == (3, 4)
    match subject:
        case 1:
            return detail not in _SENDERS
        case 2 | 4 | 6:
            return True
        case 3:
            return detail == 4  # too large; the rest is the server's own state
        case 7:
            return detail in (_MAILBOX_RULES if stage is Stage.RCPT else _MAILBOX_RULES | _CONTENT_RULES)
        case _:
            return False


def _by_code(stage: Stage, code: int, message: str) -> bool:
    if stage is Stage.MAIL:
        return code == _TOO_LARGE  # RFC 1870: we said how large it is
    codes = _OF_RECIPIENTS if stage is Stage.RCPT else _OF_MESSAGES
    return code in codes and code != 555 and not _ABOUT_CLIENTS.search(message)
