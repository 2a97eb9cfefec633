"""Reads what requests there are for transactions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from app.domain.external_requests import Refunding, refunding
from app.loaders.loader import each_apart
from app.store.driver import Document, Store


async def refundings(store: Store, ids: Sequence[str]) -> Mapping[str, Refunding | Exception]:
    """Returns what may still be refunded of each sale. Three commands, however many sales."""
    sales = await store.find("transactions", {"_id": {"$in": [*ids]}})
    refunds, asked = defaultdict[str, list[Document]](list), defaultdict[str, list[Document]](list)
    for refund in await store.find("transactions", {"refundOfId": {"$in": [*ids]}}):
        refunds[refund["refundOfId"]].append(refund)
    for request in await store.find("requests", {"targetId": {"$in": [*ids]}, "kind": "REFUND"}):
        asked[request["targetId"]].append(request)
    by_id = {sale["_id"]: sale for sale in sales}
    return each_apart(by_id, lambda sale_id: refunding(by_id[sale_id], refunds[sale_id], asked[sale_id]))
