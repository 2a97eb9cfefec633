"""The audit log's writer."""

from typing import Any

import pytest

from app.domain.access import Forbidden, Role, Viewer
from app.services.audit import AuditTrail
from app.store.driver import Store, UpdateOne
from tests.support.world import NOW, World

VIEWER = Viewer("tess", "Tess Tester", frozenset({Role.FINANCE}))
ASKED = AuditTrail(VIEWER, "changeCustomerStatus", "req-1", NOW)


async def _log(store: Store) -> list[dict[str, Any]]:
    return await store.find("audit", {}, fields={"_id": 0, "order": 0})


async def test_an_accepted_change_and_its_row_are_written_together_or_not_at_all(store: Store, world: World) -> None:
    ada = await world.customer()
    block = [UpdateOne({"_id": ada["_id"]}, {"$set": {"status": "BLOCKED"}})]

    async def change(session: Any, *, fails: bool) -> None:
        await store.write("customers", block, session=session)
        await ASKED.accepted(store, session, customer_id=ada["_id"], wrote=["sts_1"])
        if fails:
            raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        await store.transaction(lambda session: change(session, fails=True))
    assert await _log(store) == []
    assert await store.find("customers", {"status": "BLOCKED"}) == []

    await store.transaction(lambda session: change(session, fails=False))
    actor = {"subject": "tess", "name": "Tess Tester", "roles": ["FINANCE"]}
    asked = {"at": NOW, "actor": actor, "action": "changeCustomerStatus", "requestId": "req-1"}
    assert await _log(store) == [{**asked, "customerId": ada["_id"], "outcome": "ACCEPTED", "wrote": ["sts_1"]}]


async def test_a_refusal_leaves_a_row_with_its_code_and_none_of_its_words(store: Store) -> None:
    await ASKED.refused(store, Forbidden("Ada may not."), customer_id=None)
    (row,) = await _log(store)
    assert (row["outcome"], row["code"]) == ("REFUSED", "FORBIDDEN")
    assert "Ada" not in str(row)
