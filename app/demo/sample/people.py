"""Casts people: agents and API users, who are always the same, and customers, who are drawn from pools of names.

Nobody here can be reached: mailboxes are in domains that are reserved for examples, phone numbers in the ranges that
regulators keep for fiction.
"""

import re
import unicodedata
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple

from faker import Faker

from app.domain.ids import derived_id
from app.domain.vocabulary import AccessLevel, ActorKind, CustomerStatus
from app.store.driver import Document


def _agent(name: str, access_level: AccessLevel) -> Document:
    first, _, last = name.partition(" ")
    return {
        "kind": ActorKind.AGENT.value,
        "id": f"{first[0]}.{_ascii(last)}".lower(),
        "name": name,
        "accessLevel": access_level.value,
    }


def _ascii(text: str) -> str:
    spelled_out = text.translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ı": "i"}))
    plain = unicodedata.normalize("NFKD", spelled_out).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z.]", "", plain)


SERVICE: Final = tuple(
    _agent(name, AccessLevel.CUSTOMER_SERVICE_AGENT)
    for name in ("Astrid Lindqvist", "Ben Okafor", "Camille Moreau", "Dorota Nowak", "Emil Schäfer")
)
LEADS: Final = tuple(_agent(name, AccessLevel.CS_ADMIN) for name in ("Farah Haddad", "Gráinne O'Brien"))
SALES: Final = tuple(_agent(name, AccessLevel.SALES_REP) for name in ("Hakan Yılmaz", "Ilaria Rossi"))
FINANCE: Final = _agent("Jun Tanaka", AccessLevel.FINANCE)
ADMIN: Final = _agent("Klara Weber", AccessLevel.ADMIN)
AFFILIATE: Final = _agent("Lucas Santos", AccessLevel.AFFILIATE)
AGENTS: Final = (*SERVICE, *LEADS, *SALES, FINANCE, ADMIN, AFFILIATE)

SHOP, APP = (
    {"kind": ActorKind.API.value, "id": id_, "name": name, "accessLevel": AccessLevel.API_USER.value}
    for id_, name in (("api-web-shop", "Web shop"), ("api-mobile-app", "Mobile app"))
)
SYSTEM: Final[Document] = {"kind": ActorKind.SYSTEM.value, "name": "System"}
IMPORT: Final[Document] = {"kind": ActorKind.IMPORT.value, "name": "System"}


class Place(NamedTuple):
    locale: str
    country: str
    phone: str  # one that rings nowhere: # is any digit


GERMANY = Place("de_DE", "DE", "+49 30 23125 ###")
BRITAIN = Place("en_GB", "GB", "+44 7700 900###")
FRANCE = Place("fr_FR", "FR", "+33 6 39 98 ## ##")
SWEDEN = Place("sv_SE", "SE", "+46 70 174 06 ##")
AMERICA = Place("en_US", "US", "+1 212 555 01##")


class Background(NamedTuple):
    names: str  # a locale
    home: Place


GERMAN = Background("de_DE", GERMANY)
BRITISH = Background("en_GB", BRITAIN)
FRENCH = Background("fr_FR", FRANCE)
JAPANESE = Background("ja_JP", GERMANY)
_IN_A_HUNDRED: Final = {
    GERMAN: 40,
    BRITISH: 19,
    FRENCH: 14,
    Background("sv_SE", SWEDEN): 12,
    Background("en_US", AMERICA): 11,
    JAPANESE: 4,
}

_DOMAINS: Final = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")
_TAGS: Final = ("vip", "newsletter", "early-adopter", "price-sensitive", "b2b", "gift-buyer", "win-back", "beta-tester")


class _Pool(NamedTuple):
    first_names: list[str]
    last_names: list[str]
    companies: list[str]
    jobs: list[str]


@cache
def _pool(locale: str) -> _Pool:
    """Draws a pool once: a call to Faker costs more than the rest of a customer's document."""
    fake = _faker(locale)
    return _Pool(
        [fake.first_name() for _ in range(200)],
        [fake.last_name() for _ in range(300)],
        [fake.company() for _ in range(60)],
        [fake.job() for _ in range(60)],
    )


@cache
def _addresses(place: Place) -> list[Document]:
    fake = _faker(place.locale)
    return [
        {
            "line1": fake.street_address().replace("\n", ", "),
            "postalCode": fake.postcode(),
            "city": fake.city(),
            "country": place.country,
        }
        for _ in range(300)
    ]


def _faker(locale: str) -> Any:  # Faker finds its methods at run time
    fake = Faker(locale)
    fake.seed_instance(2024)
    return fake


def number(index: int) -> str:
    return f"C-{100_000 + index}"


def customer_id(number: str) -> str:
    return derived_id("customers", source="sample", source_id=number)


def customer(index: int, *, now: datetime, random: Random, origin: Background | None = None, **known: Any) -> Document:
    """Returns the document of customer ``index`` on the day of registration; what is ``known`` is not drawn."""
    origin = origin or random.choices(list(_IN_A_HUNDRED), list(_IN_A_HUNDRED.values()))[0]
    pool, place = _pool(origin.names), origin.home
    first = known.get("firstName") or random.choice(pool.first_names)
    last = known.get("lastName") or random.choice(pool.last_names)
    email = known.get("email") or f"{_mailbox(first, last)}{index}@{random.choice(_DOMAINS)}"
    emails = [{"value": email, "primary": True, "label": "home"}]
    if random.random() < 0.15:
        emails.append({"value": f"{_mailbox(first, last)}.{index}@work.example.net", "primary": False, "label": "work"})
    drawn: Document = {
        "_id": customer_id(number(index)),
        "number": number(index),
        # Japanese names are written family name first.
        "name": f"{last} {first}" if origin == JAPANESE else f"{first} {last}",
        "firstName": first,
        "lastName": last,
        "email": email,
        "emails": emails,
        "registeredAt": _opening_hours(now - timedelta(days=random.randint(5, 1_090)), random),
        "paymentCount": 0,
        "tags": random.sample(_TAGS, random.choice((0, 0, 1, 1, 2, 3))),
        "status": CustomerStatus.ACTIVE.value,
        "country": place.country,
        "hasStatusDetails": False,
    }
    if random.random() < 0.15:
        drawn |= {"organization": random.choice(pool.companies), "jobTitle": random.choice(pool.jobs)}
    if random.random() < 0.7:
        year = now.year - random.randint(18, 82)
        drawn["dateOfBirth"] = f"{year}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
    if random.random() < 0.06:
        drawn["website"] = f"https://{_mailbox(first, last)}{index}.example.com"
    if random.random() < 0.8:
        drawn["phones"] = [{"value": phone(place, random), "primary": True, "label": "mobile"}]
    if random.random() < 0.88:
        drawn["billingAddress"] = random.choice(_addresses(place))
    if random.random() < 0.08:
        drawn["affiliateId"] = AFFILIATE["id"]
    return drawn | known


def phone(place: Place, random: Random) -> str:
    return "".join(str(random.randrange(10)) if sign == "#" else sign for sign in place.phone)


def _mailbox(first: str, last: str) -> str:
    name = _ascii(f"{first}.{last}").lower().strip(".")
    return name or "customer"  # some scripts have no plain spelling


def _opening_hours(day: datetime, random: Random) -> datetime:
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(milliseconds=random.randrange(8 * 3_600_000, 21 * 3_600_000))
