"""Reads what requests there are for transactions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from app.domain import external_requests
from app.store.driver import Document, Store


async def refundable(store: Store, ids: Sequence[str]) -> Mapping[str, Decimal]:
    """Returns how much of each sale can still be refunded. Three commands, however many sales."""
    sales = await store.find("transactions", {"_id": {"$in": [*ids]}})
    refunds, asked = defaultdict[str, list[Document]](list), defaultdict[str, list[Document]](list)
    for refund in await store.find("transactions", {"refundOfId": {"$in": [*ids]}}):
        refunds[refund["refundOfId"]].append(refund)
    for request in await store.find("requests", {"targetId": {"$in": [*ids]}, "kind": "REFUND"}):
        asked[request["targetId"]].append(request)
    return {sale["_id"]: external_requests.refundable(sale, refunds[sale["_id"]], asked[sale["_id"]]) for sale in sales}
