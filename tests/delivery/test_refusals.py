"""What becomes of a mail that is refused, by command and reply: what is about us is tried again."""

from itertools import product
from typing import Any, Final

import pytest

from app.delivery.refusals import Stage, is_final
from app.store.driver import Store
from tests.support.relays import Certificate, Post, relay_to
from tests.support.smtp_server import mail_server

BEFORE_A_MAIL: Final = ("BANNER", "EHLO", "STARTTLS", "AUTH")
BY_STAGE: Final = {"MAIL": Stage.MAIL, "RCPT": Stage.RCPT, "DATA": Stage.DATA, "END": Stage.DATA}
CODES: Final = (421, 450, 451, 452, 454, 500, 501, 502, 503, 504, 521, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555)
SAID: Final = (
    *("", "5.0.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.7", "5.1.8", "5.1.10", "5.2.1", "5.2.2", "5.2.3", "5.3.0"),
    *("5.3.2", "5.3.4", "5.3.5", "5.4.1", "5.4.4", "5.4.6", "5.5.1", "5.5.2", "5.5.4", "5.6.0", "5.6.1", "5.6.7"),
    *("5.7.0", "5.7.1", "5.7.2", "5.7.3", "5.7.8", "5.7.9", "5.7.10", "5.7.13", "5.7.14", "5.7.17", "5.7.18", "5.7.20"),
    *("5.7.23", "5.7.25", "5.7.26", "5.7.27", "5.7.28", "5.7.60", "5.7.64", "5.7.501", "5.7.708"),
)
FINAL_WITHOUT_STATUS: Final = {
    "MAIL": {552},
    "RCPT": {550, 551, 552, 553, 554},
    "DATA": {550, 551, 552, 553, 554},
    "END": {550, 551, 552, 553, 554},
}
_MAILBOX: Final = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.2.2", "5.2.3", "5.4.1", "5.4.4", "5.4.6"}
_RULES: Final = {"5.7.2", "5.7.17", "5.7.18"}
_CONTENT: Final = {"5.3.4", "5.6.0", "5.6.1", "5.6.7"}
FINAL_WITH_STATUS: Final = {
    "MAIL": _CONTENT,
    "RCPT": _MAILBOX | _CONTENT | _RULES,
    "DATA": _MAILBOX | _CONTENT | _RULES | {"5.7.0", "5.7.1"},
    "END": _MAILBOX | _CONTENT | _RULES | {"5.7.0", "5.7.1"},
}


def is_expected_to_be_final(command: str, code: int, status: str) -> bool:
    if code < 500 or command in BEFORE_A_MAIL:
        return False
    if status in ("", "5.0.0"):
        return code in FINAL_WITHOUT_STATUS[command]
    return status in FINAL_WITH_STATUS[command]


@pytest.mark.parametrize("command", BY_STAGE)
def test_every_reply_to_every_command_is_final_or_not(command: str) -> None:
    wrong = [
        (code, status)
        for code, status in product(CODES, SAID)
        if is_final(BY_STAGE[command], code, f"{status} No") is not is_expected_to_be_final(command, code, status)
    ]
    assert wrong == []


@pytest.mark.parametrize("code", range(200, 600))
def test_nothing_that_is_said_before_a_mail_is_about_a_mail(code: int) -> None:
    assert not is_final(Stage.CONNECTION, code, "5.1.1 No such mailbox")


@pytest.mark.parametrize(
    "said",
    [
        "relay not permitted",
        "Relaying denied",
        "Authentication required",
        "<service@gateway.example.com>: Sender address rejected",
        "Must issue a STARTTLS command first",
        "blocked using zen.spamhaus.org",
        "Your IP is on our blocklist",
        "SPF check failed",
    ],
)
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA])
def test_without_a_status_the_words_tell_who_is_meant(stage: Stage, said: str) -> None:
    assert not is_final(stage, 550, said)
    assert is_final(stage, 550, f"5.1.1 No such user in the {said} table")  # with one they do not


CONVERSATIONS: Final = [
    *(
        (command, reply)
        for command in BEFORE_A_MAIL
        for reply in ("421 Busy", "530 No", "535 5.7.8 No", "554 5.7.1 No")
    ),
    *((command, "550 5.1.1 No such mailbox") for command in ("BANNER", "EHLO")),
    *(
        ("MAIL", f"{code} {text}")
        for code in (451, 501, 503, 530, 535, 550, 553, 554, 555)
        for text in ("No", "5.7.1 No")
    ),
    *(("MAIL", reply) for reply in ("550 5.1.8 Sender domain not found", "552 5.3.4 Too large", "552 Too large")),
    *(("RCPT", f"{code} No") for code in (450, 501, 503, 530, 535, 550, 551, 552, 553, 554)),
    *(("RCPT", f"{code} {status} No") for code in (550, 553, 554) for status in ("5.1.1", "5.1.8", "5.2.2", "5.7.1")),
    ("RCPT", "550 relay not permitted"),
    *(("DATA", reply) for reply in ("451 Later", "503 Bad sequence", "530 5.7.0 Sign in first", "554 No")),
    *(("END", f"{code} No") for code in (451, 452, 535, 550, 552, 554)),
    *(("END", f"550 {status} No") for status in ("5.2.2", "5.6.0", "5.7.1", "5.7.23", "5.7.26", "5.7.60")),
]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("command", "reply"), CONVERSATIONS)
async def test_a_refused_mail_waits_or_fails_and_the_next_one_goes_out(
    command: str, reply: str, store: Store, post: Post, certificate: Certificate
) -> None:
    """Until what is wrong with us is mended."""
    options: dict[str, Any] = {"starttls": certificate.serving, "user": ("gate", "secret")}
    async with (
        mail_server(**options) as peer,
        relay_to(peer.url.replace("//", "//gate:secret@"), store) as relay,
    ):
        delivery = await post.queued(text="Hello")
        peer.refuses = {command: reply}
        await relay.once()
        code, _, text = reply.partition(" ")
        status = text.split()[0] if text[:2] in ("5.", "4.") else ""
        final = is_expected_to_be_final(command, int(code), status) and "relay" not in text
        now = await post.now(delivery)
        assert now["status"] == ("FAILED" if final else "QUEUED"), now["error"]
        assert now["error"].startswith("The mail server")
        peer.refuses = {}
        await post.make_due(delivery)
        other = await post.queued(text="Hello", to="bob@example.com")
        await relay.once()
    assert (await post.now(delivery))["status"] == ("FAILED" if final else "SENT")
    assert (await post.now(other))["status"] == "SENT"


async def test_a_sender_who_is_refused_fails_no_mail_of_the_queue(store: Store, post: Post) -> None:
    async with mail_server() as peer, relay_to(peer.url, store) as relay:
        peer.refuses = {"MAIL": "550 5.7.1 <service@gateway.example.com>: Sender address rejected: not owned by user"}
        deliveries = [await post.queued(text="Hello", to=f"n{number}@example.com") for number in range(5)]
        await relay.once()
        for delivery in deliveries:
            now = await post.now(delivery)
            assert now["status"] == "QUEUED"
            assert now["error"].startswith("The mail server takes no mails from us: 550 5.7.1")
            await post.make_due(delivery)
        peer.refuses = {}
        await relay.once()
    assert len(peer.mails) == 5
