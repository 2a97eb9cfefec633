"""Parks the lines of an import that name a customer nobody knows yet.

A link waits in two places, one for each identity that it joins; any other line in one.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.import_forms import Identity
from app.domain.import_lines import HISTORY
from app.domain.vocabulary import LineOutcome
from app.services.audit import AuditTrail
from app.services.importing.steps import (
    Arrival,
    HistoryRewritten,
    Verdict,
    by_identity,
    ids_by_source,
    read,
)
from app.store.driver import DeleteOne, Document, ReplaceOne, Store
from app.store.tombstones import erased_of


async def is_anything_parked(store: Store) -> bool:
    return bool(await store.find("parked", {}, limit=1, fields={"_id": 1}))


async def parked(
    store: Store,
    identities: Iterable[Identity],
    where: Mapping[str, Any] | None = None,
    *,
    limit: int = 0,
    session: Any = None,
) -> list[Document]:
    """Returns what waits for one of these identities, in the order in which it came."""
    if not (waiting := _waiting(identities)):
        return []
    order = {"parkedAt": 1, "line.number": 1}
    return await store.find("parked", {**waiting, **(where or {})}, sort=order, limit=limit, session=session)


async def in_groups(store: Store, customers: Sequence[Document], *, lines: int) -> list[list[Identity]]:
    """Returns the identities that lines wait for, in groups of whole customers with about ``lines`` lines each."""
    if not (waiting := _waiting(by_identity(customers))):
        return []
    identity = {"source": "$identity.source", "id": "$identity.id"}
    pipeline = [{"$match": waiting}, {"$group": {"_id": identity, "lines": {"$sum": 1}}}]
    counted = {Identity(**row["_id"]): row["lines"] for row in await store.aggregate("parked", pipeline)}
    groups: list[list[Identity]] = []
    room = 0
    for customer in customers:
        identities = [identity for identity in by_identity([customer]) if identity in counted]
        if not identities:
            continue
        if room <= 0:
            groups.append([])
            room = lines
        groups[-1] += identities
        room -= sum(counted[identity] for identity in identities)
    return groups


def _waiting(identities: Iterable[Identity]) -> Mapping[str, Any]:
    anyone = [
        {"identity.source": source, "identity.id": {"$in": ids}} for source, ids in ids_by_source(identities).items()
    ]
    return {"$or": anyone} if anyone else {}


def parked_line(document: Document) -> Arrival | Verdict:
    line = read(document["line"]["number"], document["line"]["text"], parked_at=document["parkedAt"])
    return line._replace(parked_as=(document["_id"],)) if isinstance(line, Verdict) else line


async def park(store: Store, arrivals: Sequence[Arrival], *, now: datetime, session: Any) -> list[Verdict]:
    """Parks each line once, however often it comes. What may change gives way to its later self; history does not."""
    gone = await erased_of(
        store, (identity for arrival in arrivals for identity in arrival.line.names), session=session
    )
    verdicts = [arrival.becomes(LineOutcome.ERASED) for arrival in arrivals if not gone.isdisjoint(arrival.line.names)]
    arrivals = [arrival for arrival in arrivals if gone.isdisjoint(arrival.line.names)]
    wanted = [arrival.place(identity) for arrival in arrivals for identity in arrival.line.names]
    held = await store.find("parked", {"_id": {"$in": wanted}}, session=session) if wanted else []
    places = {document["_id"]: parked_line(document) for document in held}
    operations: list[ReplaceOne[Document]] = []
    for arrival in arrivals:
        earlier = places.get(arrival.place(arrival.line.names[0]))
        same = isinstance(earlier, Arrival) and earlier.line == arrival.line
        if isinstance(earlier, Arrival) and not same and arrival.line.kind in HISTORY:
            before, after = earlier.line.document, arrival.line.document
            verdicts.append(arrival.rejected(HistoryRewritten(arrival.line.kind, before, after)))
            continue
        verdicts.append(arrival.becomes(LineOutcome.PARKED))
        if same:
            continue
        for identity in arrival.line.names:
            document = {
                "_id": (place := arrival.place(identity)),
                "identity": identity._asdict(),
                "line": {"kind": arrival.line.kind.value, "number": arrival.number, "text": arrival.text},
                "parkedAt": now,
            }
            operations.append(ReplaceOne({"_id": place}, document, upsert=True))
            places[place] = arrival
    await store.write("parked", operations, session=session)
    return verdicts


async def waiting_for(store: Store, limit: int) -> list[str]:
    """Returns a sentence for each identity that lines wait for: those that wait longest first."""
    count = {"lines": {"$sum": 1}, "kinds": {"$addToSet": "$line.kind"}, "since": {"$min": "$parkedAt"}}
    identity = {"source": "$identity.source", "id": "$identity.id"}
    order = {"since": 1, "_id.source": 1, "_id.id": 1}
    pipeline = [{"$group": {"_id": identity, **count}}, {"$sort": order}, {"$limit": limit}]
    return [
        f"{Identity(**each['_id'])}  {each['lines']:,} lines since {each['since']:%Y-%m-%d}: "
        + ", ".join(sorted(each["kinds"]))
        for each in await store.aggregate("parked", pipeline)
    ]


async def drop(store: Store, identity: Identity, audit: AuditTrail) -> int:
    """Drops what waits for an identity, and returns how many lines that were. A link is dropped at both its ends."""

    async def body(session: Any) -> int:
        documents = await parked(store, [identity], session=session)
        if not documents:
            return 0
        lines = [(document["_id"], parked_line(document)) for document in documents]
        places = {place for _, line in lines if isinstance(line, Arrival) for place in line.places}
        places |= {place for place, _ in lines}
        gone = [DeleteOne({"_id": place}) for place in sorted(places)]
        await store.write("parked", gone, ordered=False, session=session)
        await audit.accepted(store, session, customer_id=None, wrote=[])
        return len(documents)

    return await store.transaction(body)


async def leave_places(store: Store, places: Iterable[str]) -> None:
    await store.write("parked", [DeleteOne({"_id": place}) for place in places], ordered=False)


def leave(arrivals: Iterable[Arrival]) -> list[DeleteOne]:
    """Returns the operations on ``parked`` for what came in."""
    return [DeleteOne({"_id": place}) for arrival in arrivals for place in arrival.places]
