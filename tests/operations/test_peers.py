"""The peers of the benchmark ask the database for what the gateway does, in its order, so that all answer alike."""

from pathlib import Path

import pytest

from app.domain.listings import ACTIVITIES, COUPONS, PASSES, POINTS, STATUSES, TRANSACTIONS
from app.domain.paging import Listing
from bench.peers.data import LISTS
from bench.workloads import LISTS as NAMES

LISTINGS = {
    "activities": ACTIVITIES,
    "pointsHistory": POINTS,
    "coupons": COUPONS,
    "transactions": TRANSACTIONS,
    "passes": PASSES,
    "statusHistory": STATUSES,
}


@pytest.mark.parametrize(("name", "listing"), LISTINGS.items())
def test_a_peer_asks_for_a_list_in_the_order_that_it_has_here(name: str, listing: Listing) -> None:
    assert tuple(LISTINGS) == NAMES
    order = next(iter(listing.orders.values()))
    assert LISTS[name].sort == dict.fromkeys(order.keys, -1)
    node = Path("bench/peers/node/data.js").read_text().splitlines()
    [of_node] = [line for line in node if line.startswith(f"  {name}: {{")]
    assert of_node.endswith(f"sort: {{ {', '.join(f'{key}: -1' for key in order.keys)} }} }},")
