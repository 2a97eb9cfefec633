"""Reads customers by what people and systems call them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, cast

from app.domain.paging import Prefetch
from app.domain.search import address, addresses_of, folded
from app.domain.vocabulary import CustomerStatus
from app.store.driver import Document, Store, StoreError
from app.store.pages import CustomerPages, fields_of, read_with_pages

Name: TypeAlias = tuple[str, ...]
"""("number", "C-100001"), ("email", "ada@example.com") or ("identity", "esuite", "8812").

An e-mail address is as it is compared (domain/search.py).
"""
_LOOKED_AT: Final = ("number", "identities", "status", "mergedIntoId")
"""In customers who were found by number or identity, to tell which name is theirs and whether they were merged away."""


async def by_name(
    store: Store, names: Sequence[Name], prefetch: Prefetch
) -> tuple[Mapping[Name, list[Document]], CustomerPages]:
    """Returns all customers of each name, and the pages that come with them.

    Numbers and identities are unique, an e-mail may be shared; case makes no difference. Names of customers who were
    merged away are names of the survivor. One command for numbers and identities, one for e-mails, and one more if all
    whom a name has were merged.
    """
    found: dict[Name, list[Document]] = defaultdict(list)
    pages: CustomerPages = {}
    exact = [_condition(name) for name in names if name[0] != "email"]
    if exact:
        where = exact[0] if len(exact) == 1 else {"$or": exact}
        customers, pages = await _read(store, where, prefetch, several=len(exact) > 1)
        for customer in customers:
            for name in names:
                if _answers(customer, name):
                    found[name].append(customer)
    if addresses := [name[1] for name in names if name[0] == "email"]:
        for customer in await store.find("customers", {"searchEmails": {"$in": addresses}}):
            for each in addresses:
                if each in map(address, addresses_of(customer)):
                    found["email", each].append(customer)
    merged = {name: into for name, several in found.items() if (into := _merged_into(several))}
    if merged:
        where = {"_id": {"$in": sorted({each for into in merged.values() for each in into})}}
        customers, more = await _read(store, where, prefetch, several=True)
        by_id = {customer["_id"]: customer for customer in customers}
        found |= {name: [by_id[each] for each in into if each in by_id] for name, into in merged.items()}
        pages = {request: {**pages.get(request, {}), **more.get(request, {})} for request in {**pages, **more}}
    return found, pages


async def _read(
    store: Store, where: Mapping[str, Any], prefetch: Prefetch, *, several: bool
) -> tuple[list[Document], CustomerPages]:
    if prefetch.pages:
        with suppress(StoreError):  # the pages' fault perhaps, which is theirs alone then
            return await read_with_pages(store, where, prefetch, _LOOKED_AT, several=several)
    fields = fields_of(prefetch, _LOOKED_AT)
    return await store.find("customers", where, fields=dict.fromkeys(fields, 1) if fields else None), {}


def _merged_into(customers: Sequence[Document]) -> Sequence[str]:
    """Returns the ids of the survivors where all of these were merged into somebody, else none."""
    into = [each.get("mergedIntoId") for each in customers if each.get("status") == CustomerStatus.MERGED]
    return [*dict.fromkeys(filter(None, into))] if len(into) == len(customers) and all(into) else []


def _condition(name: Name) -> dict[str, Any]:
    match name:
        case "number", number:
            return {"number": number}
        case _, source, source_id:
            return {"identities": {"$elemMatch": {"source": source, "id": source_id}}}
        case _:
            raise AssertionError(name)


def _answers(customer: Document, name: Name) -> bool:
    match name:
        case "number", number:
            return customer.get("number") == number
        case "identity", source, source_id:
            return {"source": source, "id": source_id} in _list(customer, "identities")
        case _:
            return False


def _list(customer: Document, key: str) -> list[Document]:
    """Returns the list under the key; empty if something else is stored: a broken document is found nonetheless."""
    value = customer.get(key)
    return [each for each in cast(list[Any], value) if isinstance(each, dict)] if isinstance(value, list) else []


def surviving(customers: list[Document]) -> list[Document]:
    """Returns the customers that were not merged into another, or all if there are no others."""
    return [customer for customer in customers if customer.get("status") != CustomerStatus.MERGED] or customers


async def tags(store: Store, prefixes: Sequence[str]) -> Mapping[str, list[str]]:
    """Returns all labels that begin with each prefix, case and accents aside. One command, which reads an index."""
    found = await store.distinct("customers", "tags")
    labels = [each for each in found if isinstance(each, str)]  # an empty list stands in the index as no text
    return {prefix: sorted(tag for tag in labels if folded(tag).startswith(folded(prefix))) for prefix in prefixes}
