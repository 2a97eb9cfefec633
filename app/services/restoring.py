"""Makes a database that was restored from a backup safe to serve, and erases again whom it has brought back.

What waited in the outbox when the backup was made may have been handed over since, and nobody knows: it is given up,
for people to look at. So no mail goes out twice.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from app.domain.executors import Executors
from app.domain.refusals import Refusal
from app.domain.times import moment
from app.domain.vocabulary import CustomerStatus, DeliveryStatus, PushStatus
from app.services import emails, erasing, external_requests
from app.services.changes import Changes
from app.store.driver import Document, ReplaceOne, Store, UpdateMany
from app.store.personal import ERASED_NAME
from app.store.skipping import skip_numbers

REASON: Final = "Given up when the database was restored from a backup: it may have been handed over before."
_AGAIN: Final = "Erased before the database was restored from a backup."
_WAITING: Final = {"dueAt": {"$exists": True}}
_UNSET: Final = dict.fromkeys(("dueAt", "giveUpAt"), "")
_AT_ONCE: Final = 200


class MadeSafe(NamedTuple):
    """It counts what was given up by channel, and the customers whose revisions were counted up."""

    mails: int
    pushes: int
    requests: int
    customers: int


async def make_safe(store: Store, executors: Executors) -> MadeSafe:
    """Gives up what waits in the outbox, and skips numbers that were given after the backup. Before anybody serves.

    It may be interrupted and done again. Webhooks are left: they are sent at least once, under one id.
    """
    status = {"status": DeliveryStatus.FAILED.value, "error": REASON}
    delivery_status = {"deliveryStatus": DeliveryStatus.FAILED.value, "error": REASON}

    async def give_up_mail(mail: Document) -> bool:
        return await emails.give_up(store, mail, {"$set": status, "$unset": _UNSET}, REASON)

    async def give_up_request(request: Document) -> bool:
        update = {"$set": delivery_status, "$unset": _UNSET}
        return await external_requests.give_up(store, executors, request, update, REASON)

    mails = await _each(store, "deliveries", give_up_mail)
    requests = await _each(store, "requests", give_up_request)
    failed = {"$set": {"status": PushStatus.FAILED.value, "error": REASON}, "$unset": _UNSET}
    pushes = (await store.write("pushes", [UpdateMany(_WAITING, failed)])).modified_count
    return MadeSafe(mails, pushes, requests, await skip_numbers(store))


async def _each(store: Store, collection: str, give_up: Callable[[Document], Awaitable[bool]]) -> int:
    """Returns how many entries that wait were given up."""
    given_up, last = 0, ""
    while page := await store.find(collection, {**_WAITING, "_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE):
        for entry in page:
            given_up += await give_up(entry)
        last = page[-1]["_id"]
    return given_up


# ---------------------------------------------------------------- erasures


async def erasures(store: Store, earlier: Iterable[Any] = ()) -> AsyncGenerator[Mapping[str, Any]]:
    """Yields who was erased, by ids, and the tombstones: what is kept outside, so that a restore forgets it not.

    Lines of an ``earlier`` export that name somebody whom the database does not are yielded again: it may be that of a
    backup, in which nobody was erased yet. The last line is the number of lines before it: what was cut off, or is
    empty, is known by it. Raises BadErasure.
    """
    count, named = 0, set[str]()
    async for row in _rows(store, "erasures"):
        count += 1
        named.update(row["accountIds"])
        yield {"customerIds": row["accountIds"], "at": row["erasedAt"].isoformat()}
    async for row in _rows(store, "tombstones"):
        count += 1
        named.add(row["_id"])
        yield {"tombstone": row["_id"], "at": row["at"].isoformat()}
    for line in earlier:
        if not (names := names_in(line)) <= named:
            count += 1
            named |= names
            yield line
    yield {"lines": count}


def names_in(line: Any) -> set[str]:
    """Returns the ids of customers, or of the tombstone, in a line of an export. Raises BadErasure."""
    match line:
        case {"tombstone": str(stone), "at": str()}:
            return {stone}
        case {"customerIds": [*ids], "at": str()}:
            return {str(each) for each in cast(list[object], ids)}
        case {"lines": int()}:
            return set()
        case _:
            raise BadErasure("A line has customerIds or a tombstone, and at; the last one has lines.")


def is_whole(lines: Sequence[object]) -> bool:
    """Returns whether these are all lines of an export of erasures."""
    return bool(lines) and lines[-1] == {"lines": len(lines) - 1}


async def _rows(store: Store, collection: str) -> AsyncGenerator[Document]:
    last = ""
    while page := await store.find(collection, {"_id": {"$gt": last}}, sort={"_id": 1}, limit=_AT_ONCE):
        for row in page:
            yield row
        last = page[-1]["_id"]


class BadErasure(ValueError):
    """Raised for a line that `erasures` does not yield. The command line prints it and ends."""


class Replayed(NamedTuple):
    """It says who was erased again, and by customer why somebody could not be."""

    erased: Sequence[str]
    left: Mapping[str, str]


async def replay(of: Changes, line: Mapping[str, Any]) -> Replayed:
    """Erases again whom the line names, unless they are not there or are erased. Raises BadErasure."""
    names = sorted(names_in(line))
    if "tombstone" not in line:
        return await _erase(of, names)
    stones = [{"_id": name, "at": _moment(line["at"])} for name in names]
    await of.store.write("tombstones", [ReplaceOne({"_id": stone["_id"]}, stone, upsert=True) for stone in stones])
    return Replayed([], {})


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except (ValueError, OverflowError):
        raise BadErasure(f"{text} is not a time.") from None


async def _erase(of: Changes, ids: Sequence[str]) -> Replayed:
    erased, refused = list[str](), dict[str, str]()
    for customer in await of.store.find("customers", {"_id": {"$in": [*ids]}}):
        if customer["status"] in (CustomerStatus.ANONYMISED, CustomerStatus.MERGED):
            continue  # who was merged is erased with the customer whom they became
        number, key = customer["number"], f"erased-again-{customer['_id']}"
        try:
            await erasing.anonymise(of, customer["_id"], confirm_number=number, reason=_AGAIN, key=key)
            erased.append(customer["_id"])
        except Refusal as refusal:
            refused[customer["_id"]] = str(refusal)
    remaining = await of.store.find("customers", {"_id": {"$in": [*ids]}, "name": {"$ne": ERASED_NAME}})
    return Replayed(
        erased,
        {
            each["_id"]: refused.get(each["_id"], "It was merged into a customer who is not erased.")
            for each in remaining
            if each["status"] != CustomerStatus.ANONYMISED
        },
    )
