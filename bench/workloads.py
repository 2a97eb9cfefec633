"""The three workloads that everything here measures, and that tests/execution/test_savings.py counts."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from pymongo import MongoClient

from bench.data import DATABASE

W1: Final = """query Customer360($number: String!) { customer(by: {number: $number}) {
    id number name firstName lastName email country registeredAt paymentCount status
    activities(first: 10) { nodes { id type title occurredAt source points } pageInfo { hasNextPage } }
    pointsHistory(first: 10) { nodes { id kind points balanceAfter occurredAt } pageInfo { hasNextPage } }
    coupons(first: 10) { nodes { id code value redeemed } pageInfo { hasNextPage } }
    transactions(first: 10) { nodes { id number type status occurredAt amount { amount currency } }
        pageInfo { hasNextPage } }
    passes(first: 10) { nodes { id type serialNumber } pageInfo { hasNextPage } }
    statusHistory(first: 10) { nodes { id from to reason changedAt } pageInfo { hasNextPage } }
} }"""
"""A customer, whole: ten values and six lists."""

W2: Final = """query Customers($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { id number name status
    activities(first: 10) { nodes { id type title group occurredAt recordedAt source message points } }
    pointsHistory(first: 10) { nodes { id seq kind points balanceAfter reason occurredAt source } }
} } }"""
"""Fifty customers, each with ten activities and ten entries of points."""

W3: Final = "query Small($number: String!) { customer(by: {number: $number}) { id name status } }"
"""Three values of one customer."""

QUERIES: Final = {"w1": W1, "w2": W2, "w3": W3}
LISTS: Final = ("activities", "pointsHistory", "coupons", "transactions", "passes", "statusHistory")
"""The lists of W1."""
CUSTOMERS: Final = 50
"""How many W2 asks for."""
_NAMES: Final = {"w1": "Customer360", "w2": "Customers", "w3": "Small"}
_REQUESTS: Final = {"w1": 500, "w2": 100, "w3": 1_000}
"""How many different ones of each: no document is asked for all the time."""


def requests(uri: str) -> Mapping[str, Sequence[str]]:
    """Bodies by workload; the same in every run on the same data."""
    with MongoClient[dict[str, Any]](uri) as client:
        customers = [*client[DATABASE].customers.find({}, ["number"]).sort("number")]
    random = Random(8)  # noqa: S311 # no secret
    random.shuffle(customers)
    numbers = [{"number": each["number"]} for each in customers]
    variables: dict[str, list[Any]] = {
        "w1": numbers,
        "w2": [{"ids": [each["_id"] for each in random.sample(customers, CUSTOMERS)]} for _ in range(_REQUESTS["w2"])],
        "w3": numbers,
    }
    return {
        workload: [
            json.dumps({"operationName": _NAMES[workload], "query": query, "variables": each})
            for each in variables[workload][: _REQUESTS[workload]]
        ]
        for workload, query in QUERIES.items()
    }
