"""Moves the rows of customers who were merged, or back, a batch at a time, whatever dies meanwhile.

A row moves by itself, and only from whom it still is of: a batch that is done again does nothing, and two workers do
each other no harm. The last transaction looks for what somebody wrote meanwhile, and is the only one that ends it.
"""

from collections.abc import AsyncGenerator, Mapping

from app.domain.vocabulary import MergeStatus
from app.services.changes import activity_of
from app.services.row_jobs import RowJob, clock
from app.services.writing import CustomerRows, change_customers, move_rows, move_rows_back
from app.store.driver import Document
from app.store.schema import ROWS_OF_CUSTOMERS, rows_of


class Mover(RowJob):
    """A mover moves rows of customers who were merged; any number of processes may run one."""

    collection = "merges"

    async def _work(self, job: Document) -> None:
        merge = job
        while True:
            if merge["status"] == MergeStatus.UNDOING:
                await self._move_back(merge)
                ended = await self._end_undoing(merge)
            else:
                await self._move_on(merge)
                ended = await self._end(merge)
            if ended:
                return

    async def _move_on(self, merge: Document) -> None:
        for source_id in merge["sourceIds"]:
            for collection in ROWS_OF_CUSTOMERS:
                async for ids in self._batches(collection, rows_of(collection, source_id)):
                    to = {"from_id": source_id, "into_id": merge["customerId"], "merge_id": merge["_id"]}
                    await self.progress(merge, "moved", await move_rows(self.store, collection, ids, **to))

    async def _move_back(self, merge: Document) -> None:
        for source_id in merge["sourceIds"]:
            for collection in ROWS_OF_CUSTOMERS:
                async for ids in self._batches(collection, _brought(merge, source_id)):
                    to = {"from_id": merge["customerId"], "into_id": source_id, "merge_id": merge["_id"]}
                    await self.progress(merge, "moved", -await move_rows_back(self.store, collection, ids, **to))

    async def _batches(self, collection: str, where: Document) -> AsyncGenerator[list[str]]:
        """Yields ids until there are none; each batch has to be moved before the next one is read."""
        while found := await self.store.find(collection, where, fields={"_id": 1}, limit=self.batch):
            yield [row["_id"] for row in found]

    async def _end(self, merge: Document) -> bool:
        """Ends the merge; False if there are rows again."""
        into_id, now = merge["customerId"], clock()

        async def body(rows: CustomerRows) -> bool:
            for each in (*merge["sourceIds"], into_id):
                await rows.lock(each)
                rows.moved.add(each)
                rows.remake_copies(each)
            if await self._any(rows, {name: rows_of(name, {"$in": merge["sourceIds"]}) for name in ROWS_OF_CUSTOMERS}):
                return False
            rows.set_on_customer(into_id, {"absorbingIds": None, "mergeInProgressId": None})
            for source_id in merge["sourceIds"]:
                rows.set_on_customer(source_id, {"rowsMoving": None})
            own = {"message": merge["reason"]}
            # Written last, so that it stays where whoever has the old number looks.
            stubs = [
                activity_of(each, "CUSTOMER_MERGED_AWAY", merge["createdBy"], merge["createdAt"], **own)
                for each in merge["sourceIds"]
            ]
            rows.insert("activities", ({**stub, "recordedAt": now} for stub in stubs))
            await self.finish(merge, {"status": MergeStatus.DONE.value, "finishedAt": now}, rows.session)
            return True

        return await change_customers(self.store, body, now=now)

    async def _end_undoing(self, merge: Document) -> bool:
        now = clock()

        async def body(rows: CustomerRows) -> bool:
            for each in (*merge["sourceIds"], merge["customerId"]):
                await rows.lock(each)
                rows.moved.add(each)
                rows.remake_copies(each)
            brought = {"formerOwners.mergeId": merge["_id"], "customerId": merge["customerId"]}
            if await self._any(rows, dict.fromkeys(ROWS_OF_CUSTOMERS, brought)):
                return False
            await self.finish(merge, {"status": MergeStatus.UNDONE.value}, rows.session)
            return True

        return await change_customers(self.store, body, now=now)

    async def _any(self, rows: CustomerRows, where: Mapping[str, Document]) -> bool:
        """Returns whether there is a row in one of the collections that meets its condition."""
        for collection, condition in where.items():
            if await self.store.find(collection, condition, fields={"_id": 1}, limit=1, session=rows.session):
                return True
        return False


def _brought(merge: Document, source_id: str) -> Document:
    """Matches the rows that the merge has moved from there to the survivor."""
    former = {"mergeId": merge["_id"], "customerId": source_id}
    return {"formerOwners.mergeId": merge["_id"], "customerId": merge["customerId"], "formerOwners": former}
