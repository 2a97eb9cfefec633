"""Reads who may be the same person as a customer."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from app.domain.duplicates import AT_MOST, Traits, reasons
from app.loaders.loader import each_apart
from app.store.driver import FOLDS_ACCENTS, Document, Store

_COMPARED: Mapping[str, int] = dict.fromkeys(("status", "searchEmails", "searchPhones", "searchName", "dateOfBirth"), 1)


async def duplicates(store: Store, traits: Sequence[Traits]) -> Mapping[Traits, list[Document] | Exception]:
    """Returns those who share a trait, with their ``reasons``, most reasons first. Two commands at most."""
    emails = sorted({value for each in traits for value in each.emails})
    phones = sorted({value for each in traits for value in each.phones})
    contacts = [
        {key: {"$in": values}} for key, values in (("searchEmails", emails), ("searchPhones", phones)) if values
    ]
    people = [{"searchName": each.person[0], "dateOfBirth": each.person[1]} for each in traits if each.person]
    find = partial(store.find, "customers", fields=_COMPARED, limit=AT_MOST * len(traits))
    reads = [find({"$or": contacts})] if contacts else []
    reads += [find({"$or": people}, collation=FOLDS_ACCENTS)] if people else []
    others = {each["_id"]: each for several in await asyncio.gather(*reads) for each in several}
    return each_apart(traits, lambda each: _alike(each, others))


def _alike(of: Traits, others: Mapping[str, Document]) -> list[Document]:
    alike = [{"_id": key, "reasons": shared} for key, each in others.items() if (shared := reasons(of, each))]
    return sorted(alike, key=lambda each: (-len(each["reasons"]), each["_id"]))
