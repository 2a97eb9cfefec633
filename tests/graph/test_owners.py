"""An edge that follows a stored id stays within its customer, whatever a source had wrong."""

from typing import Any

from app.domain import points
from tests.support.gateway import Ask
from tests.support.world import NOW, World

QUERY = """query($ids: [ID!]!) { nodes(ids: $ids) {
  ... on Activity { subject { id } email { id } note { id } availableActions }
  ... on PointsEntry { transaction { id } }
  ... on Transaction { refundOf { id } refunds { id } }
  ... on Email { deliveries { id } } } }"""


async def test_what_belongs_to_another_customer_is_not_there(ask: Ask, world: World) -> None:
    """Each edge, with a document of one's own and with one of somebody else's."""
    ada, eve = await world.customer(email="ada@example.com"), await world.customer(email="eve@example.com")
    for owner, is_own in ((ada, True), (eve, False)):
        coupon, email, note = await world.coupon(owner), await world.email(owner), await world.note(owner)
        sale = await world.transaction(owner)
        refund = await world.transaction(ada, type="REFUND", refundOfId=sale["_id"])
        (entry,) = await world.ledger(ada, points.earn(points.empty(), 1, now=NOW), transactionId=sale["_id"])
        await world.store.command({"delete": "points", "deletes": [{"q": {"_id": {"$ne": entry["_id"]}}, "limit": 0}]})
        activity = await world.activity(
            ada, "EMAIL_SENT", subjectId=coupon["_id"], emailId=email["_id"], noteId=note["_id"]
        )
        own_mail = await world.email(ada)
        delivery = {"emailId": own_mail["_id"], "to": "ada@example.com"}
        (delivered,) = await world.many("deliveries", owner, delivery)
        ids = [activity["_id"], entry["_id"], refund["_id"], sale["_id"], own_mail["_id"]]
        answer = await ask(QUERY, ids=ids)
        assert "errors" not in answer
        of_activity, of_entry, of_refund, of_sale, of_mail = answer["data"]["nodes"]

        def there(document: dict[str, Any], is_own: bool = is_own) -> dict[str, Any] | None:
            return {"id": document["_id"]} if is_own else None

        assert [of_activity[name] for name in ("subject", "email", "note")] == [*map(there, (coupon, email, note))]
        assert ("REDEEM_COUPON" in of_activity["availableActions"]) is is_own
        assert of_entry["transaction"] == there(sale)
        assert of_refund["refundOf"] == there(sale)
        assert of_sale["refunds"] == [each for each in [there(refund)] if each]
        assert of_mail["deliveries"] == [each for each in [there(delivered)] if each]
        await world.store.command({"delete": "points", "deletes": [{"q": {}, "limit": 0}]})
