"""Takes what is personal out of the rows of erased customers, a batch at a time, whatever dies meanwhile."""

from typing import Any, Final

from app.domain.access import STAFF, Role
from app.domain.vocabulary import ErasureStatus
from app.services.erasing import DELETED_ROWS, ERASED_ROWS, call_off_exports
from app.services.row_jobs import RowJob, clock
from app.services.writing import CustomerRows, change_customers
from app.store.driver import DeleteMany, Document, UpdateMany
from app.store.files import UPLOADED
from app.store.personal import ERASED_NAME, without_personal
from app.store.schema import rows_of

_PAGE: Final = 200
"""Rows of one transaction: a mail may be large."""
_OF_CUSTOMERS: Final = {"$in": [Role.CUSTOMER.value], "$nin": sorted(STAFF)}


class Eraser(RowJob):
    """An eraser erases rows; any number of processes may run one."""

    collection = "erasures"

    async def _work(self, job: Document) -> None:
        # Until a walk through everything has found nothing: a relay may note something meanwhile.
        while await self._walk(job):
            pass

        async def body(rows: CustomerRows) -> None:
            for each in job["accountIds"]:
                await rows.lock(each)
                rows.moved.add(each)
            await call_off_exports(self.store, rows.session, clock())  # those that read rows before this job did
            # Entries of the audit log stay, but for the person's own name where they acted themselves.
            theirs = {"customerId": {"$in": job["accountIds"]}, "actor.roles": _OF_CUSTOMERS}
            nameless = UpdateMany(theirs, {"$set": {"actor.name": ERASED_NAME}})
            await self.store.write("audit", [nameless], session=rows.session)
            await self.finish(job, {"status": ErasureStatus.DONE.value, "finishedAt": clock()}, rows.session)

        await change_customers(self.store, body, now=clock())

    async def _walk(self, job: Document) -> int:
        """Returns how many rows were changed."""
        changed = 0
        for collection in ERASED_ROWS:
            last = ""
            where = rows_of(collection, {"$in": job["accountIds"]})
            while rows := await self.store.find(
                collection, {**where, "_id": {"$gt": last}}, sort={"_id": 1}, limit=min(self.batch, _PAGE)
            ):
                last = rows[-1]["_id"]
                erased = await (self._delete if collection in DELETED_ROWS else self._erase)(collection, rows)
                changed += erased
                await self.progress(job, "erased", erased)
        return changed

    async def _delete(self, collection: str, rows: list[Document]) -> int:
        them = DeleteMany({"_id": {"$in": [row["_id"] for row in rows]}})
        if collection == "uploads":
            for row in rows:
                await UPLOADED.delete_all(self.store, row["_id"])
            await self.store.write("uploads", [them])
        else:
            await self.store.write("files", [them])
        return len(rows)

    async def _erase(self, collection: str, rows: list[Document]) -> int:
        updates = [(row, update) for row in rows if (update := erasing(collection, row))]
        if not updates:
            return 0

        async def body(door: CustomerRows) -> None:
            for row, update in updates:
                door.update(collection, row, update)

        await change_customers(self.store, body, now=clock())
        return len(updates)


def erasing(collection: str, row: Document) -> dict[str, Any]:
    """Returns the update that takes out of a row what is personal; empty if there is nothing."""
    left = without_personal(collection, row)
    if collection == "blocklist":  # nothing is blocked by a value that is gone
        left.pop("listed", None)
    set_ = {key: value for key, value in left.items() if row.get(key) != value}
    unset = {key: "" for key in row if key not in left}
    return {**({"$set": set_} if set_ else {}), **({"$unset": unset} if unset else {})}
