"""The three workloads that everything here measures, and that tests/execution/test_savings.py counts."""

from typing import Final

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
