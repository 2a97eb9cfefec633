"""The one door for writes: whatever hangs on a customer is written through `change_customers`.

What follows from such a write is the door's duty and no writer's: the customer's ``revision`` counts up, the summary of
their activities keeps up, days of the report that are over are counted again, and the feed has an entry, all in the
same transaction; and previews follow in it, or are made anew once it is committed.
"""

import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias, TypeVar

from app.domain.changes import NotFound
from app.domain.customers import PENDING, activity_summary_update, deferred, update_of
from app.domain.feed import feed_entry
from app.domain.listings import ORDERED, PREVIEWS
from app.domain.moments import ORDER, put_in_order
from app.domain.times import stored
from app.domain.vocabulary import CustomerStatus
from app.services.daily_counts import days_made_stale
from app.store import previews
from app.store.codec import as_stored
from app.store.digests import row_digest
from app.store.driver import (
    DeleteMany,
    DeleteOne,
    Document,
    InsertOne,
    ReplaceOne,
    Store,
    UpdateOne,
)
from app.store.indexes import remake_copies
from app.store.pending import settle

T = TypeVar("T")
Operation: TypeAlias = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne


class CustomerRows:
    """Collects what one transaction writes of customers. It is sent when the body ends: a body reads none of it."""

    def __init__(self, store: Store, session: Any, now: datetime) -> None:
        self.store = store
        self.session = session
        self.now = now
        self._together = store.together(session)
        self._inserted: defaultdict[str, list[Document]] = defaultdict(list)
        self._recounted: list[Document] = []
        """Activities as they were, and as they are from now on: their days are counted again."""
        self._outdated: set[str] = set()
        """Customers whose copies are made again from their rows."""
        self.collections: defaultdict[str, set[str]] = defaultdict(set)
        """Where rows were written, by their owners."""
        self._rewritten: defaultdict[str, list[str]] = defaultdict(list)
        """The ids of activities that were there before, by their owners."""
        self._operations: defaultdict[str, list[Operation]] = defaultdict(list)
        self._handed_on: defaultdict[str, list[Document]] = defaultdict(list)
        """Rows that another customer has from now on: deleted where they are, and inserted with the new owner."""
        self._keys: defaultdict[str, Document] = defaultdict(dict)
        self._customers: list[InsertOne[Document] | ReplaceOne[Document]] = []
        self._put: dict[str, Document] = {}
        self.new_customers: dict[str, int] = {}
        """Their first revisions."""
        self._gone: dict[str, int] = {}
        """The revisions by which the feed tells of customers who were deleted."""
        self.acts: list[Callable[[], None]] = []
        self._revisions: dict[str, int] = {}
        """Of the locked customers, counted up already."""
        self._read: dict[str, int] = {}
        """The revisions of customers whom this transaction has read; it fails if they have another once it writes."""
        self._absorbing: dict[str, Sequence[str]] = {}
        """Whose rows are on their way to a locked customer."""
        self._updated: list[Document] = []
        """A customer of whom one update says all, as they are then."""
        self.owners: set[str] = set()
        """Who owned a row that was written, before or after."""
        self.changed: set[str] = set()
        """Whose own document was written whole."""
        self.import_id: str | None = None
        """Of the import that writes; its rows are listed, so that it can be undone."""
        self.defers_copies = False
        """Whether what customers are listed by is left pending, and settled later."""
        self.left_pending: set[str] = set()
        """Whose copies were left pending before: perhaps by an import that died."""
        self.revisions: dict[str, int] = {}
        """Of all who were written, once it is sent."""
        self.stale_previews: set[str] = set()
        """Whose previews are to be made, once it is committed."""
        self.lets_preview_follow = False
        self.moved: set[str] = set()
        """Whose rows came or went row by row, which no entry of the feed lists: their copies are made anew."""

    async def lock(self, customer_id: str) -> Document:
        """Returns the customer, whom nobody else changes until this transaction ends. Raises NotFound."""
        where, found = {"_id": customer_id}, list[Document]()
        self._together.update("customers", where, {"$inc": {"revision": 1}}, found.append)
        await self.ask()
        if not found:
            raise NotFound("There is no such customer.", "customerId")
        [customer] = found
        if PENDING in customer:  # left by an import that was interrupted
            await settle(self.store, [customer_id], self.session)
            (customer,) = await self.store.find("customers", where, session=self.session)
        self._revisions[customer_id] = customer["revision"]
        self._absorbing[customer_id] = customer.get("absorbingIds", ())
        self.owners.add(customer_id)
        return customer

    def find(self, collection: str, where: Mapping[str, Any], then: Callable[[list[Document]], None]) -> None:
        """Finds a few documents with the next customer who is locked, or by `ask`. ``then`` may raise."""
        self._together.find(collection, where, then)

    async def ask(self) -> None:
        """Sends what is to be found, and was not yet."""
        await self._together.send()

    def note_read(self, customers: Iterable[Document]) -> None:
        """Notes customers whom this transaction has read with their ``revision``: they are not read again."""
        for customer in customers:
            self._read[customer["_id"]] = customer.get("revision", 0)
            if PENDING in customer:
                self.left_pending.add(customer["_id"])

    def insert(self, collection: str, rows: Iterable[Document]) -> None:
        for row in rows:
            self._inserted[collection].append(row)
            self._touch(collection, row["customerId"])

    def replace(self, collection: str, before: Document, after: Document) -> None:
        """The row may change its owner: both have another revision."""
        if collection == "activities":
            self._recounted += before, after
            self._outdated |= {before["customerId"], after["customerId"]}
        if before["customerId"] == after["customerId"]:
            self._operations[collection].append(ReplaceOne(self._row(before), after))
        else:
            self._operations[collection].append(DeleteOne(self._row(before)))
            self._handed_on[collection].append(after)
        for owner in {before["customerId"], after["customerId"]}:
            self._touch(collection, owner, before["_id"])

    def update(self, collection: str, before: Document, change: Mapping[str, Any]) -> None:
        """Updates a row; ``change`` leaves its owner, its type and its time as they are.

        ``before`` needs ``_id`` and ``customerId``, and of an activity ``occurredAt``: its day is counted again.
        """
        self._operations[collection].append(UpdateOne(self._row(before), change))
        if collection == "activities":
            self._recounted.append(before)
        self._touch(collection, before["customerId"], before["_id"])

    def delete(self, collection: str, before: Document) -> None:
        self._operations[collection].append(DeleteOne(self._row(before)))
        if collection == "activities":
            self._recounted.append(before)
            self._outdated.add(before["customerId"])
        self._touch(collection, before["customerId"], before["_id"])

    def _row(self, row: Document) -> Document:
        """Matches a row by its id, at its owner: a router asks no shard but that of the customer."""
        owner = row["customerId"]
        absorbing = self._absorbing.get(owner, ())
        return {"_id": row["_id"], "customerId": {"$in": [owner, *absorbing]} if absorbing else owner}

    def _touch(self, collection: str, owner: str, rewritten_id: str | None = None) -> None:
        self.owners.add(owner)
        self.collections[owner].add(collection)
        if collection == "activities" and rewritten_id:
            self._rewritten[owner].append(rewritten_id)

    def set_on_customer(self, customer_id: str, keys: Mapping[str, Any]) -> None:
        """Sets keys of the customer's own document; None removes one."""
        self._keys[customer_id] |= keys
        self.owners.add(customer_id)

    def put_customers(
        self,
        operations: Iterable[InsertOne[Document] | ReplaceOne[Document]],
        *,
        after: Iterable[Document],
        changed: Iterable[str],
        new: Mapping[str, int] | None = None,
    ) -> None:
        """Writes whole customers, in this order. Those who ``changed``, or are new, have another revision.

        ``after`` are all of them as they are then, ``new`` the first revisions of those whom an import brings.
        """
        self._customers += operations
        self._put |= {customer["_id"]: customer for customer in after}
        self.new_customers |= new or {}
        self.changed |= {*changed}

    def delete_customer(self, customer: Document) -> None:
        """Deletes a customer who has nothing any more. The feed tells of it as of an erasure."""
        self._gone[customer["_id"]] = customer.get("revision", 0) + 1

    def on_commit(self, act: Callable[[], None]) -> None:
        """Lets ``act`` be called once what was written is committed."""
        self.acts.append(act)

    def add(self, collection: str, row: Document, *, is_race: bool = False) -> None:
        """Inserts what is no customer's row, before all else; of a race, a key that is taken means TryAgain."""
        self._together.insert(collection, [row], is_race=is_race)

    async def send(self) -> None:
        """Sends a command for each collection, and one more each for the feed and for days that are over."""
        together = self._together
        together.write("customers", self._customers)
        self._order()
        for collection in {**self._inserted, **self._operations}:
            inserted, operations = self._inserted[collection], self._operations[collection]
            if operations:
                both = [*map(InsertOne[Document], inserted), *operations]
                # Of fewer a row has another owner by now.
                together.write(collection, both, ordered=False, finds=len(operations))
            else:
                together.insert(collection, inserted)
            together.insert(collection, self._handed_on[collection])
        activities: defaultdict[str, list[Document]] = defaultdict(list)
        for activity in self._inserted["activities"]:
            activities[activity["customerId"]].append(activity)
        # An identity may pass from one to another: all are given up before any is taken.
        given_up = [owner for owner, keys in self._keys.items() if "identities" in keys]
        operations = [UpdateOne({"_id": owner}, {"$set": {"identities": []}}) for owner in given_up]
        updates = {owner: self._update(owner, activities[owner]) for owner in sorted(self.owners)}
        outdated = self._outdated | self.moved
        match [*updates.items()]:
            case [(owner, update)] if update and not (given_up or outdated or self.defers_copies):
                together.update("customers", {"_id": owner}, update, self._updated.append)
            case _:
                operations += [UpdateOne({"_id": owner}, update) for owner, update in updates.items() if update]
                together.write("customers", operations, ordered=bool(given_up))
        counted = [*self._inserted["activities"], *self._recounted]
        together.write("tallies", days_made_stale(counted, now=self.now))
        if outdated:
            await together.send()
            await remake_copies(self.store, sorted(outdated), self.session)
        gone = [DeleteOne({"_id": owner}) for owner in sorted(self._gone)]
        together.write("customers", gone)
        together.write("heads", gone)
        self._list_step()
        await self._tell(activities)
        self.stale_previews = {*self.revisions}
        if self.lets_preview_follow:
            self._follow_preview()
        await together.send()

    def stored(self) -> dict[str, Document]:
        """Returns what is known, once it is sent, without reading it: new rows, and a customer. By their ids."""
        rows = [as_stored(row) for inserted in self._inserted.values() for row in inserted]
        return {document["_id"]: document for document in (*rows, *self._updated)}

    def _follow_preview(self) -> None:
        """Lets the preview of a customer follow who has nothing but new rows."""
        rewrites = any(self._operations[name] or self._handed_on[name] for name in PREVIEWS)
        if len(self.revisions) > 1 or rewrites or self.moved or self.changed:
            return
        for owner, revision in self.revisions.items():
            if owner in self._revisions:
                added = {name: self._inserted[name] for name in PREVIEWS.keys() & self._inserted.keys()}
                update = previews.following(owner, revision, added)
                self._together.write("heads", [update], may_fail=True, then=partial(self._note_followed, owner))

    def _note_followed(self, owner: str, result: Any) -> None:
        if result.matched_count:
            self.stale_previews.discard(owner)

    def _list_step(self) -> None:
        """Lists what an import wrote that was not here before."""
        if not self.import_id:
            return
        new = self.new_customers
        rows: list[Document] = []
        if new:
            rows.append({"collection": "customers", "ids": [*new], "revisions": [*new.values()]})
        for collection, inserted in self._inserted.items():
            if inserted:
                ids, digests = [row["_id"] for row in inserted], [row_digest(row) for row in inserted]
                rows.append({"collection": collection, "ids": ids, "digests": digests})
        if rows:
            own: Document = {"_id": f"{self.import_id}/{secrets.token_hex(8)}", "importId": self.import_id}
            # It is kept for a time from now on, whatever time the import says that it is.
            step = {**own, "rows": rows, "at": stored(datetime.now(UTC))}
            self._together.insert("importSteps", [step])

    async def _tell(self, activities: Mapping[str, Sequence[Document]]) -> None:
        """Writes what was done into the feed, by the revisions that these customers have now."""
        owners = sorted(self.owners | self.changed)
        known: dict[str, tuple[int, str | None]] = {}
        for owner in owners:
            if owner in self._revisions:
                known[owner] = self._revisions[owner], None
            elif owner in self._put:
                known[owner] = self._put[owner].get("revision", 0) + (owner in self.owners), self._put[owner]["status"]
            elif owner in self._read:
                known[owner] = self._read[owner] + 1, None
        if unknown := [owner for owner in owners if owner not in known]:
            await self._together.send()
            where, keys = {"_id": {"$in": unknown}}, {"revision": 1, "status": 1}
            found = await self.store.find("customers", where, fields=keys, session=self.session)
            known |= {each["_id"]: (each.get("revision", 0), each["status"]) for each in found}
        self.revisions = {owner: known[owner][0] for owner in owners if owner in known}
        entries: list[Document] = []
        for owner, revision in self.revisions.items():
            status = known[owner][1]
            keys, is_whole = self._keys[owner], owner in self.changed
            entries.append(
                feed_entry(
                    owner,
                    revision,
                    self.now,
                    collections=self.collections[owner] | ({"customers"} if keys or is_whole else set[str]()),
                    added=activities.get(owner, ()),
                    rewritten_ids=self._rewritten[owner],
                    status=keys.get("status", status if is_whole else None),
                    is_partial=owner in self.moved,
                )
            )
        nothing: Document = {"collections": ["customers"], "added": (), "rewritten_ids": (), "is_partial": False}
        entries += [
            feed_entry(owner, revision, self.now, status=CustomerStatus.ANONYMISED.value, **nothing)
            for owner, revision in sorted(self._gone.items())
        ]
        self._together.insert("feed", entries)

    def _order(self) -> None:
        """Rows of one moment are listed in the order in which they were written, unless they bring an order."""
        for collection in ORDERED & self._inserted.keys():
            rows: defaultdict[str, list[Document]] = defaultdict(list)
            for row in self._inserted[collection]:
                if ORDER not in row:
                    rows[row["customerId"]].append(row)
            for owner, own in rows.items():
                put_in_order(own, self.now, self._revisions.get(owner, 0))

    def _update(self, owner: str, activities: Sequence[Document]) -> Document:
        update, keys = activity_summary_update(activities), self._keys[owner]
        if self.defers_copies:
            update, keys = deferred(update, keys)
        if owner not in self._revisions:
            update["$inc"] = {"revision": 1}
        for operator, values in update_of(keys).items():
            update[operator] = {**update.get(operator, {}), **values}
        return update


async def move_rows(
    store: Store, collection: str, ids: Sequence[str], *, from_id: str, into_id: str, merge_id: str
) -> int:
    """Gives rows of one customer to another, and returns how many. Each moves by itself, and only if it still is there.

    Whoever takes over another customer is read with the rows that are still to come, and no preview of them is believed
    meanwhile (loaders/gate.py).
    """
    former = {"mergeId": merge_id, "customerId": from_id}

    def moved(row: Document) -> Document:
        return row | {"customerId": into_id, "formerOwners": [*row.get("formerOwners", ()), former]}

    return await _hand_on(store, collection, {"_id": {"$in": [*ids]}, "customerId": from_id}, moved)


async def move_rows_back(
    store: Store, collection: str, ids: Sequence[str], *, from_id: str, into_id: str, merge_id: str
) -> int:
    """Gives rows that a merge moved back to whom they were of, and returns how many."""
    former = {"mergeId": merge_id, "customerId": into_id}

    def moved(row: Document) -> Document:
        return row | {"customerId": into_id, "formerOwners": [each for each in row["formerOwners"] if each != former]}

    where = {"_id": {"$in": [*ids]}, "customerId": from_id, "formerOwners": former}
    return await _hand_on(store, collection, where, moved)


async def _hand_on(store: Store, collection: str, where: Document, moved: Callable[[Document], Document]) -> int:
    """Deletes rows and inserts them as another customer's, in one transaction, and returns how many.

    On a sharded cluster a row lies with its customer, and no update of several rows may give them another.
    """

    async def body(session: Any) -> int:
        rows = await store.find(collection, where, session=session)
        if rows:
            here = {**where, "_id": {"$in": [row["_id"] for row in rows]}}
            await store.write(collection, [DeleteMany(here)], session=session)
            await store.insert(collection, [*map(moved, rows)], session=session)
        return len(rows)

    return await store.transaction(body)


Body: TypeAlias = Callable[[CustomerRows], Awaitable[T]]


async def change_customers(
    store: Store,
    body: Body[T],
    *,
    now: datetime,
    stale: previews.StaleCopies | None = None,
    lock: AbstractAsyncContextManager[None] | None = None,
) -> T:
    """Returns the result of ``body`` once all that it wrote is committed, together or not at all. It may run twice.

    Raises what ``body`` raises, with nothing written, and OutOfTime. ``stale`` is a writer's of many customers, who
    makes the previews itself, later, and with them what customers are listed by. ``lock`` is held until it is
    committed, and not while previews are made: of two who make them at a time the one that knows of more remains.
    """

    is_first = True

    async def whole(session: Any) -> tuple[T, CustomerRows]:
        nonlocal is_first
        rows = CustomerRows(store, session, now)
        rows.defers_copies = stale is not None
        rows.lets_preview_follow = is_first and stale is None
        is_first = False  # what made it run again may be the preview
        result = await body(rows)
        await rows.send()
        return result, rows

    async with lock or nullcontext():
        result, rows = await store.transaction(whole)
    for act in rows.acts:
        act()
    if stale is None:
        await previews.refresh(store, sorted(rows.stale_previews))
    else:
        pending = rows.owners | rows.left_pending
        stale.add(rows.revisions, pending=pending, new=rows.new_customers, written=rows.collections)
    return result
