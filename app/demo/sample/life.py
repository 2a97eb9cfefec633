"""Writes one customer's life as documents: things happen in the order of time, and one leads to another.

A chapter (subscription.py, loyalty.py, …) writes down what happens at the life's clock and plans what follows. Nothing
happens after ``now``. The clock is when this gateway learns of a thing; ``late`` is how long ago it happened then.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final, TypeVar, cast

from app.catalogue import CATALOGUE, copied
from app.demo.sample.goods import currency_of
from app.demo.sample.mails import SampleMail
from app.demo.sample.passes import PassFile
from app.demo.sample.people import SYSTEM
from app.domain import points as ledger
from app.domain.attributes import Raw
from app.domain.ids import derived_id, file_id
from app.domain.kinds import BY_COLLECTION
from app.domain.listings import ORDERED
from app.domain.moments import ORDER, order_of
from app.domain.points import Entry, Movement, PointsKind, Posting
from app.domain.uploads import KEPT, Attaching, attachment
from app.domain.vocabulary import ActorKind, CustomerStatus
from app.store.driver import Document
from app.store.files import CHUNK_BYTES

Happening = Callable[[], object]
T = TypeVar("T")

DAYTIME: Final = (8, 22)
NIGHTLY: Final = (3, 3)
"""Hours (UTC) in which a thing may happen; a batch job runs on the hour, for everybody at the same moment."""

_AT_ONCE: Final = timedelta()
_IDENTITIES: Final = {
    "esuite": "ES-{}",
    "overview": "{}",
    "callcenter": "CC{}",
    "billing": "cust_{}",
    "loyalty": "LM-{}",
}


COLLECTIONS: Final = (*BY_COLLECTION, "files", "uploaded.files", "uploaded.chunks")
"""The collections that a sample fills."""


class Life:
    def __init__(self, customer: Document, *, now: datetime, random: Random) -> None:
        self.customer = customer
        self.now = now
        self.random = random
        self.clock: datetime = customer["registeredAt"]
        self.points = ledger.empty()
        self.currency = currency_of(customer.get("country"))
        self.documents: dict[str, list[Document]] = {name: [] for name in COLLECTIONS}
        self.documents["customers"].append(customer)
        self.myself: Document = {
            "kind": ActorKind.CUSTOMER.value,
            "id": customer["_id"],
            "name": customer["name"],
            "accessLevel": "CUSTOMER",
        }
        self._agenda: list[tuple[datetime, int, Happening]] = []
        self._planned = count()
        self._codes = count(1)

    # ------------------------------------------------------------ time

    def plan(self, days: float, happening: Happening, *, hours: tuple[int, int] = DAYTIME) -> None:
        """Plans a happening that many days from the clock; 0 is later today, within the hour if the day is over."""
        opens, closes = (hour * 3_600_000 for hour in hours)
        milliseconds = opens if opens == closes else self.random.randrange(opens, closes)
        moment = self.day(int(days)) + timedelta(milliseconds=milliseconds)
        if moment <= self.clock:
            moment = self.clock + timedelta(seconds=self.random.randrange(60, 3_600))
        self.plan_at(moment, happening)

    def plan_at(self, moment: datetime, happening: Happening) -> None:
        if moment <= self.now:
            heappush(self._agenda, (moment, next(self._planned), happening))

    def day(self, days: int = 0) -> datetime:
        """Returns the midnight that begins the clock's day, or that many days from it."""
        return self.clock.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=days)

    def date(self, days: int = 0) -> str:
        return self.day(days).date().isoformat()

    def stop(self) -> None:
        """Forgets everything planned: the customer is gone, or locked out."""
        self._agenda.clear()

    def live(self) -> None:
        """Lets everything planned happen, up to ``now``, and brings the customer's document up to date."""
        while self._agenda:
            self.clock, _, happening = heappop(self._agenda)
            happening()
        self.clock = self.now
        self.expire()
        # What was late happened among the rest.
        self.points = ledger.replay(cast(list[Entry], self.documents["points"]))
        if self.points["seq"]:
            self.customer["points"] = self.points
        sources = {activity["source"] for activity in self.documents["activities"]}
        number = self.customer["number"].removeprefix("C-")
        if known_to := [source for source in _IDENTITIES if source in sources]:
            self.customer["identities"] = [
                {"source": source, "id": _IDENTITIES[source].format(number)} for source in known_to
            ]

    # ------------------------------------------------------------ chance

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one_of(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def code(self, prefix: str) -> str:
        """Returns a number such as systems give to orders: given only once."""
        return f"{prefix}{self.customer['number'][2:]}{next(self._codes):04}"

    # ------------------------------------------------------------ writing down

    def write(self, collection: str, fields: Mapping[str, Any]) -> Document:
        """Writes a document of this customer and returns it; None counts as not given."""
        documents = self.documents[collection]
        name = f"{self.customer['number']}/{len(documents) + 1}"
        document = {
            "_id": derived_id(collection, source="sample", source_id=name),
            "customerId": self.customer["_id"],
            **({ORDER: order_of(self.clock, len(documents))} if collection in ORDERED else {}),
            **{key: value for key, value in fields.items() if value is not None},
        }
        documents.append(document)
        return document

    def keep_file(self, file: PassFile) -> str:
        """Stores a file and returns its id."""
        document = {"_id": file_id(file.content), "customerId": self.customer["_id"], **file._asdict()}
        self.documents["files"].append(document)
        return document["_id"]

    def attach(self, name: str, mime_type: str, content: bytes, *, description: str, by: Document) -> Document:
        """Stores a file, small enough for one chunk, and returns it as the next note has it."""
        now = self.clock
        upload = self.write(
            "uploads",
            {
                "name": name,
                "mimeType": mime_type,
                "bytes": len(content),
                "sha256": sha256(content).hexdigest(),
                "createdBy": {"subject": by["id"], "roles": [by["accessLevel"]]},
                "createdAt": now,
                "expiresAt": now + KEPT,
                "completedAt": now,
            },
        )
        file_id = upload["fileId"] = f"{upload['_id']}.sample"
        file = {"_id": file_id, "length": len(content), "chunkSize": CHUNK_BYTES, "uploadDate": now, "filename": name}
        self.documents["uploaded.files"].append(file)
        self.documents["uploaded.chunks"].append({"_id": f"{file_id}.0", "files_id": file_id, "n": 0, "data": content})
        return attachment(upload, Attaching(upload["_id"], description), by)

    def tell(
        self,
        code: str,
        attributes: Mapping[str, Raw] | None = None,
        *,
        by: Document = SYSTEM,
        late: timedelta = _AT_ONCE,
        source: str | None = None,
        message: str | None = None,
        points: int | None = None,
        about: Document | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Document:
        """Writes an activity of the catalogue. ``about`` is its subject, ``more`` the keys that few activities have."""
        row = CATALOGUE[code]
        source = source or row.source
        return self.write(
            "activities",
            {
                "type": code,
                "source": source,
                "occurredAt": self.ago(late),
                "recordedAt": self.clock,
                "actor": shown(by, source),
                **copied(code),
                "message": message,
                "attributes": attributes,
                "points": points,
                "subjectId": about and about["_id"],
                **(more or {}),
            },
        )

    def tell_legacy(
        self, code: str, title: str, attributes: Mapping[str, Raw], *, source: str, by: Document, late: timedelta
    ) -> None:
        """Writes an activity of a type that the catalogue does not know."""
        self.write(
            "activities",
            {
                "type": code,
                "title": title,
                "source": source,
                "occurredAt": self.clock - late,
                "recordedAt": self.clock,
                "actor": shown(by, source),
                **copied(code),
                "attributes": attributes,
            },
        )

    def ago(self, late: timedelta) -> datetime:
        return max(self.clock - late, self.customer["registeredAt"])

    def mail(self, mail: SampleMail) -> None:
        if address := self.customer.get("email"):
            email = self.write(
                "emails",
                {
                    "subject": mail.subject,
                    "to": address,
                    "html": mail.html,
                    "text": mail.text,
                    "sentAt": self.clock,
                },
            )
            self.tell(
                "EMAIL_SENT",
                {"emailSubject": mail.subject, "toAddress": address},
                about=email,
                more={"emailId": email["_id"]},
            )

    def change_status(self, to: CustomerStatus, *, by: Document, reason: str | None = None) -> None:
        self.write(
            "statuses",
            {
                "from": self.customer["status"],
                "to": to.value,
                "reason": reason,
                "actor": shown(by, "platform"),
                "changedAt": self.clock,
            },
        )
        self.customer |= {"status": to.value, "hasStatusDetails": True}

    def paid(self) -> None:
        self.customer["paymentCount"] += 1

    # ------------------------------------------------------------ points

    def post(
        self,
        posting: Posting,
        *,
        by: Document = SYSTEM,
        reason: str,
        source: str = "loyalty",
        late: timedelta = _AT_ONCE,
        transaction: Document | None = None,
    ) -> list[Document]:
        """Writes a decision of the ledger's rules. Returns its entries without those that merely expired."""
        self.points = posting.state
        wanted: list[Document] = []
        for entry in posting.entries:
            expired = entry["kind"] is PointsKind.EXPIRED
            document = self.write(
                "points",
                {
                    **entry,
                    "kind": entry["kind"].value,
                    "occurredAt": self.clock if expired else self.ago(late),
                    "recordedAt": self.clock,
                    "actor": SYSTEM if expired else shown(by, source),
                    "source": "loyalty" if expired else source,
                    "reason": "Not spent in time" if expired else reason,
                    "transactionId": None if expired or transaction is None else transaction["_id"],
                },
            )
            if expired:
                self.tell("POINTS_EXPIRED", points=entry["points"], about=document)
            else:
                wanted.append(document)
        return wanted

    def undo(self, entry: Document, points: int) -> Posting:
        """Returns the posting that gives back points of a spending or, negative, claws back those of an earning."""
        undoing: Movement = {
            "kind": PointsKind.REFUNDED,
            "points": points,
            "occurredAt": self.clock,
            "source": "loyalty",
            "refundOf": entry["seq"],
        }
        entered = ledger.enter(self.points, [undoing], cast(list[Entry], self.documents["points"]))
        assert not entered.refused
        return entered.posting

    def expire(self) -> None:
        self.post(ledger.expire_due(self.points, now=self.clock), reason="")


def shown(actor: Document, source: str) -> Document:
    """Returns the actor under the name that people are shown: esuite says "System" for API users and customers, too."""
    nameless = actor["kind"] in ("API", "CUSTOMER") and source == "esuite"
    return {**actor, "name": "System"} if nameless else actor
