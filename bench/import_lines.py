"""The lines that imports are measured with: mixed, of customers mostly, of points mostly."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Line = dict[str, Any]
_START: Final = datetime(2024, 1, 1, tzinfo=UTC)
_FAR_APART: Final = 1_000_000


def _customer(number: int, chance: random.Random) -> Line:
    name = (
        f"{chance.choice(('Nora', 'Kari', 'Émile', 'Sören', 'Ada'))} {chance.choice(('Lindqvist', 'Okafor', 'Weiß'))}"
    )
    first, _, last = name.partition(" ")
    return {
        "kind": "customer",
        "source": "billing",
        "id": f"C-{number}",
        "number": f"{100_000 + number}",
        "name": f"{name} {number}",
        "firstName": first,
        "lastName": last,
        "registeredAt": _at(number),
        "email": f"customer.{number}@example.com",
        "phones": [
            {"value": f"+47 91 {number % 100:02} {number // 100 % 100:02} 10", "label": "mobile", "primary": True}
        ],
        "billingAddress": {"line1": f"Storgata {number % 90}", "city": "Oslo", "postalCode": "0184", "country": "NO"},
        "country": "NO",
        "paymentCount": number % 30,
        "tags": ["newsletter"],
    }


def _of(number: int) -> Line:
    return {"source": "billing", "id": f"C-{number}"}


def _at(line: int) -> str:
    """Returns a time 37 s after that of the line before, in long files 3 s: of ten million none lies in the future."""
    seconds = 37 * line if line < _FAR_APART else 34 * _FAR_APART + 3 * line
    return (_START + timedelta(seconds=seconds)).isoformat()


def _activity(line: int, owner: int) -> Line:
    return {
        "kind": "activity",
        "source": "esuite",
        "id": f"A-{line}",
        "customer": _of(owner),
        "occurredAt": _at(line),
        "type": "BILLING_DATE_CHANGED",
        "attributes": {"billDayFrom": 1 + line % 28, "billDayTo": 15},
        "actor": {"kind": "AGENT", "id": "mira", "name": "Mira Sol", "accessLevel": "CUSTOMER_SERVICE_AGENT"},
    }


def _points(line: int, owner: int) -> Line:
    return {
        "kind": "points",
        "source": "loyalty",
        "id": f"P-{line}",
        "customer": _of(owner),
        "occurredAt": _at(line),
        "pointsKind": "EARNED",
        "points": 10,
        **({} if line % 3 else {"expiresAt": "2031-12-31"}),
    }


def _spending(line: int, owner: int) -> Line:
    return _points(line, owner) | {"pointsKind": "SPENT", "points": -1, "expiresAt": None}


def _transaction(line: int, owner: int) -> Line:
    return {
        "kind": "transaction",
        "source": "billing",
        "id": f"T-{line}",
        "customer": _of(owner),
        "number": f"{line}",
        "type": "SALE",
        "occurredAt": _at(line),
        "amount": {"amount": f"{line % 90}.90", "currency": "EUR"},
    }


def _note(line: int, owner: int) -> Line:
    return {
        "kind": "note",
        "source": "esuite",
        "id": f"N-{line}",
        "customer": _of(owner),
        "createdAt": _at(line),
        "message": "Called about the bill, and was told when the next one comes.",
    }


def _coupon(line: int, owner: int) -> Line:
    return {
        "kind": "coupon",
        "source": "loyalty",
        "id": f"K-{line}",
        "customer": _of(owner),
        "addedAt": _at(line),
        "code": f"TEN-{line}",
        "type": "percentage",
        "value": "10 %",
        "origin": "RULE",
    }


Make = Callable[[int, int], Line]
SHAPES: Final[dict[str, tuple[float, tuple[tuple[Make, int], ...]]]] = {
    "mixed": (0.1, ((_activity, 50), (_points, 25), (_transaction, 10), (_note, 10), (_coupon, 5))),
    "customers": (0.8, ((_activity, 100),)),
    "points": (0.05, ((_points, 100),)),
}
"""By name: the part of the lines that are customers, who come first, and the other kinds with their weights."""


def lines_of_shape(
    shape: str, lines: int, *, seed: int = 1, first: int = 0, customers: int | None = None
) -> Iterator[bytes]:
    """Yields the lines of such a file; the same ones for the same seed, and no more of it is ever in memory.

    Of so many ``customers``, where that is given. Two files have nothing in common where one begins, with its ``first``
    number, after the other's last line.
    """
    chance = random.Random(seed)  # noqa: S311 # no secret
    part, kinds = SHAPES[shape]
    customers = customers or max(1, int(lines * part))
    makes, weights = [make for make, _ in kinds], [weight for _, weight in kinds]
    earners: set[int] = set()
    for line in range(first, first + lines):
        if line < first + customers:
            made = _customer(line, chance)
        else:
            make, owner = chance.choices(makes, weights)[0], first + chance.randrange(customers)
            make = _spending if make is _points and owner in earners and line % 4 == 0 else make
            earners |= {owner} if make is _points else set[int]()
            made = make(line, owner)
        yield json.dumps(made, ensure_ascii=False).encode() + b"\n"
