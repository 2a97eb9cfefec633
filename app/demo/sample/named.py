"""Makes the customers whose numbers never change, because README, examples and tests call them by number."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any, Final

from app.demo.sample import billing, everything, external_requests, people, service
from app.demo.sample.beginnings import bring_over, leave, register
from app.demo.sample.callcenter import order_by_phone
from app.demo.sample.life import Life
from app.demo.sample.loyalty import Member
from app.demo.sample.people import ADMIN, AFFILIATE
from app.demo.sample.subscription import subscribe
from app.domain.ids import derived_id
from app.domain.vocabulary import CustomerStatus, ErasureStatus, MergeStatus
from app.domain.vocabulary import DueDiligenceFactor as Factor
from app.domain.vocabulary import DueDiligenceScore as Score
from app.store.driver import Document

_MESSY_ACTIVITIES: Final = 5_000
_MERGER_DAY: Final = 800
_SHARED_EMAIL: Final = "familie.sato@example.com"
_ARTICLE: Final = {"url": "https://courts.example.org/2031/17", "details": "A Z. Müller was charged with card fraud."}


def messy(index: int, now: datetime) -> Life:
    """Makes C-100001, who has everything, all of it often."""
    email = "zoe.mueller-obrien@example.com"
    life = _life(
        index,
        now,
        days_ago=1_090,
        origin=people.GERMAN,
        firstName="Zoë",
        lastName="Müller-O'Brien",
        organization="Kulturverein Hafenstraße e.V.",
        jobTitle="Managing director",
        dateOfBirth="1984-05-17",
        website="https://hafenstrasse.example.org",
        email=email,
        emails=[
            {"value": email, "primary": True, "label": "home"},
            {"value": "zoe@hafenstrasse.example.org", "primary": False, "label": "work"},
            {"value": "zoe.obrien@example.net", "primary": False},
        ],
        phones=[
            {"value": "+49 30 23125 001", "primary": True, "label": "mobile"},
            {"value": "+49 30 23125 002", "primary": False, "label": "work"},
        ],
        billingAddress={
            "line1": "Hafenstraße 12",
            "line2": "Hinterhaus, 2. OG",
            "city": "Hamburg",
            "region": "Hamburg",
            "postalCode": "20457",
            "country": "DE",
        },
        locale="de-DE",
        taxIds=[
            {"type": "EU_VAT", "value": "DE811907980", "isDefault": True, "validity": "VALID"},
            {"type": "OTHER", "value": "17/451/02381", "isDefault": False, "validity": "UNCHECKED"},
        ],
        leadSource={"medium": "email", "source": "newsletter", "original": {"medium": "search", "source": "google"}},
        tags=["vip", "b2b", "early-adopter", "loyal", "complaint", "paper-invoice"],
        affiliateId=AFFILIATE["id"],
    )
    register(life)
    bring_over(life)
    member = Member(life, days_between_visits=0.9)
    member.join()
    for days in (1, 30, 90, 200, 365, 500, 730):  # a new telephone, a new pass
        life.plan(days, member.install_app)
    for days in (0, 200, 500):
        life.plan(days, partial(subscribe, life))
    for days in range(5, 1_090, 45):
        life.plan(days, partial(order_by_phone, life))
    for days in range(40, 1_090, 5):
        life.plan(days, partial(service.contact, life))
    for days, change in ((300, service.block), (302, service.reactivate), (600, service.deactivate)):
        life.plan(days, partial(change, life))
    life.plan(603, partial(service.reactivate, life))
    life.plan(610, partial(service.edit, life, "jobTitle", "Deputy director"))
    life.plan(640, partial(service.blocklist, life))
    life.plan(660, partial(service.leave_note_with_files, life))
    for days, required, reason in (
        (650, True, "Pays with cards of three names"),
        (655, False, "The cards are of one family"),
        (670, True, "Orders of 20,000 EUR in a week"),
    ):
        life.plan(days, partial(service.require_due_diligence, life, required=required, reason=reason))
    life.plan(671, partial(service.search, life, Factor.OCCUPATION, Score.NOT_FOUND))
    life.plan(672, partial(service.search, life, Factor.FRAUD, Score.UNCLEAR, _ARTICLE))
    life.plan(680, partial(service.set_score, life, Factor.FRAUD, Score.UNLIKELY, reason="Another person of that name"))
    life.plan(700, partial(service.resend_mail, life, fails=True))
    life.plan(1_085, partial(member.reserve, 120, days=30))
    life.plan(1_085, partial(member.buy, waits=True))
    for days, decide in ((900, service.approve_points), (1_000, service.decline_points)):
        life.plan(days, partial(service.ask_for_points, life))
        life.plan(days + 1, partial(decide, life))
    life.plan(1_085, partial(service.ask_for_points, life))
    for days, story in (
        (1_000, billing.renew_the_card),
        (1_010, billing.accept_a_quote),
        (1_020, billing.order_this_and_that),
        (1_030, billing.prove_who_they_are),
        (1_031, billing.share_a_name),
        (1_050, billing.owe_for_a_subscription),
        (1_080, billing.give_credit),
        (1_060, external_requests.refund_and_lose_it),
        (1_070, external_requests.refund_in_vain),
        (1_075, external_requests.get_a_portal_link),
        (1_076, external_requests.pay_out),
        (1_082, external_requests.ask_for_a_payment),
        (1_085, external_requests.ask_for_credit),
    ):
        life.plan(days, partial(story, life))
    life.plan(_MERGER_DAY, partial(_absorb, life))
    life.live()
    everything.complete(life)
    everything.fill(life, _MESSY_ACTIVITIES)
    return life


def empty(index: int, now: datetime) -> Life:
    """Makes C-100002, who has nothing: a lead of whom only the name is known."""
    return _bare(index, now, name="Nora Blank", days_ago=90)


def blocked_twice(index: int, now: datetime) -> Life:
    """Makes C-100003, who was blocked, came back, and is blocked again."""
    email = "rufus.bannerman@example.com"
    life = _life(index, now, days_ago=700, origin=people.BRITISH, firstName="Rufus", lastName="Bannerman", email=email)
    register(life)
    life.plan(1, partial(subscribe, life))
    life.plan(240, partial(service.block, life))
    life.plan(252, partial(service.reactivate, life))
    life.plan(560, partial(_block_for_good, life))
    life.live()
    return life


def sharing(index: int, now: datetime, *, first: str, partner: str) -> Life:
    """Makes C-100004 or C-100005, a couple with one e-mail address."""
    life = _life(
        index, now, days_ago=500, origin=people.JAPANESE, firstName=first, lastName="佐藤", email=_SHARED_EMAIL
    )
    register(life)
    life.plan(2, partial(subscribe, life))
    life.plan(4, Member(life, days_between_visits=20).join)
    life.plan(50, partial(service.leave_note, life, links=[{"_id": people.customer_id(partner)}]))
    life.live()
    return life


def deactivated(index: int, now: datetime) -> Life:
    email = "elodie.lefevre@example.com"
    life = _life(index, now, days_ago=620, origin=people.FRENCH, firstName="Élodie", lastName="Lefèvre", email=email)
    register(life)
    life.plan(1, partial(subscribe, life))
    life.plan(410, partial(leave, life))
    life.live()
    return life


def anonymised(index: int, now: datetime) -> Life:
    """Makes the customer as an erasure leaves them: what happened is known, to whom is not."""
    life = _bare(index, now, name="Anonymised customer", days_ago=640)
    life.plan(0, partial(subscribe, life))
    life.plan(380, partial(_erase, life))
    life.live()
    del life.customer["identities"]
    return life


def merged(index: int, now: datetime) -> Life:
    """Makes C-100008, which was the messy one's second account."""
    life = _life(
        index,
        now,
        days_ago=1_090,
        origin=people.GERMAN,
        firstName="Zoe",
        lastName="Mueller",
        email="zoe.obrien@example.org",
    )
    register(life)
    life.plan(_MERGER_DAY, partial(_give_up, life))
    life.live()
    return life


def _block_for_good(life: Life) -> None:
    service.block(life)
    life.stop()


def _erase(life: Life) -> None:
    life.change_status(CustomerStatus.ANONYMISED, by=ADMIN)
    life.tell("CUSTOMER_ANONYMISED", by=ADMIN)
    life.write(
        "erasures",
        {
            "accountIds": [life.customer["_id"]],
            "status": ErasureStatus.DONE.value,
            "reason": "Request under article 17 GDPR",
            "erasedAt": life.clock,
            "erasedBy": ADMIN,
            "finishedAt": life.clock,
            **dict.fromkeys(("attempts", "erased", "total"), 1),
        },
    )
    life.stop()


def _give_up(life: Life) -> None:
    life.change_status(CustomerStatus.MERGED, by=ADMIN, reason="Duplicate of C-100001")
    life.customer |= {"mergedIntoId": people.customer_id("C-100001"), "mergeId": _MERGE_ID}
    life.stop()


_MERGE_ID: Final = derived_id("merges", source="sample", source_id="C-100001/1")
"""The first merge of the messy one, as their life writes it."""


def _absorb(life: Life) -> None:
    reason, gone = "The same person, who registered twice", people.customer_id("C-100008")
    before = {"_id": gone, "number": "C-100008", "status": CustomerStatus.ACTIVE.value, "paymentCount": 0}
    merge = life.write(
        "merges",
        {
            "sourceIds": [gone],
            "status": MergeStatus.DONE.value,
            "reason": reason,
            "createdAt": life.clock,
            "createdBy": ADMIN,
            "finishedAt": life.clock,
            "snapshots": [before],
            **{key: {} for key in ("before", "after")},
            **{key: [] for key in ("transfers", "chainedIds")},
            **dict.fromkeys(("attempts", "moved", "total"), 1),
        },
    )
    assert merge["_id"] == _MERGE_ID
    life.customer["mergedFromIds"] = [gone]
    life.tell("CUSTOMERS_MERGED", {"mergedCustomerIds": ["C-100008"]}, by=ADMIN, message=reason, about=merge)


def _life(index: int, now: datetime, *, days_ago: int, origin: people.Background, **known: Any) -> Life:
    random = Random(index)
    known["registeredAt"] = _morning(now, days_ago)
    return Life(people.customer(index, now=now, random=random, origin=origin, **known), now=now, random=random)


def _bare(index: int, now: datetime, *, name: str, days_ago: int) -> Life:
    number = people.number(index)
    customer: Document = {
        "_id": people.customer_id(number),
        "number": number,
        "name": name,
        "registeredAt": _morning(now, days_ago),
        "paymentCount": 0,
        "tags": [],
        "status": CustomerStatus.ACTIVE.value,
    }
    return Life(customer, now=now, random=Random(index))


def _morning(now: datetime, days_ago: int) -> datetime:
    return now.replace(hour=9, minute=12, second=41, microsecond=318_000) - timedelta(days=days_ago)


NAMED: Final[dict[int, Callable[[int, datetime], Life]]] = {
    1: messy,
    2: empty,
    3: blocked_twice,
    4: partial(sharing, first="健二", partner="C-100005"),
    5: partial(sharing, first="遥", partner="C-100004"),
    6: deactivated,
    7: anonymised,
    8: merged,
}
